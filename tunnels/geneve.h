// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// GENEVE (RFC 8926) as gateway load balancers speak it, with the option set as data.
//
// docs/wire/geneve.md has the grammar and an example byte by byte.
#pragma once

#include "tunnels/drop_reasons.h"
#include "tunnels/packet.h"

SLUICE_BEGIN

enum {
  kGenevePort = 6081,
  kGeneveBaseLength = 8,
  kGeneveOptionsLengthMax = 252,  // 63 words
  kGeneveOptionsMax = 63,         // an option is at least one word
  kGeneveProfileOptionsMax = 4,
  kGeneveHintClass = 0xff53,  // in the range that RFC 8926 sets aside for experiments
  kGeneveHintType = 1,
};

// What an option of a profile carries.
enum GeneveField {
  kGeneveEndpointId = 0,    // 8 bytes: the endpoint (attachment) that the packet came in at
  kGeneveAttachmentId = 1,  // 8 bytes: customer visible attachment id, 0 unless configured
  kGeneveWord = 2,          // 4 bytes: the flow's cookie, or what else the profile's flags say
};

// What a profile says besides its options, and what the gateway does without.
enum GeneveProfileFlags {
  kGeneveHasCookie = 1,      // its word is the flow's cookie: opaque to the appliance
  kGeneveHasNetwork = 2,     // its word is a network: 28 bits, 3 of zeros, 1 of the direction
  kGeneveHasAttachment = 4,  // it has an attachment id
  kGeneveVniIsEndpoint = 8,  // the VNI is the endpoint, whose id has 24 bits then
};

struct geneve_option {
  __u8 type;
  __u8 words;  // data length in 4-byte words
  __u8 field;  // GeneveField
  __u8 zero;
};

struct geneve_profile {
  __u16 option_class;
  __u8 options;         // how many
  __u8 flags;           // GeneveProfileFlags
  __u32 header_length;  // base header and options, bytes
  struct geneve_option option[kGeneveProfileOptionsMax];
};

// AWS Gateway Load Balancer: class 0x0108, types 1, 2, 3, always all three in this order: 40 bytes.
#define SLUICE_GENEVE_AWS                                                                     \
  {                                                                                           \
    0x0108, 3, kGeneveHasCookie | kGeneveHasAttachment, 40, {                                 \
      {1, 2, kGeneveEndpointId, 0}, {2, 2, kGeneveAttachmentId, 0}, {3, 1, kGeneveWord, 0}, { \
        0, 0, 0, 0                                                                            \
      }                                                                                       \
    }                                                                                         \
  }

// A decoded header. Numbers in host order.
struct geneve {
  __u64 endpoint_id;
  __u64 attachment_id;
  __u32 flow_cookie;    // or what else the profile's word is
  __u32 header_length;  // base header and all options, bytes
  __u32 vni;
  __u16 protocol;  // EtherType of the inner packet
  __u16 hint;      // an appliance's advice about the flow; 0 for none. Never encoded.
};

// Writes profile->header_length bytes, if they fit in front of `end`. 0 if they do not.
SLUICE_INLINE int geneve_encode_within(__u8* out, const __u8* end,
                                       const struct geneve_profile* profile,
                                       const struct geneve* header) {
  if (out + kGeneveBaseLength > end) return 0;
  out[0] = (__u8)((profile->header_length - kGeneveBaseLength) / 4);  // Ver 0, Opt Len
  out[1] = 0;                                                         // O, C, reserved
  store_be16(out + 2, header->protocol);
  store_be32(out + 4, header->vni << 8);
  __u32 at = kGeneveBaseLength;
  for (int i = 0; i < kGeneveProfileOptionsMax; i++) {
    if (i >= profile->options) break;
    const struct geneve_option* option = &profile->option[i];
    at = forget(at);
    if (at > kGeneveOptionsLengthMax) return 0;
    __u8* place = out + at;
    if (place + 8 > end) return 0;
    store_be16(place, profile->option_class);
    place[2] = option->type;
    place[3] = option->words;
    if (option->field == kGeneveWord) {
      store_be32(place + 4, header->flow_cookie);
    } else {
      if (place + 12 > end) return 0;
      store_be64(place + 4,
                 option->field == kGeneveEndpointId ? header->endpoint_id : header->attachment_id);
    }
    at += 4 + option->words * 4u;
  }
  return 1;
}

// The same where there is that much room (at most 8 + 4 * (4 + 8) bytes).
SLUICE_INLINE void geneve_encode(__u8* out, const struct geneve_profile* profile,
                                 const struct geneve* header) {
  (void)geneve_encode_within(out, out + profile->header_length, profile, header);
}

