// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/rule_check.h"

#include <algorithm>

#include "inspect/rules/condition.h"

namespace sluice::inspect {
namespace {

std::span<const uint8_t> ip_header(const PacketView& view) {
  return view.ip.first(std::min<size_t>(view.packet.l4_offset, view.ip.size()));
}

// Of what is no packet, too.
uint8_t version_of(const PacketView& view) {
  return view.ip.empty() ? uint8_t{0} : static_cast<uint8_t>(view.ip[0] >> 4);
}

// Nothing for a header that the packet does not have.
std::span<const uint8_t> packet_buffer(const PacketView& view, Buffer buffer) {
  const bool v4 = view.packet.tuple.version == 4;
  const auto transport = view.ip.subspan(view.packet.l4_offset);
  const auto header = transport.first(transport.size() - view.payload.size());
  switch (buffer) {
    case Buffer::kPayload:
      return view.payload;
    case Buffer::kIpv4Header:
      return v4 ? ip_header(view) : std::span<const uint8_t>{};
    case Buffer::kIpv6Header:
      return v4 ? std::span<const uint8_t>{} : ip_header(view);
    case Buffer::kTcpHeader:
      return view.is_tcp() ? header : std::span<const uint8_t>{};
    case Buffer::kUdpHeader:
      return view.is_udp() ? transport.first(8) : std::span<const uint8_t>{};
    case Buffer::kIcmpv4Header:
      return view.is_icmp() && v4 ? header : std::span<const uint8_t>{};
    case Buffer::kIcmpv6Header:
      return view.is_icmp() && !v4 ? header : std::span<const uint8_t>{};
    case Buffer::kIpSource:
      return v4 ? view.ip.subspan(12, 4) : view.ip.subspan(8, 16);
    case Buffer::kIpDestination:
      return v4 ? view.ip.subspan(16, 4) : view.ip.subspan(24, 16);
    default:
      return {};
  }
}

// Whether the second reading of a flow may add something: what asks for no direction holds in the
// first one, and what would pass the packet must hold there.
bool is_for_second_reading(const Rule& rule, const Transaction* transaction) {
  if (rule.action == Action::kPass || rule.bypass) return false;
  return transaction != nullptr || rule.flow.to_server || rule.flow.to_client ||
         !rule.app_protocols.empty();
}

}  // namespace

RuleContext RuleCheck::context(const Current& current, Direction direction,
                               const Transaction* transaction) {
  FlowUser& user = current.flow.user;
  RuleContext out{current.view, current.flow, direction,  current.time_us, user.app_protocol,
                  {},           transaction,  user.notes, host_bits_};
  out.stream_events = stream_events_;
  out.decode_events = current.decode_events;
  out.checksums_verified = checksums_verified_;
  if (user.classification) {
    const Application& is = user.classification->application();
    out.classified = {is.master, is.application, user.classification->findings().risks};
  }
  out.app_events = app_events_;
  out.file = file_;
  for (size_t side = 0; side < 2; side++)
    out.stream_bytes[side] =
        (user.tcp ? user.tcp->sides[side].stream.next() : user.encrypted_bytes[side]) + 1;
  return out;
}

bool RuleCheck::is_in(const AddressList& list, uint32_t number, const PacketView& view,
                      bool destination) {
  if (list.any()) return true;
  Known& known = known_[destination][number];
  if (known.packet == packet_) return known.is_in;
  const tunnels::tuple& t = view.packet.tuple;
  known = {packet_, list.contains(Address{destination ? t.destination : t.source, t.version})};
  return known.is_in;
}

bool RuleCheck::ends_match(const PacketView& view, const CompiledRule& compiled, Turned turned) {
  const Rule& rule = compiled.rule;
  const bool turn = turned == Turned::kYes;
  const uint16_t source_port = turn ? view.destination_port : view.source_port;
  const uint16_t destination_port = turn ? view.source_port : view.destination_port;
  return (rule.source_port.any() || rule.source_port.contains(source_port)) &&
         (rule.destination_port.any() || rule.destination_port.contains(destination_port)) &&
         is_in(rule.source, compiled.source_list, view, turn) &&
         is_in(rule.destination, compiled.destination_list, view, !turn);
}

bool RuleCheck::addresses_match(const Current& current, Direction direction,
                                const CompiledRule& compiled) {
  const auto turned = direction == current.direction ? Turned::kNo : Turned::kYes;
  const auto other = turned == Turned::kNo ? Turned::kYes : Turned::kNo;
  return ends_match(current.view, compiled, turned) ||
         (compiled.rule.both_ways && ends_match(current.view, compiled, other));
}

// What is said in a connection of which the client has contradicted its server is of both.
bool RuleCheck::is_of_protocols(const Rule& rule, const FlowUser& user,
                                const Transaction* transaction) {
  if (rule.app_protocols.empty()) return true;
  const auto named = [&](AppProtocol protocol) {
    return std::ranges::find(rule.app_protocols, protocol) != rule.app_protocols.end();
  };
  if (transaction != nullptr) return named(transaction->protocol());
  return named(user.app_protocol) ||
         (user.of_server != AppProtocol::kUnknown && named(user.of_server));
}

// All that it asks beside its conditions.
bool RuleCheck::goes_for(const Current& current, Direction direction, const CompiledRule& compiled,
                         const Transaction* transaction) {
  const Rule& rule = compiled.rule;
  if (guard_ != nullptr && !guard_->may_try(rule.id())) return false;
  if (current.second_reading && !is_for_second_reading(rule, transaction)) return false;
  if (rule.flow.established && !current.established) return false;
  if (rule.flow.not_established && current.established) return false;
  const uint8_t protocol = current.view.packet.tuple.protocol;
  if (transaction != nullptr && rule.protocol != 0 && rule.protocol != protocol) return false;
  if (rule.ip_version != 0 && rule.ip_version != version_of(current.view)) return false;
  if (!addresses_match(current, rule.both_sides ? Direction::kToServer : direction, compiled))
    return false;
  if (!is_of_protocols(rule, current.flow.user, transaction)) return false;
  if (guard_ != nullptr) guard_->begin_rule();
  return true;
}

bool RuleCheck::asks_for(const Current& current, Direction direction, const CompiledRule& compiled,
                         const Transaction* transaction) {
  if (!goes_for(current, direction, compiled, transaction)) return false;
  const Rule& rule = compiled.rule;
  if (rule.conditions.empty()) return true;
  RuleContext asked = context(current, direction, transaction);
  if (file_ != nullptr && !is_file_of(compiled, direction)) asked.file = nullptr;
  return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const auto& condition) { return condition->holds(asked); });
}

