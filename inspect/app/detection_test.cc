// SPDX-License-Identifier: Apache-2.0
// Which protocol a connection speaks, with protocols as they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/app_session_for_test.h"
#include "inspect/app/dns_for_test.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

class DetectionTest : public AppSessionTest {
 protected:
  // What was noticed of the two directions together.
  std::vector<std::string> told() const {
    std::vector<std::string> events = sink_.events();
    std::erase_if(events, [](const std::string& e) { return !e.starts_with("applayer_"); });
    return events;
  }
};

using Texts = std::vector<std::string>;

// By which a protocol is known before its client has spoken.
const std::string kGreetings[] = {"SSH-2.0-x\r\n", "220 mail.example ESMTP\r\n",
                                  "* OK IMAP4rev1 ready\r\n", std::string("\x15\3\3\0\2\2\x28", 7),
                                  std::string("\0\0\0\x44\xfeSMB\x40\0\0\0", 12)};

TEST_F(DetectionTest, WhetherBothEndsSpeakTheSame) {
  const struct {
    std::string client, server, event;
  } kTable[] = {
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", ""},
      {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "applayer_mismatch_protocol_both_directions"},
      {"GET / HTTP/1.1\r\n\r\n", "what?\r\n", "applayer_detect_protocol_only_one_direction"},
      {"\x01\x02", std::string(40, '\xff'), "applayer_proto_detection_skipped"},
  };
  for (const auto& row : kTable) {
    for (const size_t piece : {size_t{5}, SIZE_MAX}) {
      again(true, 80);
      feed(kUp, row.client, piece);
      feed(kDown, row.server, piece);
      EXPECT_EQ(told(), row.event.empty() ? Texts{} : Texts{row.event}) << piece;
    }
  }
}

// What was kept to judge it is no part of what comes next.
TEST_F(DetectionTest, AfterAChangeNothingIsKeptOfBefore) {
  feed(kDown, "220 mail.example ESMTP\r\n");
  feed(kUp, "STARTTLS\r\n");  // of no greeting: an SMTP client says more
  feed(kDown, "220 go\r\n");
  feed(kUp, std::string("\x16\3\1\0\5\1", 6));
  EXPECT_EQ(session_->protocol(), AppProtocol::kTls);
  for (const std::string& event : sink_.events()) EXPECT_FALSE(event.starts_with("applayer_"));
}

// What a gap has cut says nothing.
TEST_F(DetectionTest, BehindAGapNobodyIsJudged) {
  feed(kUp, "GET / HTTP/1.1\r\n\r\n");
  session_->gap(kDown, 100, sink_);
  feed(kDown, "SSH-2.0-x\r\n");
  for (const std::string& event : sink_.events()) EXPECT_FALSE(event.starts_with("applayer_"));
}

// What no HTTP client says, a server may refuse and go on: its answer tells.
TEST_F(DetectionTest, HttpByItsAnswer) {
  const std::string junk("\0\1junk\r\n\r\n", 10);
  const std::string refusal = "HTTP/1.1 400 What\r\nContent-Length: 2\r\n\r\nno";
  const std::string request = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const size_t length : {size_t{1}, size_t{10}, 3 * kProbeBytesMax}) {
    for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
      again(true, 80);
      std::string first = junk;
      first.resize(length, 'j');
      feed(kUp, first, piece);
      EXPECT_FALSE(session_->finished());
      feed(kDown, refusal, piece);
      EXPECT_EQ(session_->protocol(), AppProtocol::kHttp1);
      feed(kUp, request, piece);
      EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << length << " " << piece;
    }
  }
  again(true, 80);
  feed(kUp, junk);
  feed(kDown, "\2no");
  EXPECT_TRUE(session_->finished());
  EXPECT_EQ(session_->protocol(), AppProtocol::kFailed);
}

// Some clients pass over what a server says too early.
TEST_F(DetectionTest, WhatAServerSaysTooEarlyHidesNoRequest) {
  const std::string request = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string early : {"\n", "220 hi\r\n", "hello\r\n", "\xff\xff"}) {
    for (const size_t before : {0, 1, 3}) {
      again(true, 80);
      feed(kUp, request.substr(0, before));
      feed(kDown, early);
      feed(kUp, request.substr(before));
      feed(kDown, "HTTP/1.1 200 OK\r\nServer: evil\r\nContent-Length: 0\r\n\r\n");
      EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << early << before;
      EXPECT_EQ(all("http.server"), Texts{"evil"}) << early << before;
    }
  }
}

