// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The MSS clamp: a TCP SYN that announces a larger segment than the tunnel carries is made to
// announce what fits, so that connections work where ICMP errors do not arrive (RFC 9293
// section 3.7.1).
#pragma once

#include "gateway/datapath/frame.h"
#include "tunnels/checksum.h"

SLUICE_GATEWAY_BEGIN

enum { kTcpOptionsMax = 40, kTcpOptionEnd = 0, kTcpOptionNothing = 1, kTcpOptionMss = 2 };

// Where the MSS option of the TCP header at `tcp` is, from its first byte; 0 if it has none. Byte
// by byte at known places, which costs the verifier less than a walk from option to option.
SLUICE_INLINE __u32 mss_find(const __u8* tcp, const __u8* end) {
  const __u32 header_length = (tcp[12] >> 4) * 4u;
  __u32 skip = 0;  // bytes left of the present option
  for (__u32 at = 20; at < 20 + kTcpOptionsMax; at++) {
    skip = forget(skip);
    if (skip != 0) {
      skip--;
      continue;
    }
    const __u8* option = tcp + at;
    if (at + 4 > header_length || option + 4 > end || option[0] == kTcpOptionEnd) return 0;
    if (option[0] == kTcpOptionMss) return option[1] == 4 ? at : 0;
    if (option[0] == kTcpOptionNothing) continue;
    if (option[1] < 2) return 0;
    skip = option[1] - 1u;
  }
  return 0;
}

// Lowers the MSS of a SYN to what fits an IP packet of `mtu` bytes. Whether it did.
SLUICE_STAGE int mss_clamp(frame* f, const struct packet* p, __u32 mtu) {
  if (!p || p->tuple.protocol != kProtocolTcp || !(p->flags & kPacketHasPorts)) return 0;
  frame_pull(f);
  if (p->l4_offset > kHeaderOffsetMax) return 0;
  __u8* tcp = frame_data(f) + p->l4_offset;
  const __u8* end = frame_end(f);
  if (tcp + 20 > end) return 0;
  const __u32 headers = (p->tuple.version == 4 ? 20 : 40) + 20;
  const __u32 at = mss_find(tcp, end);
  if (at == 0 || at > 56 || mtu <= headers) return 0;
  __u8* value = tcp + at + 2;
  if (value + 2 > end || load_be16(value) <= mtu - headers) return 0;
  // An option that begins at an odd place lies across two words of the sum.
  const __u16 before = at & 1 ? load_be16(value) : load_u16(value);
  store_be16(value, (__u16)(mtu - headers));
  const __u16 after = at & 1 ? load_be16(value) : load_u16(value);
  return frame_mend_checksum(f, p, 0, (__u64)(__u16)~before + after) == 0;
}

SLUICE_END
