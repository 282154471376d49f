// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/header.h"

#include <algorithm>

#include "tunnels/bytes.h"
#include "tunnels/checksum.h"
#include "tunnels/geneve.h"
#include "tunnels/result.h"

namespace sluice::gateway {

void build_target_header(uint8_t (&header)[kTargetHeaderLength], const MacAddress& from,
                         const MacAddress& to, uint32_t source, uint32_t destination) {
  Writer out(header);
  out.bytes(to);
  out.bytes(from);
  out.be16(kEtherTypeIpv4);

  const size_t ip = out.written();
  out.u8(0x45);      // version, header length
  out.u8(0);         // DSCP, ECN
  out.be16(0);       // total length
  out.be16(0);       // identification: nothing is fragmented
  out.be16(0x4000);  // DF
  out.u8(64);        // TTL
  out.u8(kProtocolUdp);
  out.be16(0);  // checksum
  out.be32(swap_be32(source));
  out.be32(swap_be32(destination));
  store_u16(header + ip + 10, checksum_fold(checksum_add(0, header + ip, 20)));

  out.be16(0);            // source port
  out.be16(kGenevePort);  // destination port
  out.be16(0);            // length
  out.be16(0);            // checksum: none (RFC 8926 section 3.3)

  const geneve_profile profile = SLUICE_GENEVE_AWS;
  const geneve fields{};
  static_assert(14 + 20 + 8 + 40 == kTargetHeaderLength);
  SLUICE_CHECK(out.written() + profile.header_length == kTargetHeaderLength);
  geneve_encode(header + out.written(), &profile, &fields);
}

void build_target_header6(uint8_t (&header)[kTargetHeaderLength], const MacAddress& from,
                          const MacAddress& to, const uint32_t (&source)[4],
                          const uint32_t (&destination)[4]) {
  std::ranges::fill(header, uint8_t{0});
  Writer out(header);
  out.bytes(to);
  out.bytes(from);
  out.be16(kEtherTypeIpv6);

  out.be32(0x60000000);  // version, traffic class, flow label
  out.be16(0);           // payload length
  out.u8(kProtocolUdp);
  out.u8(64);  // hop limit
  for (const uint32_t word : source) out.be32(swap_be32(word));
  for (const uint32_t word : destination) out.be32(swap_be32(word));

  out.be16(0);            // source port
  out.be16(kGenevePort);  // destination port
  out.be16(0);            // length
  out.be16(0);            // checksum: none (RFC 6935)
  SLUICE_CHECK(out.written() == kOuterLength6);
}

}  // namespace sluice::gateway
