// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The direction-independent name of a flow, and its keyed hash.
//
// Both directions of a flow have the same key: the two (address, port) ends are sorted. Which way a
// packet goes is one bit beside the key: 0 when its source is the key's first end.
#pragma once

#include "tunnels/packet.h"
#include "tunnels/siphash.h"

SLUICE_BEGIN

// What a flow hash covers (ELBv2 stickiness.type): all five, without ports, addresses alone.
enum FlowHashForm {
  kFlowHash5Tuple = 0,
  kFlowHash3Tuple = 1,  // source_ip_dest_ip_proto
  kFlowHash2Tuple = 2,  // source_ip_dest_ip
};

// 40 bytes, none hidden; all in packet byte order. `rest` means nothing in IPv4.
struct flow_key {
  __u32 address[2];  // of each end: IPv4, or the first word of IPv6
  __u32 rest[2][3];  // the other words of IPv6
  __u16 port[2];
  __u8 protocol;
  __u8 version;
  __u16 zero;
};

// Sorts by address, then port. Any total order will do as long as it is the same everywhere.
SLUICE_INLINE int tuple_is_reversed(const struct tuple* t) {
  for (int i = 0; i < 4; i++) {
    if (t->source[i] != t->destination[i]) return t->source[i] > t->destination[i];
    if (t->version == 4) break;
  }
  return t->source_port > t->destination_port;
}

// Fills `key` and returns the direction: 0 or 1.
SLUICE_INLINE __u32 flow_key_from_tuple(struct flow_key* key, const struct tuple* t) {
  key->protocol = t->protocol;
  key->version = t->version;
  key->zero = 0;
  if (tuple_is_reversed(t)) {
    key->address[0] = t->destination[0];
    key->address[1] = t->source[0];
    for (int i = 0; i < 3; i++) {
      key->rest[0][i] = t->destination[i + 1];
      key->rest[1][i] = t->source[i + 1];
    }
    key->port[0] = t->destination_port;
    key->port[1] = t->source_port;
    return 1;
  }
  key->address[0] = t->source[0];
  key->address[1] = t->destination[0];
  for (int i = 0; i < 3; i++) {
    key->rest[0][i] = t->source[i + 1];
    key->rest[1][i] = t->destination[i + 1];
  }
  key->port[0] = t->source_port;
  key->port[1] = t->destination_port;
  return 0;
}

// The address of an end, as struct tuple has it.
SLUICE_INLINE void flow_key_address(const struct flow_key* key, __u32 end, __u32 address[4]) {
  address[0] = key->address[end & 1];
  for (int i = 0; i < 3; i++) address[i + 1] = key->version == 4 ? 0 : key->rest[end & 1][i];
}

// What flow_hash() is keyed with: flow_hash_key_from() a key of 128 bits.
struct flow_hash_key {
  __u64 word[6];
};

SLUICE_INLINE struct flow_hash_key flow_hash_key_from(const struct siphash_key* key) {
  struct flow_hash_key out;
  for (__u32 i = 0; i < 6; i++) {
    struct siphash_state s;
    siphash_init(&s, key);
    out.word[i] = siphash_finish(&s, i, 1);
  }
  return out;
}

// One step of NH (RFC 4418 section 5.2.2): two words of the message under 64 bits of key.
SLUICE_INLINE __u64 flow_hash_step(__u64 key, __u32 a, __u32 b) {
  return (__u64)(__u32)(a + (__u32)key) * (__u32)(b + (__u32)(key >> 32));
}

// Addresses, ports, protocol, version and form, keyed. NH twice, the second time with the key
// shifted by a step as in UMAC: two flows agree in both with a probability of 2^-64, whoever chose
// them, who does not know the key. The steps do not wait for each other, so a packet's table places
// are known early. What follows spreads them over all bits (the finalizer of SplitMix64). It is no
// MAC: what others see and must not forge has SipHash (flow_cookie).
SLUICE_INLINE __u64 flow_hash(const struct flow_hash_key* hash_key, const struct flow_key* key,
                              __u32 form) {
  const __u64* k = hash_key->word;
  __u32 ends = form << 16 | (__u32)key->version << 8;
  if (form != kFlowHash2Tuple) ends |= key->protocol;
  __u32 ports = 0;
  if (form == kFlowHash5Tuple) ports = (__u32)key->port[0] | (__u32)key->port[1] << 16;
  __u64 x =
      flow_hash_step(k[0], key->address[0], key->address[1]) + flow_hash_step(k[1], ports, ends);
  __u64 y =
      flow_hash_step(k[1], key->address[0], key->address[1]) + flow_hash_step(k[2], ports, ends);
  if (key->version != 4) {
#pragma GCC unroll 3
    for (int i = 1; i < 4; i++) {
      x += flow_hash_step(k[i + 1], key->rest[0][i - 1], key->rest[1][i - 1]);
      y += flow_hash_step(k[i + 2], key->rest[0][i - 1], key->rest[1][i - 1]);
    }
  }
  x ^= y << 32 | y >> 32;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
  return x ^ x >> 31;
}

// `zero` may differ: a record keeps something there.
SLUICE_INLINE int flow_key_equal(const struct flow_key* a, const struct flow_key* b) {
  if (((a->address[0] ^ b->address[0]) | (a->address[1] ^ b->address[1])) != 0) return 0;
  if (a->port[0] != b->port[0] || a->port[1] != b->port[1] || a->protocol != b->protocol ||
      a->version != b->version)
    return 0;
  if (a->version == 4) return 1;
  for (int i = 0; i < 3; i++)
    if (a->rest[0][i] != b->rest[0][i] || a->rest[1][i] != b->rest[1][i]) return 0;
  return 1;
}

SLUICE_END
