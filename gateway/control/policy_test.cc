// SPDX-License-Identifier: Apache-2.0
// The policy as a file has it.
#include "gateway/control/policy.h"

#include <gtest/gtest.h>

#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

std::string file(const std::string& rules) {
  return "gateway:\n  name: demo\n  key: 00112233445566778899aabbccddeeff\n"
         "  tunnel: {interface: gen0, address: 10.9.0.1}\n  policy:\n" +
         rules +
         "\nload_balancers:\n"
         "  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, "
         "target_group: ids}]}]}\n"
         "attachments:\n  - {name: front, endpoint_id: 1, outside: out0, inside: in0, "
         "load_balancer: inspect}\n"
         "target_groups:\n  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}\n"
         "  - {name: echo, protocol: UDP, port: 7, targets: [{id: 10.1.0.21}]}\n";
}

std::string errors_of(const std::string& rules) {
  std::string out;
  if (auto config = parse_config(file(rules), "f"); !config)
    for (const Error& error : config.error()) out += error.text() + "\n";
  return out;
}

TEST(PolicyConfig, TheExampleIsValid) {
  const auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/policy.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  const auto& policy = config->gateway.policy;
  ASSERT_EQ(policy.size(), 4u);
  EXPECT_EQ(policy[0].decision, PolicyDecision::kBypass);
  EXPECT_EQ(policy[0].protocol, 17);
  EXPECT_EQ(policy[0].ports, (std::vector<PortRange>{{5060, 5061}, {10000, 20000}}));
  EXPECT_EQ(policy[1].decision, PolicyDecision::kDrop);
  ASSERT_EQ(policy[2].hops.size(), 2u);
  EXPECT_EQ(policy[2].hops[1].target_group, "dpi");
  EXPECT_EQ(policy[3].sources[1].text(), "fd00:6::/32");
  EXPECT_EQ(policy[3].percentage, 10);
  EXPECT_EQ(policy[3].hops[0].target_group, "ids-next");
  EXPECT_EQ(config->load_balancers[0].listeners[0].default_action.weighted.size(), 2u);
}

TEST(PolicyConfig, EveryErrorHasItsPlace) {
  const struct {
    const char* rules;
    const char* errors;
  } cases[] = {
      {"    - {name: a, actions: [{type: drop}]}\n    - {name: a, actions: [{type: bypass}]}",
       "f:7:14: gateway.policy[1].name: the name 'a' is taken\n"},
      {"    - {name: a b, actions: [{type: drop}]}",
       "f:6:14: gateway.policy[0].name: a name is 1 to 32 letters, digits and hyphens\n"},
      {"    - {name: a}", "f:6:7: gateway.policy[0]: 'actions' is missing\n"},
      {"    - {name: a, actions: []}",
       "f:6:26: gateway.policy[0].actions: expected an action: forward, bypass or drop\n"},
      {"    - {name: a, actions: [{type: forward, target_group: ids}, {type: drop}]}",
       "f:6:63: gateway.policy[0].actions[1]: this action stands alone\n"},
      {"    - {name: a, actions: [{type: forward, target_group: ids}, {type: forward, "
       "target_group: "
       "idx}]}",
       "f:6:93: gateway.policy[0].actions[1].target_group: there is no target group 'idx', did you "
       "mean 'ids'?\n"},
      {"    - {name: a, actions: [{type: tee}]}",
       "f:6:34: gateway.policy[0].actions[0].type: 'tee' is not one of: forward, bypass, drop, "
       "mirror, shadow\n"},
      {"    - {name: a, actions: [{type: bypass}, {type: mirror}]}",
       "f:6:43: gateway.policy[0].actions[1]: 'target_group' is missing\n"},
      {"    - {name: a, actions: [{type: mirror, target_group: ids}]}",
       "f:6:26: gateway.policy[0].actions: a mirror or shadow gets copies only: put forward or "
       "bypass before it\n"},
      {"    - {name: a, actions: [{type: mirror, target_group: ids}, {type: bypass}]}",
       "f:6:62: gateway.policy[0].actions[1]: comes behind a mirror or shadow: that is the last "
       "action\n"},
      {"    - {name: a, actions: [{type: drop}, {type: shadow, target_group: ids}]}",
       "f:6:41: gateway.policy[0].actions[1]: has nothing to copy: the rule drops\n"},
      {"    - {name: a, actions: [{type: bypass}, {type: mirror, target_group: ids}, {type: "
       "shadow, "
       "target_group: ids}]}",
       "f:6:78: gateway.policy[0].actions[2]: a rule has one mirror or shadow\n"},
      {"    - {name: a, actions: [{type: bypass}, {type: mirror, target_groups: [{target_group: "
       "ids}]}]}",
       "f:6:43: gateway.policy[0].actions[1]: 'target_group' is missing\n"
       "f:6:73: gateway.policy[0].actions[1].target_groups: 'target_groups' is not a key here: "
       "copies go to one target_group\n"},
      {"    - {name: a, actions: [{type: bypass}, {type: mirror, target_group: idx}]}",
       "f:6:72: gateway.policy[0].actions[1].target_group: there is no target group 'idx', did "
       "you mean 'ids'?\n"},
      {"    - {name: a, actions: [{type: forward, target_group: ids}, {type: shadow, target_group: "
       "ids}]}",
       "f:6:92: gateway.policy[0].actions[1].target_group: the rule forwards to 'ids' already: "
       "copies go to another group\n"},
      {"    - {name: a, actions: [{type: bypass}, {type: forward, target_group: ids}]}",
       "f:6:43: gateway.policy[0].actions[1]: stands beside bypass or drop, which stand alone\n"},
      {"    - {name: a, actions: [{type: forward, target_group: idx}]}",
       "f:6:57: gateway.policy[0].actions[0].target_group: there is no target group 'idx', did you "
       "mean 'ids'?\n"},
      {"    - {name: a, actions: [{type: forward, target_group: echo}]}",
       "f:6:57: gateway.policy[0].actions[0].target_group: target group 'echo' has protocol UDP; "
       "this listener needs GENEVE\n"},
      {"    - {name: a, attachments: [frond], actions: [{type: drop}]}",
       "f:6:31: gateway.policy[0].attachments[0]: there is no attachment 'frond', did you mean "
       "'front'?\n"},
      {"    - {name: a, protocol: icmp, ports: [80], actions: [{type: drop}]}",
       "f:6:40: gateway.policy[0].ports: ports need protocol tcp or udp\n"},
      {"    - {name: a, protocol: tcp, ports: [0, 9-8, x, 65536], actions: [{type: drop}]}",
       "f:6:40: gateway.policy[0].ports[0]: expected a port, 1 to 65535, or a range such as "
       "8000-8999\n"
       "f:6:43: gateway.policy[0].ports[1]: expected a port, 1 to 65535, or a range such as "
       "8000-8999\n"
       "f:6:48: gateway.policy[0].ports[2]: expected a port, 1 to 65535, or a range such as "
       "8000-8999\n"
       "f:6:51: gateway.policy[0].ports[3]: expected a port, 1 to 65535, or a range such as "
       "8000-8999\n"},
      {"    - {name: a, percentage: 101, actions: [{type: drop}]}",
       "f:6:29: gateway.policy[0].percentage: 101 is not between 1 and 100\n"},
      {"    - {name: a, sources: [10.0.0.0/8], destinations: [\"fd00::/8\"], actions: [{type: "
       "drop}]}",
       "f:6:54: gateway.policy[0].destinations: no destination is of the IP version of a source\n"},
      {"    - {name: a, priority: 3, actions: [{type: drop}]}",
       "f:6:27: gateway.policy[0].priority: 'priority' is not a key here: rules are tried in their "
       "order\n"},
      {"    - {name: a, actions: [{type: forward, target_groups: [{target_group: ids, weight: "
       "0}]}]}",
       "f:6:58: gateway.policy[0].actions[0].target_groups: at least one needs a weight above 0\n"},
  };
  for (const auto& one : cases) EXPECT_EQ(errors_of(one.rules), one.errors) << one.rules;
}

