// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/ftp_transaction.h"
#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"

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

const Talk kTalk = {{kDown, "220-Welcome to\r\n 220 FTP\r\n220 Ready.\r\n"},
                    {kUp, "user anonymous\r\n"},
                    {kDown, "331 Please specify the password.\r\n"},
                    {kUp, "PASS a b\r\nPORT 192,0,2,1,234,10\r\n"},
                    {kDown, "230 Login successful.\r\n200 OK\r\n"},
                    {kUp, "RETR temp.txt\r\n"},
                    {kDown, "150 Opening.\r\n226 Transfer complete.\r\n"},
                    {kUp, "EPSV\r\nQUIT\r\n"},
                    {kDown, "229 Entering (|||59914|) now\r\n"}};

class FtpTest : public ::testing::Test {
 protected:
  Parsed up(std::string_view text) { return parser_->feed(kUp, bytes_of(text), sink_); }
  Parsed down(std::string_view text) { return parser_->feed(kDown, bytes_of(text), sink_); }
  void talk(const Talk& talk, size_t piece = SIZE_MAX) {
    for (const auto& [direction, text] : talk)
      for (size_t at = 0; at < text.size(); at += std::min(piece, text.size()))
        parser_->feed(direction, bytes_of(text).subspan(at, std::min(piece, text.size() - at)),
                      sink_);
  }
  void end() {
    parser_->end(kUp, sink_);
    parser_->end(kDown, sink_);
  }
  void again() {
    parser_ = ftp_entry().make();
    sink_ = RecordingSink();
  }
  Texts all(std::string_view name) const { return sink_.get_all(Recorded::kBuffer, name); }
  Texts ended() const { return sink_.get_all(Recorded::kEnded); }

  std::unique_ptr<Parser> parser_ = ftp_entry().make();
  RecordingSink sink_;
};

TEST_F(FtpTest, CommandsAndTheirReplies) {
  talk(kTalk);
  end();
  EXPECT_EQ(all("ftp.command"), (Texts{"USER", "PASS", "PORT", "RETR", "EPSV", "QUIT"}));
  EXPECT_EQ(all("ftp.command_data"), (Texts{"anonymous", "a b", "192,0,2,1,234,10", "temp.txt"}));
  EXPECT_EQ(sink_.get(4, kDown, "ftp.reply"), "Transfer complete.");
  EXPECT_EQ(sink_.get(4, kDown, "ftp.completion_code"), "226");
  const auto event = [](const std::string& asked, const std::string& answered) {
    return R"({"ftp":{)" + asked + answered + "}}";
  };
  const Texts events = {
      event("", R"x("reply":["Welcome to"," 220 FTP","Ready."],)x"
                R"x("completion_code":["220","220"],"reply_received":"yes")x"),
      event(R"x("command":"USER","command_data":"anonymous",)x",
            R"x("reply":["Please specify the password."],"completion_code":["331"],)x"
            R"x("reply_received":"yes")x"),
      event(R"x("command":"PASS","command_data":"a b",)x",
            R"x("reply":["Login successful."],"completion_code":["230"],"reply_received":"yes")x"),
      event(R"x("command":"PORT","command_data":"192,0,2,1,234,10",)x",
            R"x("reply":["OK"],"completion_code":["200"],"dynamic_port":59914,"mode":"active",)x"
            R"x("reply_received":"yes")x"),
      event(R"x("command":"RETR","command_data":"temp.txt",)x",
            R"x("reply":["Opening.","Transfer complete."],"completion_code":["150","226"],)x"
            R"x("reply_received":"yes")x"),
      event(R"x("command":"EPSV",)x",
            R"x("reply":["Entering (|||59914|) now"],"completion_code":["229"],)x"
            R"x("dynamic_port":59914,"mode":"passive","reply_received":"yes")x"),
      event(R"x("command":"QUIT",)x", R"x("reply_received":"no")x"),
  };
  EXPECT_EQ(ended(), events);
  EXPECT_TRUE(sink_.events().empty());
}

TEST_F(FtpTest, CutAnywhereItTellsTheSame) {
  talk(kTalk);
  end();
  const std::string whole = sink_.str();
  for (size_t piece = 1; piece < 60; piece++) {
    again();
    talk(kTalk, piece);
    end();
    ASSERT_EQ(sink_.str(), whole) << piece;
  }
}

TEST_F(FtpTest, AuthTls) {
  talk({{kDown, "220 FTP\r\n"}, {kUp, "AUTH TLS\r\n"}});
  EXPECT_EQ(down("234 go\r\nsealed"), Parsed::kChange);
  EXPECT_EQ(parser_->next_protocol(), AppProtocol::kTls);
  EXPECT_TRUE(std::ranges::equal(parser_->rest(kDown), bytes_of("sealed")));
  EXPECT_EQ(ended().size(), 2u);
  for (const char* const refused : {"AUTH TLS\r\n", "AUTH GSSAPI\r\n", "NOOP\r\n"}) {
    again();
    up(refused);
    EXPECT_EQ(down(refused == std::string_view("AUTH TLS\r\n") ? "502 no\r\n" : "234 x\r\n"),
              Parsed::kMore);
  }
}

