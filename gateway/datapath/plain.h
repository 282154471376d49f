// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What nearly every packet is, read at once and in line: whole, IPv4 without options, TCP or UDP.
// Everything else is left to the parsers (tunnels/packet.h), which stand apart in the kernel host
// and find the same in such a packet.
#pragma once

#include "gateway/datapath/encapsulate.h"

SLUICE_GATEWAY_BEGIN

// As parse_ip_within(), of a packet with at least 20 bytes behind its IP header. 0: it is another
// one, and *p is not set.
SLUICE_INLINE int parse_plain(const __u8* data, const __u8* end, __u32 length, struct packet* p) {
  const __u8* ip = data + p->l3_offset;
  if (ip + 40 > end || ip[0] != 0x45 || (load_be16(ip + 6) & 0x3fff) != 0) return 0;
  const __u8 protocol = ip[9];
  if (protocol != kProtocolTcp && protocol != kProtocolUdp) return 0;
  p->l3_length = load_be16(ip + 2);
  if (p->l3_length < 40 || p->l3_offset + p->l3_length > length) return 0;
  p->l4_offset = p->l3_offset + 20;
  p->flags = kPacketHasPorts;
  p->tcp_flags = protocol == kProtocolTcp ? ip[33] : 0;
  __builtin_memset(&p->tuple, 0, sizeof(p->tuple));
  p->tuple.source[0] = load_u32(ip + 12);
  p->tuple.destination[0] = load_u32(ip + 16);
  p->tuple.source_port = load_u16(ip + 20);
  p->tuple.destination_port = load_u16(ip + 22);
  p->tuple.protocol = protocol;
  p->tuple.version = 4;
  return 1;
}

// The same of a frame without tags around it.
SLUICE_INLINE int frame_parse_plain(const frame* f, struct packet* p) {
  SLUICE_OPAQUE(f);  // the verifier (6.x) wants the context's fields read at constant offsets
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (data + kEtherHeaderLength > end || frame_tag(f) != 0) return 0;
  if (load_be16(data + 12) != kEtherTypeIpv4) return 0;
  p->l3_offset = kEtherHeaderLength;
  p->vlan_tags = 0;
  return parse_plain(data, end, frame_length(f), p);
}

// As datagram_parse(), of a datagram over IPv4 in the profile aws, with its options as they were
// sent and such a packet inside, from a target that stands at its home. 0: it is another one.
SLUICE_INLINE int datagram_parse_plain(const struct path_tables* tables,
                                       const struct settings* settings, const frame* f,
                                       struct datagram* d) {
  SLUICE_OPAQUE(f);
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (data + kTargetHeaderLength > end || frame_tag(f) != 0) return 0;
  const __u8* ip = data + kOuterIp;
  const __u8* udp = data + kOuterUdp;
  if (load_be16(data + 12) != kEtherTypeIpv4 || ip[0] != 0x45 || ip[9] != kProtocolUdp ||
      (load_be16(ip + 6) & 0x3fff) != 0 || load_u32(ip + 16) != settings->tunnel_address ||
      load_be16(udp + 2) != settings->tunnel_port)
    return 0;
  const __u32 ip_length = load_be16(ip + 2);
  const __u32 udp_length = load_be16(udp + 4);
  if (kOuterIp + ip_length > frame_length(f) || udp_length + 20 > ip_length) return 0;

  const __u32 address = load_u32(ip + 12);
  const struct source* s = table_sources(tables, source_home(address));
  if (!s || !s->in_use || s->address != address || s->target >> kSourceProfile != 0) return 0;
  const struct geneve_profile aws = SLUICE_GENEVE_AWS;
  const __u8* geneve = data + kOuterGeneve;
  if (geneve_decode_base(geneve, end, &d->geneve) != kDropNone ||
      !geneve_decode_as_encoded(geneve, end, &aws, &d->geneve) ||
      d->geneve.protocol != kEtherTypeIpv4)
    return 0;
  d->ours = 1;
  d->from = s->target;
  d->inner.l3_offset = kTargetHeaderLength;
  d->inner.vlan_tags = 0;
  if (!parse_plain(data, end, frame_length(f), &d->inner)) return 0;
  return (__u32)kTargetHeaderLength - kOuterUdp + d->inner.l3_length <= udp_length;
}

// As flow_find(), of a flow of IPv4 that stands at home, as nearly all do. kFlowNotFound: it may be
// elsewhere.
SLUICE_INLINE __u32 flow_find_home(const struct path_tables* tables,
                                   const struct settings* settings,
                                   const struct flow_query* query) {
  if (query->key.version != 4) return kFlowNotFound;
  const __u32 bucket_index = (__u32)query->hash & settings->flow_bucket_mask;
  const struct flow_bucket* bucket = table_flow_buckets(tables, bucket_index);
  if (!bucket) return kFlowNotFound;
  const __u32 home = flow_home(query->hash);
  const __u64 entry = bucket->entry[home];
  const struct flow_record* record = &bucket->record[home];
  if ((entry ^ query->hash) >> 8 != 0 || flow_entry_state(entry) == kFlowEmpty ||
      record->key.version != 4 || !flow_key_equal(&record->key, &query->key))
    return kFlowNotFound;
  if (query->attachment == kNone16) {
    const struct attachment* at = table_attachments(tables, record->attachment);
    if (!at || at->endpoint_id != query->endpoint_id) return kFlowNotFound;
  } else if (record->attachment != query->attachment) {
    return kFlowNotFound;
  }
  return bucket_index * kFlowWays + home;
}

// Where a flow stands, at home or elsewhere; kFlowNotFound: nowhere.
SLUICE_INLINE __u32 flow_look_up(const struct path_tables* tables, const struct settings* settings,
                                 struct flow_query* query) {
  const __u32 home = flow_find_home(tables, settings, query);
  return home != kFlowNotFound ? home : flow_find(tables, query);
}

SLUICE_END