// The value of an option of the profile. 0 if it does not fit.
SLUICE_INLINE int geneve_take(struct geneve* out, const struct geneve_option* option,
                              const __u8* value, const __u8* end) {
  if (option->field == kGeneveWord) {
    if (value + 4 > end) return 0;
    out->flow_cookie = load_be32(value);
    return 1;
  }
  if (value + 8 > end) return 0;
  if (option->field == kGeneveEndpointId)
    out->endpoint_id = load_be64(value);
  else
    out->attachment_id = load_be64(value);
  return 1;
}

// The layout that geneve_encode writes, which nearly every appliance echoes: compared word by word
// instead of walked. Returns whether it is that; header_length bytes are there.
SLUICE_INLINE int geneve_decode_as_encoded(const __u8* data, const __u8* end,
                                           const struct geneve_profile* profile,
                                           struct geneve* out) {
  if (out->header_length != profile->header_length || data + profile->header_length > end) return 0;
  __u32 at = kGeneveBaseLength;
  for (int i = 0; i < kGeneveProfileOptionsMax; i++) {
    if (i >= profile->options) break;
    const struct geneve_option* option = &profile->option[i];
    const __u32 expected =
        (__u32)profile->option_class << 16 | (__u32)option->type << 8 | option->words;
    if (load_be32(data + at) != expected) return 0;
    if (!geneve_take(out, option, data + at + 4, end)) return 0;
    at += 4 + option->words * 4u;
  }
  return 1;
}

// Options in any order, with others between them.
SLUICE_INLINE enum DropReason geneve_walk_options(const __u8* data, const __u8* end,
                                                  const struct geneve_profile* profile,
                                                  struct geneve* out) {
  const __u32 options_end = out->header_length;
  __u32 found = 0;
  __u32 at = kGeneveBaseLength;
  for (int i = 0; i < kGeneveOptionsMax; i++) {
    at = forget(at);
    found = forget(found);
    if (at >= options_end) break;
    if (at > kGeneveBaseLength + kGeneveOptionsLengthMax) return kDropGeneveTruncated;
    const __u8* option = data + at;
    if (option + 4 > end) return kDropGeneveTruncated;
    const __u32 words = option[3] & 0x1f;
    if (at + 4 + words * 4 > options_end) return kDropGeneveTruncated;
    int known = 0;
    if (load_be16(option) == profile->option_class) {
      for (int k = 0; k < kGeneveProfileOptionsMax; k++) {
        if (k >= profile->options || profile->option[k].type != option[2]) continue;
        if (profile->option[k].words != words) return kDropGeneveOptionMissing;
        if (!geneve_take(out, &profile->option[k], option + 4, end)) return kDropGeneveTruncated;
        found |= 1u << k;
        known = 1;
        break;
      }
    } else if (load_be16(option) == kGeneveHintClass && option[2] == kGeneveHintType &&
               words == 1) {
      if (option + 8 > end) return kDropGeneveTruncated;
      const __u32 hint = load_be32(option + 4);
      out->hint = hint > 0xffff ? 0 : (__u16)hint;
    }
    if (!known && (option[2] & 0x80)) return kDropGeneveCriticalOption;
    at += 4 + words * 4;
  }
  return found == (1u << profile->options) - 1 ? kDropNone : kDropGeneveOptionMissing;
}

// The base header; what the options say is 0 then.
SLUICE_INLINE enum DropReason geneve_decode_base(const __u8* data, const __u8* end,
                                                 struct geneve* out) {
  if (data + kGeneveBaseLength > end) return kDropGeneveTruncated;
  if (data[0] >> 6 != 0) return kDropGeneveVersion;
  if (data[1] & 0x80) return kDropGeneveControl;
  const __u32 options_end = kGeneveBaseLength + (data[0] & 0x3f) * 4u;
  if (data + options_end > end) return kDropGeneveTruncated;
  out->protocol = load_be16(data + 2);
  if (out->protocol != kEtherTypeIpv4 && out->protocol != kEtherTypeIpv6)
    return kDropGeneveProtocol;
  out->vni = load_be32(data + 4) >> 8;
  out->header_length = options_end;
  out->endpoint_id = 0;
  out->attachment_id = 0;
  out->flow_cookie = 0;
  out->hint = 0;
  return kDropNone;
}

// Reads the header at `data`. Options may come in any order and with unknown ones between them; an
// unknown critical one refuses the packet. Every field of the profile must be there, once or more
// (the last counts), with its exact length.
SLUICE_INLINE enum DropReason geneve_decode(const __u8* data, const __u8* end,
                                            const struct geneve_profile* profile,
                                            struct geneve* out) {
  const enum DropReason reason = geneve_decode_base(data, end, out);
  if (reason != kDropNone) return reason;
  if (geneve_decode_as_encoded(data, end, profile, out)) return kDropNone;
  return geneve_walk_options(data, end, profile, out);
}

SLUICE_END
