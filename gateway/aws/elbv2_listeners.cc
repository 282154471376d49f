// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr const char* kNoTls = "TLS is not terminated here: there are no certificates and policies";

// What a client wants of a listener; what it does not say stays.
struct Wanted {
  std::optional<std::string> protocol;
  std::optional<uint16_t> port;
  std::optional<Action> action;  // with ARNs
  Tags tags;
};

Wanted read_wanted(Params& in) {
  Wanted out;
  out.protocol = in.choice(
      "Protocol", {"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"});
  if (const auto port = in.number("Port", 1, 65'535)) out.port = static_cast<uint16_t>(*port);
  out.action = read_action(in, "DefaultActions");
  if (!in.texts("AlpnPolicy", 1).empty()) in.fail(kConfiguration, kNoTls);
  for (const char* name : {"SslPolicy", "Certificates", "MutualAuthentication"})
    in.unavailable(name, kConfiguration, kNoTls);
  return out;
}

// Protocol and port, as the type of load balancer has them.
AwsResult<> set_frontend(const LoadBalancer& balancer, const Wanted& wanted, Listener& listener) {
  if (balancer.type == LoadBalancerType::kGateway) {
    if (wanted.protocol || wanted.port)
      return refuse(kInvalid,
                    "You cannot specify a protocol or port for a listener of a gateway "
                    "load balancer: it takes every packet");
    listener.protocol = Protocol::kGeneve;
    return {};
  }
  const bool network = balancer.type == LoadBalancerType::kNetwork;
  if (wanted.protocol == "HTTP" && !network)
    listener.protocol = Protocol::kHttp;
  else if (wanted.protocol == "TCP" && network)
    listener.protocol = Protocol::kTcp;
  else if (wanted.protocol == "UDP" && network)
    listener.protocol = Protocol::kUdp;
  else if (wanted.protocol)
    return refuse("UnsupportedProtocol", "Listeners of protocol " + *wanted.protocol +
                                             " are not available for load balancers of type '" +
                                             std::string(type_name(balancer.type)) + "': use " +
                                             (network ? "TCP or UDP" : "HTTP"));
  if (wanted.port) listener.port = *wanted.port;
  return {};
}

// The listener that stands in the same place, or null.
const Listener* in_the_way(const LoadBalancer& balancer, const Listener& wanted) {
  const auto at = std::ranges::find_if(balancer.listeners, [&](const Listener& other) {
    return &other != &wanted && other.port == wanted.port &&
           (other.protocol == Protocol::kUdp) == (wanted.protocol == Protocol::kUdp);
  });
  return at == balancer.listeners.end() ? nullptr : &*at;
}

// The listener's place in the balancer's list: a new one, or one that is there already and equal.
AwsResult<size_t> add_listener(const Config& config, const Place& place, LoadBalancer& balancer,
                               const Wanted& wanted) {
  Listener listener;
  listener.tags = wanted.tags;
  SLUICE_TRY_VOID(set_frontend(balancer, wanted, listener));
  const bool gateway = balancer.type == LoadBalancerType::kGateway;
  if (!gateway && (!wanted.protocol || !wanted.port))
    return refuse(kInvalid, "A listener protocol and port must be specified");
  SLUICE_TRY(listener.default_action,
             resolve_action(config, place, balancer, listener, *wanted.action));
  if (const Listener* there = in_the_way(balancer, listener)) {
    if (there->protocol == listener.protocol && there->default_action == listener.default_action)
      return static_cast<size_t>(there - balancer.listeners.data());
    return gateway ? refuse("TooManyListeners", "A gateway load balancer has one listener")
                   : refuse("DuplicateListener",
                            "A listener already exists on this port for "
                            "this load balancer '" +
                                balancer.name + "'");
  }
  if (balancer.listeners.size() >= kListenersPerLoadBalancerMax)
    return refuse("TooManyListeners", "the load balancer can have no more listeners");
  balancer.listeners.push_back(std::move(listener));
  return balancer.listeners.size() - 1;
}

AwsResult<> modify(const Config& config, const Place& place, const LoadBalancer& balancer,
                   Listener& listener, const Wanted& wanted) {
  SLUICE_TRY_VOID(set_frontend(balancer, wanted, listener));
  if (balancer.type != LoadBalancerType::kGateway && in_the_way(balancer, listener) != nullptr)
    return refuse("DuplicateListener",
                  "A listener already exists on this port for this load "
                  "balancer '" +
                      balancer.name + "'");
  if (wanted.action) {
    SLUICE_TRY(listener.default_action,
               resolve_action(config, place, balancer, listener, *wanted.action));
    return {};
  }
  for (const WeightedGroup& used : groups_of(listener.default_action)) {
    const TargetGroup* group = config.target_group(used.target_group);
    if (group != nullptr && group->protocol != listener.protocol)
      return refuse("IncompatibleProtocols",
                    "The target group of the listener's default action has another protocol");
  }
  return {};
}

}  // namespace

AwsResult<> create_listener(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("LoadBalancerArn");
  Wanted wanted = read_wanted(in);
  if (!wanted.action) in.fail(kInvalid, "'DefaultActions' must have an action");
  wanted.tags = read_tags(in);
  SLUICE_TRY_VOID(in.finish());
  size_t index = 0;
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const LoadBalancer* found, find_load_balancer(next, call.place, arn));
    SLUICE_TRY(index, add_listener(next, call.place, changeable(next, *found), wanted));
    return {};
  }));
  SLUICE_TRY(const LoadBalancer* balancer, find_load_balancer(call.config(), call.place, arn));
  write(add(call.out, "Listeners"), call, ListenerRef{balancer, &balancer->listeners[index]});
  return {};
}

