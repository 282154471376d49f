// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/plain.h"

#include <gtest/gtest.h>

#include <cstring>

#include "gateway/datapath/path_steps.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;  // NOLINT

class Plain : public Path {
 protected:
  // Whether a frame is plain; if so, the parser must find the same in it.
  bool is_plain(const Bytes& bytes) {
    FrameBuffer buffer;
    buffer.assign(bytes);
    packet quick, whole;
    std::memset(&quick, 0xaa, sizeof(quick));
    std::memset(&whole, 0x55, sizeof(whole));
    if (!frame_parse_plain(buffer.raw(), &quick)) return false;
    EXPECT_EQ(frame_parse(buffer.raw(), &whole), kDropNone);
    EXPECT_EQ(std::memcmp(&quick, &whole, sizeof(quick)), 0);
    return true;
  }

  bool is_plain_datagram(const Bytes& bytes) {
    FrameBuffer buffer;
    buffer.assign(bytes);
    datagram quick, whole;
    std::memset(&quick, 0xaa, sizeof(quick));
    std::memset(&whole, 0x55, sizeof(whole));
    const Tables& tables = host->tables();
    if (!datagram_parse_plain(&tables, tables.settings, buffer.raw(), &quick)) return false;
    EXPECT_EQ(datagram_parse(&tables, buffer.raw(), &whole), kDropNone);
    EXPECT_EQ(std::memcmp(&quick, &whole, sizeof(quick)), 0);
    return true;
  }

  // Asks `check` of `bytes` cut everywhere, and with each bit turned. How many were plain.
  template <class Check>
  int of_variants(const Bytes& bytes, Check check) {
    int plain = 0;
    for (size_t length = 0; length <= bytes.size(); length++) plain += check(first(bytes, length));
    for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
      Bytes turned = bytes;
      turned[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      plain += check(turned);
    }
    return plain;
  }
};

TEST_F(Plain, FindsWhatTheParserFinds) {
  const Bytes payload(30, 'x');
  for (const Bytes& bytes :
       {request(), request(kTcpAck, payload),
        ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(53, 53, payload)))}) {
    EXPECT_TRUE(is_plain(bytes));
    EXPECT_GT(of_variants(bytes, [&](const Bytes& b) { return is_plain(b); }), 100);
  }
}

TEST_F(Plain, LeavesTheRest) {
  const Bytes payload(30, 'x');
  const Bytes tcp_packet = ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, payload));
  const Bytes cases[] = {
      {},
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, tcp_packet),
      ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, tcp(4242, 80, kTcpAck, payload))),
      ethernet(kEtherTypeIpv6, {}, tcp_packet),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(1, 2), {.fragment = 0x2000})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(1, 2), {.fragment = 1})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, payload))),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1, 2))),
  };
  for (const Bytes& bytes : cases) {
    EXPECT_FALSE(is_plain(bytes));
    of_variants(bytes, [&](const Bytes& b) { return is_plain(b); });
  }
}

TEST_F(Plain, FindsInDatagramsWhatTheParserFinds) {
  const Bytes datagram = returned(from_outside(request()).bytes);
  EXPECT_TRUE(is_plain_datagram(datagram));
  EXPECT_GT(of_variants(datagram, [&](const Bytes& b) { return is_plain_datagram(b); }), 100);

  Bytes padded = datagram;
  padded.resize(padded.size() + 9);
  EXPECT_TRUE(is_plain_datagram(padded));

  EXPECT_FALSE(is_plain_datagram(hinted(from_outside(request()).bytes, kBypassHint)));
  EXPECT_FALSE(is_plain_datagram(request()));
  source& s = host->tables().sources[source_home(load_u32(&datagram[26]))];
  ASSERT_TRUE(s.in_use);
  s.target |= 1 << kSourceProfile;
  EXPECT_FALSE(is_plain_datagram(datagram)) << "of another profile";
  s.target = kNone16;
  EXPECT_FALSE(is_plain_datagram(datagram)) << "no target any more";
}

TEST_F(Plain, FlowsAreFoundAtHome) {
  Tables& tables = host->tables();
  int at_home = 0;
  for (uint16_t port = 1; port <= 1000; port++) {
    const Bytes bytes = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(port, 80)));
    ASSERT_EQ(from_outside(bytes).outcome.verdict, kVerdictTarget);
    FrameBuffer buffer;
    buffer.assign(bytes);
    packet p;
    ASSERT_TRUE(frame_parse_plain(buffer.raw(), &p));
    for (const uint32_t attachment : {0u, 1u, uint32_t{kNone16}}) {
      flow_query query;
      flow_query_from_tuple(&query, tables.settings, &p.tuple, attachment, kEndpoint);
      const uint32_t place = flow_find_home(&tables, tables.settings, &query);
      EXPECT_TRUE(place == kFlowNotFound || place == flow_find(&tables, &query));
      EXPECT_FALSE(attachment == 1 && place != kFlowNotFound);
      at_home += attachment == 0 && place != kFlowNotFound;
      query.endpoint_id++;
      EXPECT_TRUE(attachment != kNone16 ||
                  flow_find_home(&tables, tables.settings, &query) == kFlowNotFound);
    }
  }
  EXPECT_GT(at_home, 700) << "of 1000 in a table of 4096";
  EXPECT_LT(at_home, 1000) << "some are elsewhere";
}

}  // namespace
}  // namespace sluice::gateway
