// SPDX-License-Identifier: Apache-2.0
// How validate.h is done.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/attributes.h"
#include "gateway/control/validate.h"

namespace sluice::gateway {

// 1 to 15 printable characters without '/' and ':'.
bool is_interface_name(std::string_view name);

class Validator {
 public:
  Validator(const Config& config, const Broken& broken) : config_(config), broken_(broken) {}
  std::vector<Error> run();

 private:
  // validate.cc
  template <class Object>
  void by_name(const std::string& list, const ObjectList<Object>& objects,
               std::map<std::string_view, size_t>& out);
  void check_gateway_reference(const std::string& path, const std::string& name);
  void check_attachments();
  void check_attributes(const std::string& path, AttributeScope scope, LoadBalancerType type,
                        const Attributes& attributes);
  void check_tags(const std::string& path, const Tags& tags);
  void check_limits();
  void check_gateway();

  // validate_network.cc
  void check_network();
  void check_subnet_mappings(const std::string& path, const LoadBalancer& lb);
  const Subnet* find_subnet(const std::string& path, const std::string& id);

  // validate_balancers.cc
  void check_target_group(const std::string& path, const TargetGroup& group);
  void check_failover(const std::string& prefix, const TargetGroup& group);
  void check_health_check(const std::string& path, const TargetGroup& group);
  void check_target(const std::string& path, const TargetGroup& group, const Target& target);
  void check_load_balancer(const std::string& path, const LoadBalancer& lb);
  void check_listener(const std::string& path, const LoadBalancer& lb, const Listener& listener);
  void check_frontend(const std::string& path, const LoadBalancer& lb, const Listener& listener);
  void check_rules(const std::string& path, const LoadBalancer& lb, const Listener& listener);
  void check_conditions(const std::string& path, const Rule& rule);
  void check_action(const std::string& path, const std::string& listener_path,
                    const LoadBalancer& lb, const Listener& listener, const Action& action);
  // The group, if it is there, whole and of this protocol.
  const TargetGroup* check_group_reference(const std::string& path, const std::string& name,
                                           Protocol wanted);
  void check_forward(const std::string& path, const std::string& listener_path,
                     const LoadBalancer& lb, const Listener& listener, const std::string& name);
  void check_idle_timeout(const std::string& path, const Listener& listener);

  static std::string at(const std::string& list, size_t index) {
    return list + "[" + std::to_string(index) + "]";
  }
  bool is_broken(std::string_view path) const { return broken_ && broken_(path); }
  void say(const std::string& path, std::string what);

  const Config& config_;
  const Broken& broken_;
  std::map<std::string_view, size_t> balancers_, groups_;
  std::map<std::string_view, size_t> vpcs_, subnets_, instances_, security_groups_;
  std::set<IpAddress> instance_addresses_;
  std::set<std::string> frontends_;  // "TCP 10.0.0.1 port 80"
  std::string idle_timeout_;         // the first that was set
  std::vector<Error> errors_;
};

}  // namespace sluice::gateway
