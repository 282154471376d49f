// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/event_loop.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>

namespace sluice::gateway {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return fail_errno("cannot create an epoll descriptor");
  return std::unique_ptr<EventLoop>(new EventLoop(fd));
}

EventLoop::EventLoop(int epoll_fd) : epoll_fd_(epoll_fd) { read_clock(); }

EventLoop::~EventLoop() {
  tasks_.clear();  // their sockets and timers leave the loop while it still stands
  deferred_.clear();
  close(epoll_fd_);
}

void EventLoop::run() {
  stopped_ = false;
  while (!stopped_) turn(INT_MAX);
}

void EventLoop::turn(int wait_max_ms) {
  read_clock();
  int wait_ms = wait_max_ms;
  if (!timers_.empty()) {
    uint64_t at = timers_.front()->at_ms_;
    uint64_t left = at > now_ms_ ? at - now_ms_ : 0;
    wait_ms = static_cast<int>(std::min<uint64_t>(left, static_cast<uint64_t>(wait_max_ms)));
  }
  int count = epoll_wait(epoll_fd_, events_.data(), kEventsPerTurnMax, wait_ms);
  events_count_ = count > 0 ? static_cast<size_t>(count) : 0;
  read_clock();
  for (events_next_ = 0; events_next_ < events_count_;) {
    const epoll_event& event = events_[events_next_++];
    auto* watch = static_cast<Watch*>(event.data.ptr);
    if (watch == nullptr) continue;  // stopped by an earlier callback of this turn
    watch->ready_(event.events);
  }
  events_count_ = 0;
  fire_timers();
  run_deferred();
}

void EventLoop::read_clock() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  now_ms_ = static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

// Timers that a callback sets for now wait for the next turn, so that a turn always ends.
void EventLoop::fire_timers() {
  for (size_t left = timers_.size(); left > 0 && !timers_.empty(); --left) {
    Timer* timer = timers_.front();
    if (timer->at_ms_ > now_ms_) return;
    timer->cancel();
    timer->fire_();
  }
}

void EventLoop::run_deferred() {
  auto work = std::move(deferred_);
  deferred_.clear();
  for (auto& one : work) one();
  auto ended = std::move(ended_tasks_);
  ended_tasks_.clear();
  for (uint64_t id : ended) tasks_.erase(id);
}

void EventLoop::spawn(Task<> task, const void* owner) {
  uint64_t id = next_task_++;
  task.on_end(&EventLoop::task_ended, this, id);
  auto place = tasks_.emplace(id, Spawned{std::move(task), owner}).first;
  place->second.task.start();
}

void EventLoop::cancel_tasks_of(const void* owner) {
  std::erase_if(tasks_, [owner](const auto& entry) { return entry.second.owner == owner; });
}

void EventLoop::task_ended(void* loop, uint64_t id) {
  static_cast<EventLoop*>(loop)->ended_tasks_.push_back(id);
}

void EventLoop::forget_events_of(const Watch* watch) {
  for (size_t i = 0; i < events_count_; ++i) {
    if (events_[i].data.ptr == watch) events_[i].data.ptr = nullptr;
  }
}

Result<> Watch::start(EventLoop& loop, int fd, uint32_t events,
                      std::function<void(uint32_t)> ready) {
  stop();
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  if (epoll_ctl(loop.epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail_errno("cannot watch a descriptor");
  }
  loop_ = &loop;
  fd_ = fd;
  ready_ = std::move(ready);
  return {};
}

void Watch::stop() {
  if (loop_ == nullptr) return;
  epoll_ctl(loop_->epoll_fd_, EPOLL_CTL_DEL, fd_, nullptr);
  loop_->forget_events_of(this);
  loop_ = nullptr;
}

void Timer::set_after(uint64_t delay_ms) { set_at(loop_.now_ms() + delay_ms); }

void Timer::set_at(uint64_t at_ms) {
  at_ms_ = at_ms;
  if (!armed()) {
    loop_.timers_.push_back(this);
    slot_ = loop_.timers_.size() - 1;
  }
  loop_.timer_up(slot_);
  loop_.timer_down(slot_);
}

void Timer::cancel() {
  if (!armed()) return;
  size_t slot = slot_;
  slot_ = kNotArmed;
  Timer* last = loop_.timers_.back();
  loop_.timers_.pop_back();
  if (last == this) return;
  loop_.timer_place(slot, last);
  loop_.timer_up(slot);
  loop_.timer_down(last->slot_);
}

void EventLoop::timer_place(size_t slot, Timer* timer) {
  timers_[slot] = timer;
  timer->slot_ = slot;
}

void EventLoop::timer_up(size_t slot) {
  Timer* timer = timers_[slot];
  while (slot > 0) {
    size_t parent = (slot - 1) / 2;
    if (timers_[parent]->at_ms_ <= timer->at_ms_) break;
    timer_place(slot, timers_[parent]);
    slot = parent;
  }
  timer_place(slot, timer);
}

void EventLoop::timer_down(size_t slot) {
  Timer* timer = timers_[slot];
  while (true) {
    size_t child = 2 * slot + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && timers_[child + 1]->at_ms_ < timers_[child]->at_ms_) ++child;
    if (timer->at_ms_ <= timers_[child]->at_ms_) break;
    timer_place(slot, timers_[child]);
    slot = child;
  }
  timer_place(slot, timer);
}

}  // namespace sluice::gateway
