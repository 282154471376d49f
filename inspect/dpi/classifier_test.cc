// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/classifier.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "inspect/dpi/client_hello_for_test.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;

const std::string kHttpRequest =
    "GET /watch HTTP/1.1\r\nHost: www.netflix.com\r\nUser-Agent: curl/7.88.1\r\n\r\n";
const std::string kHttpResponse =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi";
// A query for www.youtube.com, type A.
const std::string kDnsQuery(
    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07youtube\x03"
    "com\x00\x00\x01\x00\x01",
    33);

class ClassifierTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto created = Classifier::create();
    ASSERT_TRUE(created) << created.error().text();
    classifier = created->release();
  }
  static void TearDownTestSuite() { delete classifier; }

  bool feed(const Bytes& ip) {
    const tunnels::packet packet = testing::parsed(ip);
    tuple_ = packet.tuple;
    return classifier->feed(flow_, ip, packet, time_us_ += 1000);
  }
  std::string name() { return classifier->name(flow_.application()); }

  // The client's side of a TCP connection up to its first data.
  void handshake(const Ends& ends) {
    feed(testing::tcp(ends, tunnels::kTcpSyn, 100, 0));
    feed(testing::tcp(ends.turned(), tunnels::kTcpSyn | tunnels::kTcpAck, 500, 101));
    feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501));
  }

  static Classifier* classifier;
  FlowClassification flow_;
  tunnels::tuple tuple_{};
  int64_t time_us_ = 1'700'000'000'000'000;
};
Classifier* ClassifierTest::classifier = nullptr;

TEST_F(ClassifierTest, HttpByItsHost) {
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(name(), "Unknown");
  EXPECT_TRUE(feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501, kHttpRequest)));
  EXPECT_EQ(name(), "HTTP.NetFlix");
  EXPECT_EQ(classifier->category_name(flow_.application()), "Video");
  EXPECT_FALSE(flow_.final());
  EXPECT_TRUE(feed(testing::tcp(ends.turned(), tunnels::kTcpAck, 501, 101 + kHttpRequest.size(),
                                kHttpResponse)));
  EXPECT_TRUE(flow_.final());
  EXPECT_EQ(flow_.findings().host, "www.netflix.com");
  EXPECT_EQ(flow_.findings().http_url, "www.netflix.com/watch");
  EXPECT_EQ(flow_.findings().user_agent, "curl/7.88.1");
  EXPECT_FALSE(flow_.findings().guessed);
}

TEST_F(ClassifierTest, TlsByItsServerName) {
  const Ends ends{"10.0.0.1", "10.0.0.2", 40001, 443};
  handshake(ends);
  feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501, testing::client_hello("www.youtube.com")));
  EXPECT_EQ(name(), "TLS.YouTube");
  EXPECT_TRUE(classifier->finish(flow_, tuple_));
  EXPECT_EQ(flow_.findings().host, "www.youtube.com");
  EXPECT_EQ(flow_.findings().ja3_client.size(), 32u);
  EXPECT_FALSE(flow_.findings().tls_version.empty());
}

TEST_F(ClassifierTest, TlsHelloInTwoSegments) {
  const Ends ends{"fd00::1", "fd00::2", 40002, 443};
  const std::string hello = testing::client_hello("www.youtube.com");
  handshake(ends);
  feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501, hello.substr(0, 60)));
  feed(testing::tcp(ends, tunnels::kTcpAck, 161, 501, hello.substr(60)));
  EXPECT_EQ(name(), "TLS.YouTube");
}

TEST_F(ClassifierTest, DnsByItsPayload) {
  EXPECT_TRUE(feed(testing::udp({"10.0.0.1", "10.0.0.53", 5353, 53}, kDnsQuery)));
  EXPECT_EQ(name().substr(0, 3), "DNS");
  classifier->finish(flow_, tuple_);
  EXPECT_EQ(flow_.findings().host, "www.youtube.com");
}

