// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_bench.h"

#include <gtest/gtest.h>

#include "inspect/match/inspector.h"
#include "testbed/bench/ids_rules.h"
#include "testbed/bench/ids_traffic.h"

namespace sluice::testbed {
namespace {

TEST(IdsBench, MadeUpRulesAreAllTaken) {
  inspect::EngineOptions options;
  options.rule_texts = {{"made up", made_up_rules(400)}};
  const auto engine = inspect::Engine::create(options);
  ASSERT_TRUE(engine) << engine.error().text();
  for (const auto& refused : (*engine)->refused()) ADD_FAILURE() << refused.text();
  EXPECT_EQ((*engine)->size(), 400u);
}

// The traffic is what it says it is: no packet is dropped, and requests and handshakes are found.
TEST(IdsBench, MadeUpTrafficIsUnderstood) {
  inspect::EngineOptions options;
  options.rule_texts = {{"test",
                         "alert http any any -> any any (http.stat_code; content:\"200\"; sid:1;)\n"
                         "alert tls any any -> any any (tls.sni; content:\"example\"; sid:2;)\n"
                         "alert dns any any -> any any (dns.query; content:\"host\"; sid:3;)\n"}};
  const auto engine = inspect::Engine::create(options);
  ASSERT_TRUE(engine) << engine.error().text();
  constexpr int64_t kTimeUs = 1'700'000'000'000'000;
  const struct {
    Corpus corpus;
    uint64_t alerts;
  } cases[] = {
      {web_mix(10), 5 * 3 + 4 + 1},
      {small_mix(10), 4 * 6 + 2 + 3},
      {imix(40), 3 + 15 * 6 + 8 + 12},
      {open_flows(OpenFlow::kHandshake, 0, 10, kTimeUs), 0},
      {open_flows(OpenFlow::kHttp, 0, 10, kTimeUs), 10},
      {open_flows(OpenFlow::kTls, 0, 10, kTimeUs), 10},
  };
  for (const auto& c : cases) {
    inspect::MemorySink sink;
    const auto inspector = std::move(*inspect::Inspector::create(*engine, {}, sink));
    inspect::Responses responses;
    for (const auto& packet : c.corpus.packets())
      EXPECT_EQ(inspector->inspect(c.corpus.ip(packet), packet.time_us, responses),
                inspect::Verdict::kPass);
    EXPECT_EQ(inspector->counters().alerts, c.alerts);
  }
}

// With every length of answer.
TEST(IdsBench, PacketsOfAnImixAreSoLong) {
  const Corpus corpus = imix(1600);
  EXPECT_NEAR(static_cast<double>(corpus.bytes()) / static_cast<double>(corpus.packets().size()),
              350, 10);
}

TEST(IdsBench, MeasuresAllThatItNames) {
  IdsBenchOptions options;
  options.made_up_rules = 100;
  options.flows = 10;
  options.rounds = 1;
  options.open_flows = 10;
  const auto bench = bench_ids(options);
  ASSERT_TRUE(bench) << bench.error().text();
  EXPECT_EQ(bench->rules, 100u);
  ASSERT_EQ(bench->traffic.size(), 3u);
  for (const IdsTraffic& traffic : bench->traffic) {
    EXPECT_GT(traffic.packets, 100u) << traffic.name;
    EXPECT_EQ(traffic.dropped, 0u) << traffic.name;
    EXPECT_GT(traffic.gbit_per_s, 0) << traffic.name;
    EXPECT_GT(traffic.hyperscan_gbit_per_s, 0) << traffic.name;
  }
  EXPECT_GT(bench->traffic[0].bytes_per_packet, 2 * bench->traffic[2].bytes_per_packet);
  EXPECT_GT(bench->start_s, 0);
  EXPECT_GT(bench->cached_start_s, 0);
  EXPECT_EQ(bench->open_flows, 10u);
  for (const OpenFlowsMemory* memory : {&bench->memory.handshake, &bench->memory.http,
                                        &bench->memory.http_silent, &bench->memory.tls})
    EXPECT_GT(memory->resident_peak, 1e6);

  options.rules.rule_files = {"/nonexistent.rules"};
  EXPECT_FALSE(bench_ids(options));
  options.rules.rule_files.clear();
  options.captures = {"/nonexistent.pcap"};
  EXPECT_FALSE(bench_ids(options));
}

}  // namespace
}  // namespace sluice::testbed
