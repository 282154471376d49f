// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the variant with one
// compression and three finalisation rounds that hash tables use) over whole 64-bit words and a
// last partial word. Keyed, so that an outsider can neither aim at one bucket of the flow table nor
// forge a cookie.
#pragma once

#include "tunnels/integers.h"

SLUICE_BEGIN

struct siphash_key {
  __u64 k0;
  __u64 k1;
};

struct siphash_state {
  __u64 v0, v1, v2, v3;
};

#define SLUICE_ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

SLUICE_INLINE void siphash_round(struct siphash_state* s) {
  s->v0 += s->v1;
  s->v1 = SLUICE_ROTATE(s->v1, 13) ^ s->v0;
  s->v0 = SLUICE_ROTATE(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = SLUICE_ROTATE(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = SLUICE_ROTATE(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = SLUICE_ROTATE(s->v1, 17) ^ s->v2;
  s->v2 = SLUICE_ROTATE(s->v2, 32);
}

SLUICE_INLINE void siphash_init(struct siphash_state* s, const struct siphash_key* key) {
  s->v0 = key->k0 ^ 0x736f6d6570736575ULL;
  s->v1 = key->k1 ^ 0x646f72616e646f6dULL;
  s->v2 = key->k0 ^ 0x6c7967656e657261ULL;
  s->v3 = key->k1 ^ 0x7465646279746573ULL;
}

// The next eight bytes of the message, as a little-endian number.
SLUICE_INLINE void siphash_word(struct siphash_state* s, __u64 word) {
  s->v3 ^= word;
  siphash_round(s);
  s->v0 ^= word;
}

// `last`: up to seven remaining bytes, little-endian; `length`: of the whole message in bytes.
SLUICE_INLINE __u64 siphash_finish(struct siphash_state* s, __u64 last, __u32 length) {
  siphash_word(s, last | (__u64)length << 56);
  s->v2 ^= 0xff;
  siphash_round(s);
  siphash_round(s);
  siphash_round(s);
  return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

SLUICE_END
