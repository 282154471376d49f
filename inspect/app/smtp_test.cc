// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"
#include "inspect/app/smtp_transaction.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
using Texts = std::vector<std::string>;

struct Said {
  Direction direction;
  std::string text;
};
using Talk = std::vector<Said>;

const std::string kMail =
    "From: \"A, B\" <a@example>\r\nTo: b@example, c@example\r\nSubject: words\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    "--x\r\n\r\n..hidden dot\r\n--x\r\nContent-Type: image/gif; name=evil.exe\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nR0lGODlh\r\n--x--\r\n.\r\n";

const Talk kTalk = {{kDown, "220-mail.example\r\n220 ESMTP\r\n"},
                    {kUp, "EHLO client.example\r\n"},
                    {kDown, "250-mail.example\r\n250 STARTTLS\r\n"},
                    {kUp, "MAIL FROM:<a@example> SIZE=100\r\n"},
                    {kDown, "250 OK\r\n"},
                    {kUp, "rcpt to: <b@example>\r\nRCPT TO:<c@example>\r\nDATA\r\n"},
                    {kDown, "250 OK\r\n250 OK\r\n354 go on\r\n"},
                    {kUp, kMail},
                    {kDown, "250 taken\r\n"},
                    {kUp, "MAIL FROM:<>\r\nRCPT TO:<d@example>\r\n"},
                    {kDown, "250 OK\r\n550 no\r\n"},
                    {kUp, "RSET\r\nQUIT\r\n"},
                    {kDown, "250 OK\r\n221 bye\r\n"}};

class SmtpTest : public ::testing::Test {
 protected:
  Parsed up(std::string_view text) { return parser_->feed(kUp, bytes_of(text), sink_); }
  Parsed down(std::string_view text) { return parser_->feed(kDown, bytes_of(text), sink_); }
  Parsed talk(const Talk& talk, size_t piece = SIZE_MAX) {
    Parsed parsed = Parsed::kMore;
    for (const auto& [direction, text] : talk)
      for (size_t at = 0; at < text.size() && parsed == Parsed::kMore;
           at += std::min(piece, text.size()))
        parsed = parser_->feed(
            direction, bytes_of(text).subspan(at, std::min(piece, text.size() - at)), sink_);
    return parsed;
  }
  void end() {
    parser_->end(kUp, sink_);
    parser_->end(kDown, sink_);
  }
  void again() {
    parser_ = smtp_entry().make();
    sink_ = RecordingSink();
  }
  Texts all(std::string_view name) const { return sink_.get_all(Recorded::kBuffer, name); }

  std::unique_ptr<Parser> parser_ = smtp_entry().make();
  RecordingSink sink_;
};

TEST_F(SmtpTest, AMail) {
  EXPECT_EQ(talk(kTalk), Parsed::kMore);
  end();
  EXPECT_EQ(sink_.get(0, kUp, "smtp.helo"), "client.example");
  EXPECT_EQ(sink_.get(0, kUp, "smtp.mail_from"), "<a@example>");
  EXPECT_EQ(all("smtp.rcpt_to"), (Texts{"<b@example>", "<c@example>", "<d@example>"}));
  EXPECT_EQ(sink_.get(0, kUp, "file.name"), "evil.exe");
  EXPECT_EQ(sink_.get(0, kUp, "file.data"), "GIF89a");
  EXPECT_EQ(sink_.get(1, kUp, "smtp.mail_from"), "<>");
  EXPECT_EQ(sink_.get(1, kUp, "smtp.helo"), "client.example");
  EXPECT_EQ(sink_.get_all(Recorded::kEnded),
            (Texts{R"({"smtp":{"helo":"client.example","mail_from":"<a@example>",)"
                   R"("rcpt_to":["<b@example>","<c@example>"]},"email":{"status":"PARSE_DONE",)"
                   R"("from":"\"A, B\" <a@example>","to":["b@example","c@example"],)"
                   R"("subject":"words","attachment":["evil.exe"]}})",
                   R"({"smtp":{"helo":"client.example","mail_from":"<>",)"
                   R"("rcpt_to":["<d@example>"]}})"}));
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST_F(SmtpTest, CutAnywhereItTellsTheSame) {
  talk(kTalk);
  end();
  const std::string whole = sink_.str();
  for (size_t piece = 1; piece < kMail.size(); piece++) {
    again();
    talk(kTalk, piece);
    end();
    ASSERT_EQ(sink_.str(), whole) << piece;
  }
}

TEST_F(SmtpTest, AFileIsToldAsItComes) {
  up("DATA\r\nContent-Type: a/b\r\n\r\npart of a line");
  EXPECT_EQ(sink_.get(0, kUp, "file.data"), "(none)");  // the line may be a boundary
  up(" that ends\r\nmore\r\n");
  EXPECT_EQ(sink_.get(0, kUp, "file.data"), "part of a line that ends\r\nmore");
}