// A greeting, by which a protocol is known, says nothing of what its client is answered.
TEST_F(DetectionTest, AGreetingHidesNoRequest) {
  const std::string request = "ATTACK /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nServer: evil\r\nContent-Length: 0\r\n\r\n";
  for (const std::string& greeting : kGreetings) {
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, SIZE_MAX}) {
      SCOPED_TRACE(greeting + std::to_string(piece));
      again(true, 80);
      feed(kDown, greeting, piece);
      feed(kUp, request, piece);
      feed(kDown, answer, piece);
      feed(kUp, request, piece);
      EXPECT_EQ(all("http.uri"), (Texts{"/attack", "/attack"}));
      EXPECT_EQ(all("http.server"), Texts{"evil"});
      EXPECT_EQ(session_->protocol(), AppProtocol::kHttp1);
      EXPECT_FALSE(session_->finished() || session_->failed() || session_->encrypted());
      EXPECT_EQ(told().back(), "applayer_mismatch_protocol_both_directions");
      EXPECT_EQ(std::ranges::count(told(), told().back()), 1);
    }
  }
}

TEST_F(DetectionTest, AGapOfTheServerHidesNoContradiction) {
  feed(kDown, std::string("\x15\3\3\0\2\2\x28", 7));
  feed(kUp, "GE");  // with which its parser gives up
  session_->gap(kDown, 100, sink_);
  feed(kUp, "T /attack HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(all("http.uri"), Texts{"/attack"});
}

// Whoever speaks what was expected, but does not say so for certain, is not waited for.
TEST_F(DetectionTest, AfterItsParserOnlyAContradictionIsWaitedFor) {
  const std::string message = std::string("\0\0\0\x44\xfeSMB", 8) + std::string(60, '\0');
  for (const size_t piece : {size_t{1}, size_t{3}, SIZE_MAX}) {
    again(true, 8445);
    feed(kUp, message, piece);
    feed(kDown, message, piece);
    feed(kUp, message, piece);
    EXPECT_TRUE(session_->finished());
    again(true, 1430);
    feed(kDown, "* OK IMAP4rev1 ready\r\n", piece);
    feed(kUp, "a1 LOGIN joe secret\r\n", piece);
    EXPECT_TRUE(session_->finished());
    EXPECT_EQ(told(), Texts{});
  }
}

// Nor does it hide another one's.
TEST_F(DetectionTest, WhatContradictsAGreetingIsOfAnyProtocol) {
  feed(kDown, "SSH-2.0-x\r\n");
  feed(kUp, "EHLO a\r\nMAIL FROM:<evil@a>\r\n");
  EXPECT_EQ(all("smtp.mail_from"), Texts{"<evil@a>"});
  again(true, 80);
  feed(kDown, "* OK IMAP\r\n");
  feed(kUp, "SSH-2.0-evil\r\n");
  EXPECT_EQ(all("ssh.software"), Texts{"evil"});
}

// The server may mean what it says, refuse the request and go on.
TEST_F(DetectionTest, ARequestHidesNothingOfWhatTheGreetingBegan) {
  feed(kDown, "220 mail.example ESMTP\r\n");
  feed(kUp, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  feed(kDown, "500 what\r\n500 what\r\n500 what\r\n");
  feed(kUp, "MAIL FROM:<evil@a>\r\n");
  EXPECT_EQ(all("smtp.mail_from"), Texts{"<evil@a>"});
}

TEST_F(DetectionTest, WhoeverContradictsAtEveryTurnIsGivenUp) {
  for (int turn = 0; turn <= kContradictionsMax; turn++) {
    EXPECT_FALSE(session_->finished());
    sink_ = RecordingSink();
    feed(kDown, "SSH-2.0-x\r\n");
    feed(kUp, "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(all("http.method").size(), turn < kContradictionsMax ? 1u : 0u);
    feed(kDown, "HTTP/1.1 200 OK\r\n\r\n");
  }
  EXPECT_TRUE(session_->finished() && session_->failed());
  EXPECT_EQ(told().back(), "applayer_proto_detection_skipped");
}

// By which a proxy tells whose connection it is (HAProxy's PROXY protocol).
TEST_F(DetectionTest, BehindTheHeaderOfAProxyEverythingIsSeen) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string addresses("\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50", 12);
  const std::string request = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& header :
       {std::string("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n"),
        std::string("PROXY TCP6 2001:db8::1 2001:db8::2 40000 80\r\n"),
        std::string("PROXY UNKNOWN\r\n"), std::string("PROXY UNKNOWN what ever\r\n"),
        signature + std::string("\x21\x11\0\x0c", 4) + addresses,
        signature + std::string("\x20\0\0\0", 4),
        signature + std::string("\x21\x11\x1f\x40", 4) + addresses + std::string(7988, 'G')}) {
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, SIZE_MAX}) {
      again(true, 80);
      feed(kUp, header + request, piece);
      EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << header << piece;
      again(true, 25);
      feed(kUp, header, piece);
      feed(kDown, "220 mail.example ESMTP\r\n", piece);
      feed(kUp, "MAIL FROM:<evil@a>\r\n", piece);
      EXPECT_EQ(all("smtp.mail_from"), Texts{"<evil@a>"}) << header << piece;
      again(true, 80);
      feed(kDown, "SSH-2.0-x\r\n");
      feed(kUp, header + request, piece);
      if (header.size() < kProbeBytesMax) {
        EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << "behind a greeting" << header << piece;
      }
      again(true, 443);
      feed(kUp, header, piece);
      feed(kUp, std::string("\x16\3\1\0\5\1", 6), piece);
      EXPECT_EQ(session_->protocol(), AppProtocol::kTls) << header << piece;
      EXPECT_EQ(told(), Texts{});
    }
  }
}

