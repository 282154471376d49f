// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What an XDP frame and a frame in memory have in common: it is one packet, all of it is at hand,
// its tags are in it, and nothing is known about it that is not. frame_skb.h has these functions
// for a kernel's packet, of which none of that is true, and says what they are for.
#pragma once

SLUICE_INLINE int frame_pull(frame* f) {
  (void)f;
  return 0;
}
SLUICE_INLINE __u32 frame_tag(const frame* f) {
  (void)f;
  return 0;
}
SLUICE_INLINE int frame_leaves_checksums(void) { return 0; }
SLUICE_INLINE int frame_shed(frame* f, __u32 l4_offset) {
  (void)f;
  (void)l4_offset;
  return 0;
}

SLUICE_INLINE int frame_is_many(const frame* f) {
  (void)f;
  return 0;
}
SLUICE_INLINE __u16 frame_segment(const frame* f) {
  (void)f;
  return 0;
}
SLUICE_INLINE __u32 frame_longest(const frame* f, const struct packet* p) {
  (void)f;
  return p->l3_length;
}
SLUICE_INLINE __u32 frame_packets(const frame* f, const struct packet* p) {
  (void)f;
  (void)p;
  return 1;
}
SLUICE_INLINE __u32 frame_bytes(const frame* f, const struct packet* p) {
  (void)f;
  return p->l3_length;
}

SLUICE_INLINE int frame_wrap(frame* f, __u32 before, __u32 header, __u32 version) {
  (void)version;
  return frame_move_head(f, (int)before - (int)header);
}
SLUICE_INLINE int frame_unwrap(frame* f, const struct packet* inner, __u32 header) {
  return frame_move_head(f, (int)inner->l3_offset - (int)header) == 0 ? (int)header : -1;
}
SLUICE_INLINE __u32 frame_put_tags(frame* f, const struct layer2* header) {
  (void)f;
  (void)header;
  return 0;
}

SLUICE_INLINE int frame_mend_checksum(frame* f, const struct packet* p, __u64 addresses,
                                      __u64 others) {
  if (p->l4_offset > kHeaderOffsetMax) return -1;
  const int is_udp = p->tuple.protocol == kProtocolUdp;
  __u8* field = frame_data(f) + p->l4_offset + (is_udp ? 6 : 16);
  if (field + 2 > frame_end(f)) return -1;
  const __u16 checksum = load_u16(field);
  if (is_udp && checksum == 0) return 0;  // over IPv4 it may carry none
  __u16 mended = checksum_fold((__u64)(__u16)~checksum + addresses + others);
  if (is_udp && mended == 0) mended = 0xffff;
  store_u16(field, mended);
  return 0;
}
