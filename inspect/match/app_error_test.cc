// SPDX-License-Identifier: Apache-2.0
// Rules about a packet whose parser gives up.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

// A rule that passes the flow takes its errors along; one that passes the packet does not.
TEST(AppError, AnAlertSaysWhatBecameOfItsPacket) {
  const std::string broken = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n";
  const struct {
    const char* rules;
    bool passes;
    const char* verdict;
  } cases[] = {
      {"alert tcp any any -> any any (content:\"POST\"; sid:1;)", false, "drop"},
      {"pass tcp any any -> any any (content:\"POST\"; alert; sid:1;)", true, "pass"},
      {"pass tcp-pkt any any -> any any (content:\"POST\"; alert; sid:1;)", false, "drop"},
      {"alert tcp any any -> any any (content:\"POST\"; bypass; sid:1;)", true, "alert"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.rules);
    InspectorOptions options;
    options.events.verdict = true;
    options.exceptions.choose(ExceptionCause::kAppError, ExceptionPolicy::kDropFlow);
    Harness h(c.rules, options);
    h.connect({});
    EXPECT_EQ(h.data({}, 0, broken), c.passes);
    for (const auto& event : h.events()) {
      if (event.at("event_type") != "alert") continue;
      EXPECT_EQ(event.at("verdict").at("action"), c.verdict);
    }
    EXPECT_EQ(h.alerts(), Sids{1});
    EXPECT_EQ(h.drops().size(), c.passes ? 0u : 1u);
  }
}

}  // namespace
}  // namespace sluice::inspect
