// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Why a packet was dropped. One list makes the enum, the names, the counters and
// docs/drop-reasons.md.
#pragma once

#include "tunnels/integers.h"

// X(enumerator, name, what happened and what to do about it)
#define SLUICE_DROP_REASONS(X)                                                                    \
  X(kDropNone, "none", "Not dropped.")                                                            \
  X(kDropFrameTruncated, "frame_truncated",                                                       \
    "The frame ends inside its Ethernet, VLAN or IP header.")                                     \
  X(kDropIpInvalid, "ip_invalid",                                                                 \
    "The IP header contradicts itself: version, header length or total length.")                  \
  X(kDropExtensionHeaders, "extension_headers",                                                   \
    "More than 8 IPv6 extension headers, or 512 bytes of them, or one that runs past the "        \
    "packet.")                                                                                    \
  X(kDropTransportTruncated, "transport_truncated",                                               \
    "The packet is not a fragment but ends inside its TCP or UDP header.")                        \
  X(kDropNoTargetGroup, "no_target_group",                                                        \
    "The attachment's load balancer has no target group; configure a listener for it.")           \
  X(kDropNoTarget, "no_target",                                                                   \
    "The target group has no target to send to; see `sluice targets health`.")                    \
  X(kDropFlowTableFull, "flow_table_full",                                                        \
    "The flow's bucket holds only established flows that are not idle, and the flow cannot do "   \
    "without a record (docs/features/floods.md); raise flow_table.flows_max.")                    \
  X(kDropLayer2TableFull, "layer2_table_full",                                                    \
    "Too many distinct MAC and VLAN pairs are in use at once; the frame's pair found no place.")  \
  X(kDropNeighbourUnresolved, "neighbour_unresolved",                                             \
    "The MAC address of the target, or of the router to it, is not known yet.")                   \
  X(kDropTooBig, "too_big",                                                                       \
    "The packet with its encapsulation (68 bytes in the profile aws) does not fit the MTU "       \
    "towards the target.")                                                                        \
  X(kDropNoRoom, "no_room", "The frame's buffer has no head room left for the new headers.")      \
  X(kDropOuterInvalid, "outer_invalid",                                                           \
    "A datagram to the GENEVE port with a bad outer IP or UDP header, a fragment of one, or one " \
    "with IPv6 extension headers outside.")                                                       \
  X(kDropGeneveTruncated, "geneve_truncated",                                                     \
    "The datagram ends inside the GENEVE header or an option.")                                   \
  X(kDropGeneveVersion, "geneve_version", "GENEVE version other than 0.")                         \
  X(kDropGeneveControl, "geneve_control",                                                         \
    "A GENEVE control (OAM) packet; the gateway takes none.")                                     \
  X(kDropGeneveProtocol, "geneve_protocol", "The GENEVE payload is neither IPv4 nor IPv6.")       \
  X(kDropGeneveCriticalOption, "geneve_critical_option",                                          \
    "A critical GENEVE option that the gateway does not know (RFC 8926 section 3.5).")            \
  X(kDropGeneveOptionMissing, "geneve_option_missing",                                            \
    "One of the profile's options is absent or has another length; echo the header unchanged.")   \
  X(kDropInnerInvalid, "inner_invalid",                                                           \
    "The packet inside a returned datagram is malformed or cut off.")                             \
  X(kDropSourceUnregistered, "source_unregistered",                                               \
    "A GENEVE datagram from an address that is no registered target.")                            \
  X(kDropFlowUnknown, "flow_unknown",                                                             \
    "A returned packet that belongs to no flow; appliances cannot open flows.")                   \
  X(kDropTargetMismatch, "target_mismatch",                                                       \
    "A registered target returned a packet of a flow that was sent to another target.")           \
  X(kDropCookieMismatch, "cookie_mismatch", "A returned packet without its flow's cookie.")       \
  X(kDropCookieExpired, "cookie_expired",                                                         \
    "A returned packet with the cookie before its flow's current one, too late.")                 \
  X(kDropEndpointMismatch, "endpoint_mismatch",                                                   \
    "A returned packet with an endpoint, network or attachment id that is not its flow's.")       \
  X(kDropLayer2Gone, "layer2_gone",                                                               \
    "The MAC pair to deliver with was replaced while the packet was at the appliance.")           \
  X(kDropNlbNoTarget, "nlb_no_target", "The NLB listener's target group has no healthy target.")  \
  X(kDropNlbTupleConflict, "nlb_tuple_conflict",                                                  \
    "A flow would look to an NLB target like an NLB flow that it has; the later one is refused.") \
  X(kDropNlbTranslation, "nlb_translation",                                                       \
    "A packet of an NLB flow whose listener was removed, or an ICMP error about one that is "     \
    "not for its listener, or quotes a packet shorter than its own headers.")                     \
  X(kDropFlowExpired, "flow_expired",                                                             \
    "A TCP packet of a flow that has idled out; only a SYN begins it again.")                     \
  X(kDropFlowNotBegun, "flow_not_begun",                                                          \
    "A TCP packet that opens no connection and belongs to none, at a listener with "              \
    "sluice.unknown_tcp_flow drop, or send_tcp_reset.on_idle_timeout.enabled.")                   \
  X(kDropTargetLost, "target_lost",                                                               \
    "A TCP packet whose flow's target is unhealthy or deregistered, in a group that resets such " \
    "flows.")                                                                                     \
  X(kDropProbeStale, "probe_stale",                                                               \
    "A probe through the tunnel came back that is not the one its target was sent last.")         \
  X(kDropFragmentInvalid, "fragment_invalid",                                                     \
    "An IP fragment without payload, that ends past 65,535 bytes, that is itself in fragments, "  \
    "or that is not the last and not a multiple of 8 bytes.")                                     \
  X(kDropFragmentTiny, "fragment_tiny",                                                           \
    "The first fragment of a packet is too short for its extension headers, or for its TCP or "   \
    "UDP header.")                                                                                \
  X(kDropFragmentOverlap, "fragment_overlap",                                                     \
    "An IP fragment that overlaps another of its datagram, or repeats it.")                       \
  X(kDropFragmentEarly, "fragment_early",                                                         \
    "An IP fragment whose first one did not come within 2 s: only that one has the ports.")       \
  X(kDropSlowPathFull, "slow_path_full",                                                          \
    "A packet that has to wait for a fragment, or to be cut into some, and could not: too many "  \
    "do, or sluiced does not run.")                                                               \
  X(kDropPolicy, "policy",                                                                        \
    "A rule of gateway.policy with the action drop; the counters of the rules tell which.")       \
  X(kDropNewFlowRate, "new_flow_rate",                                                            \
    "The packet would open a flow, its endpoint has opened more than "                            \
    "sluice.new_flows_per_second, and the flow cannot do without a record: it is an NLB "         \
    "listener's, or its rule has a chain or passes inspection.")                                  \
  X(kDropSuperPacket, "super_packet",                                                             \
    "Many packets in one piece of a kind that the TC entry cannot carry: of a tunnel, SCTP, or "  \
    "an appliance's datagrams; switch that offload off where they are made (`ethtool -K`).")      \
  X(kDropVlanTags, "vlan_tags",                                                                   \
    "More than two VLAN tags, so that nobody can tell whether there is a packet of IP behind "    \
    "them; take one away before the gateway.")

SLUICE_BEGIN

enum DropReason {
#define X(enumerator, name, text) enumerator,
  SLUICE_DROP_REASONS(X)
#undef X
      kDropReasonCount
};

SLUICE_END

#ifdef __cplusplus
#include <string_view>
namespace sluice::tunnels {
// "cookie_mismatch", and the sentence about it.
std::string_view drop_reason_name(DropReason reason);
std::string_view drop_reason_text(DropReason reason);
}  // namespace sluice::tunnels
#endif
