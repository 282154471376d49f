// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// Sums are kept as 64-bit numbers in the byte order of the packet as loaded, so nothing is swapped;
// a checksum that `checksum_fold` returns is stored with store_u16.
#pragma once

#include "tunnels/integers.h"

SLUICE_BEGIN

// One's complement sum of `length` bytes; an odd last byte is padded with zero (RFC 1071
// section 4.1). Not for the kernel host's variable packet ranges: see checksum_frame in
// gateway/datapath.
SLUICE_INLINE __u64 checksum_add(__u64 sum, const void* bytes, __u32 length) {
  const __u8* p = (const __u8*)bytes;
  while (length >= 4) {
    sum += load_u32(p);
    p += 4;
    length -= 4;
  }
  if (length >= 2) {
    sum += load_u16(p);
    p += 2;
    length -= 2;
  }
  if (length != 0) {
    __u8 last[2] = {p[0], 0};
    sum += load_u16(last);
  }
  return sum;
}

// The sum as 16 bits, not yet complemented.
SLUICE_INLINE __u16 checksum_reduce(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)sum;
}

// The checksum field's value: the complement of the sum.
SLUICE_INLINE __u16 checksum_fold(__u64 sum) { return (__u16)~checksum_reduce(sum); }

// RFC 1624 equation 3: HC' = ~(~HC + ~m + m'), for a field of 16 bits in packet byte order.
SLUICE_INLINE __u16 checksum_replace16(__u16 checksum, __u16 before, __u16 after) {
  return checksum_fold((__u64)(__u16)~checksum + (__u16)~before + after);
}

SLUICE_INLINE __u16 checksum_replace32(__u16 checksum, __u32 before, __u32 after) {
  return checksum_fold((__u64)(__u16)~checksum + (__u32)~before + after);
}

SLUICE_END
