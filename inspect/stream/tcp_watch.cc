// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/tcp_watch.h"

#include <algorithm>
#include <utility>

namespace sluice::inspect {
namespace {

using tunnels::kTcpAck;
using tunnels::kTcpFin;
using tunnels::kTcpRst;
using tunnels::kTcpSyn;
using E = StreamEvent;

// Sequence numbers, modulo 2^32.
bool before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }
uint32_t later(uint32_t a, uint32_t b) { return before(a, b) ? b : a; }

}  // namespace

uint32_t TcpSegment::end() const { return sequence + length + (has(kTcpFin) ? 1 : 0); }

StreamEvents TcpWatch::see(const TcpSegment& s) {
  events_ = 0;
  if (!s.has(kTcpAck) && s.acknowledgement != 0) tell(E::kBrokenAck);
  if (state_ == State::kNone)
    begin(s);
  else if (state_ == State::kClosed)
    after_reset(s);
  else if (state_ != State::kNotFollowed)
    see_in_session(s);
  return events_;
}

void TcpWatch::see_in_session(const TcpSegment& s) {
  if (s.has(kTcpRst)) return reset(s);
  if (s.has(kTcpSyn)) return s.has(kTcpAck) ? syn_ack(s) : syn(s);
  if (state_ == State::kSynSent) return see_one_side(s);
  if (state_ == State::kCalledBack) return;
  if (state_ == State::kSynReceived && !end_handshake(s)) return;
  follow(s);
}

void TcpWatch::begin(const TcpSegment& s) {
  if (s.has(kTcpRst)) return tell(E::kResetNoSession);
  if (s.has(kTcpSyn) && s.has(kTcpFin)) return tell(E::kFinSyn);
  if (!s.has(kTcpSyn)) {
    if (s.has(kTcpFin)) return tell(E::kFinNoSession);
    state_ = State::kNotFollowed;
    return;
  }
  if (s.has(kTcpAck) || s.direction == Direction::kToClient) {
    state_ = State::kNotFollowed;
    return;
  }
  state_ = State::kSynSent;
  Side& client = from(s);
  client.initial = client.acknowledged = s.sequence;
  client.next = s.sequence + 1 + s.length;
  client.timestamp = s.options.timestamp.value_or(0);
  client.shift = s.options.window_shift.value_or(UINT8_MAX);
  fast_open_ = s.options.fast_open && s.length != 0;
  syn_window_ = s.window;
}

// --- the handshake ---

void TcpWatch::syn(const TcpSegment& s) {
  const bool up = s.direction == Direction::kToServer;
  const bool other = s.sequence != from(s).initial;
  if (state_ == State::kSynSent || state_ == State::kCalledBack) {
    if (!up) return call_back(s);
    // A client may try again with another number.
    if (state_ == State::kCalledBack && !other) return;
    state_ = State::kNone;
    begin(s);
  } else if (state_ == State::kSynReceived) {
    if (split_) return;
    if (!up)
      tell(E::kHandshakeSynToClient);
    else if (other)
      tell(E::kHandshakeSynOtherSequence);
  } else if (state_ == State::kEstablished) {
    tell(!up     ? E::kEstablishedSynToClient
         : other ? E::kEstablishedSynOtherSequence
                 : E::kEstablishedSyn);
  } else if (is_shutdown()) {
    tell(E::kShutdownSyn);
  }
}

// The server's number is that of its last SYN.
void TcpWatch::call_back(const TcpSegment& s) {
  Side& server = from(s);
  state_ = State::kCalledBack;
  server.initial = server.acknowledged = s.sequence;
  server.next = s.sequence + 1;
  server.timestamp = s.options.timestamp.value_or(0);
  server.shift = s.options.window_shift.value_or(UINT8_MAX);
  to(s).limit = to(s).initial + 1 + s.window;
}

void TcpWatch::answer_call_back(const TcpSegment& s) {
  Side& client = from(s);
  Side& server = to(s);
  if (s.acknowledgement != server.initial + 1) return tell(E::kSplitSynAckWrongAck);
  if (s.sequence != client.initial) return tell(E::kSplitSynAckWrongSequence);
  state_ = State::kSynReceived;
  split_ = true;
  client.acknowledged = client.initial + 1;
  server.acknowledged = server.next;
  server.limit = server.next + s.window;
  agree_on_scales(server.shift);
}

