// SPDX-License-Identifier: Apache-2.0
// What proxies say about the application load balancers that they serve. They are who uses the
// targets, so what they say of a target's health is what is told of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/targets/health.h"

namespace sluice::gateway {

struct ServedListener {
  std::string address;  // "10.0.0.1:80"
  std::string trouble;  // why it is not bound; empty: it is
  bool operator==(const ServedListener&) const = default;
};
using ServedListeners = std::vector<ServedListener>;

class ApplicationReports {
 public:
  // Of the proxy with this number. kUnused takes back what it said of the target.
  void set_target(uint64_t proxy, const TargetName& name, TargetHealth health);
  void set_balancers(uint64_t proxy, std::map<std::string, ServedListeners> balancers);
  void forget(uint64_t proxy) { proxies_.erase(proxy); }
  // Of what is not registered only that it drains.
  void forget_targets_not_in(const Config& config);
  size_t targets(uint64_t proxy) const;

  // As the target is told to clients: `unused` when no listener forwards to its group, else the
  // best that a proxy says of it.
  TargetHealth health(const Config& config, const TargetGroup& group, const Target& target) const;
  // Whether requests of a target that was deregistered have not ended.
  bool is_draining(const TargetName& name) const;

  // Of the first proxy that serves it; null: none does.
  const ServedListeners* listeners(std::string_view balancer) const;

 private:
  struct Proxy {
    std::map<TargetName, TargetHealth> targets;
    std::map<std::string, ServedListeners, std::less<>> balancers;
  };
  std::map<uint64_t, Proxy> proxies_;
};

// ELBv2's State of a load balancer of type application.
struct BalancerState {
  const char* code;  // provisioning, active, active_impaired, failed
  std::string reason;
};
BalancerState state_of(const ApplicationReports& reports, const LoadBalancer& balancer);

}  // namespace sluice::gateway