// What only begins like one is of its protocol.
TEST_F(DetectionTest, WhatIsNoHeaderOfAProxyIsNotPassedOver) {
  for (const std::string request :
       {"PROXY /attack HTTP/1.1\r\nHost: h\r\n\r\n", "PUT /attack HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\n\r\nGET /attack HTTP/1.1\r\nHost: h\r\n\r\n"}) {
    for (const size_t piece : {size_t{1}, size_t{3}, SIZE_MAX}) {
      again(true, 80);
      feed(kUp, request, piece);
      EXPECT_EQ(all("http.uri"), Texts{"/attack"}) << request << piece;
    }
  }
}

TEST_F(DetectionTest, EmptyLinesBeforeARequestFillNothing) {
  for (int i = 0; i < 1000; i++) feed(kUp, "\r\n\r\n\r\n\r\n");
  feed(kUp, "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(all("http.uri"), Texts{"/attack"});
}

TEST_F(DetectionTest, ADatagramStandsAlone) {
  again(false, 53);
  const std::string junk(12, '\0');
  for (int i = 0; i < 1000; i++) feed(kUp, "x");
  feed(kUp, testing::dns_answer("answer.example"));
  EXPECT_EQ(session_->protocol(), AppProtocol::kFailed);
  feed(kDown, junk);
  feed(kUp, testing::dns_query("attack.example"));
  EXPECT_EQ(session_->protocol(), AppProtocol::kDns);
  EXPECT_EQ(all("dns.query"), Texts{"attack.example"});
}

TEST_F(DetectionTest, DnsOverTcpBehindMessagesThatAreNone) {
  const std::string query = testing::over_tcp(testing::dns_query("attack.example"));
  for (const std::string& junk : {testing::over_tcp(""), testing::over_tcp("abcd"),
                                  testing::over_tcp(std::string(40, '\xff')),
                                  testing::over_tcp("") + testing::over_tcp("x")}) {
    for (size_t cut = 0; cut < junk.size() + query.size(); cut++) {
      again(true, 53);
      feed(kUp, (junk + query).substr(0, cut));
      feed(kUp, (junk + query).substr(cut));
      EXPECT_EQ(all("dns.query"), Texts{"attack.example"}) << cut;
    }
  }
}

// A welcome that could be of either is told apart by the answers.
TEST_F(DetectionTest, FtpAndSmtpByTheirAnswers) {
  for (const std::string first : {"NOOP\r\n", "XYZ\r\n", "\r\n", "FEAT\r\n"}) {
    for (const size_t piece : {size_t{1}, size_t{3}, SIZE_MAX}) {
      again(true, 80);
      feed(kDown, "220-hello\r\n220 f\r\n", piece);
      feed(kUp, first, piece);
      feed(kDown, "500 what\r\n", piece);
      feed(kUp, "USER a\r\n", piece);
      feed(kDown, "331 and\r\n", piece);
      feed(kUp, "STOR evil.exe\r\n", piece);
      EXPECT_EQ(session_->protocol(), AppProtocol::kFtp) << first;
      EXPECT_EQ(all("ftp.command_data"), (Texts{"a", "evil.exe"})) << first;

      again(true, 80);
      feed(kDown, "220-hello\r\n220 m\r\n", piece);
      feed(kUp, first, piece);
      feed(kDown, "500 what\r\n", piece);
      feed(kUp, "MAIL FROM:<a@b>\r\n", piece);
      feed(kDown, "250 ok\r\n", piece);
      feed(kUp, "RCPT TO:<evil@d>\r\n", piece);
      EXPECT_EQ(session_->protocol(), AppProtocol::kSmtp) << first;
      EXPECT_EQ(all("smtp.rcpt_to"), Texts{"<evil@d>"}) << first;
    }
  }
}

TEST_F(DetectionTest, SshBehindLinesOfItsServer) {
  const std::string server = "hello\r\nthere\r\nSSH-2.0-evil\r\n";
  for (size_t cut = 0; cut < server.size(); cut++) {
    again(true, 80);
    feed(kDown, server.substr(0, cut));
    feed(kDown, server.substr(cut));
    feed(kUp, "SSH-2.0-x\r\n");
    EXPECT_EQ(session_->protocol(), AppProtocol::kSsh);
    EXPECT_EQ(all("ssh.software"), (Texts{"evil", "x"})) << cut;
  }
  again(true, 80);
  feed(kDown, "+OK ready for what you may ask\r\n");
  feed(kUp, "STAT\r\n");
  EXPECT_TRUE(session_->finished());
}

}  // namespace
}  // namespace sluice::inspect
