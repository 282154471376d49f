// SPDX-License-Identifier: Apache-2.0
// The part of Inspector that finds the packets to inspect: whole ones, in fragments and in tunnels.
#include <algorithm>

#include "inspect/match/inspector.h"
#include "inspect/stream/decode_event.h"
#include "inspect/stream/urgent.h"

namespace sluice::inspect {
namespace {

constexpr int kLinkEthernet = 1;  // of libpcap

uint64_t joined(uint64_t network, uint64_t part) {
  network = (network ^ part) * 0xff51afd7ed558ccd + 1;
  return network ^ network >> 32;
}

// Whose addresses they are: other endpoints, VLANs and tunnels lead to other hosts with the same
// ones. Of a tunnel its end counts, which takes packets of any sender to the same hosts.
uint64_t network_of(const Frame& frame) {
  if (frame.depth != 0) return frame.network;
  return joined(joined(0, frame.endpoint), uint64_t{frame.vlans[0]} << 16 | frame.vlans[1]);
}

uint64_t network_inside(const Frame& around, const PacketView& outer) {
  uint64_t network = joined(network_of(around), tunnel_network(outer.ip, outer.packet));
  for (const uint32_t word : outer.packet.tuple.destination) network = joined(network, word);
  return network;
}

}  // namespace

Verdict Inspector::inspect(std::span<const uint8_t> ip, int64_t time_us, Responses& responses,
                           const Frame& frame) {
  frame_ = &frame;
  reports_.set_frame(&frame);
  const Verdict verdict = inspect_ip(ip, time_us, responses);
  frame_ = nullptr;
  reports_.set_frame(nullptr);
  return verdict;
}

Verdict Inspector::inspect_ip(std::span<const uint8_t> ip, int64_t time_us, Responses& responses) {
  responses.clear();
  now_us_ = std::max(now_us_, time_us);
  count_frame(ip.size());
  const auto view = view_packet(ip);
  if (!view) return drop_malformed(ip, time_us, responses);
  if (view->packet.flags & tunnels::kPacketFragment)
    return inspect_fragment(*view, time_us, responses);
  return inspect_view(*view, time_us, responses);
}

void Inspector::count_frame(size_t ip_length) {
  const uint64_t length = std::max<uint64_t>(frame_->length, ip_length);
  counters_.packets++;
  counters_.bytes += length;
  counters_.bytes_max = std::max(counters_.bytes_max, length);
  if (frame_->link_type == kLinkEthernet) counters_.ethernet++;
  if (frame_->vlans[0] != 0) counters_.vlan++;
  if (frame_->vlans[1] != 0) counters_.vlan_qinq++;
}

void Inspector::count_addresses(const PacketView& view) {
  (view.packet.tuple.version == 6 ? counters_.ipv6 : counters_.ipv4)++;
}

void Inspector::count(ByProtocol& counters, const PacketView& view) {
  if (view.is_tcp())
    counters.tcp++;
  else if (view.is_udp())
    counters.udp++;
  else if (view.is_icmp())
    (view.packet.tuple.version == 6 ? counters.icmpv6 : counters.icmpv4)++;
}

void Inspector::count_flags(const PacketView& view) {
  const uint8_t flags = view.packet.tcp_flags;
  if (!view.is_tcp() || (flags & (tunnels::kTcpSyn | tunnels::kTcpRst)) == 0) return;
  if (flags & tunnels::kTcpSyn)
    (flags & tunnels::kTcpAck ? counters_.tcp_synack : counters_.tcp_syn)++;
  if (flags & tunnels::kTcpRst) counters_.tcp_rst++;
}

void Inspector::count_tunnel(const PacketView& outer, const PacketView& inner) {
  counters_.tunnelled++;
  const bool ipv6_inside = inner.packet.tuple.version == 6;
  switch (tunnel_kind(outer.packet.tuple)) {
    case TunnelKind::kIp:
      if (outer.packet.tuple.version == 6)
        (ipv6_inside ? counters_.ipv6_in_ipv6 : counters_.ipv4_in_ipv6)++;
      break;
    case TunnelKind::kGre:
      counters_.gre++;
      break;
    case TunnelKind::kVxlan:
      counters_.vxlan++;
      break;
    case TunnelKind::kGeneve:
      counters_.geneve++;
      break;
    case TunnelKind::kOther:
      break;
  }
}

// Rules may speak of it; nobody receives it anyway.
Verdict Inspector::drop_malformed(std::span<const uint8_t> ip, int64_t time_us,
                                  Responses& responses) {
  const PacketView view = headers_of(ip);
  const DecodeEvent event = asks_for_decode_events() ? decode_event_of(ip) : DecodeEvent::kNone;
  if (!is_dropped_as_no_packet(view, time_us, event, responses)) counters_.dropped_malformed++;
  return Verdict::kDrop;
}

Verdict Inspector::refuse_fragment(const PacketView& fragment, int64_t time_us, FragmentState why,
                                   Responses& responses) {
  const DecodeEvent event = asks_for_decode_events()
                                ? fragment_event_of(fragment.packet.tuple.version, why)
                                : DecodeEvent::kNone;
  if (is_dropped_as_no_packet(fragment, time_us, event, responses)) return Verdict::kDrop;
  return verdicts_.except_fragment(fragment, time_us, why);
}

bool Inspector::asks_for_decode_events() const {
  return !engine_->decode_event_rules().empty() || reports_.anomalies().decode;
}

// By a rule, which has counted it. What none drops waits for its verdict.
bool Inspector::is_dropped_as_no_packet(const PacketView& view, int64_t time_us, DecodeEvent event,
                                        Responses& responses) {
  check_.begin_packet();
  if (event == DecodeEvent::kNone) return false;
  if (reports_.anomalies().decode)
    reports_.decode_anomaly(view.ip, view.packet.tuple, time_us, decode_event_name(event));
  Flows::Record none;
  Current current{view, none, Direction::kToServer, time_us, false};
  add(current.decode_events, event);
  current.is_packet = false;
  for (const uint32_t index : engine_->decode_event_rules()) match_in_packet(current, index);
  return is_dropped_by_matches(current, responses, KeptBack::kYes);
}

// By a rule. What none drops is judged with its datagram.
bool Inspector::is_dropped_as_fragment(const PacketView& fragment, int64_t time_us,
                                       Responses& responses) {
  if (engine_->fragment_rules().empty()) return false;
  check_.begin_packet();
  Flows::Record none;
  Current current{fragment, none, Direction::kToServer, time_us, false};
  current.is_packet = false;
  current.about_known_flow = true;  // the default action, too, waits for the datagram
  for (const uint32_t index : engine_->fragment_rules()) {
    const Rule& rule = engine_->rule(index).rule;
    const bool of_flow = rule.flow.to_server || rule.flow.to_client;
    if (!of_flow && Engine::is_about(rule, fragment.packet.tuple.protocol))
      match_in_packet(current, index);
  }
  return is_dropped_by_matches(current, responses, KeptBack::kNo);
}

// If none does, it counts as nothing yet.
bool Inspector::is_dropped_by_matches(const Current& current, Responses& responses, KeptBack kept) {
  if (check_.matches().empty()) return false;
  if (verdicts_.conclude(current, check_.matches(), responses, kept) == Verdict::kDrop) return true;
  counters_.passed--;  // as which the rules have counted it
  return false;
}

// It goes on: rules that speak of its headers hold together with all others.
void Inspector::tell_header_events(const Current& current) {
  if (current.decode_events.none()) return;
  if (reports_.anomalies().decode) {
    for (const auto& [name, event] : kDecodeEvents)
      if (has(current.decode_events, event)) reports_.header_anomaly(current.about(), name);
  }
  for (const uint32_t index : engine_->decode_event_rules()) match_in_packet(current, index);
}

// Fragments wait for nobody: all but the one that completes the datagram pass, and that one shares
// the verdict on the whole.
Verdict Inspector::inspect_fragment(const PacketView& fragment, int64_t time_us,
                                    Responses& responses) {
  count_addresses(fragment);
  if (is_dropped_as_fragment(fragment, time_us, responses)) return Verdict::kDrop;
  const auto added = defragmenter_.add(fragment.ip, fragment.packet, time_us, network_of(*frame_));
  if (added.state == FragmentState::kHeld) {
    counters_.passed++;
    return Verdict::kPass;
  }
  if (added.state != FragmentState::kComplete) {
    return refuse_fragment(fragment, time_us, added.state, responses);
  }
  const auto whole = view_packet(added.datagram);
  if (!whole || (whole->packet.flags & tunnels::kPacketFragment)) {
    const Verdict verdict = drop_malformed(added.datagram, time_us, responses);
    defragmenter_.refuse(added);
    return verdict;
  }
  // Of a segment in fragments clear_urgent() can change nothing.
  if (is_urgent(whole->packet)) {
    defragmenter_.refuse(added);
    return refuse_fragment(fragment, time_us, FragmentState::kInvalid, responses);
  }
  const Verdict verdict = inspect_view(*whole, time_us, responses);
  if (verdict == Verdict::kDrop) defragmenter_.refuse(added);
  return verdict;
}

// The packet in a tunnel shares its way, so both must pass. It counts for both.
Verdict Inspector::inspect_view(const PacketView& view, int64_t time_us, Responses& responses) {
  count_addresses(view);
  count(counters_.decoded, view);
  const uint64_t passed = counters_.passed;
  const Verdict verdict = inspect_packet(view, time_us, responses);
  if (verdict == Verdict::kDrop || depth_ == kTunnelDepthMax) return verdict;
  const auto inside = tunnel_payload(view.ip, view.packet);
  if (inside.empty()) return verdict;
  const auto inner = view_packet(inside);
  if (!inner) return verdict;
  (counters_.passed != passed ? counters_.passed : counters_.passed_by_flow)--;
  return inspect_inside(view, *inner, time_us);
}

// Who ends a connection in a tunnel cannot be told through it: only the packet is kept back.
Verdict Inspector::inspect_inside(const PacketView& outer, const PacketView& inner,
                                  int64_t time_us) {
  count_tunnel(outer, inner);
  // Its urgent data cannot be made like any other: clear_urgent() sees the outer packet only.
  if (is_urgent(inner.packet)) {
    counters_.dropped_malformed++;
    return Verdict::kDrop;
  }
  const Frame* const around = frame_;
  Frame frame;
  frame.number = around->number;
  std::ranges::copy(around->vlans, frame.vlans);
  frame.outer = &outer.packet.tuple;
  frame.depth = ++depth_;
  frame.network = network_inside(*around, outer);
  frame.waited_us = around->waited_us;
  frame_ = &frame;
  reports_.set_frame(&frame);
  Responses untold;
  const bool fragment = inner.packet.flags & tunnels::kPacketFragment;
  const Verdict verdict =
      fragment ? inspect_fragment(inner, time_us, untold) : inspect_view(inner, time_us, untold);
  depth_--;
  frame_ = around;
  reports_.set_frame(around);
  return verdict;
}

}  // namespace sluice::inspect
