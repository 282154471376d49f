// SPDX-License-Identifier: Apache-2.0
// Who hoards memory of streams holds up nobody else.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

constexpr const char* kRules =
    "drop tcp any any -> any any (content:\"begin\"; content:\"attack\"; sid:1;)";
constexpr const char* kBodyRule =
    "\nalert http any any -> any any (http.request_body; content:\"nowhere\"; sid:2;)";
constexpr const char* kPost = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n";
constexpr uint16_t kHoarders = 40;
constexpr uint32_t kHoarded = 60'000;

Harness with_memory(size_t bytes, const std::string& rules = kRules,
                    InspectorOptions options = {}) {
  options.stream_memory_max = bytes;
  return Harness(rules, options);
}

Ends client(uint16_t number) {
  Ends ends;
  ends.source_port = static_cast<uint16_t>(20'000 + number);
  return ends;
}

bool acknowledge(Harness& h, const Ends& ends, uint32_t bytes) {
  return h.send(tcp(ends.turned(), kAck, 5001, 1001 + bytes));
}

// So many bytes, of which the server has all or nothing; then silence. False: not all passed.
bool hoard(Harness& h, uint16_t number, bool acknowledged, std::string bytes = "") {
  bytes.resize(kHoarded, '.');
  h.connect(client(number));
  bool passed = true;
  for (uint32_t at = 0; at < kHoarded; at += 1200) {
    passed &= h.data(client(number), at, bytes.substr(at, 1200));
    if (acknowledged) acknowledge(h, client(number), at + 1200);
  }
  return passed;
}

bool is_inspected(Harness& h, uint16_t number) {
  h.connect(client(number));
  return h.data(client(number), 0, "begin") && !h.data(client(number), 5, "attack") &&
         h.alerts() == Sids{1};
}

TEST(StreamMemory, IsBoundedAndWhatDoesNotFitIsDropped) {
  Harness h = with_memory(10'000);
  for (uint16_t i = 1; i <= 100; i++) {
    h.connect(client(i));
    EXPECT_TRUE(h.data(client(i), 0, std::string(1000, 'x')));
    EXPECT_LE(h.inspector().held(), 10'000u);
  }
  EXPECT_EQ(h.inspector().exception_counters().dropped(ExceptionCause::kStreamMemory), 0u);
  h.connect(client(101));
  EXPECT_FALSE(h.data(client(101), 0, std::string(10'000, 'x')));
  EXPECT_EQ(h.inspector().exception_counters().dropped(ExceptionCause::kStreamMemory), 1u);
}

TEST(StreamMemory, SilentConnectionsHoldNobodyUp) {
  for (const bool acknowledged : {true, false}) {
    Harness h = with_memory(1 << 20);
    for (uint16_t i = 0; i < kHoarders; i++) hoard(h, i, acknowledged);
    EXPECT_TRUE(is_inspected(h, 1000));
    EXPECT_EQ(h.drops(), std::vector<std::string>{"rules"});
    EXPECT_LE(h.inspector().held(), h.inspector().held_max());
    const StreamCounters& counters = h.inspector().stream_counters();
    EXPECT_EQ(counters.windows_cut != 0, acknowledged);
    EXPECT_EQ(counters.windows_forgotten != 0, !acknowledged);
  }
}

// What straddles a pause is found as far as it reaches back into what is kept.
TEST(StreamMemory, WhoIsCutIsInspectedOn) {
  for (const uint32_t between : {2000u, 30'000u}) {
    Harness h = with_memory(1 << 20);
    h.connect(client(1000));
    EXPECT_TRUE(h.data(client(1000), 0, "begin" + std::string(between, '.')));
    acknowledge(h, client(1000), between + 5);
    for (uint16_t i = 0; i < kHoarders; i++) hoard(h, i, true);
    EXPECT_NE(h.inspector().stream_counters().windows_cut, 0u);
    const bool passed = h.data(client(1000), between + 5, "attack");
    EXPECT_EQ(passed, between > kCutWindow);
    if (passed) {
      EXPECT_FALSE(h.data(client(1000), between + 11, "begin"));
    }
  }
}

// Those are taken that have been silent longest, and nothing as long as there is enough.
TEST(StreamMemory, WhoGoesOnIsNotCut) {
  Harness h = with_memory(1 << 20);
  h.connect(client(1000));
  EXPECT_TRUE(h.data(client(1000), 0, "begin" + std::string(30'000, '.')));
  acknowledge(h, client(1000), 30'005);
  for (uint16_t i = 0; i < 10; i++) hoard(h, i, true);
  EXPECT_EQ(h.inspector().stream_counters().windows_cut, 0u);
  for (uint16_t i = 10; i < kHoarders; i++) {
    hoard(h, i, true);
    acknowledge(h, client(1000), 30'005);
  }
  EXPECT_NE(h.inspector().stream_counters().windows_cut, 0u);
  EXPECT_FALSE(h.data(client(1000), 30'005, "attack"));
}

// Early segments in a quarter of it and bodies in half of it leave room for what comes in order.
TEST(StreamMemory, WhoHoardsWhatCannotBeCutHoldsNobodyUp) {
  Harness h = with_memory(1 << 20, std::string(kRules) + kBodyRule);
  for (uint16_t i = 0; i < kHoarders; i++) {
    h.connect(client(i));
    for (uint32_t at = 1; at < kHoarded; at += 1200) h.data(client(i), at, std::string(1200, '.'));
  }
  for (uint16_t i = kHoarders; i < 2 * kHoarders; i++) EXPECT_TRUE(hoard(h, i, true, kPost));
  EXPECT_NE(h.inspector().stream_counters().no_memory, 0u);
  EXPECT_NE(h.inspector().transaction_counters().no_memory, 0u);
  h.forget_events();
  EXPECT_TRUE(is_inspected(h, 1000));
}

TEST(StreamMemory, ABodyWithoutMemoryMeetsThePolicy) {
  for (const bool drops : {false, true}) {
    InspectorOptions options;
    if (drops) options.exceptions.choose(ExceptionCause::kAppMemory, ExceptionPolicy::kDropFlow);
    Harness h = with_memory(400'000, kBodyRule, options);
    EXPECT_TRUE(hoard(h, 1, true, kPost) && hoard(h, 2, true, kPost)) << "in their half";
    EXPECT_EQ(hoard(h, 3, true, kPost), !drops) << "as much as is left";
    ASSERT_EQ(h.drops().empty(), !drops);
    if (drops) {
      EXPECT_EQ(h.drops()[0], "applayer memcap");
    }
    EXPECT_EQ(h.inspector().transaction_counters().no_memory, 1u);
  }
}

TEST(StreamMemory, BytesThatWereForgottenMeetThePolicy) {
  Harness h = with_memory(1 << 20);
  hoard(h, 1000, false);
  for (uint16_t i = 0; i < kHoarders; i++) hoard(h, i, false);
  EXPECT_FALSE(h.data(client(1000), 0, "other bytes"));
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream reassembly"});
  acknowledge(h, client(1000), kHoarded);
  EXPECT_TRUE(h.data(client(1000), 0, "other bytes")) << "nobody takes them";
}

}  // namespace
}  // namespace sluice::inspect
