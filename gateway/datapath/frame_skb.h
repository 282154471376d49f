// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// A frame in the TC entry: a packet as the kernel has it. Included by frame.h.
//
// - It may be many: a super-packet that is cut into packets of gso_size bytes each only where it
//   leaves the machine. What is put around it is then put around each.
// - Only its first bytes are at hand, perhaps no more than its headers.
// - Its outer VLAN tag is beside it.
// - Its checksum may be its sender's hardware's to finish (CHECKSUM_PARTIAL); the kernel remembers
//   that, and where, so that it is finished wherever the packet goes. Nothing is summed here, and
//   what is changed is mended by the kernel's own helper, which knows how.
#pragma once

typedef struct __sk_buff frame;

enum {
  // As deep as anybody looks: the TCP checksum quoted by an ICMPv6 error behind all extension
  // headers.
  kFramePulled = kL3OffsetMax + 40 + kExtensionBytesMax + 66,
  kFrameShed = 256,
  kFrameFixed = BPF_F_ADJ_ROOM_FIXED_GSO,
  kFrameDecapIpv4 = 1 << 7,  // BPF_F_ADJ_ROOM_DECAP_L3_IPV4, of Linux 6.3
  kFrameDecapIpv6 = 1 << 8,  // BPF_F_ADJ_ROOM_DECAP_L3_IPV6
  kErrorAlready = 114,
  kErrorInvalid = 22,
  kChecksumIpv6 = 1 << 7,  // BPF_F_IPV6, of Linux 6.16
};

SLUICE_INLINE __u8* frame_data(const frame* f) { return (__u8*)(long)f->data; }
// Where what is at hand ends.
SLUICE_INLINE __u8* frame_end(const frame* f) { return (__u8*)(long)f->data_end; }
SLUICE_INLINE __u32 frame_length(const frame* f) { return f->len; }

// Gets more of the frame at hand. Whether there is more now; pointers into the frame are void.
SLUICE_INLINE int frame_pull(frame* f) {
  __u64 at_hand = (__u64)(long)f->data_end - (__u64)(long)f->data;
  SLUICE_OPAQUE(at_hand);
  const __u32 length = f->len < kFramePulled ? f->len : kFramePulled;
  return at_hand < length && bpf_skb_pull_data(f, length) == 0;
}

// The tag beside the frame, as it would stand in it; 0 if there is none.
SLUICE_INLINE __u32 frame_tag(const frame* f) {
  if (!f->vlan_present) return 0;
  return (f->vlan_proto & 0xffff) | (__u32)__builtin_bswap16((__u16)f->vlan_tci) << 16;
}

// Whether checksums that are not finished may go on as they are.
SLUICE_INLINE int frame_leaves_checksums(void) { return 1; }

// Whether the frame is a super-packet.
SLUICE_INLINE int frame_is_many(const frame* f) { return f->gso_size != 0; }

// How many bytes of payload each of its packets has; 0 of one that is not.
SLUICE_INLINE __u16 frame_segment(const frame* f) { return (__u16)f->gso_size; }

// What each of its packets has in front of its part of the payload.
SLUICE_INLINE __u32 frame_headers(const frame* f, const struct packet* p) {
  const __u32 l4 = p->l4_offset;
  if (p->tuple.protocol != kProtocolTcp) return l4 - p->l3_offset + 8;
  if (l4 > kHeaderOffsetMax) return 0;
  const __u8* tcp = frame_data(f) + l4;
  SLUICE_OPAQUE(tcp);  // one pointer to the verifier, before and after the check
  if (tcp + 20 > frame_end(f)) return 0;
  return l4 - p->l3_offset + (__u32)(tcp[12] >> 4) * 4;
}
// The length of its longest IP packet, ...
SLUICE_INLINE __u32 frame_longest(const frame* f, const struct packet* p) {
  return f->gso_size == 0 ? p->l3_length : frame_headers(f, p) + f->gso_size;
}
// ... how many it is, ...
SLUICE_INLINE __u32 frame_packets(const frame* f, const struct packet* p) {
  const __u32 size = f->gso_size;
  const __u32 headers = frame_headers(f, p);
  if (size == 0 || p->l3_length <= headers) return 1;
  return (p->l3_length - headers + size - 1) / size;
}
// ... and their bytes.
SLUICE_INLINE __u32 frame_bytes(const frame* f, const struct packet* p) {
  if (f->gso_size == 0) return p->l3_length;
  return p->l3_length + (frame_packets(f, p) - 1) * frame_headers(f, p);
}

// Makes room in front, or takes it away, of a frame that is one packet.
SLUICE_INLINE int frame_move_head(frame* f, int delta) {
  return delta > 0 ? -1 : (int)bpf_skb_change_head(f, (__u32)-delta, 0);
}
SLUICE_INLINE int frame_move_tail(frame* f, int delta) {
  return f->gso_size != 0 ? -1 : (int)bpf_skb_change_tail(f, f->len + (__u32)delta, 0);
}

