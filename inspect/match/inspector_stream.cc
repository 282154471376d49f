// SPDX-License-Identifier: Apache-2.0
// The part of Inspector that puts payloads in order.
#include <algorithm>
#include <utility>

#include "inspect/match/inspector.h"

namespace sluice::inspect {
namespace {

// Bytes that a SYN may bring along.
constexpr uint32_t kSynPayloadMax = 65535;

// A server that is still in another connection answers no SYN with one of its own.
bool answers_syn(const PacketView& view, uint32_t initial_sequence) {
  const uint8_t flags = view.packet.tcp_flags;
  if (!(flags & tunnels::kTcpSyn)) return false;
  return !(flags & tunnels::kTcpAck) ||
         view.acknowledgement - initial_sequence - 1 <= kSynPayloadMax;
}

TcpSegment segment_of(const Current& current) {
  const PacketView& view = current.view;
  const auto transport = view.ip.subspan(view.packet.l4_offset);
  const auto header = transport.first(transport.size() - view.payload.size());
  const Direction at_first =
      current.flow.user.turned ? opposite(current.direction) : current.direction;
  return {at_first,
          view.packet.tcp_flags,
          view.sequence,
          view.acknowledgement,
          tunnels::load_be16(&header[14]),
          static_cast<uint32_t>(view.payload.size()),
          read_tcp_options(header)};
}

}  // namespace

// What the packet does to its stream, if a rule asks or events tell of it.
StreamAccept Inspector::inspect_tcp(const Current& current) {
  if (engine_->stream_event_rules().empty() && !reports_.anomalies().stream)
    return inspect_stream(current);
  auto& watch = current.flow.user.watch;
  if (!watch) watch = std::make_unique<TcpWatch>(options_.one_sided);
  StreamEvents events = watch->see(segment_of(current));
  check_.about_stream(events);
  const StreamCounters before = stream_counters_;
  const StreamAccept accepted = inspect_stream(current);
  if (stream_counters_.conflicts != before.conflicts) events |= bit_of(StreamEvent::kOverlap);
  if (stream_counters_.gaps != before.gaps) events |= bit_of(StreamEvent::kGap);
  if (stream_counters_.depth_reached != before.depth_reached)
    events |= bit_of(StreamEvent::kDepthReached);
  if (stream_counters_.no_memory != before.no_memory) events |= bit_of(StreamEvent::kNoMemory);
  const auto& tcp = current.flow.user.tcp;
  if (tcp && tcp->sides[current.side()].stream.is_before_window(current.view.sequence,
                                                                current.view.payload.size()))
    events |= bit_of(StreamEvent::kBeforeWindow);
  check_.about_stream(events);
  if (reports_.anomalies().stream) tell_stream_anomalies(current, events);
  return accepted;
}

// Each once for a flow.
void Inspector::tell_stream_anomalies(const Current& current, StreamEvents events) {
  StreamEvents& told = current.flow.user.watch->told;
  for (const auto& [name, event] : kStreamEvents) {
    if (!(events & ~told & bit_of(event))) continue;
    told |= bit_of(event);
    reports_.stream_anomaly(current.about(), name);
  }
}

// A SYN that opens a connection where one seems to have ended, or where those that are met in their
// middle do not simply go on. Together with the reset before it, it may be made to be seen here and
// nowhere else, while the old connection goes on: only an answer shows that it arrived.
bool Inspector::may_be_feigned(const PacketView& view, const Flows::Seen& seen) const {
  constexpr uint8_t kBoth = tunnels::kTcpSyn | tunnels::kTcpAck;
  const bool opens = !options_.one_sided && seen.created && view.is_tcp() &&
                     (view.packet.tcp_flags & kBoth) == tunnels::kTcpSyn;
  return opens && (seen.replaced ||
                   options_.exceptions[ExceptionCause::kMidstream] != ExceptionPolicy::kIgnore);
}

// Whether this is the first packet of a connection, which is counted, and its beginning was not
// seen. A reset begins and continues none.
bool Inspector::begins_midstream(const Current& current) {
  const uint8_t flags = current.view.packet.tcp_flags;
  if (!current.view.is_tcp() || (flags & tunnels::kTcpRst)) return false;
  if (std::exchange(current.flow.user.begun, true)) return false;
  counters_.tcp_sessions++;
  current.flow.user.beginning_unseen =
      (flags & (tunnels::kTcpSyn | tunnels::kTcpAck)) != tunnels::kTcpSyn;
  return !(flags & tunnels::kTcpSyn);
}

StreamAccept Inspector::refuse_out_of_place() {
  stream_counters_.out_of_place++;
  return StreamAccept::kConflict;
}

// What begins beyond the window, with bytes missing before it, may follow some that passed
// elsewhere, with the receiver's answers: it waits as an early one does.
bool Inspector::exceeds_window(const Current& current, const StreamInspection& side) const {
  const PacketView& view = current.view;
  if (options_.one_sided || view.payload.empty() || side.stream.finished()) return false;
  const ReceiveWindow& window = current.flow.user.windows[current.side()];
  const bool behind_a_gap =
      window.is_exceeded_by(view.sequence) && side.stream.is_early(view.sequence);
  return !behind_a_gap &&
         window.is_exceeded_by(view.sequence + static_cast<uint32_t>(view.payload.size()));
}

// The sequence number that the other end acknowledges is the one that it took. A SYN with another
// one is only answered by it, and begins no stream.
void Inspector::note_handshake(const Current& current) {
  FlowUser& user = current.flow.user;
  const size_t side = current.side();
  const size_t other = 1 - side;
  const uint8_t flags = current.view.packet.tcp_flags;
  if ((flags & tunnels::kTcpSyn) && !user.acknowledged[side]) {
    user.syn_seen[side] = true;
    user.initial_sequence[side] = current.view.sequence;
  }
  if (user.unanswered && current.direction == Direction::kToClient)
    user.unanswered = !answers_syn(current.view, user.initial_sequence[other]);
  if (user.unanswered) return;
  if ((flags & tunnels::kTcpAck) && user.syn_seen[other] && !user.tcp) {
    user.acknowledged[other] = true;
    user.initial_sequence[other] = current.view.acknowledgement - 1;
  }
}

// Of what nobody has sent yet it is made up: the sender does not believe it either (RFC 5961
// section 5), and sends what would count as passed elsewhere.
void Inspector::note_acknowledgement(const Current& current, TcpInspection& tcp) {
  const PacketView& view = current.view;
  if (!(view.packet.tcp_flags & tunnels::kTcpAck)) return;
  const FlowUser& user = current.flow.user;
  const size_t other = 1 - current.side();
  if (user.syn_seen[other] && user.ends[other].is_unsent(view.acknowledgement)) return;
  tcp.sides[other].stream.acknowledge(view.acknowledgement);
}

StreamAccept Inspector::inspect_stream(const Current& current) {
  const PacketView& view = current.view;
  FlowUser& user = current.flow.user;
  const bool syn = view.packet.tcp_flags & tunnels::kTcpSyn;
  stop_if_encrypted(user);
  if (user.encrypted) {
    user.encrypted_bytes[current.side()] += view.payload.size();
    return StreamAccept::kOk;
  }
  note_handshake(current);
  if (syn && view.sequence != user.initial_sequence[current.side()])
    return view.payload.empty() ? StreamAccept::kOk : StreamAccept::kConflict;
  if (user.unanswered && !syn && !view.payload.empty()) return refuse_out_of_place();
  if (view.payload.empty() && !user.tcp) return StreamAccept::kOk;

  if (!user.tcp && !budget_.has_room_for_session(sizeof(TcpInspection)))
    return StreamAccept::kNoSession;
  TcpInspection& tcp = tcp_of(user);
  note_acknowledgement(current, tcp);
  StreamInspection& side = tcp.sides[current.side()];
  // What comes with a reset nobody takes for a part of the stream.
  const bool reset = view.packet.tcp_flags & tunnels::kTcpRst;
  if (!reset &&
      (side.is_behind_end(view.sequence, view.payload.size()) || exceeds_window(current, side)))
    return refuse_out_of_place();
  const StreamAccept accepted =
      reset ? StreamAccept::kOk : side.stream.accept(view.sequence, syn, view.payload);
  if (accepted == StreamAccept::kOk) classify(current);
  for (auto piece = side.stream.take(); !piece.empty(); piece = side.stream.take()) {
    inspect_piece(current, side, piece);
    if (user.other) inspect_piece_other_way(current, side, piece);
  }
  if (user.read_twice) search_what_is_held(current, side);
  if (accepted == StreamAccept::kOk) inspect_end_of_stream(current, side);
  return accepted;
}

// A direction that has ended says nothing more: what waited for its end is decided now. The end may
// be one that never arrives; then nothing that is said there arrives either. A reset ends nothing
// here: what is on its way passes, and is inspected as if there were none.
void Inspector::inspect_end_of_stream(const Current& current, StreamInspection& side) {
  const uint8_t flags = current.view.packet.tcp_flags;
  if (!(flags & tunnels::kTcpFin) || (flags & (tunnels::kTcpRst | tunnels::kTcpSyn))) return;
  if (side.ended) return;
  const uint32_t end = current.view.sequence + static_cast<uint32_t>(current.view.payload.size());
  side.fin = end;
  side.ended = side.stream.has_all_before(end);
  if (!side.ended) return;
  const auto end_in = [&](const Current& reading) {
    AppSession* const app = reading.flow.user.app.get();
    if (app != nullptr) app->end(reading.direction, transactions_);
  };
  end_in(current);
  if (current.flow.user.other) end_in(OtherWay(current, transactions_).current());
}

// A reset that is not believed ends nothing: else a SYN behind it would begin the inspection anew,
// in the middle of what the receiver goes on to read.
void Inspector::judge_reset(const Current& current) {
  if (!(current.view.packet.tcp_flags & tunnels::kTcpRst)) return;
  FlowUser& user = current.flow.user;
  user.reset_believed = user.reset_believed || believes_reset(current);
  if (!user.reset_believed) take_back_reset(current.flow, user.open_state);
}

bool Inspector::believes_reset(const Current& current) {
  const FlowUser& user = current.flow.user;
  const uint32_t sequence = current.view.sequence;
  if (user.tcp && user.tcp->sides[current.side()].stream.follows())
    return user.tcp->sides[current.side()].believes_reset(sequence);
  return user.ends[current.side()].believes_reset(sequence);
}

// A segment that passes may have been taken, and says what its sender has taken.
void Inspector::note_sequence(const Current& current) {
  const PacketView& view = current.view;
  const uint8_t flags = view.packet.tcp_flags;
  if (!view.is_tcp() || (flags & tunnels::kTcpRst)) return;
  FlowUser& user = current.flow.user;
  user.windows[1 - current.side()].note(view);
  SequenceEnd& end = user.ends[current.side()];
  const uint32_t length =
      static_cast<uint32_t>(view.payload.size()) + ((flags & tunnels::kTcpFin) ? 1 : 0);
  if (flags & tunnels::kTcpSyn)
    end.begin(view.sequence, 1 + length);
  else
    end.send(view.sequence, length);
  if (flags & tunnels::kTcpAck)
    user.ends[1 - current.side()].acknowledge(view.acknowledgement, flags & tunnels::kTcpSyn);
}

// A server that is in a connection answers no SYN with one of its own (RFC 9293 section 3.10.7.4):
// that connection has ended, however it did. Where its bytes were in order those of the next one
// would not fit; where they are not, the next one would pass unseen.
Flows::Seen Inspector::see(const PacketView& view, int64_t time_us, uint16_t space) {
  Flows::Seen seen = flows_.see(view.packet, time_us, space);
  if (!view.is_tcp() || !(view.packet.tcp_flags & tunnels::kTcpSyn)) return seen;
  FlowUser& user = seen.record->user;
  if (seen.created || user.decision == Decision::kDrop || is_followed(user)) return seen;
  if (seen.direction == Direction::kToServer) {
    // Its own SYN, sent once more, begins no other one.
    if (!user.syn_seen[0] || view.sequence != user.initial_sequence[0])
      user.syn_again = view.sequence;
  } else if (user.syn_again && (view.packet.tcp_flags & tunnels::kTcpAck) &&
             answers_syn(view, *user.syn_again)) {
    seen = flows_.begin_again(*seen.record, view.packet, time_us);
    seen.record->user.syn_seen[0] = true;
    seen.record->user.initial_sequence[0] = view.acknowledgement - 1;
  }
  return seen;
}

void Inspector::inspect_datagram(const Current& current) {
  AppSession& app = app_of(current);
  if (app.finished()) return;
  classify(current);
  const AppProtocol before = current.flow.user.app_protocol;
  app.feed(current.direction, current.view.payload, transactions_);
  note_protocol(current, before, app.protocol());
}

AppSession& Inspector::app_of(const Current& current) {
  FlowUser& user = current.flow.user;
  if (!user.app) {
    if (user.beginning_unseen && !user.other) begin_other_reading(user);
    user.app = std::make_unique<AppSession>(
        current.view.is_tcp(), tunnels::swap_be16(current.flow.to_server.destination_port),
        user.is_second ? protocols_that_tell_ends_apart() : all_protocols(), &app_budget_);
    user.app_since = engine_->generation();
  }
  return *user.app;
}

// Made at the first payload, so that a flood of connections costs nothing here; the initial
// sequence numbers were kept, so that the first byte is known even if it comes late.
TcpInspection& Inspector::tcp_of(FlowUser& user) {
  if (user.tcp) return *user.tcp;
  user.tcp = std::make_unique<TcpInspection>(streams_);
  for (size_t side = 0; side < 2; side++) {
    TcpStream& stream = user.tcp->sides[side].stream;
    if (user.syn_seen[side]) (void)stream.accept(user.initial_sequence[side], true, {});
    if (const auto at = user.ends[side].acknowledged()) stream.acknowledge(*at);
  }
  return *user.tcp;
}

// New bytes for the application's parser, which tells transactions_ what it finds.
void Inspector::inspect_application(const Current& current, StreamInspection& side,
                                    std::span<const uint8_t> piece) {
  const uint64_t missing = side.stream.next() - piece.size() - side.parsed;
  const bool from_syn = current.flow.user.syn_seen[current.side()];
  if (missing != 0 && !from_syn) forget_what_meant_nothing(current.flow.user);
  const bool anew = !from_syn && !current.flow.user.app;
  AppSession& app = app_of(current);
  side.parsed = side.stream.next();
  if (app.finished()) return;
  const AppProtocol before = current.flow.user.app_protocol;
  if (missing != 0 && !anew) app.gap(current.direction, missing, transactions_);
  app.feed(current.direction, piece, transactions_);
  note_protocol(current, before, app.protocol());
}

// Of a connection that was met in its middle the first bytes may be a decoy, or have overtaken
// those by which its protocol is known.
void Inspector::forget_what_meant_nothing(FlowUser& user) {
  if (!user.app) return;
  if (!is_found(user.app->protocol())) user.app.reset();
}

// `before`: what it was before the parser got the packet's bytes; rules about what happened there
// may know the new one already.
void Inspector::note_protocol(const Current& current, AppProtocol before, AppProtocol now) {
  FlowUser& user = current.flow.user;
  user.app_protocol = now;
  user.of_server = user.app->contradicted();
  if (now == before || (user.is_second && !is_found(now))) return;
  user.read_twice |= user.is_second;
  counters_.app(now, current.flow.is_tcp()).flows++;
  if (is_found(before) && before != user.of_server && user.first_protocol == AppProtocol::kUnknown)
    user.first_protocol = before;
}

// From the packet on that follows the handshake: nothing can be found in what is encrypted, so that
// nothing of it needs to be kept. Of two readings one may be what somebody wants to be seen.
void Inspector::stop_if_encrypted(FlowUser& user) {
  if (user.read_twice || !user.app || !user.app->encrypted()) return;
  user.encrypted = true;
  counters_.encrypted_flows++;
  for (size_t side = 0; side < 2; side++)
    user.encrypted_bytes[side] = user.tcp->sides[side].stream.next();
  user.tcp.reset();
  user.app.reset();
  user.other.reset();
}

}  // namespace sluice::inspect
