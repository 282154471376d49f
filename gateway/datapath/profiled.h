// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Encapsulation in another profile than AWS's: what the row of the profile says, where
// encapsulate.h has the bytes of the one that nearly everybody speaks at known places. And what is
// encapsulated over IPv6, in whatever profile.
#pragma once

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/layer2.h"
#include "gateway/datapath/outer_ipv6.h"
#include "tunnels/checksum.h"

SLUICE_GATEWAY_BEGIN

enum {
  // `what` of encapsulate_as: whether the packet comes from the inside, if its flow has no record
  // that says so; the target, and the cookie.
  kWhatTarget = 1,
  kWhatCookie = 32,
};

// The outer source port of a flow: the same for both directions, never 6081.
SLUICE_INLINE __u16 entropy_port(__u64 hash) { return (__u16)(hash >> 16 | 0x8000); }

// The profile of the registered target that `from` says.
SLUICE_INLINE const struct geneve_profile* profile_of_source(const struct path_tables* tables,
                                                             __u32 from) {
  return table_profiles(tables, from >> kSourceProfile);
}

// Whether a registered target's profile is another than AWS's.
SLUICE_INLINE int source_is_profiled(__u32 from) {
  return from != kNone16 && from >> kSourceProfile != 0;
}

// The first `length` bytes of the target's header, kOuterLength4 or kOuterLength6.
SLUICE_INLINE int write_outer(__u8* data, const __u8* end, const struct target* target,
                              __u32 length) {
  if (data + 2 > end) return 0;
  store_u16(data, load_u16(target->header));
  for (__u32 at = 2; at < kOuterLength6; at += 4) {
    if (at >= length) break;
    if (data + at + 4 > end) return 0;
    store_u32(data + at, load_u32(target->header + at));
  }
  return 1;
}

// Whether a packet of a flow comes from the inside; `otherwise`, if it has no record.
SLUICE_INLINE __u32 flow_is_leaving(const struct path_tables* tables,
                                    const struct flow_query* query, __u32 otherwise) {
  const struct flow_record* record = table_flow_records(tables, query->place);
  if (!record) return otherwise;
  return (query->direction == 0) != ((record->flags & kFlowFirstEndOutside) != 0);
}

// As encapsulate(), for a packet of the flow that `query` is about.
SLUICE_STAGE enum DropReason encapsulate_as(const struct path_tables* tables, frame* f,
                                            const struct packet* p, const struct flow_query* query,
                                            __u64 what) {
  const struct target* target = table_targets(tables, (__u32)what >> kWhatTarget);
  if (!p || !query || !target) return kDropNoTarget;
  const struct geneve_profile* profile = table_profiles(tables, target->profile);
  const struct attachment* attachment = table_attachments(tables, query->attachment);
  if (!profile || !attachment) return kDropNoTarget;
  struct geneve header;
  header.endpoint_id = attachment->endpoint_id;
  header.attachment_id = attachment->attachment_id;
  header.flow_cookie = (__u32)(what >> kWhatCookie);
  header.vni = 0;
  header.protocol = p->tuple.version == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
  geneve_say(profile, &header, flow_is_leaving(tables, query, what & 1));

  const __u32 outer = target->version == 6 ? kOuterLength6 : kOuterLength4;
  const __u32 length = outer + (profile->header_length & kProfileLengthMask);
  if (frame_wrap(f, p->l3_offset, length, target->version) != 0)
    return frame_is_many(f) ? kDropSuperPacket : kDropNoRoom;
  __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (!write_outer(data, end, target, outer)) return kDropNoRoom;
  if (!geneve_encode_within(data + outer, end, profile, &header)) return kDropNoRoom;
  const __u16 ip_length = (__u16)(p->l3_length + length - 14);
  if (outer == kOuterLength6) {
    if (data + kOuterLength6 > end) return kDropNoRoom;
    outer_ipv6_patch(data, ip_length - 40, query->hash, entropy_port(query->hash));
    return kDropNone;
  }
  const __u16 ip_length_field = swap_be16(ip_length);
  if (data + kOuterLength4 > end) return kDropNoRoom;
  store_u16(data + 16, ip_length_field);
  store_u16(data + 24, checksum_replace16(load_u16(data + 24), 0, ip_length_field));
  store_be16(data + 34, entropy_port(query->hash));
  store_be16(data + 38, ip_length - 20);
  return kDropNone;
}

// Reads the options of the GENEVE header at `offset`, after its base: those of the profile of the
// registered target that sends it. In one without a cookie its place has the target.
SLUICE_STAGE enum DropReason datagram_read_options(const struct path_tables* tables, frame* f,
                                                   __u32 offset, __u32 from, struct geneve* out) {
  if (from == kNone16) return kDropSourceUnregistered;
  const struct geneve_profile* profile = profile_of_source(tables, from);
  if (!profile || !out || offset > kHeaderOffsetMax) return kDropGeneveOptionMissing;
  const __u8* data = frame_data(f) + offset;
  const __u8* end = frame_end(f);
  const enum DropReason reason = geneve_walk_options(data, end, profile, out);
  if (reason != kDropNone) return reason;
  const __u32 network = geneve_hear(profile, out);
  if ((profile->flags & kGeneveHasNetwork) && network != geneve_network(out->endpoint_id))
    return kDropEndpointMismatch;
  if (!(profile->flags & kGeneveHasCookie)) out->flow_cookie = (from & (kAppliancesMax - 1)) << 16;
  return kDropNone;
}

SLUICE_END
