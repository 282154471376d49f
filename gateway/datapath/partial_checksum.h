// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Checksums that the sender left to its hardware.
//
// A packet from a local network stack over a virtual interface carries only the pseudo-header's sum
// in its TCP or UDP checksum field; the kernel remembers that beside the packet, and XDP and
// captures lose it. Inside a tunnel nobody would complete it any more, so the path does, where it
// finds the field equal to that sum. Doing so is safe for any packet: if the field is a complete
// checksum that happens to have this value, the computation gives the same value again.
#pragma once

#include "gateway/datapath/passage.h"
#include "tunnels/checksum.h"

SLUICE_GATEWAY_BEGIN

enum {
  kChecksumChunk = 64,
  kChecksumChunksMax = 144,  // 9216 bytes: a jumbo frame
  kChecksumOffsetMax = kChecksumChunk * kChecksumChunksMax + kHeaderOffsetMax,
};

// Sum of the addresses, the protocol and the length of the transport packet (RFC 9293 section 3.1,
// RFC 8200 section 8.1), as it stands in packet byte order.
SLUICE_INLINE __u64 pseudo_header_sum(const struct tuple* t, __u32 length) {
  __u64 sum = (__u64)t->source[0] + t->destination[0];
  if (t->version == 6) {
    for (int i = 1; i < 4; i++) sum += (__u64)t->source[i] + t->destination[i];
  }
  return sum + swap_be16((__u16)length) + swap_be16(t->protocol);
}

// Sum of the bytes from `offset` to the end of the frame. Where it is in the frame is a number that
// the verifier is made to forget: each round is then the same to it, and what follows is verified
// once, not once for every length.
SLUICE_INLINE __u64 frame_sum(const __u8* data, const __u8* end, __u32 offset) {
  __u64 sum = 0;
  for (int i = 0; i < kChecksumChunksMax; i++) {
    offset = forget(offset);
    if (offset > kChecksumOffsetMax || data + offset + kChecksumChunk > end) break;
    for (int k = 0; k < kChecksumChunk; k += 4) sum += load_u32(data + offset + k);
    offset += kChecksumChunk;
  }
  offset = forget(offset);
  if (offset > kChecksumOffsetMax) return sum;
  const __u8* at = data + offset;
  for (int i = 0; i < kChecksumChunk / 4; i++) {
    if (at + 4 > end) break;
    sum += load_u32(at);
    at += 4;
  }
  if (at + 2 <= end) {
    sum += load_u16(at);
    at += 2;
  }
  if (at + 1 <= end) sum += swap_be16((__u16)(at[0] << 8));
  return sum;
}

// Whether a TCP or UDP packet's checksum field holds no more than the pseudo-header's sum.
SLUICE_INLINE int checksum_is_partial(const __u8* data, const __u8* end, const struct packet* p) {
  if (!(p->flags & kPacketHasPorts) || (p->flags & kPacketFragment)) return 0;
  if (p->l4_offset > kHeaderOffsetMax) return 0;
  const __u8* field = data + p->l4_offset + (p->tuple.protocol == kProtocolTcp ? 16 : 6);
  if (field + 2 > end) return 0;
  const __u32 length = p->l3_offset + p->l3_length - p->l4_offset;
  return load_u16(field) == checksum_reduce(pseudo_header_sum(&p->tuple, length));
}

// Completes it: the field's own content is the pseudo-header's part of the sum. The frame must end
// where the IP packet does.
SLUICE_STAGE int checksum_complete(frame* f, const struct packet* p) {
  if (!p || p->l4_offset > kHeaderOffsetMax) return 0;
  __u8* data = frame_data(f);
  __u8* field = data + p->l4_offset + (p->tuple.protocol == kProtocolTcp ? 16 : 6);
  if (field + 2 > frame_end(f)) return 0;
  __u16 checksum = checksum_fold(frame_sum(data, frame_end(f), p->l4_offset));
  if (checksum == 0 && p->tuple.protocol == kProtocolUdp) checksum = 0xffff;
  store_u16(field, checksum);
  return 1;
}

// Completes it where it is partial, and counts that.
SLUICE_INLINE void checksum_settle(struct passage* way, frame* f, const struct packet* p) {
  if (frame_leaves_checksums()) return;
  if (checksum_is_partial(frame_data(f), frame_end(f), p) && checksum_complete(f, p))
    way->counters->event[kEventChecksumCompleted]++;
}

SLUICE_END
