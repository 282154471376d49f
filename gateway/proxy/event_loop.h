// SPDX-License-Identifier: Apache-2.0
// One thread's events: descriptors (epoll), timers, and the coroutines that live on it.
//
// Everything here belongs to the thread that calls run(). A callback may destroy the very Watch or
// Timer that called it, if it then touches nothing that it captured; it may not destroy the loop.
//
// clang-format off
// With callbacks:
//   Timer timer(loop, [&] { check(); });
//   timer.set_after(5000);
//   Watch watch;
//   watch.start(loop, fd, EPOLLIN, [&](uint32_t) { accept_some(); });
//   loop.run();
// With a coroutine (task.h, socket.h, wakeup.h):
//   Task<> check(EventLoop& loop, SocketAddress to) {
//     auto socket = co_await connect_tcp(loop, to, loop.now_ms() + 2000);
//     co_await sleep_until(loop, loop.now_ms() + 5000);
//   }
//   loop.spawn(check(loop, address));
// clang-format on
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "gateway/proxy/task.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class EventLoop;

// Calls back once at a time of the loop's clock. Setting it again replaces the time.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> fire) : loop_(loop), fire_(std::move(fire)) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set_at(uint64_t at_ms);
  void set_after(uint64_t delay_ms);
  void cancel();
  bool armed() const { return slot_ != kNotArmed; }
  uint64_t at_ms() const { return at_ms_; }

 private:
  friend class EventLoop;
  static constexpr size_t kNotArmed = SIZE_MAX;

  EventLoop& loop_;
  std::function<void()> fire_;
  uint64_t at_ms_ = 0;
  size_t slot_ = kNotArmed;  // place in the loop's heap
};

// Calls back with the epoll events of one descriptor, which it does not own. Add EPOLLET for edges.
// Stop before the descriptor is closed.
class Watch {
 public:
  Watch() = default;
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Result<> start(EventLoop& loop, int fd, uint32_t events, std::function<void(uint32_t)> ready);
  void stop();
  bool active() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  int fd_ = -1;
  std::function<void(uint32_t)> ready_;
};

class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Turns until stop(). A second run() after a stop() goes on where the first ended.
  void run();
  void stop() { stopped_ = true; }

  // Waits for events for at most wait_max_ms (and no longer than to the next timer), then handles
  // them.
  void turn(int wait_max_ms);

  // CLOCK_MONOTONIC, read once per turn.
  uint64_t now_ms() const { return now_ms_; }

  // Runs at the end of this turn, when no callback of it is on the stack any more.
  void defer(std::function<void()> work) { deferred_.push_back(std::move(work)); }

  // Starts the task at once and keeps it until it ends, its owner cancels it or the loop is
  // destroyed.
  void spawn(Task<> task, const void* owner = nullptr);
  // Destroys the owner's tasks. Not from one of them.
  void cancel_tasks_of(const void* owner);
  size_t tasks() const { return tasks_.size(); }

 private:
  friend class Timer;
  friend class Watch;
  static constexpr size_t kEventsPerTurnMax = 256;

  explicit EventLoop(int epoll_fd);
  void read_clock();
  void fire_timers();
  void run_deferred();
  static void task_ended(void* loop, uint64_t id);

  void timer_place(size_t slot, Timer* timer);
  void timer_up(size_t slot);
  void timer_down(size_t slot);
  void forget_events_of(const Watch* watch);

  int epoll_fd_;
  bool stopped_ = false;
  uint64_t now_ms_ = 0;
  std::array<epoll_event, kEventsPerTurnMax> events_;
  size_t events_next_ = 0;  // the first of events_ that is not handled yet
  size_t events_count_ = 0;
  std::vector<Timer*> timers_;  // binary heap, the earliest first
  std::vector<std::function<void()>> deferred_;
  struct Spawned {
    Task<> task;
    const void* owner;
  };
  std::unordered_map<uint64_t, Spawned> tasks_;
  std::vector<uint64_t> ended_tasks_;
  uint64_t next_task_ = 0;
};

}  // namespace sluice::gateway
