// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/reject.h"

#include <gtest/gtest.h>

#include <array>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;

using Reject = size_t(std::span<const uint8_t>, const tunnels::packet&,
                      std::span<uint8_t, kRejectLengthMax>);

Bytes answer(Reject* reject, const Bytes& ip) {
  std::array<uint8_t, kRejectLengthMax> out;
  const size_t length = reject(ip, testing::parsed(ip), out);
  return {out.begin(), out.begin() + length};
}

constexpr uint8_t kRstAck = tunnels::kTcpRst | tunnels::kTcpAck;

// As the packet builder of the tests makes it, but with this file's own choice of IP id, DF and
// ICMP words.
void expect_tcp(Bytes got, Bytes expected) {
  ASSERT_EQ(got.size(), expected.size());
  if (expected[0] == 0x45) {
    EXPECT_EQ(tunnels::checksum_reduce(tunnels::checksum_add(0, got.data(), 20)), 0xffff);
    for (Bytes* ip : {&got, &expected})
      std::fill(ip->begin() + 4, ip->begin() + 8, 0), (*ip)[10] = (*ip)[11] = 0;
  }
  const size_t tcp = got.size() - 20;
  got[tcp + 14] = expected[tcp + 14] = got[tcp + 15] = expected[tcp + 15] = 0;  // window
  tunnels::store_u16(&expected[tcp + 16], 0);
  tunnels::store_u16(&expected[tcp + 16], testing::transport_checksum(expected, tcp, 6));
  EXPECT_EQ(got, expected);
}

TEST(Reject, DataIsResetBothWays) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 40000, 443}}) {
    const Bytes data = testing::tcp(ends, tunnels::kTcpAck, 1000, 2000, "hello");
    expect_tcp(answer(reject_to_sender, data),
               testing::tcp(ends.turned(), tunnels::kTcpRst, 2000, 0));
    expect_tcp(answer(reject_to_receiver, data), testing::tcp(ends, kRstAck, 1000, 2000));
  }
}

TEST(Reject, SynIsAnsweredToItsSenderAlone) {
  const Ends ends;
  const Bytes syn = testing::tcp(ends, tunnels::kTcpSyn, 7, 0);
  expect_tcp(answer(reject_to_sender, syn), testing::tcp(ends.turned(), kRstAck, 0, 8));
  EXPECT_TRUE(answer(reject_to_receiver, syn).empty());
}

TEST(Reject, UdpGetsAnIcmpErrorThatQuotesIt) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 40000, 53}}) {
    const Bytes datagram = testing::udp(ends, std::string(300, 'x'));
    const Bytes error = answer(reject_to_sender, datagram);
    EXPECT_TRUE(answer(reject_to_receiver, datagram).empty());
    tunnels::packet parsed;
    ASSERT_EQ(parse_ip_packet(error, parsed), tunnels::kDropNone);
    EXPECT_TRUE(parsed.flags & tunnels::kPacketIcmpError);
    EXPECT_EQ(error.size(), parsed.l4_offset + 8 + 128);
    // It belongs to the flow that it is about, in the other direction.
    EXPECT_EQ(parsed.tuple.source_port, testing::parsed(datagram).tuple.destination_port);
    const bool v4 = error[0] == 0x45;
    EXPECT_EQ(error[parsed.l4_offset], v4 ? 3 : 1);
    EXPECT_EQ(error[parsed.l4_offset + 1], v4 ? 13 : 1);
    EXPECT_TRUE(
        std::equal(datagram.begin(), datagram.begin() + 128, error.begin() + parsed.l4_offset + 8));
    if (v4) {
      EXPECT_EQ(tunnels::checksum_reduce(tunnels::checksum_add(0, &error[20], 8 + 128)), 0xffff);
    } else {
      EXPECT_EQ(testing::transport_checksum(error, 40, 58), 0);
    }
  }
}

TEST(Reject, SomePacketsGetNoAnswer) {
  const Ends ends;
  Bytes fragment = testing::udp(ends, "x");
  fragment[6] = 0x20;
  const struct {
    const char* name;
    Bytes ip;
  } cases[] = {
      {"reset", testing::tcp(ends, kRstAck, 1, 2)},
      {"fragment", fragment},
      {"ICMP error", answer(reject_to_sender, testing::udp(ends, "x"))},
      {"to multicast", testing::udp({"10.0.0.1", "224.0.0.251", 5353, 5353}, "x")},
      {"from nobody", testing::udp({"0.0.0.0", "10.0.0.2", 68, 67}, "x")},
      {"to IPv6 multicast", testing::udp({"fe80::1", "ff02::fb", 5353, 5353}, "x")},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_TRUE(answer(reject_to_sender, c.ip).empty());
    EXPECT_TRUE(answer(reject_to_receiver, c.ip).empty());
  }
}

TEST(Reject, ShortQuotesAndBareHeaders) {
  const Bytes empty = testing::ip_packet({}, 47, {});
  EXPECT_EQ(answer(reject_to_sender, empty).size(), 20u + 8 + 20);
}

}  // namespace
}  // namespace sluice::inspect
