// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/decode_event.h"

#include <gtest/gtest.h>

#include <functional>

#include "inspect/stream/packet_view.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets

const Ends kV4{"10.0.0.1", "10.0.0.2", 1000, 80};
const Ends kV6{"fd00::1", "fd00::2", 1000, 80};

Bytes cut(Bytes ip, size_t size) {
  ip.resize(size);
  return ip;
}
Bytes with(Bytes ip, size_t at, uint8_t byte) {
  ip[at] = byte;
  return ip;
}

TEST(DecodeEvent, NamesWhatIsWrong) {
  const struct {
    const char* name;
    Bytes packet;
    std::function<void(Bytes&)> spoil;
  } kTable[] = {
      {"ipraw.invalid_ip_version", udp(kV4, "abc"), [](Bytes& p) { p[0] = 0x55; }},
      {"ipv4.pkt_too_small", udp(kV4, "abc"), [](Bytes& p) { p.resize(19); }},
      {"ipv4.hlen_too_small", udp(kV4, "abc"), [](Bytes& p) { p[0] = 0x44; }},
      {"ipv4.iplen_smaller_than_hlen", udp(kV4, "abc"), [](Bytes& p) { p[2] = 0, p[3] = 19; }},
      {"ipv4.trunc_pkt", udp(kV4, "abc"), [](Bytes& p) { p.pop_back(); }},
      {"ipv6.pkt_too_small", udp(kV6, "abc"), [](Bytes& p) { p.resize(39); }},
      {"ipv6.trunc_pkt", udp(kV6, "abc"), [](Bytes& p) { p.pop_back(); }},
      {"ipv6.trunc_exthdr", tcp(kV6, 0x10, 1, 1), [](Bytes& p) { p[6] = 0, p[41] = 9; }},
      {"tcp.pkt_too_small", tcp(kV4, 0x10, 1, 1), [](Bytes& p) { p[3] = 39; }},
      {"tcp.hlen_too_small", tcp(kV4, 0x10, 1, 1), [](Bytes& p) { p[32] = 0x60; }},
      {"tcp.invalid_optlen", tcp(kV4, 0x10, 1, 1), [](Bytes& p) { p[32] = 0x40; }},
      {"udp.hlen_too_small", udp(kV4, "abc"), [](Bytes& p) { p[3] = 27; }},
      {"udp.pkt_too_small", udp(kV4, "abc"), [](Bytes& p) { p[25]++; }},
      {"udp.len_invalid", udp(kV4, "abc"), [](Bytes& p) { p[25] = 7; }},
      {"tcp.hlen_too_small", tcp(kV6, 0x10, 1, 1), [](Bytes& p) { p[52] = 0x60; }},
      {"udp.len_invalid", udp(kV6, "abc"), [](Bytes& p) { p[45] = 7; }},
  };
  for (const auto& row : kTable) {
    Bytes packet = row.packet;
    ASSERT_TRUE(view_packet(packet)) << row.name;
    row.spoil(packet);
    ASSERT_FALSE(view_packet(packet)) << row.name;
    const DecodeEvent event = decode_event_of(packet);
    EXPECT_EQ(decode_event_name(event), row.name);
  }
}

TEST(DecodeEvent, WhateverIsNoPacketHasOneAndNothingElse) {
  for (const Bytes& whole :
       {tcp({}, 2, 0, 0, "data"), udp({}, "data"), tcp(kV6, 2, 0, 0, "data"), udp(kV6, "data"),
        icmp({}, 8, 0, "ping"), fragment(udp({}, "some data"), 0, 8, 1),
        fragment(udp(kV6, "some data"), 0, 8, 1)}) {
    for (size_t size = 0; size <= whole.size(); size++) {
      const Bytes ip = cut(whole, size);
      EXPECT_EQ(decode_event_of(ip) == DecodeEvent::kNone, view_packet(ip).has_value()) << size;
    }
    for (size_t at = 0; at < whole.size(); at++) {
      for (int byte = 0; byte < 256; byte++) {
        const Bytes ip = with(whole, at, static_cast<uint8_t>(byte));
        EXPECT_EQ(decode_event_of(ip) == DecodeEvent::kNone, view_packet(ip).has_value())
            << at << " " << byte;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::inspect