TEST_F(SmtpTest, Chunks) {
  const std::string first = "Content-Type: a/b\r\n\r\n.\r\n";
  const std::string second = "and no end";
  EXPECT_EQ(talk({{kUp, "EHLO x\r\nMAIL FROM:<a>\r\nBDAT " + std::to_string(first.size()) + "\r\n" +
                            first + "BDAT " + std::to_string(second.size()) + " LAST\r\n" + second +
                            "QUIT\r\n"},
                  {kDown, "220 SMTP\r\n250 x\r\n250 x\r\n250 x\r\n250 x\r\n221 x\r\n"}}),
            Parsed::kMore);
  EXPECT_EQ(sink_.get(0, kUp, "file.data"), ".\r\nand no end");
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u);
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
  again();
  up("BDAT x\r\nBDAT 99999999999999999999\r\nBDAT 0 LAST\r\n");
  end();
  EXPECT_EQ(sink_.events(), (Texts{"bdat_chunk_len_exceeded", "bdat_chunk_len_exceeded"}));
}

// What the server took for commands is no chunk.
TEST_F(SmtpTest, AChunkThatTheServerDoesNotKnow) {
  for (const std::string code : {"500", "502", "503"}) {
    for (const std::string last : {"", " LAST"}) {
      again();
      talk({{kDown, "220 SMTP\r\n"},
            {kUp, "MAIL FROM:<a>\r\nBDAT 1000000" + last + "\r\n"},
            {kDown, "250 x\r\n" + code + " no\r\n"},
            {kUp, "MAIL FROM:<b>\r\n"}});
      end();
      EXPECT_EQ(all("smtp.mail_from").size(), code == "503" ? 1u : 2u) << code << last;
    }
  }
}

TEST_F(SmtpTest, StartTls) {
  EXPECT_EQ(talk({{kDown, "220 SMTP\r\n"}, {kUp, "EHLO x\r\nSTARTTLS\r\n"}, {kDown, "250 x\r\n"}}),
            Parsed::kMore);
  EXPECT_EQ(down("220 go"), Parsed::kMore);
  EXPECT_EQ(down("\r\nsealed"), Parsed::kChange);
  EXPECT_TRUE(std::ranges::equal(parser_->rest(kDown), bytes_of("sealed")));
  EXPECT_TRUE(parser_->rest(kUp).empty());
  EXPECT_EQ(parser_->next_protocol(), AppProtocol::kTls);
  EXPECT_EQ(sink_.get_all(Recorded::kEnded), Texts{R"({"smtp":{"helo":"x"}})"});
  EXPECT_TRUE(sink_.events().empty());

  again();
  EXPECT_EQ(talk({{kDown, "220 SMTP\r\n"}, {kUp, "STARTTLS\r\nRSET\r\n"}, {kDown, "454 no\r\n"}}),
            Parsed::kMore);
  EXPECT_EQ(sink_.events(), (Texts{"invalid_pipelined_sequence", "tls_rejected"}));
}

TEST_F(SmtpTest, AMailThatTheServerDoesNotWant) {
  talk({{kDown, "220 SMTP\r\n"}, {kUp, "DATA\r\n"}, {kDown, "503 no\r\n"}, {kUp, "HELO x\r\n"}});
  EXPECT_EQ(sink_.events(), Texts{"data_command_rejected"});
  EXPECT_EQ(all("smtp.helo"), Texts{"x"});
}

TEST_F(SmtpTest, MailsInARowWithoutWaiting) {
  std::string text = "EHLO x\r\n";
  for (size_t i = 0; i < 3; i++)
    text += "MAIL FROM:<" + std::to_string(i) + ">\r\nDATA\r\nContent-Type: a/b\r\n\r\n" +
            std::to_string(i) + "\r\n.\r\n";
  up(text);
  down("220 SMTP\r\n250 x\r\n");
  for (size_t i = 0; i < 3; i++) down("250 x\r\n354 x\r\n250 x\r\n");
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 3u);
  EXPECT_EQ(all("file.data"), (Texts{"0\r\n", "1\r\n", "2\r\n"}));
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST_F(SmtpTest, WhatIsStrangeIsAnEvent) {
  const struct {
    const char* name;
    Talk talk;
    Texts events;
  } cases[] = {
      {"a long command",
       {{kUp, std::string(600, 'x') + "\r\n"}},
       {"max_command_line_len_exceeded"}},
      {"a long reply",
       {{kDown, "220 " + std::string(5000, 'x') + "\r\n"}},
       {"max_reply_line_len_exceeded"}},
      {"no reply", {{kDown, "hello\r\n"}}, {"invalid_reply"}},
      {"a reply without code", {{kDown, "22\r\n2200\r\n"}}, {"invalid_reply", "invalid_reply"}},
      {"no welcome", {{kDown, "554 no\r\n"}}, {"no_server_welcome_message"}},
      {"a reply to nothing",
       {{kDown, "220 SMTP\r\n250 x\r\n"}},
       {"unable_to_match_reply_with_request"}},
      {"an end that only some servers take",
       {{kUp, "DATA\r\n\r\n\n.\n"}},
       {"ambiguous_end_of_mail"}},
      {"base64",
       {{kUp,
         "DATA\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
         "##\r\n.\r\n"}},
       {"mime_invalid_base64"}},
  };
  for (const auto& c : cases) {
    again();
    EXPECT_EQ(talk(c.talk), Parsed::kMore) << c.name;
    EXPECT_EQ(sink_.events(), c.events) << c.name;
  }
}