void TcpWatch::agree_on_scales(uint8_t of_server) {
  const auto [client, server] = std::pair{&sides_[0], &sides_[1]};
  const bool scaled = client->shift != UINT8_MAX && of_server != UINT8_MAX;
  client->shift = scaled ? client->shift : uint8_t{0};
  server->shift = scaled ? of_server : uint8_t{0};
}

// Its server is not heard, or not yet.
void TcpWatch::see_one_side(const TcpSegment& s) {
  if (!one_sided_ || s.direction == Direction::kToClient || !s.has(kTcpAck)) return;
  if (s.sequence != from(s).next) return tell(E::kOneSidedWrongSequence);
  state_ = State::kNotFollowed;
}

void TcpWatch::syn_ack(const TcpSegment& s) {
  if (is_shutdown()) return tell(E::kShutdownSyn);
  const bool up = s.direction == Direction::kToServer;
  if (up && state_ == State::kCalledBack) return answer_call_back(s);
  if (up && state_ == State::kSynReceived && split_) return;
  if (up) {
    tell(state_ == State::kSynSent       ? E::kHandshakeSynAckInWrongDirection
         : state_ == State::kSynReceived ? E::kHandshakeSynAckToServer
                                         : E::kEstablishedSynAckToServer);
  } else if (state_ == State::kSynSent || state_ == State::kCalledBack) {
    answer_syn(s);
  } else {
    repeat_syn_ack(s);
  }
}

void TcpWatch::answer_syn(const TcpSegment& s) {
  Side& server = from(s);
  Side& client = to(s);
  if (before(s.acknowledgement, client.initial + 1) || before(client.next, s.acknowledgement))
    return tell(E::kHandshakeSynAckWrongAck);
  if (fast_open_ && s.acknowledgement == client.initial + 1) tell(E::kHandshakeFastOpenIgnored);
  split_ = state_ == State::kCalledBack;
  state_ = State::kSynReceived;
  // What was not taken of a SYN's data comes again.
  client.next = client.acknowledged = s.acknowledgement;
  client.limit = s.acknowledgement + s.window;
  server.initial = s.sequence;
  server.next = server.acknowledged = s.sequence + 1;
  server.limit = server.next + syn_window_;
  server.timestamp = s.options.timestamp.value_or(0);
  agree_on_scales(s.options.window_shift.value_or(UINT8_MAX));
}

void TcpWatch::repeat_syn_ack(const TcpSegment& s) {
  const bool open = state_ == State::kEstablished;
  const Side& client = to(s);
  if (before(s.acknowledgement, client.initial + 1) || before(client.next, s.acknowledgement))
    return tell(open ? E::kEstablishedSynAckOtherAck : E::kHandshakeSynAckOtherAck);
  if (s.sequence == from(s).initial) {
    if (open) tell(E::kEstablishedSynAck);
    return;
  }
  tell(open ? E::kEstablishedSynAckOtherSequence : E::kHandshakeSynAckOtherSequence);
  if (open) return;
  other_initial_ = s.sequence;
  if (other_syn_acks_ == kOtherSynAcksMax)
    tell(E::kHandshakeSynAckFlood);
  else
    other_syn_acks_++;
}

// True: the client has ended it, now or in a packet that passed elsewhere.
bool TcpWatch::end_handshake(const TcpSegment& s) {
  if (split_ && s.direction == Direction::kToClient) return end_split_handshake(s);
  if (s.direction == Direction::kToClient) {
    if (before(to(s).acknowledged, s.acknowledgement)) {
      state_ = State::kEstablished;
      return true;
    }
    tell(s.length != 0 ? E::kHandshakeAckWithData : E::kHandshakeAckInWrongDirection);
    return false;
  }
  Side& server = to(s);
  if (other_syn_acks_ != 0 && s.acknowledgement == other_initial_ + 1) {
    server.limit += other_initial_ - server.initial;
    server.initial = other_initial_;
    server.next = server.acknowledged = other_initial_ + 1;
  }
  if (!s.has(kTcpAck) || s.acknowledgement != server.next) {
    tell(s.sequence == from(s).next ? E::kHandshakeRightSequenceWrongAck
                                    : E::kHandshakeWrongSequenceWrongAck);
    return false;
  }
  state_ = State::kEstablished;
  return true;
}

