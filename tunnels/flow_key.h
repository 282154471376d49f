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

// 40 bytes, none hidden; all in packet byte order.
struct flow_key {
  __u32 address[2][4];
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
    for (int i = 0; i < 4; i++) {
      key->address[0][i] = t->destination[i];
      key->address[1][i] = t->source[i];
    }
    key->port[0] = t->destination_port;
    key->port[1] = t->source_port;
    return 1;
  }
  for (int i = 0; i < 4; i++) {
    key->address[0][i] = t->source[i];
    key->address[1][i] = t->destination[i];
  }
  key->port[0] = t->source_port;
  key->port[1] = t->destination_port;
  return 0;
}

// SipHash-1-3 of addresses, ports, protocol, version and form: a message of 15 (IPv4) or 39 (IPv6)
// bytes.
SLUICE_INLINE __u64 flow_hash(const struct siphash_key* hash_key, const struct flow_key* key,
                              __u32 form) {
  struct siphash_state s;
  siphash_init(&s, hash_key);
  __u64 last = (__u64)key->version << 40 | (__u64)form << 48;
  if (form != kFlowHash2Tuple) last |= (__u64)key->protocol << 32;
  if (form == kFlowHash5Tuple) last |= (__u64)key->port[0] | (__u64)key->port[1] << 16;
  if (key->version == 4) {
    siphash_word(&s, (__u64)key->address[0][0] | (__u64)key->address[1][0] << 32);
    return siphash_finish(&s, last, 15);
  }
  siphash_word(&s, (__u64)key->address[0][0] | (__u64)key->address[0][1] << 32);
  siphash_word(&s, (__u64)key->address[0][2] | (__u64)key->address[0][3] << 32);
  siphash_word(&s, (__u64)key->address[1][0] | (__u64)key->address[1][1] << 32);
  siphash_word(&s, (__u64)key->address[1][2] | (__u64)key->address[1][3] << 32);
  return siphash_finish(&s, last, 39);
}

SLUICE_INLINE int flow_key_equal(const struct flow_key* a, const struct flow_key* b) {
  if (a->port[0] != b->port[0] || a->port[1] != b->port[1] || a->protocol != b->protocol ||
      a->version != b->version)
    return 0;
  for (int i = 0; i < 4; i++) {
    if (a->address[0][i] != b->address[0][i] || a->address[1][i] != b->address[1][i]) return 0;
    if (a->version == 4) break;
  }
  return 1;
}

SLUICE_END
