// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Steps that packets take on both ways through the path: with a record of their flow (path.h), and
// without one (unrecorded_path.h).
#pragma once

#include "gateway/datapath/answer.h"
#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/fragment.h"
#include "gateway/datapath/plain.h"
#include "gateway/datapath/tunnel_probe.h"
#include "gateway/nlb/stage.h"

SLUICE_GATEWAY_BEGIN

// The frame's headers. A frame that is not IP has version 0 in its tuple and no error; what stands
// behind a third tag could be IP to somebody further on.
SLUICE_STAGE enum DropReason frame_parse(frame* f, struct packet* p) {
  if (!p) return kDropFrameTruncated;
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  const __u16 ether_type = parse_ethernet(data, end, p);
  if (ether_type == 0) return kDropFrameTruncated;
  p->tuple.version = 0;
  if (is_vlan_tag(ether_type)) return kDropVlanTags;
  if (ether_type != kEtherTypeIpv4 && ether_type != kEtherTypeIpv6) return kDropNone;
  if (frame_tag(f) != 0 && p->vlan_tags == kVlanTagsMax) return kDropVlanTags;
  return parse_ip_within(data, end, frame_length(f), ether_type == kEtherTypeIpv4 ? 4 : 6, p);
}

// The same with as much of the frame at hand as it takes; pointers into the frame are void.
SLUICE_INLINE enum DropReason frame_read(frame* f, struct packet* p) {
  if (frame_parse_plain(f, p)) return kDropNone;
  enum DropReason reason = frame_parse(f, p);
  if ((reason != kDropNone || !(p->flags & kPacketHasPorts)) && frame_pull(f))
    reason = frame_parse(f, p);
  return reason;
}
SLUICE_INLINE enum DropReason datagram_read(const struct path_tables* tables, frame* f,
                                            struct datagram* d) {
  enum DropReason reason = datagram_parse(tables, f, d);
  if ((!d->ours || reason != kDropNone || !(d->inner.flags & kPacketHasPorts)) && frame_pull(f))
    reason = datagram_parse(tables, f, d);
  return reason;
}

// A packet that does not fit the tunnel with its new headers: its sender is told what does.
SLUICE_INLINE enum Verdict path_too_big(struct passage* way, frame* f, struct packet* p,
                                        const struct flow_record* record, int from_backend,
                                        __u32 mtu, __u32 interface) {
  // An NLB target must find its own address in the quoted packet.
  if (from_backend) nlb_undo_return(way->tables, f, p, record->backend);
  if (mtu == 0 || !answer_too_big(f, p, mtu)) return path_drop(way, kDropTooBig);
  path_drop(way, kDropTooBig);
  way->departure.interface = interface;
  return kVerdictAnswered;
}

// Whether a packet that is too big for the way to its target may be cut (RFC 791 section 3.2).
SLUICE_INLINE int path_may_cut(const frame* f, const struct packet* p, __u32 mtu) {
  if (frame_longest(f, p) <= mtu || p->tuple.version != 4) return 0;
  if (frame_is_many(f)) return 0;
  const __u8* ip = frame_data(f) + (p->l3_offset & 31);
  return ip + 20 <= frame_end(f) && !(ip[6] & 0x40);
}

// Such a packet: the slow path cuts it. Its fragments will be counted.
SLUICE_INLINE enum Verdict path_cut(struct passage* way, frame* f, __u32 interface, __u32 mtu) {
  if (frame_is_slow(f) == kSlowPiece || mtu == 0) return path_drop(way, kDropTooBig);
  if (path_hand_over(way, f, interface, mtu) != 0) return path_drop(way, kDropSlowPathFull);
  return kVerdictSlowPath;
}

// Puts back the header that this direction's frames came with, or the other direction's turned
// round when nothing has come this way yet (an appliance's reset, say).
SLUICE_INLINE enum DropReason restore_layer2(const struct passage* way, frame* f,
                                             struct packet* inner, __u16 own, __u16 other) {
  int swapped = 0;
  const struct layer2* header = layer2_get(way->tables, own);
  if (!header) {
    header = layer2_get(way->tables, other);
    swapped = 1;
  }
  return header ? decapsulate(f, inner, header, swapped) : kDropLayer2Gone;
}

// A datagram that belongs to no flow, or is not its flow's: a returned probe, or dropped as what
// `reason` says.
SLUICE_INLINE enum Verdict path_stray(struct passage* way, frame* f, const struct datagram* d,
                                      enum DropReason reason) {
  if (d->from == kNone16) return path_drop(way, kDropSourceUnregistered);
  const enum ProbeReturn probe = probe_take(way->tables, f, d, d->from & (kAppliancesMax - 1));
  if (probe == kProbeTaken) return kVerdictProbe;
  return path_drop(way, probe == kProbeStale ? kDropProbeStale : reason);
}

SLUICE_END
