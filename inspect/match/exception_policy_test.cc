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
  EXPECT_TRUE(options.exceptions.choose(cause, policy));
  return Harness(kRule, options);
}

std::vector<std::string> drop_reasons(const Harness& h) {
  std::vector<std::string> out;
  for (const auto& event : h.events()) {
    if (event.at("event_type") == "drop") out.push_back(event.at("drop").at("reason"));
  }
  return out;
}

std::string first_drop(const Harness& h) {
  const auto reasons = drop_reasons(h);
  return reasons.empty() ? "none" : reasons.front();
}

uint64_t packets_with_a_verdict(Harness& h) {
  const InspectorCounters& c = h.inspector().counters();
  uint64_t packets =
      c.passed + c.passed_by_flow + c.dropped_by_rules + c.dropped_by_flow + c.dropped_stream_error;
  for (size_t i = 0; i < kExceptionCauses; i++)
    packets += h.inspector().exception_counters().dropped(static_cast<Cause>(i));
  return packets;
}

TEST(ExceptionPolicy, NamesAreReadAndWritten) {
  for (size_t i = 0; i < kExceptionCauses; i++) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_EQ(find_cause(cause_name(cause)), cause);
    EXPECT_EQ(find_cause_of_setting(setting_of(cause)), cause);
    EXPECT_TRUE(can_be(cause, ExceptionPolicies()[cause]));
    EXPECT_TRUE(can_be(cause, automatic_policy(cause)));
  }
  for (size_t i = 0; i < kExceptionPolicies; i++) {
    const auto policy = static_cast<Policy>(i);
    EXPECT_EQ(find_policy(policy_name(policy)), policy);
  }
  EXPECT_EQ(find_policy("bypass"), Policy::kPassFlow);
  EXPECT_EQ(find_policy("rejectboth"), Policy::kReject);
  EXPECT_FALSE(find_policy("auto"));
  EXPECT_FALSE(find_cause("decode-error"));
  EXPECT_FALSE(can_be(Cause::kStreamMemory, Policy::kIgnore));
  EXPECT_FALSE(can_be(Cause::kDefragMemory, Policy::kReject));
  EXPECT_FALSE(can_be(Cause::kMidstream, Policy::kDropPacket));
  EXPECT_FALSE(can_be(Cause::kFlowMemory, Policy::kDropFlow));
  EXPECT_EQ(policies_of(Cause::kDefragMemory), "pass-packet, drop-packet");
}

TEST(ExceptionPolicy, OneForAllIsTheNearestThatEachCanHave) {
  ExceptionPolicies policies;
  EXPECT_TRUE(policies.choose(Cause::kAppError, Policy::kPassPacket));
  policies.choose_for_all(Policy::kDropFlow);
  EXPECT_EQ(policies[Cause::kMidstream], Policy::kDropFlow);
  EXPECT_EQ(policies[Cause::kFlowMemory], Policy::kDropPacket);
  EXPECT_EQ(policies[Cause::kDefragMemory], Policy::kDropPacket);
  EXPECT_EQ(policies[Cause::kAppError], Policy::kPassPacket) << "it was chosen by itself";
  EXPECT_EQ(policies[Cause::kOverload], Policy::kIgnore);
  policies.choose_for_all(Policy::kPassPacket);
  EXPECT_EQ(policies[Cause::kMidstream], Policy::kPassFlow);
  policies.choose_for_all(Policy::kReject);
  EXPECT_EQ(policies[Cause::kFlowMemory], Policy::kReject);
  EXPECT_EQ(policies[Cause::kDefragMemory], Policy::kDropPacket);
  policies.choose_for_all(Policy::kIgnore);
  EXPECT_EQ(policies[Cause::kStreamMemory], Policy::kPassPacket);
  EXPECT_EQ(policies[Cause::kDefragMemory], Policy::kPassPacket);
  policies.choose_for_all(std::nullopt);
  EXPECT_EQ(policies[Cause::kMidstream], Policy::kIgnore);
  EXPECT_EQ(policies[Cause::kStreamMemory], Policy::kDropFlow);
  EXPECT_EQ(policies[Cause::kDefragMemory], Policy::kDropPacket);
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
      EXPECT_EQ(first_drop(h), "stream midstream");
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
    EXPECT_TRUE(h.data({}, 0, std::string(500, 'a')));
    EXPECT_EQ(h.data({}, 500, std::string(600, 'a')), c.full);
    EXPECT_EQ(h.data({}, 500, "a"), c.later);
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kStreamMemory, c.policy), 1u);
    if (!c.full) {
      EXPECT_EQ(first_drop(h), "stream reassembly");
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
      EXPECT_EQ(first_drop(h), "applayer error");
    }
    const auto& counters = h.inspector().exception_counters();
    EXPECT_EQ(counters.get(Cause::kAppError, drop ? Policy::kDropFlow : Policy::kIgnore), 1u);
    // What is no protocol at all is no error.
    h.connect({"10.0.0.3", "10.0.0.4", 5, 6});
    EXPECT_TRUE(h.data({"10.0.0.3", "10.0.0.4", 5, 6}, 0, "something else, long enough to tell\n"));
  }
}

