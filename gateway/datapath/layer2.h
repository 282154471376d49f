// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The frame's own addresses across the tunnel.
//
// GENEVE carries the bare IP packet, so what was in front of it (MAC addresses and VLAN tags) stays
// here and is put back on delivery. Few distinct pairs are in use at once (neighbours, not flows),
// so flows keep a 16-bit reference: 12 bits of index and 4 bits of tag that change when a place
// gets a new owner.
#pragma once

#include "gateway/datapath/flow_table.h"

SLUICE_GATEWAY_BEGIN

enum {
  kLayer2IndexMask = kLayer2Max - 1,
  kLayer2TagShift = 12,
  kLayer2KeepMs = 10000,  // a place used this recently is never given away
  kLayer2StampMs = 1000,  // how stale last_seen_ms may get before it is written again
};

// A frame header as three words: 22 bytes padded with zeros, then the length.
struct layer2_name {
  __u64 word[3];
};

// Words of an entry, without the tag in the top byte of the last one.
#define SLUICE_LAYER2_NAME_MASK 0x00ffffffffffffffULL

// `length` is 14, 18 or 22 and lies inside the frame. `tag`: frame_tag().
SLUICE_INLINE void layer2_name_from_frame(struct layer2_name* name, const __u8* data, __u32 length,
                                          __u32 tag) {
  name->word[0] = load_u64(data);
  if (tag != 0) {
    name->word[1] = (__u64)load_u32(data + 8) | (__u64)tag << 32;
    name->word[2] = (__u64)(length + kVlanTagLength) << 48 | load_u16(data + 12);
    if (length >= 18) name->word[2] |= (__u64)load_u32(data + 14) << 16;
    return;
  }
  name->word[1] = (__u64)load_u32(data + 8) | (__u64)load_u16(data + 12) << 32;
  name->word[2] = (__u64)length << 48;
  if (length >= 18) {
    name->word[1] |= (__u64)load_u16(data + 14) << 48;
    name->word[2] |= load_u16(data + 16);
  }
  if (length >= 22) name->word[2] |= (__u64)load_u32(data + 18) << 16;
}

SLUICE_INLINE int layer2_is(const struct layer2* entry, const struct layer2_name* name) {
  return load_u64(entry->header) == name->word[0] && load_u64(entry->header + 8) == name->word[1] &&
         (load_u64(entry->header + 16) & SLUICE_LAYER2_NAME_MASK) == name->word[2];
}

SLUICE_INLINE __u32 layer2_use(struct layer2* entry, __u32 index, __u32 now_ms) {
  if (silence_ms(entry->last_seen_ms, now_ms) > kLayer2StampMs) entry->last_seen_ms = now_ms;
  return (__u32)entry->tag << kLayer2TagShift | index;
}

// The entry that a reference means, or nothing when its place has a new owner.
SLUICE_INLINE struct layer2* layer2_get(const struct path_tables* tables, __u16 reference) {
  struct layer2* entry = table_layer2s(tables, reference & kLayer2IndexMask);
  if (!entry || reference == 0 || entry->tag != reference >> kLayer2TagShift) return 0;
  return entry;
}

// The reference of a frame header, given a place if it is new. 0 when its eight places are all in
// use.
SLUICE_STAGE __u32 layer2_intern(const struct path_tables* tables, const struct layer2_name* name,
                                 __u32 now_ms) {
  if (!name) return 0;
  __u64 h = (name->word[0] ^ name->word[1] * 0x9e3779b97f4a7c15ULL) ^ name->word[2];
  h *= 0xd6e8feb86659fd93ULL;
  const __u32 first = (__u32)(h >> 40) & kLayer2IndexMask & ~(__u32)(kLayer2Ways - 1);
  struct layer2* oldest = 0;
  __u32 oldest_index = 0;
  __u32 oldest_age = 0;
  for (__u32 way = 0; way < kLayer2Ways; way++) {
    struct layer2* entry = table_layer2s(tables, first + way);
    if (!entry) return 0;
    if (entry->tag != 0 && layer2_is(entry, name)) return layer2_use(entry, first + way, now_ms);
    const __u32 age = entry->tag == 0 ? 0xffffffff : silence_ms(entry->last_seen_ms, now_ms);
    if (age > oldest_age) {
      oldest = entry;
      oldest_index = first + way;
      oldest_age = age;
    }
  }
  if (!oldest || oldest_age < kLayer2KeepMs) return 0;
  const __u8 tag = (oldest->tag & 15) == 15 ? 1 : (oldest->tag & 15) + 1;
  oldest->tag = 0;  // no reference is good while the header changes
  store_u64(oldest->header, name->word[0]);
  store_u64(oldest->header + 8, name->word[1]);
  store_u64(oldest->header + 16, name->word[2]);
  oldest->last_seen_ms = now_ms;
  oldest->tag = tag;
  return (__u32)tag << kLayer2TagShift | oldest_index;
}

// Writes the entry's header to `out`, which has room for `length` bytes: its own length or 14, its
// tags left out. `swapped` exchanges the two MAC addresses, for a packet that answers one seen in
// the other direction only.
SLUICE_INLINE void layer2_write(__u8* out, const struct layer2* entry, __u32 length, int swapped) {
  const __u8* header = entry->header;
  if (swapped) {
    store_u32(out, load_u32(header + 6));
    store_u16(out + 4, load_u16(header + 10));
    store_u32(out + 6, load_u32(header));
    store_u16(out + 10, load_u16(header + 4));
  } else {
    store_u64(out, load_u64(header));
    store_u32(out + 8, load_u32(header + 8));
  }
  const __u32 tags = (entry->length - length) & 12;  // those that are left out
  store_u16(out + 12, load_u16(header + 12 + tags));
  if (length >= 18) store_u32(out + 14, load_u32(header + 14));
  if (length >= 22) store_u32(out + 18, load_u32(header + 18));
}

SLUICE_END