RuleCheck::Asks RuleCheck::asks_for_stream(const Current& current, const CompiledRule& compiled) {
  if (!goes_for(current, current.direction, compiled, nullptr)) return Asks::kNotYet;
  const auto& conditions = compiled.rule.conditions;
  if (conditions.empty()) return Asks::kYes;
  const RuleContext asked = context(current, current.direction, nullptr);
  const auto fails = [&](const auto& condition) { return !condition->holds(asked); };
  const auto failed = std::ranges::find_if(conditions, fails);
  if (failed == conditions.end()) return Asks::kYes;
  const auto may_hold_later = [&](const auto& c) { return c->told_later() && fails(c); };
  return std::any_of(failed, conditions.end(), may_hold_later) ? Asks::kNotYet : Asks::kRefuses;
}

// A rule is about the file that its own direction brings. One about a request, say, that names no
// direction, may mean that of the response.
bool RuleCheck::is_file_of(const CompiledRule& compiled, Direction direction) const {
  const Rule& rule = compiled.rule;
  if (direction == file_direction_ || rule.both_sides) return true;
  return !rule.flow.to_server && !rule.flow.to_client && !compiled.has_buffers_of(file_direction_);
}

bool RuleCheck::packet_matches(const Current& current, const CompiledRule& compiled) {
  matcher_.begin_rule();
  for (size_t i = 0; i < compiled.parts.size(); i++) {
    const auto bytes = packet_buffer(current.view, compiled.rule.parts[i].buffer);
    if (bytes.empty() || !matcher_.matches(compiled.parts[i].plan, {bytes, 0})) return false;
  }
  return true;
}

bool RuleCheck::payload_matches(const CompiledRule& compiled, const Payload& payload) {
  matcher_.begin_rule();
  return matcher_.matches(*compiled.payload_plan(), payload);
}

bool RuleCheck::payload_of_transaction_matches(const Current& current, const BufferPlan& plan) {
  const auto& tcp = current.flow.user.tcp;
  if (!tcp) return matcher_.matches(plan, {current.view.payload, 0});
  const TcpStream& stream = tcp->sides[current.side()].stream;
  return matcher_.matches(plan, {stream.window(), stream.window_start()});
}

void RuleCheck::matched(const Current& current, Match match, const Transaction* transaction) {
  matcher_.apply_changes();
  const Rule& rule = engine_->rule(match.rule).rule;
  if (!rule.effects.empty()) {
    const RuleContext asked = context(current, current.direction, transaction);
    for (const auto& effect : rule.effects) effect->apply(asked);
  }
  matched_.push_back(std::move(match));
}

}  // namespace sluice::inspect