TEST(ExceptionPolicy, SessionMemory) {
  const struct {
    Policy policy;
    bool passes;
  } cases[] = {{Policy::kPassPacket, true},
               {Policy::kPassFlow, true},
               {Policy::kDropPacket, false},
               {Policy::kDropFlow, false},
               {Policy::kReject, false}};
  for (const auto& c : cases) {
    SCOPED_TRACE(policy_name(c.policy));
    InspectorOptions options;
    options.session_memory_max = 2 * sizeof(TcpInspection);
    Harness h = with(Cause::kSessionMemory, c.policy, options);
    for (uint16_t port = 1; port <= 2; port++) {
      const Ends ends{"10.0.0.1", "10.0.0.2", port, 9};
      h.connect(ends);
      EXPECT_TRUE(h.data(ends, 0, "a"));
    }
    const Ends third{"10.0.0.1", "10.0.0.2", 3, 9};
    h.connect(third);
    EXPECT_EQ(h.data(third, 0, "evil"), c.passes);
    EXPECT_EQ(h.alerts(), Sids{});
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kSessionMemory, c.policy), 1u);
    EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
    if (!c.passes) {
      EXPECT_EQ(first_drop(h), "stream memcap");
    }
    // The others go on; when they are over there is room again.
    EXPECT_TRUE(h.data({"10.0.0.1", "10.0.0.2", 1, 9}, 1, "b"));
    h.inspector().finish(0);
    EXPECT_EQ(h.inspector().sessions_held(), 0u);
  }
}

TEST(ExceptionPolicy, FlowMemory) {
  const struct {
    Policy policy;
    bool passes;
    Sids alerts;
    size_t responses;
  } cases[] = {
      {Policy::kIgnore, true, {1}, 0},
      {Policy::kPassPacket, true, {}, 0},
      {Policy::kDropPacket, false, {}, 0},
      {Policy::kReject, false, {}, 1},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(policy_name(c.policy));
    InspectorOptions options;
    options.flows.flows_max = 2;
    ASSERT_TRUE(options.exceptions.choose(Cause::kFlowMemory, c.policy));
    Harness h("alert udp any any -> any any (content:\"evil\"; sid:1;)", options);
    const auto established = [&](uint16_t port) {
      const Ends ends{"10.0.0.1", "10.0.0.2", port, 9};
      EXPECT_TRUE(h.send(udp(ends, "a")));
      EXPECT_TRUE(h.send(udp(ends.turned(), "b")));
    };
    established(1);
    EXPECT_TRUE(h.send(udp({"10.0.0.1", "10.0.0.2", 3, 9}, "a"))) << "there is room";
    established(2);  // the new one gives way, which is no exception
    const FlowTableCounters& flows = h.inspector().flow_counters();
    EXPECT_EQ(flows.evicted, 1u);
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kFlowMemory, c.policy), 0u);
    EXPECT_EQ(h.send(udp({"10.0.0.1", "10.0.0.2", 4, 9}, "evil")), c.passes);
    EXPECT_EQ(h.responses().count(), c.responses);
    EXPECT_EQ(h.alerts(), c.alerts);
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kFlowMemory, c.policy), 1u);
    EXPECT_EQ(flows.evicted, c.policy == Policy::kIgnore ? 2u : 1u);
    EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
    if (!c.passes) {
      EXPECT_EQ(drop_reasons(h), std::vector<std::string>{"flow memcap"});
    }
    EXPECT_TRUE(h.send(udp({"10.0.0.1", "10.0.0.2", 2, 9}, "c")));
    h.pass_time(400'000'000);  // established ones are idle for too long
    EXPECT_TRUE(h.send(udp({"10.0.0.1", "10.0.0.2", 5, 9}, "c")));
  }
}

