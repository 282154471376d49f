// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

Probe ask(Direction direction, std::string_view text, uint16_t port = 143) {
  return imap_entry().probe(direction, bytes_of(text), port);
}

TEST(Imap, AServerIsKnownByItsGreeting) {
  for (const char* text : {"* OK ready\r\n", "* preauth hello\r\n", "* BYE\r\n"}) {
    EXPECT_EQ(ask(kDown, text, 9), Probe::kYes) << text;
    for (const size_t length : {1, 2, 4})
      EXPECT_EQ(ask(kDown, std::string_view(text).substr(0, length), 9), Probe::kMore) << text;
  }
  for (const char* text : {"* OKAY\r\n", "*OK\r\n", "+OK ready\r\n", "220 ready\r\n"})
    EXPECT_EQ(ask(kDown, text), Probe::kNo) << text;
}

TEST(Imap, AClientIsKnownByItsFirstCommandAtThePort) {
  EXPECT_EQ(ask(kUp, "a1 CAPABILITY\r\n"), Probe::kYes);
  EXPECT_EQ(ask(kUp, "a1 CAPABILITY\r\n", 80), Probe::kMore);
  EXPECT_EQ(ask(kUp, "a1 CAPAB"), Probe::kMore);
  EXPECT_EQ(ask(kUp, "a1 LOGIN"), Probe::kMore);
  EXPECT_EQ(ask(kUp, "\x16\x03\x01"), Probe::kNo);
}

class ImapTest : public ::testing::Test {
 protected:
  // In pieces of so many bytes; what the last one says.
  Parsed say(Direction direction, std::string_view text, size_t piece = SIZE_MAX) {
    Parsed parsed = Parsed::kMore;
    for (size_t at = 0; at < text.size() && parsed == Parsed::kMore;
         at += std::min(piece, text.size()))
      parsed = parser_->feed(direction, bytes_of(text.substr(at, piece)), sink_);
    return parsed;
  }
  void again() { parser_ = imap_entry().make(); }

  std::unique_ptr<Parser> parser_ = imap_entry().make();
  RecordingSink sink_;
};

TEST_F(ImapTest, AfterStartTlsItIsTls) {
  for (const size_t piece : {SIZE_MAX, size_t{1}}) {
    again();
    EXPECT_EQ(say(kDown, "* OK ready\r\n", piece), Parsed::kMore);
    EXPECT_EQ(say(kUp, "a CAPABILITY\r\nB starttls\r\n", piece), Parsed::kMore);
    EXPECT_EQ(say(kDown, "* OK more\r\na OK done\r\n", piece), Parsed::kMore);
    EXPECT_EQ(say(kDown, "B OK go\r\n", piece), Parsed::kChange);
    EXPECT_EQ(parser_->next_protocol(), AppProtocol::kTls);
    EXPECT_TRUE(parser_->rest(kDown).empty());
  }
  again();
  EXPECT_EQ(say(kUp, "b STARTTLS\r\n"), Parsed::kMore);
  EXPECT_EQ(say(kDown, "b OK go\r\nmore"), Parsed::kChange);
  EXPECT_EQ(parser_->rest(kDown).size(), 4u);
}

TEST_F(ImapTest, ARefusedStartTlsChangesNothing) {
  EXPECT_EQ(say(kUp, "b STARTTLS\r\n"), Parsed::kMore);
  EXPECT_EQ(say(kDown, "b NO\r\nb OK\r\n"), Parsed::kMore);
}

TEST_F(ImapTest, ItIsReadUntilSomebodyLogsIn) {
  EXPECT_EQ(say(kUp, "a LOGIN me secret\r\nb STARTTLS\r\n"), Parsed::kDone);
  again();
  EXPECT_EQ(say(kUp, "\r\n"), Parsed::kDone);
  again();
  EXPECT_EQ(say(kUp, "a noop " + std::string(4096, 'x') + "\r\n"), Parsed::kDone);
  again();
  EXPECT_EQ(parser_->gap(kDown, 1, sink_), Parsed::kDone);
}

TEST_F(ImapTest, ALineWithoutEndTakesNoMemory) {
  for (int i = 0; i < 100; i++) EXPECT_EQ(say(kDown, std::string(1000, 'x')), Parsed::kMore);
  EXPECT_LT(parser_->memory(), 4096u);
}

}  // namespace
}  // namespace sluice::inspect