bool TcpWatch::end_split_handshake(const TcpSegment& s) {
  const bool in_order = s.sequence == from(s).next;
  if (!in_order) {
    tell(E::kSplitWrongSequence);
  } else if (!acknowledges_well(s)) {
    tell(E::kSplitInvalidAck);
  } else {
    state_ = State::kEstablished;
  }
  return state_ == State::kEstablished;
}

// --- the connection ---

void TcpWatch::follow(const TcpSegment& s) {
  if (closes_window(s)) return tell(E::kBadWindowUpdate);
  if (!acknowledges_well(s)) {
    tell(E::kInvalidAck);
    switch (state_) {
      case State::kFinWait1:
        return tell(E::kFinWait1InvalidAck);
      case State::kFinWait2:
        return tell(E::kFinWait2InvalidAck);
      case State::kClosing:
        return tell(E::kClosingInvalidAck);
      case State::kCloseWait:
        return tell(E::kCloseWaitInvalidAck);
      case State::kLastAck:
        return tell(E::kLastAckInvalidAck);
      case State::kTimeWait:
        return tell(E::kTimeWaitInvalidAck);
      default:
        return tell(s.has(kTcpFin) ? E::kFinInvalidAck : E::kEstablishedInvalidAck);
    }
  }
  if (!is_in_time(s)) return tell(E::kInvalidTimestamp);
  if (!is_in_place(s)) return;
  take(s);
  go_on(s);
}

// Not of what the other end cannot have sent, nor older than a window.
bool TcpWatch::acknowledges_well(const TcpSegment& s) {
  if (!s.has(kTcpAck)) return true;
  const Side& other = to(s);
  const uint32_t window = other.limit - other.acknowledged;
  if (before(s.acknowledgement, other.acknowledged))
    return window == 0 || !before(s.acknowledgement, other.acknowledged - window);
  // A FIN takes a number behind the window.
  return !before(later(other.limit, other.next), s.acknowledgement);
}

// RFC 7323, 5.3. A sender that was silent for 24 days is not thought of: no flow lives so long.
bool TcpWatch::is_in_time(const TcpSegment& s) {
  const uint32_t last = from(s).timestamp;
  return last == 0 || !s.options.timestamp || !before(*s.options.timestamp, last);
}

// As if bytes had passed elsewhere both ways, it leaves so little window that what is expected
// would be beyond it. After a loss windows shrink too, but by no more than what is acknowledged.
bool TcpWatch::closes_window(const TcpSegment& s) {
  constexpr uint32_t kSmall = 1024, kMargin = 32;  // Suricata's
  const Side& other = to(s);
  if (!s.has(kTcpAck) || s.has(kTcpFin)) return false;
  if (!before(from(s).next, s.sequence) || !before(other.next, s.acknowledgement)) return false;
  const uint32_t was = other.limit - other.acknowledged;
  const uint32_t is = uint32_t{s.window} << from(s).shift;
  if (is >= was || was - is <= s.length) return false;
  const uint32_t taken = s.acknowledgement - other.acknowledged;
  return was - is > taken + (is > kSmall ? kMargin : 0);
}

