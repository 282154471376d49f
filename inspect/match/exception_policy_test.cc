// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/exception_policy.h"

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness
using Cause = ExceptionCause;
using Policy = ExceptionPolicy;

constexpr const char* kRule = "alert tcp any any -> any any (content:\"evil\"; sid:1;)";

Harness with(Cause cause, Policy policy, InspectorOptions options = {}) {
  options.exceptions[cause] = policy;
  return Harness(kRule, options);
}

std::vector<std::string> drop_reasons(const Harness& h) {
  std::vector<std::string> out;
  for (const auto& event : h.events()) {
    if (event.at("event_type") == "drop") out.push_back(event.at("drop").at("reason"));
  }
  return out;
}

TEST(ExceptionPolicy, NamesAreReadAndWritten) {
  for (size_t i = 0; i < kExceptionCauses; i++) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_EQ(find_cause(cause_name(cause)), cause);
    EXPECT_TRUE(can_be(cause, ExceptionPolicies()[cause]));
  }
  for (size_t i = 0; i < kExceptionPolicies; i++) {
    const auto policy = static_cast<Policy>(i);
    EXPECT_EQ(find_policy(policy_name(policy)), policy);
  }
  EXPECT_EQ(find_policy("bypass"), Policy::kPassFlow);
  EXPECT_EQ(find_policy("rejectboth"), Policy::kReject);
  EXPECT_FALSE(find_policy("auto"));
  EXPECT_FALSE(find_cause("flow-memcap"));
  EXPECT_FALSE(can_be(Cause::kStreamMemory, Policy::kIgnore));
  EXPECT_FALSE(can_be(Cause::kDefragMemory, Policy::kReject));
  EXPECT_FALSE(can_be(Cause::kMidstream, Policy::kDropPacket));
}

// A connection that is met in its middle: what its first and its second packet become.
TEST(ExceptionPolicy, Midstream) {
  const struct {
    Policy policy;
    bool first, second;
    Sids alerts;
    size_t responses;
  } cases[] = {
      {Policy::kIgnore, true, true, {1, 1}, 0},
      {Policy::kPassFlow, true, true, {}, 0},
      {Policy::kDropFlow, false, false, {}, 0},
      {Policy::kReject, false, false, {}, 2},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(policy_name(c.policy));
    Harness h = with(Cause::kMidstream, c.policy);
    EXPECT_EQ(h.data({}, 0, "evil one"), c.first);
    EXPECT_EQ(h.responses().count(), c.responses);
    const bool second = h.data({}, 8, "evil two");
    if (c.policy != Policy::kReject) {
      EXPECT_EQ(second, c.second);
    }
    EXPECT_EQ(h.alerts(), c.alerts);
    const auto& counters = h.inspector().exception_counters();
    EXPECT_EQ(counters.get(Cause::kMidstream, c.policy), 1u);
    if (!c.first) {
      EXPECT_EQ(drop_reasons(h).front(), "stream midstream");
    }
  }
}

TEST(ExceptionPolicy, AConnectionFromItsStartIsNoException) {
  Harness h = with(Cause::kMidstream, Policy::kDropFlow);
  h.connect({});
  EXPECT_TRUE(h.data({}, 0, "evil"));
  EXPECT_EQ(h.alerts(), Sids{1});
  // A stray reset begins nothing.
  EXPECT_TRUE(h.send(tcp({"10.0.0.7", "10.0.0.8", 1, 2}, kRst, 1, 0)));
  EXPECT_EQ(h.inspector().exception_counters().get(Cause::kMidstream, Policy::kDropFlow), 0u);
}

TEST(ExceptionPolicy, StreamMemory) {
  const struct {
    Policy policy;
    bool full, later;
  } cases[] = {
      {Policy::kDropPacket, false, true},
      {Policy::kDropFlow, false, false},
      {Policy::kPassPacket, true, true},
      {Policy::kPassFlow, true, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(policy_name(c.policy));
    InspectorOptions options;
    options.stream_memory_max = 1000;
    Harness h = with(Cause::kStreamMemory, c.policy, options);
    h.connect({});
    EXPECT_TRUE(h.data({}, 0, std::string(900, 'a')));
    EXPECT_EQ(h.data({}, 900, std::string(200, 'a')), c.full);
    EXPECT_EQ(h.data({}, 900, "a"), c.later);
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kStreamMemory, c.policy), 1u);
    if (!c.full) {
      EXPECT_EQ(drop_reasons(h).front(), "stream memcap");
    }
  }
}

TEST(ExceptionPolicy, AppError) {
  const std::string broken = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n";
  for (const bool drop : {false, true}) {
    Harness h = with(Cause::kAppError, drop ? Policy::kDropFlow : Policy::kIgnore);
    h.connect({});
    EXPECT_EQ(h.data({}, 0, broken), !drop);
    EXPECT_EQ(h.data({}, static_cast<uint32_t>(broken.size()), "evil"), !drop);
    EXPECT_EQ(h.alerts(), drop ? Sids{} : Sids{1});
    if (drop) {
      EXPECT_EQ(drop_reasons(h).front(), "applayer error");
    }
    const auto& counters = h.inspector().exception_counters();
    EXPECT_EQ(counters.get(Cause::kAppError, drop ? Policy::kDropFlow : Policy::kIgnore), 1u);
    // What is no protocol at all is no error.
    h.connect({"10.0.0.3", "10.0.0.4", 5, 6});
    EXPECT_TRUE(h.data({"10.0.0.3", "10.0.0.4", 5, 6}, 0, "something else, long enough to tell\n"));
  }
}

TEST(ExceptionPolicy, EveryPacketIsCountedOnce) {
  for (const Policy policy : {Policy::kDropFlow, Policy::kPassFlow, Policy::kPassPacket}) {
    Harness h = with(Cause::kAppError, policy);
    h.connect({});
    h.data({}, 0, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n");
    h.data({}, 47, "more");
    const auto& c = h.inspector().counters();
    EXPECT_EQ(c.packets, c.passed + c.passed_by_flow + c.dropped_by_rules + c.dropped_by_flow +
                             c.dropped_by_exception);
  }
}

}  // namespace
}  // namespace sluice::inspect