TEST_F(FtpTest, StrayLinesEndNoCommand) {
  talk({{kUp,
         "\xff\xf4\xff\xf2"
         "ABOR\r\n\r\n"},
        {kDown, "what?\r\n226-x\r\n225 y\r\n226 z\r\n"}});
  EXPECT_EQ(ended(), Texts{R"({"ftp":{"command":"ABOR","reply":["what?","x","y","z"],)"
                           R"("completion_code":["226","225","226"],"reply_received":"yes"}})"});
}

TEST_F(FtpTest, FloodsAreBounded) {
  std::string commands;
  for (size_t i = 0; i < 1000; i++) commands += "NOOP\r\n";
  up(commands);
  EXPECT_EQ(ended().size(), 1000u - 64);
  again();
  std::string replies = "150-x\r\n";
  for (size_t i = 0; i < 1000; i++) replies += "x\r\n";
  up("LIST\r\n");
  down(replies + "150 x\r\n226 x\r\n");
  EXPECT_EQ(all("ftp.reply").size(), kFtpRepliesMax);
  EXPECT_NE(ended().at(0).find(R"("reply_truncated":true)"), std::string::npos);
  again();
  up("STOR " + std::string(5000, 'x') + "\r\n");
  down("200 " + std::string(5000, 'x') + "\r\n");
  EXPECT_EQ(sink_.events(), (Texts{"request_command_too_long", "response_command_too_long"}));
  EXPECT_NE(ended().at(0).find(R"("command_truncated":true)"), std::string::npos);
}

TEST_F(FtpTest, AfterAGap) {
  up("USER x\r\nPA");
  EXPECT_EQ(parser_->gap(kUp, 10, sink_), Parsed::kMore);
  EXPECT_EQ(ended().size(), 1u);
  up("NOOP\r\n");
  EXPECT_EQ(sink_.get(1, kUp, "ftp.command"), "NOOP");
  EXPECT_EQ(parser_->gap(kDown, 10, sink_), Parsed::kMore);
  EXPECT_EQ(ended().size(), 2u);
}

TEST(FtpDataPort, OfCommandsAndReplies) {
  const auto text = [](const std::optional<FtpDataPort>& found) {
    if (!found) return std::string("none");
    return (found->active ? "to " : "at ") + found->address + " " + std::to_string(found->port);
  };
  EXPECT_EQ(text(read_ftp_port("192,0,2,1,234,10")), "to 192.0.2.1 59914");
  EXPECT_EQ(text(read_ftp_eprt("|1|192.0.2.1|59914|")), "to 192.0.2.1 59914");
  EXPECT_EQ(text(read_ftp_eprt("#2#2001:db8::1#21#")), "to 2001:db8::1 21");
  EXPECT_EQ(text(read_ftp_pasv_reply("Passive (192,0,2,1,0,21).")), "at 192.0.2.1 21");
  EXPECT_EQ(text(read_ftp_epsv_reply("Passive (|||65535|)")), "at  65535");
  for (const char* broken : {"", "1,2,3,4,5", "1,2,3,4,5,256", "1,2,3,4,5,", "a,2,3,4,5,6", "-1,2"})
    EXPECT_EQ(text(read_ftp_port(broken)), "none") << broken;
  for (const char* broken : {"", "|", "|1|a", "|1|a|99999|", "|1|a|1x|", "|1|a||"})
    EXPECT_EQ(text(read_ftp_eprt(broken)), "none") << broken;
  EXPECT_EQ(text(read_ftp_epsv_reply("no")), "none");
  EXPECT_EQ(text(read_ftp_epsv_reply("(")), "none");
  EXPECT_EQ(text(read_ftp_pasv_reply("no")), "none");
}

TEST(FtpProbe, ByContentAndPort) {
  const struct {
    const char* text;
    Direction direction;
    uint16_t port;
    Probe result;
  } cases[] = {
      {"220 (vsFTPd 3.0.3)\r\n", kDown, 9000, Probe::kYes},
      {"220 welcome\r\n", kDown, 21, Probe::kYes},
      {"220 welcome\r\n", kDown, 9000, Probe::kMore},
      {"220 welcome\r\n", kDown, 25, Probe::kNo},
      {"220 mail ESMTP\r\n", kDown, 21, Probe::kNo},
      {"22", kDown, 21, Probe::kMore},
      {"+OK", kDown, 21, Probe::kNo},
      {"user x", kUp, 9000, Probe::kYes},
      {"USER x", kUp, 110, Probe::kNo},
      {"QUIT\r\n", kUp, 21, Probe::kYes},
      {"QUIT\r\n", kUp, 9000, Probe::kMore},
      {"\x16\x03\x01", kUp, 21, Probe::kNo},
      {"220 hello\r\n500 what\r\n", kDown, 9000, Probe::kMore},
      {"220 hello\r\n500 what\r\n331 and\r\n", kDown, 9000, Probe::kYes},
      {"220 hello 331 \r\n", kDown, 9000, Probe::kMore},
      {"220 hello\r\n250-hello\r\n", kDown, 9000, Probe::kNo},
      {"QU", kUp, 21, Probe::kMore},
      {"GET / HTTP/1.1", kUp, 21, Probe::kMore},
  };
  for (const auto& c : cases)
    EXPECT_EQ(ftp_entry().probe(c.direction, bytes_of(c.text), c.port), c.result) << c.text;
}

}  // namespace
}  // namespace sluice::inspect
