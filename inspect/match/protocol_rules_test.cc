// SPDX-License-Identifier: Apache-2.0
// Rules that look at the stream of an application's protocol.
#include "inspect/match/traffic_for_test.h"
#include "inspect/tls/hello_for_test.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::Sids;
using testing::Talk;

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

std::string smb(const std::string& text) {
  return std::string("\0\0\0\x60\xfeSMB", 8) + std::string(60, '\0') + text;
}

// Those of public rule sets: content in the payload, from the first message on.
TEST(ProtocolRules, OfSmbLookAtItsPayload) {
  const std::string rules =
      "drop smb any any -> any 445 (flow:to_server,established; content:\"SMB\"; depth:8; "
      "content:\"run.exe\"; distance:0; sid:1;)\n"
      "alert smb any any -> any any (content:\"answer\"; flow:to_client; sid:2;)\n"
      "alert http any any -> any any (content:\"SMB\"; sid:3;)";
  const Ends client{"10.0.0.1", "10.0.0.2", 40000, 445};
  Harness first(rules);
  first.connect(client);
  EXPECT_FALSE(first.data(client, 0, smb("run.exe")));
  EXPECT_EQ(first.alerts(), Sids{1});
  Harness later(rules);
  Talk talk(later, 445);
  talk.client(smb(""));
  talk.server(smb("answer"));
  EXPECT_EQ(later.alerts(), Sids{2});
  talk.client(smb("run.exe"));
  EXPECT_EQ(later.alerts(), (Sids{2, 1}));
  Harness web(rules);
  Talk other(web, 445);
  other.client("GET /SMB HTTP/1.1\r\nX: run.exe\r\n\r\n");
  EXPECT_EQ(web.alerts(), Sids{3});
}

}  // namespace
}  // namespace sluice::inspect