bool TcpWatch::is_in_place(const TcpSegment& s) {
  const Side& side = from(s);
  const bool fin = s.has(kTcpFin);
  const uint32_t end = s.sequence + s.length;
  if (s.length <= 1 && s.sequence == side.next - 1 && !fin)
    return true;  // asks if anybody is there
  const bool old = s.end() != s.sequence && !before(side.next, s.end());
  if (old) tell(E::kRetransmission);
  // A single byte asks whether the window is still closed.
  const bool far = before(side.limit, end) && !(s.length <= 1 && s.sequence == side.limit);
  const bool acknowledged = s.length != 0 && !before(side.acknowledged, end);
  if (acknowledged) tell(E::kSpuriousRetransmission);
  const bool wrong_fin = fin && !old && (before(s.sequence, side.acknowledged) || far);
  const auto unless = [&](bool wrong, StreamEvent event) {
    if (wrong) tell(event);
    return !wrong;
  };
  switch (state_) {
    case State::kEstablished:
      if (before(end, side.acknowledged)) return unless(true, E::kEstablishedBeforeLastAck);
      return fin ? unless(wrong_fin, E::kFinOutOfWindow) : unless(far, E::kEstablishedOutOfWindow);
    case State::kFinWait1:
      return fin ? unless(wrong_fin, E::kFinWait1WrongFin) : unless(far, E::kFinWait1WrongAck);
    case State::kFinWait2:
      return fin ? unless(wrong_fin, E::kFinWait2WrongFin) : unless(far, E::kFinWait2WrongAck);
    case State::kCloseWait:
      if (fin) return unless(wrong_fin, E::kCloseWaitFinOutOfWindow);
      return unless(acknowledged, E::kCloseWaitBeforeLastAck) &&
             unless(far, E::kCloseWaitAckOutOfWindow);
    case State::kClosing:
      return old || unless(s.sequence != side.next, E::kClosingWrongAck);
    case State::kLastAck:
      return old || unless(s.sequence != side.next, E::kLastAckWrongAck);
    default:
      return old || unless(s.sequence != side.next, E::kTimeWaitWrongAck);
  }
}

void TcpWatch::take(const TcpSegment& s) {
  Side& side = from(s);
  Side& other = to(s);
  side.next = later(side.next, s.end());
  if (s.options.timestamp) side.timestamp = *s.options.timestamp;
  if (!s.has(kTcpAck)) return;
  other.acknowledged = later(other.acknowledged, s.acknowledgement);
  other.next = later(other.next, other.acknowledged);
  other.limit = later(other.limit, s.acknowledgement + (uint32_t{s.window} << side.shift));
}

void TcpWatch::go_on(const TcpSegment& s) {
  const bool up = s.direction == Direction::kToServer;
  const bool fin = s.has(kTcpFin);
  const bool all_taken = s.has(kTcpAck) && s.acknowledgement == to(s).next;
  switch (state_) {
    case State::kEstablished:
      if (fin) state_ = up ? State::kCloseWait : State::kFinWait1;
      return;
    case State::kCloseWait:
      if (fin && !up) state_ = State::kLastAck;
      return;
    case State::kFinWait1:
      if (up && fin) state_ = all_taken ? State::kTimeWait : State::kClosing;
      if (up && !fin && all_taken) state_ = State::kFinWait2;
      return;
    case State::kFinWait2:
      if (up && fin) state_ = State::kTimeWait;
      return;
    case State::kClosing:
      if (!up && all_taken) state_ = State::kTimeWait;
      return;
    default:
      return;
  }
}

// --- resets ---

void TcpWatch::reset(const TcpSegment& s) {
  if (s.length != 0) tell(E::kResetWithData);
  if (state_ == State::kSynSent || state_ == State::kCalledBack) {
    if (s.direction == Direction::kToClient && s.acknowledgement != to(s).next) return;
  } else if (!acknowledges_well(s)) {
    tell(E::kInvalidAck);
    return tell(E::kResetInvalidAck);
  } else if (before(s.sequence, from(s).acknowledged) || before(from(s).limit, s.sequence)) {
    return;  // nobody believes it
  }
  state_ = State::kClosed;
  was_reset_ = true;
  reset_by_ = s.direction;
  reset_at_ = s.sequence;
}

// Who has sent it says nothing behind it, so that nobody can acknowledge that.
void TcpWatch::after_reset(const TcpSegment& s) {
  if (!was_reset_ || s.has(kTcpRst) || s.has(kTcpSyn)) return;
  const bool goes_on = s.direction == reset_by_
                           ? !before(s.sequence, reset_at_)
                           : s.has(kTcpAck) && before(reset_at_, s.acknowledgement);
  if (goes_on) tell(E::kResetSuspected);
}

}  // namespace sluice::inspect
