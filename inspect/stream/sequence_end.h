// SPDX-License-Identifier: Apache-2.0
// How far one direction of a TCP connection has come, without its bytes: enough to tell its end
// from a reset that somebody makes up who does not see the connection. It is no more than that: an
// acknowledgement is believed whatever it says, because the bytes may have passed elsewhere, so
// that who sends a made up one first can have a reset believed behind it.
#pragma once

#include <cstdint>

namespace sluice::inspect {

class SequenceEnd {
 public:
  // A SYN, and what comes with it. Another one counts as long as none was acknowledged.
  void begin(uint32_t next) {
    if (is_acknowledged_) return;
    next_ = next;
    is_known_ = true;
  }

  // A segment that takes so many sequence numbers. One that comes early moves nothing: the receiver
  // says when it has what was missing.
  void send(uint32_t sequence, uint32_t length) {
    if (!is_known_ && length != 0) begin(sequence);
    if (is_at_or_before(sequence, next_) && !is_at_or_before(sequence + length, next_))
      next_ = sequence + length;
  }

  // By the receiver.
  void acknowledge(uint32_t sequence) {
    acknowledged_ = sequence;
    if (!is_known_ || !is_at_or_before(sequence, next_)) next_ = sequence;
    is_known_ = is_acknowledged_ = true;
  }

  // A reset ends the connection where the sender has come to, or where the receiver has said last
  // that it is (RFC 5961 section 3.2). Of whom nothing is known any is believed.
  bool believes_reset(uint32_t sequence) const {
    return !is_known_ || sequence == next_ || (is_acknowledged_ && sequence == acknowledged_);
  }

 private:
  static bool is_at_or_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(b - a) >= 0; }

  uint32_t next_ = 0;
  uint32_t acknowledged_ = 0;
  bool is_known_ = false;
  bool is_acknowledged_ = false;
};

}  // namespace sluice::inspect