TEST_F(ClassifierTest, SshOnAnotherPortCarriesARisk) {
  const Ends ends{"10.0.0.1", "10.0.0.2", 40003, 9999};
  handshake(ends);
  feed(testing::tcp(ends.turned(), tunnels::kTcpAck, 501, 101,
                    "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
  feed(testing::tcp(ends, tunnels::kTcpAck, 101, 533, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
  EXPECT_EQ(name(), "SSH");
  classifier->finish(flow_, tuple_);
  const auto risks = Classifier::risk_names(flow_.findings().risks);
  EXPECT_NE(std::find(risks.begin(), risks.end(), "Known Protocol on Non Standard Port"),
            risks.end());
  EXPECT_GT(flow_.findings().risk_score, 0);
}

TEST_F(ClassifierTest, OfAHandshakeAloneThePortIsAGuess) {
  const uint64_t searches = classifier->counters().searches;
  handshake({});
  EXPECT_EQ(classifier->counters().searches, searches) << "nothing is spent before a payload";
  EXPECT_FALSE(flow_.final());
  EXPECT_TRUE(classifier->finish(flow_, tuple_));
  EXPECT_TRUE(flow_.final());
  EXPECT_EQ(name(), "HTTP");
  EXPECT_TRUE(flow_.findings().guessed);
  EXPECT_FALSE(classifier->finish(flow_, tuple_));
}

TEST_F(ClassifierTest, AFlowWithoutPacketsIsUnknown) {
  EXPECT_TRUE(classifier->finish(flow_, tuple_));
  EXPECT_EQ(name(), "Unknown");
  EXPECT_TRUE(flow_.findings().host.empty());
}

TEST_F(ClassifierTest, AResetInTheMiddleOfAConnectionIsGuessedByItsPort) {
  feed(testing::tcp({"10.0.0.2", "10.0.0.1", 443, 40000}, tunnels::kTcpRst, 1, 1));
  classifier->finish(flow_, tuple_);
  EXPECT_EQ(name(), "TLS");
  EXPECT_TRUE(flow_.findings().guessed);
}

TEST_F(ClassifierTest, GivesUpAfterEnoughPackets) {
  const uint64_t gave_up = classifier->counters().gave_up;
  const Ends tcp{"10.0.0.1", "10.0.0.2", 40004, 31337};
  const std::string noise(100, static_cast<char>(0xd7));
  uint32_t packets = 0;
  while (!flow_.final() && packets < 1000)
    feed(testing::tcp(tcp, tunnels::kTcpAck, 100 * ++packets, 1, noise));
  EXPECT_EQ(packets, kDpiPacketsShownMax);
  EXPECT_EQ(name(), "Unknown");

  // The same segment again and again is shown once, and is not waited for without end.
  flow_ = {};
  packets = 0;
  while (!flow_.final() && packets < 1000) {
    packets++;
    feed(testing::tcp(tcp, tunnels::kTcpAck, 100, 1, noise));
  }
  EXPECT_EQ(packets, kDpiTcpPacketsMax + 1);

  flow_ = {};
  packets = 0;
  const Ends udp{"10.0.0.1", "10.0.0.2", 40005, 31337};
  while (!flow_.final() && packets < 1000) {
    packets++;
    feed(testing::udp(udp, noise));
  }
  EXPECT_EQ(packets, kDpiOtherPacketsMax + 1);
  EXPECT_EQ(classifier->counters().gave_up, gave_up + 3);
}

// The hello of a TLS client in the segments that `order` names, by begin and end.
class Disorder : public ClassifierTest {
 protected:
  void send_hello(const std::vector<std::pair<size_t, size_t>>& order) {
    const Ends ends{"10.0.0.1", "10.0.0.2", 40010, 443};
    const std::string hello = testing::client_hello("www.youtube.com");
    handshake(ends);
    for (const auto& [begin, end] : order) {
      const size_t last = std::min(end, hello.size());
      feed(testing::tcp(ends, tunnels::kTcpAck, 101 + static_cast<uint32_t>(begin), 501,
                        hello.substr(begin, last - begin)));
    }
  }
  static constexpr size_t kEnd = 10000;
};

TEST_F(Disorder, EarlySegmentsWaitForTheirTurn) {
  const ClassifierCounters before = classifier->counters();
  send_hello({{100, 150}, {150, kEnd}, {0, 100}});
  EXPECT_EQ(name(), "TLS.YouTube");
  EXPECT_EQ(classifier->counters().early, before.early + 2);
  EXPECT_EQ(classifier->counters().packets, before.packets + 3 + 3) << "handshake and segments";
  EXPECT_EQ(classifier->early_bytes(), 0u);
}

TEST_F(Disorder, RepeatedBytesAreShownOnce) {
  const ClassifierCounters before = classifier->counters();
  send_hello({{0, 100}, {0, 100}, {50, kEnd}});
  EXPECT_EQ(name(), "TLS.YouTube");
  EXPECT_EQ(classifier->counters().repeated, before.repeated + 2);
  EXPECT_EQ(classifier->counters().packets, before.packets + 3 + 2);
}

TEST_F(Disorder, WhatIsMissingForGoodIsNotWaitedFor) {
  const ClassifierCounters before = classifier->counters();
  send_hello({{100, kEnd}});
  EXPECT_EQ(name(), "Unknown");
  EXPECT_NE(classifier->early_bytes(), 0u);
  EXPECT_TRUE(classifier->finish(flow_, tuple_));
  EXPECT_EQ(classifier->counters().packets, before.packets + 3 + 1);
  EXPECT_EQ(classifier->early_bytes(), 0u);
}

TEST_F(Disorder, TheFirstPayloadWinsAgainstAnother) {
  const Ends ends{"10.0.0.1", "10.0.0.2", 40011, 80};
  handshake(ends);
  feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501, kHttpRequest));
  feed(testing::tcp(ends, tunnels::kTcpAck, 101, 501,
                    "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"));
  classifier->finish(flow_, tuple_);
  EXPECT_EQ(name(), "HTTP.NetFlix");
  EXPECT_EQ(flow_.findings().host, "www.netflix.com");
}

TEST_F(ClassifierTest, CutPacketsAreHarmless) {
  const Ends ends{"10.0.0.1", "10.0.0.2", 40006, 443};
  const Bytes whole =
      testing::tcp(ends, tunnels::kTcpAck, 101, 501, testing::client_hello("www.youtube.com"));
  for (size_t length = 1; length <= whole.size(); length++) {
    // Exactly as long as the bytes, so that reading past them is seen.
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    if (length >= 20) tunnels::store_be16(&cut[2], static_cast<uint16_t>(length));
    cut.shrink_to_fit();
    tunnels::packet packet;
    if (tunnels::parse_ip_packet(cut, packet) != tunnels::kDropNone) continue;
    FlowClassification flow;
    classifier->feed(flow, cut, packet, time_us_);
    classifier->finish(flow, packet.tuple);
  }
}

TEST_F(ClassifierTest, KnowsItsNames) {
  const auto& names = classifier->names();
  EXPECT_NE(std::find(names.applications.begin(), names.applications.end(), "YouTube"),
            names.applications.end());
  EXPECT_NE(std::find(names.categories.begin(), names.categories.end(), "Video"),
            names.categories.end());
  EXPECT_EQ(names.applications[0], "Unknown");
}

TEST_F(ClassifierTest, SecondClassifierIsIndependent) {
  auto other = Classifier::create();
  ASSERT_TRUE(other);
  const Bytes ip = testing::udp({"10.0.0.1", "10.0.0.53", 5354, 53}, kDnsQuery);
  EXPECT_TRUE((*other)->feed(flow_, ip, testing::parsed(ip), time_us_));
}

}  // namespace
}  // namespace sluice::inspect
