// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/repeated_buffers.h"

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::Sids;

// One that is as the one before it, in whatever transaction, names the same rules; one that only
// begins so does not. Shorter and longer than what is remembered.
TEST(RepeatedBuffers, AreFoundAgain) {
  for (const size_t length : {size_t{6}, kRepeatedMax - 1, kRepeatedMax, kRepeatedMax + 1}) {
    Harness h("alert http any any -> any any (http.user_agent; content:\"attack\"; sid:1;)");
    const std::string plain(length, 'x');
    std::string attack = plain;
    attack.replace(length - 6, 6, "attack");
    uint16_t port = 40000;
    const auto alerts_of = [&](const std::string& user_agent) {
      const Ends c{"10.0.0.1", "10.0.0.2", port++, 80};
      h.forget_events();
      h.connect(c);
      h.data(c, 0, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: " + user_agent + "\r\n\r\n");
      return h.alerts();
    };
    for (const bool again : {false, true}) {
      EXPECT_EQ(alerts_of(plain), Sids{}) << length << again;
      EXPECT_EQ(alerts_of(attack), Sids{1}) << length << again;
      EXPECT_EQ(alerts_of(attack), Sids{1}) << length << again;
      EXPECT_EQ(alerts_of(plain), Sids{}) << length << again;
      EXPECT_EQ(alerts_of(attack + "s"), Sids{1}) << length << again;
      EXPECT_EQ(alerts_of(attack.substr(0, length - 1)), Sids{}) << length << again;
    }
  }
}

TEST(RepeatedBuffers, NameTheNewRulesAfterAReload) {
  const std::string first =
      "alert http any any -> any any (http.method; content:\"GET\"; sid:1;)\n";
  const std::string second =
      "alert http any any -> any any (http.method; content:\"GE\"; sid:2;)\n" +
      std::string("alert http any any -> any any (http.uri; content:\"other\"; sid:3;)\n") + first;
  Harness h(first);
  const auto ask = [&](uint16_t port) {
    const Ends c{"10.0.0.1", "10.0.0.2", port, 80};
    h.connect(c);
    h.data(c, 0, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  };
  ask(40000);
  h.reload(second);
  ask(40001);
  h.reload(first);
  ask(40002);
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 1, 1}));
}

}  // namespace
}  // namespace sluice::inspect
