// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/cut.h"

#include <algorithm>

#include "tunnels/checksum.h"
#include "tunnels/packet.h"

namespace sluice::gateway {
namespace {

using namespace tunnels;  // NOLINT: the packet path is one vocabulary

using Bytes = std::vector<uint8_t>;

constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kOffsetMask = 0x1fff;
constexpr uint8_t kOptionEnd = 0;
constexpr uint8_t kOptionNothing = 1;
constexpr uint8_t kOptionCopied = 0x80;

// The header of the fragments after the first: of the options only those that are to be copied.
Bytes later_header(std::span<const uint8_t> header) {
  Bytes out(header.begin(), header.begin() + 20);
  for (size_t at = 20; at < header.size() && header[at] != kOptionEnd;) {
    const size_t left = header.size() - at;
    const size_t length = header[at] == kOptionNothing ? 1 : left < 2 ? 0 : header[at + 1];
    if (length == 0 || length > left) break;
    if (header[at] & kOptionCopied)
      out.insert(out.end(), header.begin() + static_cast<std::ptrdiff_t>(at),
                 header.begin() + static_cast<std::ptrdiff_t>(at + length));
    at += length;
  }
  out.resize((out.size() + 3) / 4 * 4, kOptionEnd);
  out[0] = static_cast<uint8_t>(0x40 | out.size() / 4);
  return out;
}

Bytes fragment_frame(std::span<const uint8_t> ethernet, const Bytes& header,
                     std::span<const uint8_t> payload, uint16_t field) {
  Bytes out(ethernet.begin(), ethernet.end());
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), payload.begin(), payload.end());
  uint8_t* ip = &out[ethernet.size()];
  store_be16(ip + 2, static_cast<uint16_t>(header.size() + payload.size()));
  store_be16(ip + 6, field);
  store_u16(ip + 10, 0);
  store_u16(ip + 10, checksum_fold(checksum_add(0, ip, header.size())));
  return out;
}

}  // namespace

std::vector<Bytes> cut_into_fragments(std::span<const uint8_t> bytes, uint32_t mtu) {
  packet p{};
  const uint8_t* end = bytes.data() + bytes.size();
  if (parse_ethernet(bytes.data(), end, &p) != kEtherTypeIpv4 ||
      parse_ip(bytes.data(), end, 4, &p) != kDropNone)
    return {};
  const auto ethernet = bytes.first(p.l3_offset);
  const auto ip = bytes.subspan(p.l3_offset, p.l3_length);
  const size_t header_length = (ip[0] & 15) * 4u;
  const uint16_t field = load_be16(&ip[6]);
  if ((field & kDontFragment) || mtu < header_length + 8) return {};
  const auto payload = ip.subspan(header_length);
  const uint32_t offset = field & kOffsetMask;

  std::vector<Bytes> out;
  Bytes header(ip.begin(), ip.begin() + static_cast<std::ptrdiff_t>(header_length));
  for (size_t at = 0; at < payload.size();) {
    size_t length = std::min(payload.size() - at, mtu - header.size());
    const bool last = at + length == payload.size();
    if (!last) length = length / 8 * 8;
    const uint16_t more = last ? field & kMoreFragments : kMoreFragments;
    out.push_back(fragment_frame(ethernet, header, payload.subspan(at, length),
                                 static_cast<uint16_t>((offset + at / 8) | more)));
    if (at == 0) header = later_header(header);
    at += length;
  }
  return out;
}

}  // namespace sluice::gateway