AwsResult<> describe_listeners(Call& call) {
  Params& in = call.params;
  const std::string balancer_arn = in.text("LoadBalancerArn").value_or("");
  const auto arns = in.texts("ListenerArns", kArnsMax);
  const Page page(in);
  SLUICE_TRY_VOID(in.finish());
  if (balancer_arn.empty() == arns.empty())
    return refuse(kInvalid, "One of LoadBalancerArn and ListenerArns must be specified");
  std::vector<ListenerRef> found;
  for (const std::string& arn : arns) {
    SLUICE_TRY(const ListenerRef ref, find_listener(call.config(), call.place, arn));
    found.push_back(ref);
  }
  if (!balancer_arn.empty()) {
    SLUICE_TRY(const LoadBalancer* balancer,
               find_load_balancer(call.config(), call.place, balancer_arn));
    for (const Listener& listener : balancer->listeners) found.push_back({balancer, &listener});
  }
  auto list = add(call.out, "Listeners");
  page.cut(found, call.out, [](const ListenerRef& ref) { return ref.listener->id; });
  for (const ListenerRef& ref : found) write(list, call, ref);
  return {};
}

AwsResult<> modify_listener(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("ListenerArn");
  const Wanted wanted = read_wanted(in);
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const ListenerRef ref, find_listener(next, call.place, arn));
    LoadBalancer& balancer = changeable(next, *ref.balancer);
    return modify(next, call.place, balancer, changeable(next, ref), wanted);
  }));
  SLUICE_TRY(const ListenerRef now, find_listener(call.config(), call.place, arn));
  write(add(call.out, "Listeners"), call, now);
  return {};
}

AwsResult<> delete_listener(Call& call) {
  const std::string arn = call.params.require("ListenerArn");
  SLUICE_TRY_VOID(call.params.finish());
  return call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const ListenerRef ref, find_listener(next, call.place, arn));
    const std::string id = ref.listener->id;
    std::erase_if(changeable(next, *ref.balancer).listeners,
                  [&](const Listener& listener) { return listener.id == id; });
    return {};
  });
}

AwsResult<> add_listener_certificates(Call&) { return refuse(kConfiguration, kNoTls); }
AwsResult<> remove_listener_certificates(Call&) { return refuse(kConfiguration, kNoTls); }

AwsResult<> describe_listener_certificates(Call& call) {
  const std::string arn = call.params.require("ListenerArn");
  const Page page(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(find_listener(call.config(), call.place, arn));
  add(call.out, "Certificates");
  return {};
}

AwsResult<> describe_ssl_policies(Call& call) {
  const auto names = call.params.texts("Names", kArnsMax);
  (void)call.params.choice("LoadBalancerType", {"application", "network", "gateway"});
  const Page page(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  if (!names.empty())
    return refuse("SSLPolicyNotFound", "SSL policy '" + names[0] + "' not found: " + kNoTls);
  add(call.out, "SslPolicies");
  return {};
}

}  // namespace sluice::gateway::elbv2
