// SPDX-License-Identifier: Apache-2.0
// What only the whole rule shows.
#include <algorithm>

#include "inspect/app/session.h"
#include "inspect/rules/buffer_form.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

bool says_nothing(const RulePart& part) { return part.matches.empty() && !part.absent; }

// Contents of one buffer belong together, wherever in the rule they stand. Of a buffer that a
// transaction has many of each mention is about one of them, which may be another.
Result<> merge_parts(Rule& rule) {
  std::vector<RulePart> merged;
  for (RulePart& part : rule.parts) {
    const BufferInfo& info = info_of(part.buffer);
    if (says_nothing(part)) {
      if (part.buffer == Buffer::kPayload) continue;
      return fail(std::string(info.name) + ": nothing behind it says what to look for in it");
    }
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const RulePart& other) {
      return info.shape != BufferShape::kMany && other.buffer == part.buffer &&
             other.transforms == part.transforms && other.absent == part.absent;
    });
    if (same == merged.end()) {
      merged.push_back(std::move(part));
    } else {
      std::move(part.matches.begin(), part.matches.end(), std::back_inserter(same->matches));
    }
  }
  rule.parts = std::move(merged);
  return {};
}

// Whether any content has a position; an error for one with both kinds.
Result<bool> check_positions(const std::vector<BufferMatch>& matches) {
  bool positioned = false;
  for (const BufferMatch& match : matches) {
    const auto* content = std::get_if<Content>(&match);
    if (content == nullptr) continue;
    if (content->positioned && content->relative)
      return fail("offset, depth or startswith together with distance or within on one content");
    positioned |= content->positioned;
  }
  return positioned;
}

std::string_view name_of(uint8_t protocol) {
  if (protocol == tunnels::kProtocolTcp) return "TCP";
  return protocol == tunnels::kProtocolUdp ? "UDP" : "ICMP";
}

// A buffer of the packet's header.
Result<> check_header(const Rule& rule, Buffer buffer) {
  switch (buffer) {
    case Buffer::kTcpHeader:
      return check_protocol(rule, tunnels::kProtocolTcp);
    case Buffer::kUdpHeader:
      return check_protocol(rule, tunnels::kProtocolUdp);
    case Buffer::kIcmpv4Header:
    case Buffer::kIcmpv6Header:
      return check_protocol(rule, tunnels::kProtocolIcmp);
    default:
      return {};
  }
}

bool goes_over(const std::vector<AppProtocol>& of, uint8_t protocol) {
  return protocol == 0 || std::ranges::any_of(all_protocols(), [&](const ProtocolEntry& entry) {
           return std::ranges::find(of, entry.protocol) != of.end() &&
                  ((protocol == tunnels::kProtocolTcp && entry.tcp) ||
                   (protocol == tunnels::kProtocolUdp && entry.udp));
         });
}

// A buffer belongs to a protocol, and only where the rule goes.
Result<> check_buffer(Rule& rule, Buffer buffer) {
  const BufferInfo& info = info_of(buffer);
  const std::string name(info.name);
  if ((rule.flow.to_server && !info.to_server) || (rule.flow.to_client && !info.to_client))
    return fail(name + " does not occur in the direction that flow asks for");
  if (const auto header = check_header(rule, buffer); !header)
    return fail(name + ": " + header.error().what);
  if (info.protocol == AppProtocol::kUnknown) return {};
  if (!is_understood(info.protocol))
    return fail(name + ": application protocol '" + std::string(app_protocol_name(info.protocol)) +
                "' is not supported");
  std::vector<AppProtocol> of{info.protocol};
  if (info.protocol == AppProtocol::kHttp1) of.push_back(AppProtocol::kHttp2);
  if (!goes_over(of, rule.protocol))
    return fail(name + ": " + std::string(app_protocol_name(info.protocol)) + " does not go over " +
                std::string(name_of(rule.protocol)));
  if (rule.app_protocols.empty()) {
    rule.app_protocols = of;
    return {};
  }
  const bool fits = std::any_of(of.begin(), of.end(), [&](AppProtocol p) {
    return std::find(rule.app_protocols.begin(), rule.app_protocols.end(), p) !=
           rule.app_protocols.end();
  });
  if (!fits)
    return fail(name + " does not occur in " +
                std::string(app_protocol_name(rule.app_protocols.front())));
  return {};
}

// A rule about both sides of a transaction says of each buffer which side it is of.
Result<> check_sides(const Rule& rule) {
  if (!rule.both_sides) return {};
  if (rule.scope != Scope::kTransaction) return fail("=> needs buffers of an application protocol");
  if (rule.flow.to_server || rule.flow.to_client)
    return fail("=> does not go with a direction in flow");
  for (const RulePart& part : rule.parts) {
    const BufferInfo& info = info_of(part.buffer);
    if (info.to_server && info.to_client)
      return fail("=> needs buffers of one side, and " + std::string(info.name) + " is of both");
    if (part.absent) return fail("=> does not go with absent");
  }
  return {};
}

// A condition about transactions of one protocol needs a rule that may be about it.
Result<> check_conditions(const Rule& rule) {
  for (const auto& condition : rule.conditions) {
    const AppProtocol of = condition->about_transaction();
    if (of == AppProtocol::kUnknown || rule.app_protocols.empty()) continue;
    if (std::find(rule.app_protocols.begin(), rule.app_protocols.end(), of) ==
        rule.app_protocols.end())
      return fail("asks about " + std::string(app_protocol_name(of)) + " and about " +
                  std::string(app_protocol_name(rule.app_protocols.front())));
  }
  return {};
}

