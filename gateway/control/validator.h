// SPDX-License-Identifier: Apache-2.0
// How validate.h is done.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/attributes.h"
#include "gateway/control/validate.h"

namespace sluice::gateway {

// 1 to 32 letters, digits and hyphens.
bool is_name(std::string_view name);
// 1 to 15 printable characters without '/' and ':'.
bool is_interface_name(std::string_view name);

// Where something stands: "target_groups[0].health_check". Put into words only when something is
// said about it, which for nearly all objects is never. Its parent outlives it.
class Path {
 public:
  Path(std::string_view key, size_t index) : key_(key), index_(index) {}
  Path at(std::string_view key, size_t index) const { return {this, key, index}; }
  Path at(std::string_view key) const { return {this, key, {}}; }
  std::string text() const;
  std::string operator+(std::string_view tail) const { return text().append(tail); }

 private:
  Path(const Path* parent, std::string_view key, std::optional<size_t> index)
      : parent_(parent), key_(key), index_(index) {}
  const Path* parent_ = nullptr;
  std::string_view key_;
  std::optional<size_t> index_;
};

class Validator {
 public:
  // `before`: a valid state that `config` came of, or null.
  Validator(const Config& config, const Broken& broken, const Config* before = nullptr);
  std::vector<Error> run();

 private:
  // validate.cc
  template <class Object>
  void check_names(std::string_view list, const ObjectList<Object>& objects);
  void check_balancers();
  void check_gateway_reference(const std::string& path, const std::string& name);
  void check_attachments();
  void check_services();
  void check_attributes(const Path& path, AttributeScope scope, LoadBalancerType type,
                        const Attributes& attributes);
  void check_tags(const Path& path, const Tags& tags);
  void check_limits();
  void check_gateway();

  // validate_policy.cc
  void check_policy();
  void check_policy_rule(const Path& path, const PolicyRule& rule);
  void check_mirror(const Path& path, const PolicyRule& rule);

  // validate_profiles.cc
  void check_profiles();
  void check_plain_endpoints(const std::string& group);
  void check_one_profile_each();
  void check_hops_apart(const Path& path, const PolicyRule& rule);

  // validate_network.cc
  void check_network();
  void check_subnet_mappings(const Path& path, const LoadBalancer& lb);
  const Subnet* find_subnet(const Path& path, const std::string& id);
  bool is_instance(const IpAddress& address);

  // validate_balancers.cc
  void check_target_group(const Path& path, const TargetGroup& group);
  void check_failover(const Path& path, const TargetGroup& group);
  void check_weights(const Path& path, const TargetGroup& group);
  void check_health_check(const Path& path, const TargetGroup& group);
  void check_target(const Path& path, const TargetGroup& group, const Target& target);
  // What it says by itself, and then what depends on other objects.
  void check_load_balancer(const Path& path, const LoadBalancer& lb);
  void check_listener(const Path& path, const LoadBalancer& lb, const Listener& listener);
  void check_rules(const Path& path, const LoadBalancer& lb, const Listener& listener);
  void check_conditions(const Path& path, const Rule& rule);
  void check_action(const Path& path, const Path& listener_path, const LoadBalancer& lb,
                    const Listener& listener, const Action& action);
  void check_place(const Path& path, const LoadBalancer& lb, const Listener& listener, bool known);
  void check_frontend(const Path& path, const LoadBalancer& lb, const Listener& listener);
  // The group, if it is there, whole and of this protocol.
  const TargetGroup* check_group_reference(const std::string& path, const std::string& name,
                                           Protocol wanted);
  // One group, or several with weights; `check` judges each.
  using CheckGroup = std::function<void(const Path& path, const std::string& name)>;
  void check_groups(const Path& path, const Action& action, const CheckGroup& check);
  void check_forward(const Path& path, const Path& listener_path, const LoadBalancer& lb,
                     const Listener& listener, const std::string& name);
  void check_idle_timeout(const Path& path, const Listener& listener);

  bool is_broken(std::string_view path) const { return broken_ && broken_(path); }
  bool is_broken(const Path& path, std::string_view tail = {}) const {
    return broken_ && broken_(path + tail);
  }
  void say(const std::string& path, std::string what);
  // Whether the valid state before had the very same object.
  template <class Object>
  bool is_known(const ObjectList<Object>& before, const Object& object) const {
    return same_network_ && before.find(object.name) == &object;
  }

  struct Frontend {
    bool udp;
    uint16_t port;
    IpAddress address;
    auto operator<=>(const Frontend&) const = default;
  };

  const Config& config_;
  const Broken& broken_;
  const Config& before_;     // empty without one
  const bool same_network_;  // and gateway
  const bool same_balancers_;
  std::optional<std::set<IpAddress>> instance_addresses_;
  std::set<Frontend> frontends_;
  std::string idle_timeout_;  // the first that was set
  std::vector<Error> errors_;
};

}  // namespace sluice::gateway
