// SPDX-License-Identifier: Apache-2.0
// Sources: the link-layer header types page of tcpdump.org.
#include "testbed/replay/link_header.h"

#include <pcap/dlt.h>

#include <algorithm>
#include <array>
#include <optional>

#include "tunnels/bytes.h"
#include "tunnels/packet.h"

namespace sluice::testbed {

namespace {

using Mac = std::array<uint8_t, 6>;

constexpr Mac kSource = {2, 0, 0, 0, 0, 1};
constexpr Mac kDestination = {2, 0, 0, 0, 0, 2};
constexpr uint16_t kEtherTypeLeast = 0x0600;  // smaller values are lengths or Linux's own numbers

struct Parts {
  Mac source = kSource;
  uint16_t ether_type = 0;  // 0: none
  std::span<const uint8_t> payload;
};

uint16_t ether_type_of_ip(std::span<const uint8_t> payload) {
  if (payload.empty()) return 0;
  if (payload[0] >> 4 == 4) return tunnels::kEtherTypeIpv4;
  return payload[0] >> 4 == 6 ? tunnels::kEtherTypeIpv6 : 0;
}

Parts read_raw_ip(std::span<const uint8_t> frame) {
  return {kSource, ether_type_of_ip(frame), frame};
}

// Four bytes of address family, in the byte order of the machine that captured (DLT_NULL) or in
// network order (DLT_LOOP). The families' numbers differ between systems; the packet itself tells.
Parts read_loopback(std::span<const uint8_t> frame) {
  if (frame.size() < 4) return {};
  return read_raw_ip(frame.subspan(4));
}

Parts read_cooked(std::span<const uint8_t> frame, bool version2) {
  tunnels::Reader reader(frame);
  Parts parts;
  if (version2) parts.ether_type = reader.be16();
  reader.skip(version2 ? 9 : 4);  // reserved, interface, ARPHRD type, packet type
  const unsigned address_length = version2 ? reader.u8() : reader.be16();
  const auto address = reader.bytes(8);
  if (!version2) parts.ether_type = reader.be16();
  if (!reader.ok()) return {};
  if (address_length == parts.source.size())
    std::copy_n(address.begin(), parts.source.size(), parts.source.begin());
  parts.payload = reader.rest();
  if (parts.ether_type < kEtherTypeLeast) parts.ether_type = 0;
  return parts;
}

std::optional<Parts> read_frame(int link_type, std::span<const uint8_t> frame) {
  switch (link_type) {
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return read_raw_ip(frame);
    case DLT_NULL:
    case DLT_LOOP:
      return read_loopback(frame);
    case DLT_LINUX_SLL:
      return read_cooked(frame, false);
    case DLT_LINUX_SLL2:
      return read_cooked(frame, true);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool link_type_is_known(int link_type) {
  return link_type == DLT_EN10MB || read_frame(link_type, {}).has_value();
}

bool convert_to_ethernet(int link_type, std::span<const uint8_t> frame, std::vector<uint8_t>& out) {
  if (link_type == DLT_EN10MB) {
    out.assign(frame.begin(), frame.end());
    return true;
  }
  const auto parts = read_frame(link_type, frame);
  if (!parts || parts->ether_type == 0) return false;
  out.resize(tunnels::kEtherHeaderLength + parts->payload.size());
  tunnels::Writer writer(out);
  writer.bytes(kDestination);
  writer.bytes(parts->source);
  writer.be16(parts->ether_type);
  writer.bytes(parts->payload);
  return true;
}

}  // namespace sluice::testbed