// What happens outside of transactions comes without their buffers and anything else of them.
Result<> check_events(const Rule& rule) {
  const auto outside = [](const auto& c) { return c->about_outside(); };
  const auto of_one = [](const auto& c) {
    return c->about_transaction() != AppProtocol::kUnknown || c->about_event() || c->about_file();
  };
  if (std::ranges::none_of(rule.conditions, outside)) return {};
  if (!rule.parts.empty() || std::ranges::count_if(rule.conditions, of_one) > 1)
    return fail(
        "asks for an event outside of transactions together with a buffer, a file or something "
        "else of a transaction");
  return {};
}

// What is no packet has nothing but its event.
Result<> check_decode_events(const Rule& rule) {
  const auto about = [](const auto& c) { return c->about_decode_event(); };
  const auto asked = std::ranges::count_if(rule.conditions, about);
  if (asked == 0)
    return rule.packet_header ? fail("protocol pkthdr needs a decode-event") : Result<>{};
  if (rule.action == Action::kReject) return fail("nobody is told of a decode-event: drop");
  const bool any = rule.source.any() && rule.destination.any() && rule.source_port.any() &&
                   rule.destination_port.any() && rule.protocol == 0;
  const FlowOption& flow = rule.flow;
  const bool of_flow = flow.to_server || flow.to_client || flow.established ||
                       flow.not_established || flow.only_stream || flow.no_stream;
  if (!any || of_flow || !rule.app_protocols.empty() || !rule.parts.empty() ||
      !rule.effects.empty() || rule.conditions.size() != 1)
    return fail(
        "decode-event goes with pkthdr, ip, ipv4 or ipv6, any addresses and ports, and nothing "
        "else");
  return {};
}

Result<> choose_scope(Rule& rule, bool positioned) {
  const auto about_packet = [](const auto& c) { return c->about_packet(); };
  const auto about_transaction = [](const auto& c) {
    return c->about_transaction() != AppProtocol::kUnknown || c->about_event() || c->about_file();
  };
  const auto of_packet = [](const RulePart& p) {
    return p.buffer != Buffer::kPayload && is_packet_buffer(p.buffer);
  };
  const auto of_transaction = [](const RulePart& p) { return !is_packet_buffer(p.buffer); };
  if (std::any_of(rule.parts.begin(), rule.parts.end(), of_transaction) ||
      std::any_of(rule.conditions.begin(), rule.conditions.end(), about_transaction)) {
    if (rule.tcp_packet || rule.flow.no_stream)
      return fail("asks for single packets and for buffers of an application protocol");
    rule.scope = Scope::kTransaction;
    return {};
  }
  const bool tcp = rule.protocol == 0 || rule.protocol == tunnels::kProtocolTcp;
  const bool only_stream = rule.flow.only_stream || rule.tcp_stream;
  const bool only_packet =
      rule.flow.no_stream || rule.tcp_packet || rule.payload() == nullptr ||
      std::any_of(rule.conditions.begin(), rule.conditions.end(), about_packet) ||
      std::any_of(rule.parts.begin(), rule.parts.end(), of_packet);
  if (only_stream && !tcp) return fail("flow:only_stream needs TCP");
  if (only_stream && only_packet)
    return fail(
        "asks for the stream and for what only packets have (dsize, no_stream, tcp-pkt, no "
        "content)");
  rule.scope = only_packet                  ? Scope::kPacket
               : only_stream || !positioned ? Scope::kStream
                                            : Scope::kBoth;
  return {};
}

}  // namespace

Result<> check_protocol(const Rule& rule, uint8_t protocol) {
  if (rule.protocol == 0 || rule.protocol == protocol) return {};
  return fail("only " + std::string(name_of(protocol)) + " has it");
}

bool is_relative(const BufferMatch& match) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.relative; }) return m.relative;
        if constexpr (requires { m.read; }) return m.read.relative;
        return false;
      },
      match);
}

const RulePart* Rule::payload() const {
  const auto found = std::find_if(parts.begin(), parts.end(), [](const RulePart& part) {
    return part.buffer == Buffer::kPayload;
  });
  return found == parts.end() ? nullptr : &*found;
}

Result<> finish_rule(RuleDraft& draft) {
  Rule& rule = draft.rule;
  SLUICE_TRY_VOID(merge_parts(rule));
  bool positioned = false;
  for (RulePart& part : rule.parts) {
    SLUICE_TRY(const bool here, check_positions(part.matches));
    const bool payload = part.buffer == Buffer::kPayload;
    if (payload) positioned = here;
    SLUICE_TRY_VOID(fit_contents(part, payload ? draft.payload_size_max : UINT32_MAX));
    SLUICE_TRY_VOID(check_buffer(rule, part.buffer));
  }
  SLUICE_TRY_VOID(check_conditions(rule));
  SLUICE_TRY_VOID(check_events(rule));
  SLUICE_TRY_VOID(check_decode_events(rule));
  SLUICE_TRY_VOID(choose_scope(rule, positioned));
  return check_sides(rule);
}

}  // namespace sluice::inspect
