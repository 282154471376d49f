// SPDX-License-Identifier: Apache-2.0
// Where a coroutine waits: for anything that calls wake(), or for a deadline.
//
// A wakeup says "look again", not what happened: the coroutine tries its sockets, and waits when
// none of them can go on. So one coroutine serves both sides of a connection, and a needless wake
// does no harm.
#pragma once

#include <coroutine>
#include <cstdint>

#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

constexpr uint64_t kNever = UINT64_MAX;

class Wakeup {
 public:
  explicit Wakeup(EventLoop& loop) : loop_(loop), timer_(loop, [this] { timer_fired(); }) {}

  struct Awaiter {
    Wakeup& wakeup;
    bool await_ready() const noexcept { return wakeup.pending_; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { wakeup.waiter_ = waiter; }
    // True when woken, false when the deadline has passed.
    bool await_resume() noexcept {
      wakeup.pending_ = false;
      return !wakeup.timed_out_;
    }
  };

  Awaiter until(uint64_t deadline_ms) {
    deadline_ms_ = deadline_ms;
    timed_out_ = false;
    // A timer that is set too early is moved when it fires: deadlines mostly move on, and seldom
    // pass.
    bool late = !timer_.armed() || timer_.at_ms() > deadline_ms;
    if (deadline_ms != kNever && late) timer_.set_at(deadline_ms);
    return Awaiter{*this};
  }

  // Lets the loop's other work go first; always suspends, which also empties the stack.
  Awaiter pause() {
    pending_ = false;
    return until(loop_.now_ms());
  }

  void wake() {
    if (!waiter_) {
      pending_ = true;
      return;
    }
    std::exchange(waiter_, nullptr).resume();
  }

  EventLoop& loop() { return loop_; }

 private:
  void timer_fired() {
    if (!waiter_ || deadline_ms_ == kNever) return;
    if (deadline_ms_ > loop_.now_ms()) return timer_.set_at(deadline_ms_);
    timed_out_ = true;
    std::exchange(waiter_, nullptr).resume();
  }

  EventLoop& loop_;
  Timer timer_;
  uint64_t deadline_ms_ = kNever;
  std::coroutine_handle<> waiter_;
  bool pending_ = false;
  bool timed_out_ = false;
};

inline Task<> sleep_until(EventLoop& loop, uint64_t at_ms) {
  Wakeup wakeup(loop);
  while (co_await wakeup.until(at_ms)) {
  }
}

}  // namespace sluice::gateway
