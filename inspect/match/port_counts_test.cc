// SPDX-License-Identifier: Apache-2.0
// Counts of different ports (unique_on).
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

constexpr size_t kBytesOfOne = 8192;

std::string rule(const std::string& count) {
  return "alert udp any any -> any any (dsize:1; detection_filter:track by_src, " + count +
         ", seconds 600, unique_on dst_port; sid:1;)";
}

void ask(Harness& h, const std::string& source, uint16_t port) {
  h.send(udp({source, "10.0.0.9", 5000, port}, "x"));
}

TEST(PortCounts, APortCountsOnce) {
  Harness h(rule("count 2"));
  for (const uint16_t port : {1, 1, 65535, 65535, 1}) ask(h, "10.0.0.1", port);
  ask(h, "10.0.0.2", 3);
  EXPECT_EQ(h.alerts(), Sids{});
  ask(h, "10.0.0.1", 2);
  ask(h, "10.0.0.1", 2);
  EXPECT_EQ(h.alerts(), (Sids{1, 1})) << "from then on each match";
  EXPECT_EQ(h.inspector().alert_limits().port_memory(), 2 * kBytesOfOne);
  h.pass_time(601'000'000);
  EXPECT_EQ(h.inspector().alert_limits().port_memory(), 0u);
  for (const uint16_t port : {1, 2}) ask(h, "10.0.0.1", port);
  EXPECT_EQ(h.alerts().size(), 2u) << "another window";
}

TEST(PortCounts, EveryPortMayBeAsked) {
  Harness h(rule("count 65535"));
  for (uint32_t port = 0; port < 65535; port++) ask(h, "10.0.0.1", static_cast<uint16_t>(port));
  EXPECT_EQ(h.alerts(), Sids{});
  ask(h, "10.0.0.1", 65535);
  EXPECT_EQ(h.alerts(), Sids{1});
}

// Who has no set of ports speaks too early, and not too late.
TEST(PortCounts, FullOthersCountEveryMatch) {
  Harness h(rule("count 1"));
  const auto source = [](size_t i) {
    return "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256);
  };
  for (size_t i = 0; i < kPortSetsMax; i++) ask(h, source(i), 7);
  const AlertLimits& limits = h.inspector().alert_limits();
  EXPECT_EQ(limits.port_memory(), kPortSetsMax * kBytesOfOne);
  EXPECT_EQ(limits.port_sets_refused(), 0u);
  for (int i = 0; i < 2; i++) ask(h, source(kPortSetsMax), 7);
  EXPECT_EQ(limits.port_sets_refused(), 2u);
  EXPECT_EQ(h.alerts(), Sids{1});
  ask(h, source(0), 7);
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(limits.port_memory(), kPortSetsMax * kBytesOfOne);
  h.pass_time(601'000'000);
  EXPECT_EQ(limits.port_memory(), 0u);
  EXPECT_EQ(limits.forgotten(), 0u);
}

}  // namespace
}  // namespace sluice::inspect
