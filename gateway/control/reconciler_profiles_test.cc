// SPDX-License-Identifier: Apache-2.0
// What the profile of a group means for the places of its targets.
#include "gateway/control/explain.h"
#include "gateway/control/reconciler_fixture.h"
#include "gateway/control/tunnel_checks.h"
#include "gateway/datapath/encapsulate.h"

namespace sluice::gateway {
namespace {

class ReconcilerProfiles : public ReconcilerTest {
 protected:
  uint32_t source_of(const char* address) { return source_target(&tables, inet_addr(address)); }
  const target& place(const char* address) { return tables.targets[index_of(address)]; }
  void expect_profile(const char* address, uint8_t profile, uint16_t mtu) {
    EXPECT_EQ(place(address).profile, profile) << address;
    EXPECT_EQ(place(address).mtu, mtu) << address;
    EXPECT_EQ(place(address).flags & kTargetProfiled, profile == kProfileAws ? 0 : kTargetProfiled)
        << address;
    EXPECT_EQ(source_of(address), index_of(address) | profile << kSourceProfile) << address;
  }
};

TEST_F(ReconcilerProfiles, TargetsSpeakTheProfileOfTheirGroup) {
  ids().attributes["sluice.profile"] = "google";
  reconcile();
  expect_profile("10.9.0.11", kProfileGoogle, 1600 - 68);
  // It may change while they are there; their places stay.
  const uint16_t before = index_of("10.9.0.11");
  ids().attributes["sluice.profile"] = "plain";
  reconcile();
  EXPECT_EQ(index_of("10.9.0.11"), before);
  expect_profile("10.9.0.11", kProfilePlain, 1600 - 36);
  expect_profile("10.9.0.13", kProfilePlain, 1600 - 36);
  ids().attributes.clear();
  reconcile();
  expect_profile("10.9.0.11", kProfileAws, 1600 - 68);
}

TEST_F(ReconcilerProfiles, ATargetThatDrainsKeepsIts) {
  ids().attributes["sluice.profile"] = "plain";
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  ids().targets.erase(ids().targets.begin());
  ids().attributes.clear();
  reconcile();
  EXPECT_EQ(source_of("10.9.0.11"), leaving | kProfilePlain << kSourceProfile);
  EXPECT_EQ(tables.targets[leaving].profile, kProfilePlain);
  expect_profile("10.9.0.12", kProfileAws, 1600 - 68);
  // And takes another when another group has it.
  config.target_groups[2].attributes["sluice.profile"] = "google";
  config.target_groups[2].targets[0].address = *parse_ip_address("10.9.0.11");
  config.load_balancers[0].listeners[0].default_action.target_group = "spare";
  reconcile();
  EXPECT_EQ(index_of("10.9.0.11"), leaving);
  expect_profile("10.9.0.11", kProfileGoogle, 1600 - 68);
}

TEST_F(ReconcilerProfiles, ProbesAreInTheProfileOfTheGroup) {
  ids().attributes = {{"sluice.profile", "plain"},
                      {"sluice.health_check.tunnel.interval_ms", "100"}};
  reconcile();
  const auto probes = tunnel_probes_of(config, reconciler);
  ASSERT_EQ(probes.size(), 3u);
  for (const auto& [target, probe] : probes) EXPECT_EQ(probe.profile, kProfilePlain);
}

TEST_F(ReconcilerProfiles, ExplainTellsTheProfile) {
  ids().attributes["sluice.profile"] = "plain";
  reconcile();
  ExplainQuestion question;
  question.attachment = "front";
  question.protocol = kProtocolUdp;
  question.source = *parse_ip_address("10.1.0.2");
  question.destination = *parse_ip_address("10.1.0.21");
  question.source_port = 4242;
  question.destination_port = 53;
  const auto told = explain(tables, config, reconciler, host->now_ms(), question);
  ASSERT_TRUE(told) << told.error().text();
  std::string all;
  for (const std::string& line : told->story) all += line + "\n";
  EXPECT_NE(all.find("in the profile plain; packets of up to 1564 bytes fit"), std::string::npos)
      << all;
}

}  // namespace
}  // namespace sluice::gateway
