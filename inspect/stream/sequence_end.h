// SPDX-License-Identifier: Apache-2.0
// How far one direction of a TCP connection has come, without its bytes: enough to tell its end
// from a reset that somebody makes up who does not see the connection. An acknowledgement counts if
// it is one of what was sent (RFC 5961 section 5), so that who sends a made up one first cannot
// have a reset believed behind it.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice::inspect {

// Segments that run further ahead of a missing one are not believed; more than usual windows.
inline constexpr uint32_t kRunAheadMax = 1 << 24;

class SequenceEnd {
 public:
  // A SYN, and what comes with it. Another one counts as long as none was acknowledged.
  void begin(uint32_t sequence, uint32_t length) {
    if (is_acknowledged_) return;
    oldest_ = sequence;
    next_ = newest_ = sequence + length;
    is_known_ = is_sent_ = true;
  }

  // A segment that takes so many sequence numbers. One that comes early moves nothing: the receiver
  // says when it has what was missing.
  void send(uint32_t sequence, uint32_t length) {
    if (!is_known_ && length != 0) begin(sequence, 0);
    const uint32_t end = sequence + length;
    if (is_at_or_before(end, next_)) return;
    if (is_at_or_before(sequence, next_)) {
      next_ = end;
      is_sent_ = true;
    }
    if (end - next_ <= kRunAheadMax && !is_at_or_before(end, newest_)) newest_ = end;
  }

  // By the receiver; `syn`: it answers a SYN, whichever that was. As long as nothing is known from
  // the sender, any is believed.
  void acknowledge(uint32_t sequence, bool syn = false) {
    const bool elsewhere = is_sent_ && sequence - oldest_ > newest_ - oldest_;
    if (elsewhere && (!syn || is_acknowledged_)) return;
    const bool anew = !is_known_ || elsewhere;
    oldest_ = sequence;
    if (anew || !is_at_or_before(sequence, next_)) next_ = sequence;
    if (anew || !is_at_or_before(next_, newest_)) newest_ = next_;
    is_known_ = is_acknowledged_ = true;
  }

  // Nothing that comes before it was seen to be sent, as far as anything is known from the sender.
  bool is_unsent(uint32_t sequence) const {
    return is_sent_ && !is_at_or_before(sequence, newest_);
  }

  // By the receiver, last.
  std::optional<uint32_t> acknowledged() const {
    return is_acknowledged_ ? std::optional(oldest_) : std::nullopt;
  }

  // A reset ends the connection where the sender has come to, or where the receiver has said last
  // that it is (RFC 5961 section 3.2). Of whom nothing is known any is believed.
  bool believes_reset(uint32_t sequence) const {
    return !is_known_ || sequence == next_ || (is_acknowledged_ && sequence == oldest_);
  }

 private:
  static bool is_at_or_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(b - a) >= 0; }

  uint32_t oldest_ = 0;  // that the receiver may still acknowledge: RFC 9293's SND.UNA
  uint32_t next_ = 0;    // that everything was sent before
  uint32_t newest_ = 0;  // that anything was sent before: SND.NXT
  bool is_known_ = false;
  bool is_sent_ = false;  // it is known from the sender itself
  bool is_acknowledged_ = false;
};

}  // namespace sluice::inspect
