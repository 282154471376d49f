// SPDX-License-Identifier: Apache-2.0
// Follows a TCP connection by flags and numbers alone, from its SYN on, and says what does not fit:
// the events that Suricata's stream engine tells. It decides nothing: what passes is for
// reassembly.h and the rules. Of a connection that is met in its middle, or of which one end is not
// heard, only what a packet says by itself is told.
//
// The states are Suricata's, one for both ends: a FIN of the client leads to kCloseWait, one of the
// server to kFinWait1. A server may also answer a SYN with one of its own, and its client that with
// a SYN and ACK: a split handshake, in four steps, or both have called each other.
#pragma once

#include <cstdint>

#include "inspect/stream/flow.h"
#include "inspect/stream/stream_event.h"
#include "inspect/stream/tcp_options.h"

namespace sluice::inspect {

// SYNs with ACK that differ from the first and are no flood yet; Suricata's max-synack-queued.
inline constexpr uint8_t kOtherSynAcksMax = 5;

struct TcpSegment {
  Direction direction;
  uint8_t flags;
  uint32_t sequence, acknowledgement;
  uint16_t window;
  uint32_t length;  // of the payload
  TcpOptions options;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  uint32_t end() const;  // the sequence number behind it
};

class TcpWatch {
 public:
  // `one_sided`: a connection goes on though its server is not heard.
  explicit TcpWatch(bool one_sided = false) : one_sided_(one_sided) {}

  // What the next packet does.
  StreamEvents see(const TcpSegment& segment);

  StreamEvents told = 0;  // in events, for whoever tells each once

 private:
  enum class State : uint8_t {
    kNone,
    kNotFollowed,
    kSynSent,
    kCalledBack,
    kSynReceived,
    kEstablished,
    kFinWait1,
    kFinWait2,
    kClosing,
    kCloseWait,
    kLastAck,
    kTimeWait,
    kClosed,
  };
  // What one end sends.
  struct Side {
    uint32_t initial = 0;
    uint32_t next = 0;          // behind what was seen of it, or acknowledged
    uint32_t acknowledged = 0;  // by the other end
    uint32_t limit = 0;         // the other end takes nothing behind it
    uint32_t timestamp = 0;     // 0: none was seen
    uint8_t shift = 0;          // of its windows
  };

  void tell(StreamEvent event) { events_ |= bit_of(event); }
  Side& from(const TcpSegment& segment) { return sides_[static_cast<size_t>(segment.direction)]; }
  Side& to(const TcpSegment& segment) { return sides_[1 - static_cast<size_t>(segment.direction)]; }
  bool is_shutdown() const { return state_ >= State::kFinWait1 && state_ <= State::kTimeWait; }

  void begin(const TcpSegment& segment);
  void see_in_session(const TcpSegment& segment);
  void syn(const TcpSegment& segment);
  void syn_ack(const TcpSegment& segment);
  void answer_syn(const TcpSegment& segment);
  void call_back(const TcpSegment& segment);
  void answer_call_back(const TcpSegment& segment);
  void agree_on_scales(uint8_t of_server);
  void see_one_side(const TcpSegment& segment);
  void repeat_syn_ack(const TcpSegment& segment);
  void reset(const TcpSegment& segment);
  bool end_handshake(const TcpSegment& segment);
  bool end_split_handshake(const TcpSegment& segment);
  void follow(const TcpSegment& segment);
  bool acknowledges_well(const TcpSegment& segment);
  bool is_in_time(const TcpSegment& segment);
  bool closes_window(const TcpSegment& segment);
  bool is_in_place(const TcpSegment& segment);
  void take(const TcpSegment& segment);
  void go_on(const TcpSegment& segment);
  void after_reset(const TcpSegment& segment);

  Side sides_[2];  // by the Direction in which it sends
  const bool one_sided_;
  State state_ = State::kNone;
  bool split_ = false;  // both ends have sent a SYN
  bool fast_open_ = false;
  uint8_t other_syn_acks_ = 0;
  bool was_reset_ = false;
  Direction reset_by_ = Direction::kToServer;
  uint16_t syn_window_ = 0;
  uint32_t reset_at_ = 0;
  uint32_t other_initial_ = 0;  // of the server's last SYN that differs
  StreamEvents events_ = 0;
};

}  // namespace sluice::inspect
