// SPDX-License-Identifier: Apache-2.0
// How long datagrams have lain in the kernel's queue. It stamps them by the wall clock, which may
// be set while they lie there; the steady clock says when that was.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace sluice::sdk {

// By so much the clocks must part to be a step. Less is who was interrupted between reading both,
// or a clock that is made to run faster for a while.
inline constexpr int64_t kClockStepUs = 10'000;
// So long after a step nothing is left in the queue from before it.
inline constexpr int64_t kClockStepRememberedUs = 10'000'000;

class QueueClock {
 public:
  // What both clocks say, after datagrams were taken from the queue.
  void look(int64_t wall_us, int64_t steady_us) {
    const int64_t offset = wall_us - steady_us;
    const bool stepped = wall_us_ != 0 && std::abs(offset - offset_) > kClockStepUs;
    if (stepped) {
      offset_before_ = offset_;
      step_us_ = steady_us;
    } else if (wall_us_ == 0 || steady_us - step_us_ > kClockStepRememberedUs) {
      offset_before_ = offset;
    }
    offset_ = offset;
    wall_us_ = wall_us;
  }

  // Of a datagram with that stamp; 0: it has none. After a step it is not known by which time it
  // was stamped: the shorter wait is right, unless that lies in the future.
  int64_t waited_us(int64_t stamp_us) const {
    if (stamp_us == 0) return 0;
    const int64_t now = wall_us_ - stamp_us;
    const int64_t before = now - (offset_ - offset_before_);
    const int64_t less = now < before ? now : before;
    const int64_t more = now < before ? before : now;
    return less >= 0 ? less : more >= 0 ? more : 0;
  }

 private:
  int64_t wall_us_ = 0;        // 0: never looked
  int64_t offset_ = 0;         // of the wall clock to the steady one
  int64_t offset_before_ = 0;  // before the last step, as long as that is remembered
  int64_t step_us_ = 0;        // by the steady clock
};

}  // namespace sluice::sdk
