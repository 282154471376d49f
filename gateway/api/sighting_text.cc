// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/sighting_text.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "gateway/api/flows.h"
#include "gateway/control/controller.h"
#include "gateway/control/protocol_text.h"
#include "gateway/datapath/chain.h"
#include "gateway/flow_log/flow_line.h"

namespace sluice::gateway {
namespace {

using nlohmann::ordered_json;

// What a frame of a tunnel says outside of its packet.
struct Outer {
  std::string source, destination;
  uint32_t cookie = 0;
};

// Of whole headers; else empty.
Outer read_outer(std::span<const uint8_t> bytes) {
  Outer out;
  packet p{};
  const uint16_t type = parse_ethernet(bytes.data(), bytes.data() + bytes.size(), &p);
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) return out;
  const uint8_t version = type == kEtherTypeIpv4 ? 4 : 6;
  const uint32_t ip = p.l3_offset;
  if (bytes.size() < ip + (version == 4 ? 20 : 40)) return out;
  const uint32_t udp = ip + (version == 4 ? (bytes[ip] & 15) * 4u : 40);
  const auto address = [&](size_t at) {
    uint32_t words[4] = {};
    std::memcpy(words, &bytes[at], version == 4 ? 4 : 16);
    return ip_address(words, version).text();
  };
  out.source = address(ip + (version == 4 ? 12 : 8));
  out.destination = address(ip + (version == 4 ? 16 : 24));
  if (bytes.size() <= udp + 8) return out;
  const geneve_profile& profile = kGeneveProfiles[profile_of_header(bytes.subspan(udp + 8))];
  geneve header{};
  if ((profile.flags & kGeneveHasCookie) &&
      geneve_decode(&bytes[udp + 8], bytes.data() + bytes.size(), &profile, &header) == kDropNone)
    out.cookie = header.flow_cookie;
  return out;
}

// The record that the packet's flow had then.
flow_record record_of(const sighting& seen) {
  flow_record out{};
  flow_key_from_tuple(&out.key, &seen.tuple);
  out.key.zero = seen.flow.chain;
  out.flags = seen.flow.flags;
  out.attachment = static_cast<__u8>(seen.flow.attachment);
  out.rule = seen.flow.rule;
  out.target = seen.flow.target;
  out.backend = seen.flow.backend;
  out.cookie = seen.flow.cookie;
  return out;
}

bool caused(const sighting& seen, PathEvent event) { return seen.events >> event & 1; }
bool is_of_tunnel(const sighting& seen) {
  return seen.stage == kSeenReturned || seen.stage == kSeenEncapsulated;
}

// The hop of the flow's chain that a cookie is for; 0: of none.
uint32_t hop_of(const Controller& controller, const sighting& seen, uint32_t cookie) {
  const flow_record record = record_of(seen);
  if (!seen.flow.found || !flow_is_chain(&record)) return 0;
  for (uint32_t hop = 1; hop <= chain_hops(&record); hop++)
    if (flow_cookie(controller.tables().settings, seen.hash, chain_target(&record, hop),
                    cookie >> 28, hop) == cookie)
      return hop;
  return 0;
}

std::string hop_text(const Controller& controller, const sighting& seen, uint32_t cookie) {
  const uint32_t hop = hop_of(controller, seen, cookie);
  if (hop == 0) return {};
  const flow_record record = record_of(seen);
  return "hop " + std::to_string(hop) + " of " + std::to_string(chain_hops(&record));
}

std::string target_text(const Controller& controller, uint16_t index) {
  if (index >= kTargetsMax) return "nobody";
  const target& t = controller.tables().targets[index];
  return ip_address(t.address, t.version).text();
}

std::string_view flow_word(const sighting& seen) {
  if (!seen.flow.found) return "none";
  if (caused(seen, kEventFlowCreated)) return "new";
  return caused(seen, kEventFlowMoved) ? "moved" : "known";
}

void add(std::string& list, const std::string& word) {
  if (!word.empty()) list += (list.empty() ? "" : ", ") + word;
}

// Why the packet went there: its flow, and who decided about that.
std::string reasons(const Controller& controller, const sighting& seen, const std::string& hop) {
  if (seen.tuple.version == 0) return {};
  if (!seen.flow.found)
    return caused(seen, kEventUnrecordedSent) ? "a flow without record" : "no flow";
  std::string out = std::string(flow_word(seen)) + " flow";
  if (caused(seen, kEventMidFlow)) out += " from its middle on";
  if (caused(seen, kEventFlowMoved)) {
    const flow_record former{.target = seen.former_target};
    if (!flow_is_chain(&former)) out += " from " + target_text(controller, seen.former_target);
  }
  const FlowPlace place = place_of(controller, record_of(seen));
  if (!place.rule.empty()) add(out, "rule " + place.rule);
  if (!hop.empty())
    add(out, hop);
  else if (!place.target_group.empty() && !(seen.flow.flags & kFlowBypass))
    add(out, "group " + place.target_group + " by " + std::string(place.why));
  if (caused(seen, kEventHintTaken)) add(out, "a hint was taken");
  if (caused(seen, kEventMssClamped)) add(out, "MSS lowered");
  return out;
}

std::string delivered(const Controller& controller, const sighting& seen) {
  std::string out = "to " + port_text(controller, seen.leaves_by);
  if ((seen.flow.flags & kFlowNlb) && seen.verdict == kVerdictInside)
    out += ", for " + target_text(controller, seen.flow.backend);
  if (caused(seen, kEventFailedOpen)) return out + ", uninspected: no target is healthy";
  if (caused(seen, kEventBypassed)) return out + ", uninspected";
  if (caused(seen, kEventFormerCookie)) add(out, "under the cookie before the present one");
  if (caused(seen, kEventHintTaken)) add(out, "a hint was taken");
  return out;
}

std::string with_reasons(std::string reasons, const std::string& end) {
  return reasons.empty() ? end : std::move(reasons) + ": " + end;
}

std::string drop_text(const sighting& seen) {
  const auto reason = static_cast<DropReason>(seen.reason);
  return std::string(tunnels::drop_reason_name(reason)) +
         (seen.verdict == kVerdictAnswered ? ", and its sender was told" : "");
}

// "SYN", "FIN ACK"
std::string tcp_flags_text(const sighting& seen) {
  constexpr std::pair<int, const char*> kNames[] = {
      {kTcpSyn, "SYN"}, {kTcpFin, "FIN"}, {kTcpRst, "RST"}, {kTcpAck, "ACK"}};
  std::string out;
  if (seen.tuple.protocol != kProtocolTcp || (seen.packet_flags & kPacketIcmpError)) return out;
  for (const auto& [flag, name] : kNames)
    if (seen.tcp_flags & flag) out += (out.empty() ? "" : " ") + std::string(name);
  return out;
}

void put(ordered_json& out, const char* name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

void add_packet(ordered_json& out, const sighting& seen) {
  const tuple& t = seen.tuple;
  out["protocol"] = protocol_text(t.protocol);
  out["source"] = ip_address(t.source, t.version).text();
  if (t.source_port != 0) out["source_port"] = swap_be16(t.source_port);
  out["destination"] = ip_address(t.destination, t.version).text();
  if (t.destination_port != 0) out["destination_port"] = swap_be16(t.destination_port);
  out["length"] = seen.packet_length;
  put(out, "tcp_flags", tcp_flags_text(seen));
  if (seen.packet_flags & kPacketFragment) out["fragment"] = true;
  if (seen.packet_flags & kPacketIcmpError) out["icmp_error"] = true;
}

void add_end(ordered_json& out, const Controller& controller, const sighting& seen) {
  out["verdict"] = verdict_name(static_cast<Verdict>(seen.verdict));
  if (seen.reason != kDropNone)
    out["reason"] = tunnels::drop_reason_name(static_cast<DropReason>(seen.reason));
  if (seen.tuple.version != 0) out["flow"] = flow_word(seen);
  if (seen.flow.found) {
    const FlowPlace place = place_of(controller, record_of(seen));
    put(out, "attachment", place.attachment);
    put(out, "endpoint_id", place.endpoint_id);
    put(out, "rule", place.rule);
    put(out, "target_group", place.target_group);
    put(out, "backend", place.backend);
    put(out, "why", std::string(place.why));
  }
  for (int event = 0; event < kEventCount; event++)
    if (caused(seen, static_cast<PathEvent>(event)))
      out["events"].push_back(path_event_name(static_cast<PathEvent>(event)));
}

}  // namespace

std::string_view stage_name(uint8_t stage) {
  constexpr std::string_view kNames[] = {
#define X(enumerator, name) name,
      SLUICE_SIGHTING_STAGES(X)
#undef X
  };
  return stage < kSeenStages ? kNames[stage] : "";
}

std::string port_text(const Controller& controller, uint32_t interface_index) {
  if (interface_index >= kPortsMax) return {};
  const port& at = controller.tables().ports[interface_index];
  const std::string attachment(controller.reconciler().attachment_name(at.attachment));
  switch (at.role) {
    case kPortOutside:
      return "outside of " + attachment;
    case kPortInside:
      return "inside of " + attachment;
    case kPortTunnel:
      return "the tunnel";
    default:
      return "interface " + std::to_string(interface_index);
  }
}

std::string sighting_text(const Controller& controller, const sighting& seen,
                          std::span<const uint8_t> bytes) {
  const Outer outer = is_of_tunnel(seen) ? read_outer(bytes) : Outer();
  const std::string hop = hop_text(controller, seen, outer.cookie);
  switch (seen.stage) {
    case kSeenIn:
      return "from " + port_text(controller, seen.came_in);
    case kSeenReturned:
      return "from " + outer.source + (hop.empty() ? "" : ", " + hop);
    case kSeenEncapsulated:
      return with_reasons(reasons(controller, seen, hop), "to " + outer.destination);
    case kSeenDelivered:
      return seen.came_in < kPortsMax && controller.tables().ports[seen.came_in].role == kPortTunnel
                 ? delivered(controller, seen)
                 : with_reasons(reasons(controller, seen, hop), delivered(controller, seen));
    case kSeenDropped:
      return with_reasons(reasons(controller, seen, hop), drop_text(seen));
    case kSeenCrossed:
      return "to " + port_text(controller, seen.leaves_by);
    case kSeenHandedOver:
      return seen.leaves_by != 0 ? "to be cut for " + std::to_string(seen.leaves_by) + " bytes"
                                 : std::string("waits for the first fragment of its datagram");
    case kSeenMirror:
      return "a copy that a mirror was sent: it is not delivered";
    default:
      return "a probe of the gateway's own";
  }
}

nlohmann::ordered_json describe_sighting(const Controller& controller, const sighting& seen,
                                         std::span<const uint8_t> bytes) {
  ordered_json out{{"stage", stage_name(seen.stage)},
                   {"came_in", port_text(controller, seen.came_in)}};
  if (seen.tuple.version != 0) add_packet(out, seen);
  const bool ends = seen.stage != kSeenIn && seen.stage != kSeenReturned;
  if (is_of_tunnel(seen)) {
    const Outer outer = read_outer(bytes);
    put(out, "appliance", ends ? outer.destination : outer.source);
    if (outer.cookie != 0) out["cookie"] = outer.cookie;
    if (const uint32_t hop = hop_of(controller, seen, outer.cookie); hop != 0) out["hop"] = hop;
  }
  if (ends) add_end(out, controller, seen);
  out["what"] = sighting_text(controller, seen, bytes);
  return out;
}

}  // namespace sluice::gateway
