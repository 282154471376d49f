// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "inspect/app/conversation_for_test.h"
#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"
#include "inspect/app/session.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

Probe ask(Direction direction, std::string_view text, uint16_t port = 445) {
  return smb_entry().probe(direction, bytes_of(text), port);
}

std::string message(char kind = '\xfe') {
  return std::string("\0\0\0\x20", 4) + kind + "SMB" + std::string(28, '\0');
}
std::string session_request() { return std::string("\x81\0\0\x44", 4) + std::string(0x44, 'C'); }
std::string session_granted() { return std::string("\x82\0\0\0", 4); }

TEST(Smb, IsKnownByItsFirstMessage) {
  for (const char kind : {'\xff', '\xfe', '\xfd', '\xfc'})
    for (const Direction direction : {kUp, kDown})
      EXPECT_EQ(ask(direction, message(kind)), Probe::kYes);
  for (size_t length = 0; length < 8; length++)
    EXPECT_EQ(ask(kUp, message().substr(0, length)), Probe::kMore) << length;
  EXPECT_EQ(ask(kUp, message('\x7e')), Probe::kNo);
  EXPECT_EQ(ask(kUp, "\x16\x03\x01"), Probe::kNo);
  EXPECT_EQ(ask(kUp, std::string("\0\0\0\x20\xfeSMC", 8)), Probe::kNo);
}

TEST(Smb, ASessionIsAskedForBefore) {
  const std::string whole = session_request() + message();
  for (size_t length = 0; length < whole.size() - 28; length++)
    EXPECT_EQ(ask(kUp, whole.substr(0, length), 139), Probe::kMore) << length;
  EXPECT_EQ(ask(kUp, whole, 139), Probe::kYes);
  EXPECT_EQ(ask(kDown, session_granted() + message(), 139), Probe::kYes);
  EXPECT_EQ(ask(kUp, session_granted(), 139), Probe::kNo);
  EXPECT_EQ(ask(kUp, "\x81" + std::string(3, '\xff'), 139), Probe::kNo) << "too long";
}

class SmbSession : public ::testing::Test {
 protected:
  AppProtocol say(Direction direction, std::string_view text) {
    session_.feed(direction, bytes_of(text), sink_);
    return session_.protocol();
  }
  AppSession session_{true, 8445};
  RecordingSink sink_;
};

TEST_F(SmbSession, AtAnotherPortTheServerTells) {
  EXPECT_EQ(say(kUp, message()), AppProtocol::kUnknown);
  EXPECT_EQ(say(kDown, message()), AppProtocol::kSmb);
  EXPECT_TRUE(session_.finished());
}

// Or else some bytes before a request would hide it.
TEST_F(SmbSession, AtAnotherPortAServerOfAnotherProtocolTells) {
  EXPECT_EQ(say(kUp, message() + "\r\n\r\nGET / HTTP/1.1\r\n\r\n"), AppProtocol::kUnknown);
  EXPECT_EQ(say(kDown, "HTTP/1.1 400 What\r\n\r\nHTTP/1.1 200 Fine\r\n\r\n"), AppProtocol::kHttp1);
}

}  // namespace
}  // namespace sluice::inspect