TEST_F(SmtpTest, NamesBehindMany) {
  std::string mail = "DATA\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (size_t i = 0; i < 300; i++)
    mail +=
        "--b\r\nContent-Disposition: attachment; filename=f" + std::to_string(i) + "\r\n\r\nx\r\n";
  mail += "--b\r\n";
  for (size_t i = 0; i < 300; i++) mail += "X: y\r\n";
  EXPECT_EQ(up(mail + "Content-Disposition: attachment; filename=last\r\n\r\nx\r\n--b--\r\n.\r\n"),
            Parsed::kMore);
  const Texts names = all("file.name");
  ASSERT_EQ(names.size(), 301U);
  EXPECT_EQ(names.back(), "last");
}

TEST_F(SmtpTest, FloodsAreBounded) {
  std::string recipients = "MAIL FROM:<a>\r\n";
  for (size_t i = 0; i < 1000; i++) recipients += "RCPT TO:<b>\r\n";
  EXPECT_EQ(up(recipients), Parsed::kMore);
  EXPECT_EQ(all("smtp.rcpt_to").size(), 1000U) << "rules see all";
  EXPECT_EQ(sink_.events(), Texts{"too_many_recipients"});
  again();
  std::string nonsense;
  for (size_t i = 0; i < 1000; i++) nonsense += "nonsense\r\n";
  EXPECT_EQ(down(nonsense), Parsed::kFailed);
  EXPECT_EQ(sink_.events().size(), 64u);
  again();
  std::string long_lines;
  for (size_t i = 0; i < 100; i++) long_lines += "NOOP " + std::string(600, 'x') + "\r\n";
  EXPECT_EQ(up(long_lines + "EHLO behind\r\n"), Parsed::kMore);
  EXPECT_EQ(sink_.events().size(), 64u);
  EXPECT_EQ(all("smtp.helo"), Texts{"behind"});
  again();
  std::string hellos;
  for (size_t i = 0; i < 1000; i++) hellos += "HELO x\r\n";
  EXPECT_EQ(up(hellos), Parsed::kMore);
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 999u);
}

TEST_F(SmtpTest, AfterAGap) {
  talk({{kDown, "220 SMTP\r\n"},
        {kUp, "MAIL FROM:<a>\r\nDATA\r\nContent-Type: a/b\r\n\r\nfirst\r\nlo"}});
  down("250 x\r\n354 x\r\n");
  EXPECT_EQ(parser_->gap(kUp, 100, sink_), Parsed::kMore);
  up("st\r\nlast\r\n");  // the end of the mail has been missed too
  down("250 x\r\n");
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u);  // as the server says
  EXPECT_EQ(sink_.get(0, kUp, "file.data"), "first\r\nst\r\nlast\r\n");
  up("MAIL FROM:<b>\r\n");
  EXPECT_EQ(sink_.get(1, kUp, "smtp.mail_from"), "<b>");
  EXPECT_EQ(parser_->gap(kDown, 100, sink_), Parsed::kMore);
  down("250 x\r\n250 x\r\n");
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST(SmtpProbe, ByContentAndPort) {
  const struct {
    const char* text;
    Direction direction;
    uint16_t port;
    Probe result;
  } cases[] = {
      {"220 mail.example ESMTP\r\n", kDown, 9000, Probe::kYes},
      {"220 mail.example\r\n", kDown, 25, Probe::kYes},
      {"220 mail.example\r\n", kDown, 9000, Probe::kMore},
      {"220 (vsFTPd 3.0.3)\r\n", kDown, 9000, Probe::kNo},
      {"22", kDown, 25, Probe::kMore},
      {"HTTP/1.1 200", kDown, 25, Probe::kNo},
      {"ehlo x", kUp, 9000, Probe::kYes},
      {"EH", kUp, 9000, Probe::kMore},
      {"GET /", kUp, 25, Probe::kMore},
      {"what\r\nEHLO x\r\n", kUp, 9000, Probe::kYes},
      {"what EHLO x\r\n", kUp, 9000, Probe::kMore},
      {"\x16\x03\x01", kUp, 25, Probe::kNo},
      {"220 hello\r\n500 what\r\n250 ok\r\n", kDown, 9000, Probe::kYes},
      {"220 hello\r\n331 and\r\n", kDown, 9000, Probe::kNo},
  };
  for (const auto& c : cases)
    EXPECT_EQ(smtp_entry().probe(c.direction, bytes_of(c.text), c.port), c.result) << c.text;
}

}  // namespace
}  // namespace sluice::inspect
