// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// A probe through the tunnel: a packet of the gateway's own that an appliance is given like any
// other and has to return. That it comes back shows that the appliance's packet path works, which
// no connection to a health port does.
//
// Inside is UDP between two addresses that documents use as examples and nobody else (RFC 5737), to
// the discard port: it means nothing to anybody, and if it gets out it goes nowhere. Its payload
// begins with a token that sluiced expects back; what follows tells people what it is.
#pragma once

#include "gateway/datapath/encapsulate.h"

SLUICE_GATEWAY_BEGIN

enum {
  kProbeSource = 0xc0000201,       // 192.0.2.1
  kProbeDestination = 0xc6336401,  // 198.51.100.1
  kProbePort = 9,
  kProbePayloadLength = 24,  // 8 of them the token
  kProbeLength = 20 + 8 + kProbePayloadLength,
};

enum ProbeReturn {
  kProbeNone = 0,   // it is no probe
  kProbeTaken = 1,  // the one that is expected
  kProbeStale = 2,  // another one
};

// Whether a packet has the ends of a probe.
SLUICE_INLINE int packet_is_probe(const struct packet* p) {
  const struct tuple* t = &p->tuple;
  return t->version == 4 && t->protocol == kProtocolUdp && (p->flags & kPacketHasPorts) &&
         t->source[0] == swap_be32(kProbeSource) &&
         t->destination[0] == swap_be32(kProbeDestination) &&
         t->destination_port == swap_be16(kProbePort);
}

// Whether a datagram of target `from` is a probe, and notes it if so. Asked only of what belongs to
// no flow.
SLUICE_STAGE enum ProbeReturn probe_take(const struct path_tables* tables, frame* f,
                                         const struct datagram* d, __u32 from) {
  if (!d) return kProbeNone;
  if (!packet_is_probe(&d->inner)) return kProbeNone;
  struct tunnel_probe* probe = table_tunnel_probes(tables, from);
  const __u32 offset = d->inner.l4_offset + 8;
  if (!probe || offset > kHeaderOffsetMax + 8) return kProbeStale;
  const __u8* token = frame_data(f) + offset;
  if (token + 8 > frame_end(f)) return kProbeStale;
  const __u64 expected = probe->expected;
  if (expected == 0 || load_u64(token) != expected) return kProbeStale;
  probe->returned = expected;
  return kProbeTaken;
}

SLUICE_END
