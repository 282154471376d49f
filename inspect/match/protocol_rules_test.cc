// SPDX-License-Identifier: Apache-2.0
// Rules that look at the stream of an application's protocol.
#include "inspect/match/test_harness.h"
#include "inspect/tls/hello_for_test.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::Sids;

// The bytes that tell the protocol are its first ones.
TEST(ProtocolRules, SeeTheBytesThatTellIt) {
  const std::string hello =
      tls::testing::records(tls::testing::HelloParts().server_name("evil.example").message());
  const struct {
    const char* rule;
    std::string bytes;
  } cases[] = {
      {"drop http any any -> any any (content:\"X: evil\"; sid:1;)",
       "GET / HTTP/1.1\r\nX: evil\r\n"},
      {"drop http any any -> any 80 (pcre:\"/X: e/\"; sid:1;)", "GET / HTTP/1.1\r\nX: evil\r\n"},
      {"drop tcp any any -> any any (content:\"evil\"; app-layer-protocol:http; sid:1;)",
       "GET / HTTP/1.1\r\nX: evil\r\n"},
      {"drop tls any any -> any any (content:\"evil.example\"; sid:1;)", hello},
      {"drop ssh any any -> any any (content:\"SSH-2.0-evil\"; sid:1;)", "SSH-2.0-evil\r\n"},
  };
  for (const auto& c : cases) {
    Harness h(c.rule);
    const Ends client{"10.0.0.1", "10.0.0.2", 40000, 80};
    h.connect(client);
    EXPECT_FALSE(h.data(client, 0, c.bytes)) << c.rule;
    EXPECT_EQ(h.alerts(), Sids{1}) << c.rule;
  }
}

}  // namespace
}  // namespace sluice::inspect