TEST(ExceptionPolicy, DefragMemory) {
  for (const Policy policy : {Policy::kPassPacket, Policy::kDropPacket}) {
    SCOPED_TRACE(policy_name(policy));
    InspectorOptions options;
    options.defrag.datagrams_max = 100;
    Harness h = with(Cause::kDefragMemory, policy, options);
    const Bytes whole = udp({}, std::string(64, 'a'));
    uint16_t id = 0;
    const auto& counters = h.inspector().exception_counters();
    while (counters.get(Cause::kDefragMemory, policy) == 0 && id < UINT16_MAX)
      EXPECT_EQ(h.send(fragment(whole, 0, 8, id++)) || policy == Policy::kDropPacket, true);
    EXPECT_EQ(counters.get(Cause::kDefragMemory, policy), 1u);
    EXPECT_EQ(id, 101);
    EXPECT_EQ(counters.dropped(Cause::kDefragMemory), policy == Policy::kDropPacket);
    EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
  }
}

// Requests that nobody answers fill what one flow, or all together, may hold.
TEST(ExceptionPolicy, AppMemory) {
  const std::string request =
      "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(900, 'x') + "\r\n\r\n";
  const struct {
    Policy policy;
    bool passes;
    Sids alerts;
  } cases[] = {{Policy::kIgnore, true, {1}},
               {Policy::kPassFlow, true, {}},
               {Policy::kDropPacket, false, {1}},
               {Policy::kDropFlow, false, {}}};
  for (const bool of_one_flow : {true, false}) {
    for (const auto& c : cases) {
      SCOPED_TRACE(policy_name(c.policy));
      InspectorOptions options;
      (of_one_flow ? options.app_flow_memory_max : options.app_memory_max) = 100'000;
      Harness h = with(Cause::kAppMemory, c.policy, options);
      const auto& counters = h.inspector().exception_counters();
      h.connect({});
      uint32_t offset = 0;
      bool passed = true;
      while (counters.get(Cause::kAppMemory, c.policy) == 0 && offset < 200'000) {
        EXPECT_LE(h.inspector().app_held(), 100'000u);
        passed = h.data({}, offset, request);
        offset += static_cast<uint32_t>(request.size());
      }
      EXPECT_EQ(passed, c.passes);
      EXPECT_EQ(counters.get(Cause::kAppMemory, c.policy), 1u);
      EXPECT_GE(offset, 5 * request.size());
      EXPECT_LE(h.inspector().app_held(), 2000u) << "what was held is free";
      EXPECT_EQ(h.data({}, offset, "evil"), c.policy != Policy::kDropFlow);
      EXPECT_EQ(h.alerts(), c.alerts);
      if (!c.passes) {
        EXPECT_EQ(first_drop(h), "applayer memcap");
      }
      EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
      h.inspector().finish(0);
      EXPECT_EQ(h.inspector().app_held(), 0u);
    }
  }
}

Frame waited(int64_t us) {
  Frame frame;
  frame.waited_us = us;
  return frame;
}

TEST(ExceptionPolicy, Overload) {
  const struct {
    Policy policy;
    bool late, later;
    Sids alerts;
    size_t responses;
  } cases[] = {
      {Policy::kIgnore, true, true, {1, 1}, 0}, {Policy::kPassPacket, true, true, {1}, 0},
      {Policy::kPassFlow, true, true, {}, 0},   {Policy::kDropPacket, false, true, {1}, 0},
      {Policy::kDropFlow, false, false, {}, 0}, {Policy::kReject, false, false, {}, 2},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(policy_name(c.policy));
    InspectorOptions options;
    options.wait_max_us = 5000;
    Harness h = with(Cause::kOverload, c.policy, options);
    h.connect({});
    EXPECT_TRUE(h.send(tcp({}, kAck, 1001, 5001, "fine"), waited(5000)));
    EXPECT_EQ(h.send(tcp({}, kAck, 1005, 5001, "evil"), waited(5001)), c.late);
    EXPECT_EQ(h.responses().count(), c.responses);
    if (c.policy != Policy::kReject) {
      EXPECT_EQ(h.data({}, 8, "evil"), c.later);
    }
    h.send(tcp(Ends().turned(), kAck, 5001, 1013));  // it has them: what passed unseen is a gap
    h.data({}, 12, "x");
    EXPECT_EQ(h.alerts(), c.alerts);
    EXPECT_EQ(h.inspector().exception_counters().get(Cause::kOverload, c.policy), 1u);
    EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
    if (!c.late) {
      EXPECT_EQ(first_drop(h), "overload");
    }
  }
}

// A handshake that passed without a look is none that was never seen, and its data pass on.
TEST(ExceptionPolicy, AnOverloadedHandshakeIsNoted) {
  InspectorOptions options;
  ASSERT_TRUE(options.exceptions.choose(Cause::kMidstream, Policy::kDropFlow));
  Harness h = with(Cause::kOverload, Policy::kPassPacket, options);
  const Frame late = waited(kWaitMaxUs + 1);
  EXPECT_TRUE(h.send(tcp({}, kSyn, 1000, 0), late));
  EXPECT_TRUE(h.send(tcp(Ends().turned(), kSyn | kAck, 5000, 1001), late));
  EXPECT_TRUE(h.send(tcp({}, kAck, 1001, 5001)));
  EXPECT_TRUE(h.data({}, 0, "evil"));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(h.inspector().exception_counters().get(Cause::kOverload, Policy::kPassPacket), 2u);
  EXPECT_EQ(h.inspector().exception_counters().get(Cause::kMidstream, Policy::kDropFlow), 0u);
}

TEST(ExceptionPolicy, FlowEventsSayWhatTheyHaveMet) {
  ExceptionPolicies policies;
  EXPECT_EQ(exceptions_text(policies, 0), "");
  const uint8_t both =
      1u << static_cast<int>(Cause::kMidstream) | 1u << static_cast<int>(Cause::kAppError);
  EXPECT_EQ(exceptions_text(policies, both),
            "\"exception_policy\":[{\"target\":\"stream_midstream\",\"policy\":\"ignore\"},"
            "{\"target\":\"app_layer_error\",\"policy\":\"ignore\"}]");
}

TEST(ExceptionPolicy, EveryPacketIsCountedOnce) {
  for (const Policy policy : {Policy::kDropFlow, Policy::kPassFlow, Policy::kPassPacket}) {
    Harness h = with(Cause::kAppError, policy);
    h.connect({});
    h.data({}, 0, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n");
    h.data({}, 47, "more");
    EXPECT_EQ(h.inspector().counters().packets, packets_with_a_verdict(h));
  }
}

}  // namespace
}  // namespace sluice::inspect