// Whether the kernel takes the frame for one of an IP version (4 or 6).
SLUICE_INLINE int frame_is_version(const frame* f, __u32 version) {
  return f->protocol == swap_be16(version == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
}

// Puts `header` bytes in the place of the `before` bytes in front of the IP packet, all tags
// included. An Ethernet header comes first in both, then IP of `version`; if another follows it
// already, that goes. There the kernel cannot be told of another version, which matters to it
// when it cuts the frame up.
SLUICE_INLINE int frame_wrap(frame* f, __u32 before, __u32 header, __u32 version) {
  if (f->len + header > 0xffff + before) return -1;
  if (before > 22) {
    if (f->gso_size != 0 && !frame_is_version(f, version)) return -1;
    if (before == header) return 0;
    return (int)bpf_skb_adjust_room(f, (int)header - (int)before, BPF_ADJ_ROOM_MAC, kFrameFixed);
  }
  // The kernel moves the next tag out of the frame when the one beside it goes.
  if (f->vlan_present && bpf_skb_vlan_pop(f) != 0) return -1;
  if (before > 14 && bpf_skb_vlan_pop(f) != 0) return -1;
  if (before > 18 && bpf_skb_vlan_pop(f) != 0) return -1;
  const int room = (int)header - 14;
  const __u64 l3 = version == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
  const long error = bpf_skb_adjust_room(f, room, BPF_ADJ_ROOM_MAC,
                                         kFrameFixed | l3 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP);
  // It is in a tunnel of the sender's own. Of a single packet nobody has to know where.
  if (error == -kErrorAlready && f->gso_size == 0)
    return (int)bpf_skb_adjust_room(f, room, BPF_ADJ_ROOM_MAC, kFrameFixed);
  return (int)error;
}

// Takes away what is in front of `inner`, but for an Ethernet header, whose length it returns; -1
// on failure. The kernel (to 6.18) goes on to take a super-packet for one in a tunnel. That does
// TCP no harm, but datagrams would be cut up wrongly.
SLUICE_INLINE int frame_unwrap(frame* f, const struct packet* inner, __u32 header) {
  (void)header;
  if (f->gso_size != 0 && inner->tuple.protocol != kProtocolTcp) return -1;
  __u64 flags = kFrameFixed;
  if (inner->tuple.version == 6)
    flags |= kFrameDecapIpv6;
  else if (frame_is_version(f, 6))
    flags |= kFrameDecapIpv4;
  return bpf_skb_adjust_room(f, 14 - (int)inner->l3_offset, BPF_ADJ_ROOM_MAC, flags) == 0 ? 14 : -1;
}

// Gives an Ethernet frame the tags that a header has. How many bytes of them are in the frame.
SLUICE_INLINE __u32 frame_put_tags(frame* f, const struct layer2* header) {
  if (header->length < 18) return 0;
  if (header->length >= 22)
    bpf_skb_vlan_push(f, load_u16(header->header + 16), load_be16(header->header + 18));
  bpf_skb_vlan_push(f, load_u16(header->header + 12), load_be16(header->header + 14));
  return header->length - 18u;
}

// Mends a TCP or UDP checksum: `addresses` and `others` are what ~old + new of all changed words
// of each sum up to. 0 on success; pointers into the frame are void after it.
SLUICE_INLINE int frame_mend_checksum(frame* f, const struct packet* p, __u64 addresses,
                                      __u64 others) {
  if (p->l4_offset > kHeaderOffsetMax) return -1;
  const int is_udp = p->tuple.protocol == kProtocolUdp;
  const __u32 field = p->l4_offset + (is_udp ? 6 : 16);
  const __u64 flags = is_udp ? BPF_F_MARK_MANGLED_0 : 0;
  if (others != 0 && bpf_l4_csum_replace(f, field, 0, checksum_reduce(others), flags) != 0)
    return -1;
  if (addresses == 0) return 0;
  const __u64 sum = checksum_reduce(addresses);
  long error = -kErrorInvalid;
  if (p->tuple.version == 6)
    error = bpf_l4_csum_replace(f, field, 0, sum, flags | BPF_F_PSEUDO_HDR | kChecksumIpv6);
  if (error == -kErrorInvalid)
    error = bpf_l4_csum_replace(f, field, 0, sum, flags | BPF_F_PSEUDO_HDR);
  return (int)error;
}

// Where frame_shed keeps the first bytes.
struct frame_scratch {
  __u8 bytes[kFrameShed];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct frame_scratch);
} frame_scratch SEC(".maps");

// Makes the frame one packet of its own, of which nothing is left to do: what the kernel remembers
// about it is wrong for an answer that is made of it. The kernel forgets an unfinished checksum
// when the bytes that it is about are taken away; so they are, and put back. At most 512 bytes
// stay. 0 on success.
SLUICE_STAGE int frame_shed(frame* f, __u32 l4_offset) {
  const __u32 zero = 0;
  struct frame_scratch* kept = bpf_map_lookup_elem(&frame_scratch, &zero);
  const __u32 length = f->len;
  if (!kept || l4_offset >= kFrameShed) return -1;
  // Growing also makes the kernel forget a sum that the hardware has taken.
  if (bpf_skb_change_tail(f, 2 * kFrameShed - 1, 0) != 0) return -1;
  if (bpf_skb_change_tail(f, 2 * kFrameShed, 0) != 0) return -1;
  if (bpf_skb_load_bytes(f, 0, kept->bytes, kFrameShed) != 0) return -1;
  if (bpf_skb_adjust_room(f, -kFrameShed, BPF_ADJ_ROOM_MAC, 0) != 0) return -1;
  if (bpf_skb_adjust_room(f, kFrameShed, BPF_ADJ_ROOM_MAC, 0) != 0) return -1;
  if (bpf_skb_store_bytes(f, 0, kept->bytes, kFrameShed, 0) != 0) return -1;
  return length < 2 * kFrameShed ? (int)bpf_skb_change_tail(f, length, 0) : 0;
}
