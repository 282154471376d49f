// SPDX-License-Identifier: Apache-2.0
// Examples of docs/features: each says what its page says that it does.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

Config example(const std::string& name) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/" + name);
  EXPECT_TRUE(config) << (config ? "" : config.error()[0].text());
  return config ? *config : Config();
}

TEST(Examples, Nlb) {
  const Config config = example("nlb.yaml");
  const LoadBalancer& names = *config.load_balancer("names");
  ASSERT_EQ(names.listeners.size(), 3u);
  EXPECT_EQ(names.listeners[2].address.text(), "fd01::53");
  EXPECT_EQ(config.target_group("dns-udp")->targets[0].port, 5353);
}

TEST(Examples, FlowLog) {
  const Config config = example("flow-log.yaml");
  EXPECT_EQ(config.gateway.flow_log, (FlowLogSettings{"/var/log/sluice/flows.log",
                                                      FlowLogFormat::kVpc, 60, 50'000'000, 10}));
}

TEST(Examples, HealthChecks) {
  const Config config = example("health.yaml");
  const HealthCheck& ids = config.target_group("ids")->health_check;
  EXPECT_EQ(ids.protocol, HealthProtocol::kHttp);
  EXPECT_EQ(ids.path, "/healthz");
  EXPECT_EQ(ids.matcher, "200-299");
  const auto tunnel = tunnel_check_of(*config.target_group("ids"));
  ASSERT_TRUE(tunnel);
  EXPECT_EQ(tunnel->interval_ms, 100u);
  EXPECT_EQ(tunnel->unhealthy_threshold, 3);
  const HealthCheck& web = config.target_group("web")->health_check;
  EXPECT_EQ(web.protocol, HealthProtocol::kHttps);
  EXPECT_EQ(web.interval_s, 30);
  EXPECT_EQ(config.target_group("orders")->health_check.matcher, "0");
  EXPECT_FALSE(config.target_group("syslog")->health_check.enabled);
}

TEST(Examples, Failover) {
  const Config config = example("failover.yaml");
  const FailoverPolicy policy = failover_of(config.target_groups[0]);
  EXPECT_TRUE(policy.rebalances);
  EXPECT_EQ(policy.all_unhealthy, AllUnhealthy::kBypass);
  EXPECT_FALSE(policy.resets_unhealthy || policy.resets_deregistered);
  const Listener& listener = config.load_balancers[0].listeners[0];
  EXPECT_TRUE(resets_when_idle(listener));
  EXPECT_FALSE(drops_unknown_tcp(listener));
}

TEST(Examples, Lifetime) {
  const Config config = example("lifetime.yaml");
  EXPECT_EQ(config.gateway.idle_timeouts,
            (std::vector<IdleTimeout>{{6, 22, 86400}, {17, 53, 10}, {1, 0, 30}}));
  ASSERT_EQ(config.load_balancers.size(), 1u);
  const Listener& listener = config.load_balancers[0].listeners[0];
  EXPECT_TRUE(resets_when_idle(listener));
  EXPECT_TRUE(drops_unknown_tcp(listener));
}

TEST(Examples, Steering) {
  const Config config = example("steering.yaml");
  ASSERT_NE(config.target_group("ftp"), nullptr);
  EXPECT_EQ(stickiness_of(*config.target_group("firewalls")), tunnels::kFlowHash5Tuple);
  EXPECT_EQ(stickiness_of(*config.target_group("ftp")), tunnels::kFlowHash3Tuple);
  ASSERT_EQ(config.gateway.policy.size(), 1u);
  const TargetGroup& firewalls = *config.target_group("firewalls");
  EXPECT_EQ(weight_of(firewalls, firewalls.targets[0]), 2);
  EXPECT_EQ(weight_of(firewalls, firewalls.targets[1]), 1);
}

std::string page(const std::string& name) {
  std::ifstream file(SLUICE_SOURCE_DIR "/docs/features/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_on_page(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(Examples, Fragments) {
  const Config config = example("fragments.yaml");
  const LoadBalancer& names = *config.load_balancer("names");
  ASSERT_EQ(names.listeners.size(), 2u);
  EXPECT_EQ(names.listeners[0].address.version, 4);
  EXPECT_EQ(names.listeners[1].address.version, 6);
  for (const Listener& listener : names.listeners) EXPECT_EQ(listener.protocol, Protocol::kUdp);
}

// What the page shows is of this gateway.
TEST(Examples, Trace) {
  const Config config = example("trace.yaml");
  const std::string text = page("trace.md");
  ASSERT_EQ(config.attachments.size(), 1u);
  const std::string front = config.attachments[0].name;
  const TargetGroup& ids = config.target_groups[0];
  const std::string to = ids.targets[0].address.text();
  expect_on_page(text, "in            from outside of " + front + "\n");
  expect_on_page(text, "new flow, group " + ids.name + " by hash: to " + to + "\n");
  expect_on_page(text, "returned      from " + to + "\n");
}

TEST(Examples, Capture) {
  const Config config = example("capture.yaml");
  const std::string text = page("capture.md");
  ASSERT_EQ(config.gateway.policy.size(), 1u);
  const PolicyRule& rule = config.gateway.policy[0];
  ASSERT_EQ(rule.hops.size(), 2u);
  const Attachment& front = config.attachments[0];
  expect_on_page(text, front.outside + "\tin: from outside of " + front.name);
  expect_on_page(text, front.inside + "\tdelivered: to inside of " + front.name);
  for (size_t hop = 0; hop < rule.hops.size(); hop++) {
    const TargetGroup* group = config.target_group(rule.hops[hop].target_group);
    ASSERT_NE(group, nullptr);
    expect_on_page(text, "rule " + rule.name + ", hop " + std::to_string(hop + 1) + " of 2: to " +
                             group->targets[0].address.text() + ";");
  }
}

TEST(Examples, Mtu) {
  const Config config = example("mtu.yaml");
  EXPECT_TRUE(config.gateway.mss_clamp);
  EXPECT_EQ(config.gateway.tunnel_entry, EntryChoice::kTc);
  ASSERT_EQ(config.attachments.size(), 1u);
  EXPECT_EQ(config.attachments[0].entry, EntryChoice::kAuto);
}

TEST(Examples, NeverDown) {
  const Config config = example("never-down.yaml");
  EXPECT_TRUE(config.gateway.pinned);
  EXPECT_FALSE(config.gateway.store.empty());
}

TEST(Examples, OuterIpv6) {
  const Config config = example("outer-ipv6.yaml");
  EXPECT_EQ(config.gateway.tunnel_address6.text(), "fd09::1");
  ASSERT_NE(config.target_group("firewalls"), nullptr);
  EXPECT_EQ(config.target_group("firewalls")->ip_version, 6);
  EXPECT_EQ(config.target_group("firewalls")->targets[1].text(), "[fd09::12]:6081");
  EXPECT_TRUE(tunnel_check_of(*config.target_group("firewalls")));
  EXPECT_EQ(config.target_group("mail-scanners")->targets[0].address.version, 4);
}

}  // namespace
}  // namespace sluice::gateway
