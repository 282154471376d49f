// SPDX-License-Identifier: Apache-2.0
// For tests: tables with one attachment, four appliances and an NLB listener, and what appliances
// do to datagrams.
#pragma once

#include <vector>

#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/host.h"
#include "gateway/targets/header.h"
#include "tunnels/checksum.h"
#include "tunnels/frames_for_test.h"

namespace sluice::gateway::fixture {

using tunnels::frames::Bytes;

constexpr uint32_t kOutside = 10;
constexpr uint32_t kInside = 11;
constexpr uint32_t kTunnel = 12;
constexpr uint64_t kEndpoint = 0x2b8ee1d4db0c51c4;
constexpr int kAppliances = 4;
constexpr uint16_t kBackend =
    100;  // index of the IPv4 NLB target, 10.0.0.21:7001; the next is IPv6
constexpr uint16_t kMtu = 1600;
constexpr uint16_t kBypassHint = 7;
constexpr uint16_t kSteerHint = 65535;  // to kOtherGroup
constexpr uint16_t kNetworkGroup = kApplianceGroupsMax;
constexpr uint16_t kOtherGroup = 1;  // row i belongs to appliance (i + 1) % kAppliances

inline uint32_t ipv4_word(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  const uint8_t bytes[4] = {a, b, c, d};
  return load_u32(bytes);
}

inline uint32_t appliance_address(int number) {
  return ipv4_word(10, 9, 0, static_cast<uint8_t>(11 + number));
}

inline void add_listener(Tables& tables, const uint32_t address[4], uint16_t port_number,
                         uint8_t protocol, uint8_t version, uint16_t group_index) {
  uint32_t place = listener_home(address, swap_be16(port_number), protocol);
  while (tables.listeners[place].in_use) place = (place + 1) % kListenersMax;
  listener& l = tables.listeners[place];
  for (int i = 0; i < 4; i++) l.address[i] = address[i];
  l.port = swap_be16(port_number);
  l.protocol = protocol;
  l.version = version;
  l.group = group_index;
  l.in_use = 1;
}

inline void add_appliance(Tables& tables, uint16_t index, uint32_t address) {
  target& t = tables.targets[index];
  t.address[0] = address;
  t.interface = kTunnel;
  t.mtu = kMtu - kEncapsulationOverhead;
  t.version = 4;
  build_target_header(t.header, {2, 9, 0, 0, 0, 1}, {2, 9, 0, 0, 1, static_cast<uint8_t>(index)},
                      ipv4_word(10, 9, 0, 1), address);
  uint32_t place = source_home(address);
  while (tables.sources[place].in_use) place = (place + 1) % kSourcesMax;
  tables.sources[place] = {address, index, 1};
  t.flags = kTargetInUse | kTargetResolved | kTargetAppliance;
}

// An entry of the policy that gives every flow of attachment 0 to a rule.
inline policy_entry entry_for_all(uint8_t rule) {
  policy_entry entry{};
  entry.attachments[0] = 1;
  entry.port_last = 0xffff;
  entry.protocol = kPolicyAnyProtocol;
  entry.rule = rule;
  entry.share = 0xffffffff;
  return entry;
}

// Makes that the whole policy.
inline void use_for_all(Tables& tables, uint8_t rule) {
  tables.policy_entries[0] = entry_for_all(rule);
  tables.settings[0].policy = 1;
  tables.attachments[0].flags |= kAttachmentPolicy;
}

// Every place of the flow table has a flow that works, so that others go without a record.
inline void fill_flows(Tables& tables, uint64_t now_ms) {
  const uint32_t epoch = flow_epoch(tables.settings, static_cast<uint32_t>(now_ms));
  for (uint32_t bucket = 0; bucket < tables.flow_buckets_count; bucket++)
    for (uint32_t way = 0; way < kFlowWays; way++) {
      tables.flow_buckets[bucket].entry[way] =
          flow_entry(~uint64_t{0} - way * 256, kFlowEstablished, epoch);
      flow_record& record = tables.flow_buckets[bucket].record[way];
      record = {};
      record.last_seen_ms = static_cast<uint32_t>(now_ms);
    }
}

// Group 0: the appliances, row i to appliance i % kAppliances. kNetworkGroup and the one after it:
// the NLB targets.
inline void configure(Tables& tables) {
  settings& s = tables.settings[0];
  const siphash_key hash_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  s.hash_key = flow_hash_key_from(&hash_key);
  s.cookie_key = {1, 2};
  s.tunnel_address = ipv4_word(10, 9, 0, 1);
  s.tunnel_port = kGenevePort;
  for (auto& idle_ms : s.idle_ms) idle_ms = 120000;
  s.idle_ms[kIdleTcp] = 350000;
  s.epoch_shift = 14;
  tables.attachments[0] = {kEndpoint, 0, {kOutside, kInside}, 0, 1, 0};
  tables.ports[kOutside] = {kPortOutside, 0, 0};
  tables.ports[kInside] = {kPortInside, 0, 0};
  tables.ports[kTunnel] = {kPortTunnel, 0, 0};
  for (uint16_t i = 0; i < kAppliances; i++) add_appliance(tables, i, appliance_address(i));
  tables.groups[0] = {kFlowHash5Tuple, 1, 0};
  for (uint32_t i = 0; i < kApplianceRows; i++)
    tables.rows[i] = {static_cast<uint16_t>(i % kAppliances), kNone16, 0};

  tables.hints[0] = {kBypassHint, kHintBypass, 0, 0};
  tables.hints[kHintsMax - 1] = {kSteerHint, kHintSteer, kOtherGroup, 0};
  tables.groups[kOtherGroup] = {kFlowHash5Tuple, 1, 0};
  for (uint32_t i = 0; i < kApplianceRows; i++)
    tables.rows[first_row(kOtherGroup) + i] = {static_cast<uint16_t>((i + 1) % kAppliances),
                                               kNone16, 0};

  const uint32_t vip4[4] = {ipv4_word(10, 0, 0, 100), 0, 0, 0};
  const Bytes vip6_bytes = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  uint32_t vip6[4];
  for (int i = 0; i < 4; i++) vip6[i] = load_u32(&vip6_bytes[static_cast<size_t>(i) * 4]);
  for (uint16_t g = 0; g < 2; g++) {
    tables.groups[kNetworkGroup + g] = {kFlowHash5Tuple, 1, 0};
    for (uint32_t i = 0; i < kNetworkRows; i++)
      tables.rows[first_row(kNetworkGroup + g) + i] = {static_cast<uint16_t>(kBackend + g), kNone16,
                                                       0};
  }
  for (uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
    add_listener(tables, vip4, 7000, protocol, 4, kNetworkGroup);
    add_listener(tables, vip6, 7000, protocol, 6, kNetworkGroup + 1);
  }
  target& backend = tables.targets[kBackend];
  backend.address[0] = ipv4_word(10, 0, 0, 21);
  backend.port = swap_be16(7001);
  backend.version = 4;
  backend.mac[0] = 2;
  backend.mac[5] = 0x21;
  backend.flags = kTargetInUse | kTargetResolved | kTargetNlb;
  target& backend6 = tables.targets[kBackend + 1];
  for (int i = 0; i < 4; i++) backend6.address[i] = vip6[i];
  backend6.address[3] = swap_be32(0x0121);
  backend6.port = swap_be16(7001);
  backend6.version = 6;
  backend6.flags = kTargetInUse | kTargetResolved | kTargetNlb;
}

// What an appliance sends back: outer MAC and IP addresses swapped, ports and GENEVE header as they
// came, TTL 2 as some do, an IP checksum that fits.
inline Bytes returned(Bytes datagram) {
  for (size_t i = 0; i < 6; i++) std::swap(datagram[i], datagram[6 + i]);
  if (load_be16(&datagram[12]) == kEtherTypeIpv6) {
    for (size_t i = 0; i < 16; i++) std::swap(datagram[22 + i], datagram[38 + i]);
    datagram[21] = 2;
    return datagram;
  }
  for (size_t i = 0; i < 4; i++) std::swap(datagram[26 + i], datagram[30 + i]);
  datagram[22] = 2;
  datagram[24] = datagram[25] = 0;
  store_u16(&datagram[24], checksum_fold(checksum_add(0, &datagram[14], 20)));
  return datagram;
}

// The same with a hint behind the options that it echoes.
inline Bytes hinted(const Bytes& datagram, uint32_t number) {
  Bytes out = returned(datagram);
  const bool six = load_be16(&out[12]) == kEtherTypeIpv6;
  const size_t header = six ? kOuterLength6 : kOuterLength4;
  const uint8_t option[8] = {0xff, 0x53, 1, 1, 0, 0, 0, 0};
  const size_t at = header + kGeneveProfiles[kProfileAws].header_length;
  out.insert(out.begin() + static_cast<ptrdiff_t>(at), option, option + 8);
  store_be32(&out[at + 4], number);
  out[header] = static_cast<uint8_t>(out[header] + 2);
  for (const size_t length : {six ? size_t{kOuterIp6Length} : size_t{kOuterIpLength}, header - 4})
    store_be16(&out[length], static_cast<uint16_t>(load_be16(&out[length]) + 8));
  if (six) return out;
  store_u16(&out[kOuterIpChecksum], 0);
  store_u16(&out[kOuterIpChecksum], checksum_fold(checksum_add(0, &out[kOuterIp], 20)));
  return out;
}

// The same datagram around another inner packet.
inline Bytes with_inner(const Bytes& datagram, const Bytes& inner) {
  Bytes out = tunnels::frames::first(datagram, kTargetHeaderLength);
  tunnels::frames::append(out, inner);
  store_be16(&out[16], static_cast<uint16_t>(inner.size() + kTargetHeaderLength - 14));
  store_be16(&out[38], static_cast<uint16_t>(inner.size() + kTargetHeaderLength - 34));
  store_be16(&out[44], inner[0] >> 4 == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  return out;
}

inline Bytes inner_of(const Bytes& datagram) {
  return {datagram.begin() + kTargetHeaderLength, datagram.end()};
}

// The frame's TCP or UDP checksum made right.
inline Bytes with_checksum(Bytes frame_bytes) {
  tunnels::packet p{};
  const uint16_t ether_type =
      parse_ethernet(frame_bytes.data(), frame_bytes.data() + frame_bytes.size(), &p);
  if (parse_ip(frame_bytes.data(), frame_bytes.data() + frame_bytes.size(),
               ether_type == kEtherTypeIpv4 ? 4 : 6, &p) != kDropNone)
    return frame_bytes;
  uint8_t* field = &frame_bytes[p.l4_offset + (p.tuple.protocol == kProtocolTcp ? 16 : 6)];
  store_u16(field, 0);
  const uint32_t length = p.l3_offset + p.l3_length - p.l4_offset;
  uint64_t sum = checksum_add(0, &frame_bytes[p.l4_offset], length);
  sum = checksum_add(sum, p.tuple.source, 16);
  sum = checksum_add(sum, p.tuple.destination, 16);
  sum += swap_be16(static_cast<uint16_t>(length)) + swap_be16(p.tuple.protocol);
  store_u16(field, checksum_fold(sum));
  if (ether_type == kEtherTypeIpv4) {
    uint8_t* ip = &frame_bytes[p.l3_offset];
    store_u16(ip + 10, 0);
    store_u16(ip + 10, checksum_fold(checksum_add(0, ip, (ip[0] & 15) * 4u)));
  }
  return frame_bytes;
}

}  // namespace sluice::gateway::fixture
