// SPDX-License-Identifier: Apache-2.0
// How many of each thing a configuration may have: so many are taken, and one more is refused.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gateway/control/config.h"
#include "gateway/control/policy.h"
#include "gateway/control/validate.h"
#include "gateway/datapath/tables.h"

namespace sluice::gateway {
namespace {

// What stands where in a gateway that is valid with nothing of it.
struct Parts {
  std::string tunnels = "gen0", gateway, load_balancers, attachments;
};

std::string yaml_of(const Parts& parts) {
  return "gateway:\n"
         "  name: demo\n"
         "  key: 00112233445566778899aabbccddeeff\n"
         "  nlb: {interface: mgmt0}\n"
         "  tunnel: {address: 10.9.0.1, interface: " +
         parts.tunnels + "}\n" + parts.gateway + "load_balancers:\n" +
         "  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, "
         "target_group: ids}]}]}\n" +
         parts.load_balancers +
         "attachments:\n"
         "  - {name: front, endpoint_id: 1, outside: o1, inside: i1, load_balancer: inspect}\n" +
         parts.attachments +
         "target_groups:\n"
         "  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}\n"
         "  - {name: web, protocol: TCP, port: 80, targets: [{id: 10.1.0.9}]}\n";
}

// `of(i)` for each from `first` on.
std::string each(size_t first, size_t count, const std::function<std::string(size_t)>& of) {
  std::string out;
  for (size_t i = first; i < first + count; i++) out += of(i);
  return out;
}

std::string text(size_t i) { return std::to_string(i); }

std::string rule(const char* key, size_t count, const std::function<std::string(size_t)>& of) {
  return std::string("  policy:\n    - {name: a, actions: [{type: drop}], ") + key + ": [" +
         each(0, count, [&](size_t i) { return of(i) + ", "; }) + "]}\n";
}

// Besides the one that is there.
std::string attachments(size_t count) {
  return each(2, count - 1, [](size_t i) {
    return "  - {name: a" + text(i) + ", endpoint_id: " + text(i) + ", outside: o" + text(i) +
           ", inside: i" + text(i) + ", load_balancer: inspect}\n";
  });
}

// Network load balancers with as many listeners as one can have, the last one with the rest.
std::string listeners(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; i++) {
    const size_t of = i / kListenersPerLoadBalancerMax;
    if (i % kListenersPerLoadBalancerMax == 0)
      out += "  - name: n" + text(of) + "\n    type: network\n    listeners:\n";
    out += "      - {protocol: TCP, address: 10.1." + text(of) +
           ".1, port: " + text(i % kListenersPerLoadBalancerMax + 1) +
           ", default_actions: [{type: forward, target_group: web}]}\n";
  }
  return out;
}

struct Limit {
  const char* name;
  size_t max;
  std::function<Parts(size_t count)> parts;
  const char* refused;  // what one more is told
};

const Limit kLimits[] = {
    {"attachments", kAttachmentsMax,
     [](size_t count) { return Parts{.attachments = attachments(count)}; },
     "attachments: 257 elements; at most 256 are possible"},
    {"load_balancers", kLoadBalancersMax,
     [](size_t count) {
       return Parts{.load_balancers = each(1, count - 1, [](size_t i) {
                      return "  - {name: g" + text(i) +
                             ", type: gateway, listeners: [{default_actions: [{type: forward, "
                             "target_group: ids}]}]}\n";
                    })};
     },
     "load_balancers: 257 elements; at most 256 are possible"},
    {"nlb_listeners", kNlbFrontendsMax,
     [](size_t count) { return Parts{.load_balancers = listeners(count)}; },
     "load_balancers: 2049 NLB listeners; at most 2048 are possible"},
    {"idle_timeouts", kIdleClasses - kIdleRules,
     [](size_t count) {
       return Parts{.gateway = "  idle_timeouts:\n" + each(1, count, [](size_t i) {
                                 return "    - {protocol: udp, port: " + text(i) +
                                        ", seconds: " + text(i) + "}\n";
                               })};
     },
     "gateway.idle_timeouts: 15 elements; at most 14 are possible"},
    {"hints", kHintsMax,
     [](size_t count) {
       return Parts{.gateway = "  hints:\n" + each(1, count, [](size_t i) {
                                 return "    - {hint: " + text(i) + ", type: bypass}\n";
                               })};
     },
     "gateway.hints: 17 elements; at most 16 are possible"},
    {"tunnel_interfaces", kTunnelInterfacesMax,
     [](size_t count) {
       return Parts{
           .tunnels = "[" + each(0, count, [](size_t i) { return "gen" + text(i) + ", "; }) + "]"};
     },
     "gateway.tunnel.interface: 9 elements; at most 8 are possible"},
    {"sources", kPolicyListMax,
     [](size_t count) {
       return Parts{
           .gateway = rule("sources", count, [](size_t i) { return "10." + text(i) + ".0.0/16"; })};
     },
     "gateway.policy[0].sources: 65 elements; at most 64 are possible"},
    {"destinations", kPolicyListMax,
     [](size_t count) {
       return Parts{.gateway = rule("destinations", count,
                                    [](size_t i) { return "10." + text(i) + ".0.0/16"; })};
     },
     "gateway.policy[0].destinations: 65 elements; at most 64 are possible"},
    {"attachments_of_a_rule", kPolicyListMax,
     [](size_t count) {
       return Parts{
           .gateway = rule("attachments", count, [](size_t i) { return "a" + text(i + 2); }),
           .attachments = attachments(count + 1)};
     },
     "gateway.policy[0].attachments: 65 elements; at most 64 are possible"},
    {"ports", kPolicyListMax,
     [](size_t count) {
       return Parts{.gateway =
                        rule("protocol: tcp, ports", count, [](size_t i) { return text(i + 1); })};
     },
     "gateway.policy[0].ports: 65 elements; at most 64 are possible"},
};

class Limits : public testing::TestWithParam<Limit> {};
INSTANTIATE_TEST_SUITE_P(Of, Limits, testing::ValuesIn(kLimits),
                         [](const auto& one) { return one.param.name; });

TEST_P(Limits, SoManyAreTakenAndOneMoreIsRefused) {
  const Limit& limit = GetParam();
  const auto full = parse_config(yaml_of(limit.parts(limit.max)), "f");
  ASSERT_TRUE(full) << full.error()[0].text();
  const auto more = parse_config(yaml_of(limit.parts(limit.max + 1)), "f");
  ASSERT_FALSE(more);
  EXPECT_NE(more.error()[0].text().find(limit.refused), std::string::npos)
      << more.error()[0].text();
}

}  // namespace
}  // namespace sluice::gateway
