// SPDX-License-Identifier: Apache-2.0
// Rules on connections that are encrypted after their handshake.
#include "inspect/match/traffic_for_test.h"
#include "inspect/tls/hello_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

std::string client_hello() {
  tls::testing::HelloParts parts;
  parts.server_name("www.example.org").supported_versions({0x0304});
  return tls::testing::records(parts.message());
}

std::string server_hello() {
  std::string body("\x03\x03", 2);
  body += std::string(32, 'R') + '\0' + std::string("\x13\x01\x00", 3);
  body += tls::testing::with_length16(std::string("\x00\x2b\x00\x02\x03\x04", 6));
  return tls::testing::records(std::string("\x02\x00", 2) + tls::testing::with_length16(body));
}

std::string encrypted(const std::string& text) {
  return std::string("\x17\x03\x03\x00", 4) + static_cast<char>(text.size()) + text;
}

TEST(EncryptedRules, AMailboxIsReadOverTlsAfterStartTls) {
  Harness h(
      "alert imap any any -> any any (content:\"CAPABILITY\"; sid:1;)\n"
      "alert imap any any -> any any (content:\"www.example\"; sid:2;)\n"
      "alert tls any any -> any any (tls.sni; content:\"example\"; sid:3;)\n");
  Talk talk(h, 143);
  talk.server("* OK ready\r\n");
  talk.client("a CAPABILITY\r\n");
  EXPECT_EQ(h.alerts(), Sids{1});
  talk.server("* CAPABILITY IMAP4rev1 STARTTLS\r\na OK\r\n");
  talk.client("b STARTTLS\r\n");
  talk.server("b OK go\r\n");
  talk.client(client_hello());
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 3}));
  Harness other("alert imap any any -> any any (content:\"CAPABILITY\"; sid:1;)");
  Talk web(other, 80);
  web.client("a CAPABILITY\r\n");
  web.server("400 CAPABILITY what\r\n");
  EXPECT_EQ(other.alerts(), Sids{});
}

TEST(EncryptedRules, NothingIsSearchedBehindTheHandshake) {
  Harness h(
      "alert tcp any any -> any any (content:\"secret\"; sid:1;)\n"
      "alert tcp-pkt any any -> any any (content:\"secret\"; sid:2;)\n"
      "alert tcp any any -> any any (content:\"www.example\"; sid:3;)\n"
      "alert tls any any -> any any (tls.sni; content:\"example\"; sid:4;)\n"
      "alert tcp any any -> any any (content:\"last\"; sid:5;)\n"
      "alert tcp any any -> any any (flow:to_server; dsize:77; sid:6;)\n"
      "alert tcp any any -> any any (flow:to_server; stream_size:client,>,250; dsize:>0; sid:7;)");
  const Ends c;
  h.connect(c);
  const std::string hello = client_hello();
  ASSERT_LT(hello.size(), 150u);
  EXPECT_TRUE(h.data(c, 0, hello));
  const auto client_sent = static_cast<uint32_t>(hello.size());
  auto send_back = [&, sent = 0u](const std::string& bytes) mutable {
    EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001 + sent, 1001 + client_sent, bytes)));
    sent += static_cast<uint32_t>(bytes.size());
  };
  send_back(server_hello() + encrypted("certificate"));
  EXPECT_EQ(h.alerts(), (Sids{3, 4}));
  // The packet that ends the handshake is still looked at.
  const std::string last = encrypted("last");
  EXPECT_TRUE(h.data(c, client_sent, last));
  EXPECT_EQ(h.alerts(), (Sids{3, 4, 5}));

  const auto later = client_sent + static_cast<uint32_t>(last.size());
  EXPECT_TRUE(h.data(c, later, encrypted(std::string(66, 'x') + "secret")));
  send_back(encrypted("secret"));
  EXPECT_EQ(h.alerts(), (Sids{3, 4, 5, 6}));
  EXPECT_TRUE(h.data(c, later + 77, encrypted(std::string(100, 'x'))));
  EXPECT_EQ(h.alerts(), (Sids{3, 4, 5, 6, 7}));
  EXPECT_EQ(h.inspector().counters().encrypted_flows, 1u);
}

// With the message that says it, not with the end of the handshake.
TEST(EncryptedRules, AboutAVersionDecideWithTheHello) {
  for (const bool client : {true, false}) {
    const std::string flow = client ? "flow:to_server;" : "flow:to_client;";
    Harness h("drop tls any any -> any any (tls.version:1.3; " + flow +
              " sid:1;)\n"
              "alert tls any any -> any any (tls.version:1.2; " +
              flow + " sid:2;)");
    const Ends c;
    h.connect(c);
    const std::string hello = client_hello();
    EXPECT_EQ(h.data(c, 0, hello), !client);
    if (!client) {
      EXPECT_FALSE(h.send(
          tcp(c.turned(), kAck, 5001, 1001 + static_cast<uint32_t>(hello.size()), server_hello())));
    }
    EXPECT_EQ(h.alerts(), Sids{1}) << flow;
  }
}

