// SPDX-License-Identifier: Apache-2.0
// The part of Inspector that reads flows both ways of which nobody has seen who the client is.
#include "inspect/match/inspector.h"

namespace sluice::inspect {
namespace {

// A message of DNS that goes the other way. Where a flow of datagrams begins nothing says.
bool is_said_by_other_end(const Current& current) {
  static const ProtocolEntry kDns = dns_entry();
  const PacketView& view = current.view;
  const bool up = current.direction == Direction::kToServer;
  return kDns.probe(opposite(current.direction), view.payload,
                    up ? view.source_port : view.destination_port) == Probe::kYes;
}

// The second reading is of no protocol, and these bytes follow those that have shown it.
bool has_nothing_to_learn(const Current& current, const StreamInspection& side,
                          std::span<const uint8_t> piece) {
  const FlowUser& user = current.flow.user;
  const OtherReading& other = *user.other;
  return !user.read_twice && other.app && other.app->finished() &&
         other.sides[current.side()].parsed == side.stream.next() - piece.size();
}

}  // namespace

Inspector::OtherWay::OtherWay(const Current& current, TransactionInspection& transactions)
    : current_(current), transactions_(transactions), turned_(current) {
  turn(current.flow);
  turned_.direction = opposite(current.direction);
  turned_.second_reading = current.flow.user.is_second;
  transactions_.read_as(turned_);
}

Inspector::OtherWay::~OtherWay() {
  turn(current_.flow);
  transactions_.read_as(current_);
}

// It gets the bytes that the first reading's parser, which begins now, gets.
void Inspector::begin_other_reading(FlowUser& user) {
  user.other = std::make_unique<OtherReading>(budget_);
  if (!user.tcp) return;
  for (size_t side = 0; side < 2; side++)
    user.other->sides[side].parsed = user.tcp->sides[side].parsed;
}

void Inspector::inspect_datagram_other_way(const Current& current) {
  FlowUser& user = current.flow.user;
  if (!user.other) {
    if (!is_said_by_other_end(current)) return;
    begin_other_reading(user);
  }
  const OtherWay turned(current, transactions_);
  inspect_datagram(turned.current());
  user.lacks_memory |= user.app->out_of_memory();
}

// Until a protocol is found there only a parser looks at it; then rules are asked about all that is
// held.
void Inspector::inspect_piece_other_way(const Current& current, StreamInspection& side,
                                        std::span<const uint8_t> piece) {
  if (has_nothing_to_learn(current, side, piece)) {
    current.flow.user.other->sides[current.side()].parsed = side.stream.next();
    return;
  }
  const OtherWay turned(current, transactions_);
  const Current& other = turned.current();
  FlowUser& user = other.flow.user;
  inspect_application(other, side, piece);
  user.lacks_memory |= user.app->out_of_memory();
  if (!user.read_twice) return;
  ask_stream_rules(other, side, search_piece(other, side, piece));
}

// What this end said before a protocol was found in the second reading, for its rules.
void Inspector::search_what_is_held(const Current& current, StreamInspection& side) {
  payload_searched_ = false;  // not for both readings
  const FlowUser& user = current.flow.user;
  const StreamSearch& second = user.is_second ? side : user.other->sides[current.side()];
  if (second.generation == engine_->generation() || side.stream.window().empty()) return;
  const auto search = [&](const Current& reading) {
    ask_stream_rules(reading, side, search_piece(reading, side, {}));
  };
  user.is_second ? search(current) : search(OtherWay(current, transactions_).current());
  payload_searched_ = false;
}

void Inspector::inspect_payload_other_way(const Current& current) {
  const FlowUser& user = current.flow.user;
  if (user.other && user.read_twice) inspect_payload(OtherWay(current, transactions_).current());
}

// Events show the reading in which something was found.
void Inspector::settle_direction(Current& current) {
  FlowUser& user = current.flow.user;
  if (!user.read_twice || user.turned || !user.other || is_found(user.app_protocol)) return;
  if (user.app_protocol == AppProtocol::kFailed)
    counters_.app(AppProtocol::kFailed, current.flow.is_tcp()).flows--;
  counters_.turned_flows++;
  turn(current.flow);
  current.flow.client_heard = true;  // this end has said something, too
  user.turned = true;
  current.direction = opposite(current.direction);
  current.second_reading = true;
}

}  // namespace sluice::inspect
