// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/attributes.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::gateway {
namespace {

constexpr auto kLb = AttributeScope::kLoadBalancer;
constexpr auto kTg = AttributeScope::kTargetGroup;
constexpr auto kLs = AttributeScope::kListener;
constexpr auto kGateway = LoadBalancerType::kGateway;
constexpr auto kNetwork = LoadBalancerType::kNetwork;
constexpr auto kApplication = LoadBalancerType::kApplication;

struct Case {
  AttributeScope scope;
  LoadBalancerType type;
  const char* name;
  const char* value;
  const char* error;  // empty: accepted
};

const Case kCases[] = {
    {kLb, kGateway, "deletion_protection.enabled", "true", ""},
    {kLb, kGateway, "deletion_protection.enabled", "yes",
     "'yes' is no value of 'deletion_protection.enabled'; expected true or false"},
    {kLb, kGateway, "load_balancing.cross_zone.enabled", "true", ""},
    {kLb, kGateway, "idle_timeout.timeout_seconds", "60",
     "Load balancer attribute key 'idle_timeout.timeout_seconds' is not recognized"},
    {kLb, kApplication, "idle_timeout.timeout_seconds", "4000", ""},
    {kLb, kApplication, "idle_timeout.timeout_seconds", "4001",
     "'4001' is no value of 'idle_timeout.timeout_seconds'; expected 1-4000"},
    {kLb, kApplication, "idle_timeout.timeout_seconds", "-1",
     "'-1' is no value of 'idle_timeout.timeout_seconds'; expected 1-4000"},
    {kLb, kApplication, "access_logs.s3.bucket", "", ""},
    {kLb, kApplication, "access_logs.s3.bucket", "b",
     "'b' is no value of 'access_logs.s3.bucket'; expected no value: there is no S3; logs are "
     "files of this machine"},
    {kLb, kApplication, "access_logs.s3.enabled", "true",
     "'true' is no value of 'access_logs.s3.enabled'; expected false: there is no S3; logs are "
     "files of this machine"},
    {kTg, kGateway, "stickiness.type", "source_ip_dest_ip", ""},
    {kTg, kGateway, "stickiness.type", "source_ip",
     "'source_ip' is no value of 'stickiness.type'; expected source_ip_dest_ip or "
     "source_ip_dest_ip_proto"},
    {kTg, kNetwork, "stickiness.type", "source_ip", ""},
    {kTg, kGateway, "deregistration_delay.timeout_seconds", "0", ""},
    {kTg, kGateway, "deregistration_delay.timeout_seconds", "3601",
     "'3601' is no value of 'deregistration_delay.timeout_seconds'; expected 0-3600"},
    {kTg, kGateway, "deregistration_delay.timeout_seconds", "1e3",
     "'1e3' is no value of 'deregistration_delay.timeout_seconds'; expected 0-3600"},
    {kTg, kGateway, "sluice.health_check.tunnel.interval_ms", "off", ""},
    {kTg, kGateway, "sluice.health_check.tunnel.interval_ms", "100", ""},
    {kTg, kGateway, "sluice.health_check.tunnel.interval_ms", "99",
     "'99' is no value of 'sluice.health_check.tunnel.interval_ms'; expected off or 100-60000"},
    {kTg, kGateway, "sluice.all_unhealthy", "bypass", ""},
    {kTg, kGateway, "sluice.all_unhealthy", "open",
     "'open' is no value of 'sluice.all_unhealthy'; expected fail_closed or bypass or "
     "last_resort"},
    {kTg, kNetwork, "no.such", "1", "Target group attribute key 'no.such' is not recognized"},
    {kLs, kNetwork, "tcp.idle_timeout.seconds", "6000", ""},
    {kLs, kApplication, "tcp.idle_timeout.seconds", "350",
     "Listener attribute key 'tcp.idle_timeout.seconds' is not recognized"},
};

TEST(Attributes, AreAcceptedOrRefusedByName) {
  for (const Case& c : kCases) {
    const auto result = check_attribute(c.scope, c.type, c.name, c.value);
    EXPECT_EQ(result ? "" : result.error().text(), c.error) << c.name << "=" << c.value;
  }
}

// What a client that sends every attribute back as it was described does.
TEST(Attributes, EveryDefaultIsAccepted) {
  for (const AttributeRow& row : attribute_rows())
    for (const LoadBalancerType type : {kGateway, kNetwork, kApplication})
      if (row.types & type_bit(type)) {
        const auto result = check_attribute(row.scope, type, row.name, row.fallback);
        EXPECT_TRUE(result) << result.error().text();
      }
}

TEST(Attributes, NoneIsThereTwiceAndAllSayWhatTheyDo) {
  std::set<std::tuple<AttributeScope, LoadBalancerType, std::string_view>> seen;
  for (const AttributeRow& row : attribute_rows()) {
    EXPECT_FALSE(row.meaning.empty()) << row.name;
    for (const LoadBalancerType type : {kGateway, kNetwork, kApplication})
      if (row.types & type_bit(type)) {
        EXPECT_TRUE(seen.emplace(row.scope, type, row.name).second) << row.name;
      }
  }
}

TEST(Attributes, MeanSomethingToTheDataPath) {
  TargetGroup group;
  EXPECT_EQ(stickiness_of(group), tunnels::kFlowHash5Tuple);
  EXPECT_EQ(deregistration_delay_ms(group), 300'000u);
  group.attributes = {{"stickiness.type", "source_ip_dest_ip"},
                      {"deregistration_delay.timeout_seconds", "20"}};
  EXPECT_EQ(stickiness_of(group), tunnels::kFlowHash5Tuple);
  group.attributes["stickiness.enabled"] = "true";
  EXPECT_EQ(stickiness_of(group), tunnels::kFlowHash2Tuple);
  EXPECT_EQ(deregistration_delay_ms(group), 20'000u);
  EXPECT_EQ(all_attributes(group).at("target_failover.on_unhealthy"), "no_rebalance");
  EXPECT_EQ(all_attributes(group).at("stickiness.enabled"), "true");

  LoadBalancer lb;
  lb.type = kNetwork;
  lb.listeners.resize(1);
  lb.listeners[0].protocol = Protocol::kUdp;
  Config config;
  EXPECT_TRUE(all_attributes(config, lb, lb.listeners[0]).empty());
  lb.listeners[0].protocol = Protocol::kTcp;
  EXPECT_EQ(all_attributes(config, lb, lb.listeners[0]).at("tcp.idle_timeout.seconds"), "350");
  lb.listeners[0].attributes["tcp.idle_timeout.seconds"] = "60";
  EXPECT_EQ(idle_timeout_s(config), 350u);
  config.load_balancers.push_back(lb);
  EXPECT_EQ(idle_timeout_s(config), 60u);
  EXPECT_FALSE(deletion_protected(lb));
  lb.attributes["deletion_protection.enabled"] = "true";
  EXPECT_TRUE(deletion_protected(lb));
}

}  // namespace
}  // namespace sluice::gateway