// A TLS connection behind its handshake.
struct EncryptedFlow {
  explicit EncryptedFlow(Harness& harness) : h(harness) {
    h.connect(c);
    say(client_hello());
    answer(server_hello() + encrypted("certificate"));
    say(encrypted("finished"));
    answer(encrypted("answer"));
    say({});  // acknowledges it
    EXPECT_EQ(h.inspector().counters().encrypted_flows, 1u);
  }
  void say(const std::string& bytes) {
    EXPECT_TRUE(h.send(tcp(c, kAck, client, server, bytes)));
    client += static_cast<uint32_t>(bytes.size());
  }
  void answer(const std::string& bytes) {
    EXPECT_TRUE(h.send(tcp(c.turned(), kAck, server, client, bytes)));
    server += static_cast<uint32_t>(bytes.size());
  }
  // It goes on as if nothing had been.
  void goes_on() {
    say(encrypted("secret"));
    answer(encrypted("secret"));
    EXPECT_EQ(h.inspector().flows(), 1u);
    EXPECT_EQ(h.inspector().flow_counters().replaced, 0u);
    EXPECT_EQ(h.alerts(), Sids{});
  }
  // Another one with its tuple: what is in it is found.
  void begins_anew() {
    EXPECT_TRUE(h.send(tcp(c, kSyn, 90000, 0)));
    EXPECT_TRUE(h.send(tcp(c.turned(), kSyn | kAck, 70000, 90001)));
    EXPECT_TRUE(h.send(tcp(c, kAck, 90001, 70001)));
    EXPECT_TRUE(h.send(tcp(c, kAck, 90004, 70001, "ret"))) << "early";
    EXPECT_FALSE(h.send(tcp(c, kAck, 90001, 70001, "sec")));
    EXPECT_EQ(h.alerts(), Sids{1});
    EXPECT_EQ(h.inspector().flow_counters().replaced, 1u);
  }

  Harness& h;
  const Ends c;
  uint32_t client = 1001;
  uint32_t server = 5001;
};

constexpr const char* kSecret = "drop tcp any any -> any any (content:\"secret\"; sid:1;)";

// Nobody who does not see the connection can end it by a reset alone, nor make a SYN another one.
TEST(EncryptedRules, AResetOfAStrangerEndsNothing) {
  for (const uint32_t away : {1u, 1000u, 0x80000000u, 0xffffffffu}) {
    Harness h(kSecret);
    EncryptedFlow flow(h);
    EXPECT_TRUE(h.send(tcp(flow.c, kRst, flow.client + away, 0)));
    EXPECT_TRUE(h.send(tcp(flow.c.turned(), kRst | kAck, flow.server + away, 1)));
    EXPECT_TRUE(h.send(tcp(flow.c, kSyn, 90000, 0)));
    EXPECT_TRUE(h.send(tcp(flow.c.turned(), kAck, flow.server, flow.client))) << "challenge";
    flow.goes_on();
  }
}

TEST(EncryptedRules, AResetOfItsSenderEndsTheConnection) {
  for (const bool from_client : {true, false}) {
    Harness h(kSecret);
    EncryptedFlow flow(h);
    EXPECT_TRUE(h.send(from_client ? tcp(flow.c, kRst, flow.client, 0)
                                   : tcp(flow.c.turned(), kRst, flow.server, 0)));
    flow.begins_anew();
  }
}

// The last bytes before the reset never arrived.
TEST(EncryptedRules, AResetWhereTheReceiverIsEndsTheConnection) {
  Harness h(kSecret);
  EncryptedFlow flow(h);
  const uint32_t arrived = flow.client;
  flow.answer({});
  flow.say(encrypted("lost"));
  EXPECT_TRUE(h.send(tcp(flow.c, kRst, arrived, 0)));
  flow.begins_anew();
}

// Whatever ended the connection before, a server that is in it would not have answered.
TEST(EncryptedRules, AnAnsweredSynBeginsAnotherConnection) {
  Harness h(kSecret);
  EncryptedFlow flow(h);
  flow.begins_anew();
}

TEST(EncryptedRules, AnAnswerToAnotherSynBeginsNothing) {
  Harness h(kSecret);
  EncryptedFlow flow(h);
  EXPECT_TRUE(h.send(tcp(flow.c.turned(), kSyn | kAck, 70000, 90001))) << "to none";
  EXPECT_TRUE(h.send(tcp(flow.c, kSyn, 90000, 0)));
  EXPECT_TRUE(h.send(tcp(flow.c.turned(), kSyn | kAck, 70000, 190001)));
  flow.goes_on();
}

// What only looks like TLS is searched on.
TEST(EncryptedRules, ABrokenHandshakeHidesNothing) {
  Harness h("alert tcp any any -> any any (content:\"secret\"; sid:1;)");
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10)));
  EXPECT_TRUE(h.data(c, 10, encrypted("secret")));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(h.inspector().counters().encrypted_flows, 0u);
}

}  // namespace
}  // namespace sluice::inspect