TEST(PolicyConfig, TheExampleOfMirrorsIsValid) {
  const auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/mirror.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  const auto& policy = config->gateway.policy;
  ASSERT_EQ(policy.size(), 3u);
  EXPECT_EQ(policy[0].decision, PolicyDecision::kBypass);
  EXPECT_EQ(policy[0].mirror, (MirrorAction{"tap", false}));
  EXPECT_EQ(policy[1].hops[0].target_group, "ids");
  EXPECT_EQ(policy[1].mirror, (MirrorAction{"ids-next", true}));
  EXPECT_EQ(policy[2].hops.size(), 2u);
  EXPECT_EQ(policy[2].mirror, (MirrorAction{"tap", false}));
}

TEST(PolicyConfig, RulesAndTheirCombinationsHaveABound) {
  std::string many;
  for (int i = 0; i < 64; i++)
    many += "    - {name: r" + std::to_string(i) + ", actions: [{type: drop}]}\n";
  EXPECT_EQ(errors_of(many), "");
  EXPECT_NE(errors_of(many + "    - {name: more, actions: [{type: drop}]}"), "");

  const auto product = [](int ports) {
    std::string out = "    - {name: a, protocol: tcp, sources: [";
    for (int i = 0; i < 32; i++) out += (i ? ", " : "") + ("10." + std::to_string(i)) + ".0.0/16";
    out += "], ports: [";
    for (int i = 1; i <= ports; i++) out += (i > 1 ? ", " : "") + std::to_string(i);
    return out + "], actions: [{type: drop}]}";
  };
  EXPECT_EQ(errors_of(product(16)), "");
  EXPECT_EQ(errors_of(product(17)),
            "f:6:5: gateway.policy: the rules' combinations of sources, destinations and ports are "
            "544; at most 512 are possible\n");
}

TEST(PolicyConfig, EntriesAreTheCombinationsThatCanBe) {
  PolicyRule rule;
  EXPECT_EQ(policy_entries_of(rule), 1u);
  rule.sources = {*parse_prefix("10.0.0.0/8"), *parse_prefix("fd00::/8")};
  EXPECT_EQ(policy_entries_of(rule), 2u);
  rule.destinations = {*parse_prefix("10.1.0.0/16"), *parse_prefix("10.2.0.0/16")};
  EXPECT_EQ(policy_entries_of(rule), 2u);
  rule.ports = {{80, 80}, {443, 443}, {1, 9}};
  EXPECT_EQ(policy_entries_of(rule), 6u);
}

}  // namespace
}  // namespace sluice::gateway
