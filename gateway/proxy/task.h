// SPDX-License-Identifier: Apache-2.0
// Task<T>: a coroutine that starts when it is awaited (or given to EventLoop::spawn) and yields a
// T.
//
// The Task owns the coroutine: destroying a Task that has not ended cancels it, which destroys its
// locals and with them its sockets, timers and inner tasks. A task must not destroy itself.
// Frames come from a per-thread store of used frames, so that a call in a running program allocates
// nothing.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace sluice::gateway {

void* task_frame_take(size_t bytes);
void task_frame_give(void* memory, size_t bytes);

class TaskPromiseBase {
 public:
  static void* operator new(size_t bytes) { return task_frame_take(bytes); }
  static void operator delete(void* memory, size_t bytes) { task_frame_give(memory, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  // Out of memory, or a fault of ours: there is nobody to tell.
  void unhandled_exception() noexcept { std::terminate(); }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      TaskPromiseBase& promise = ended.promise();
      if (promise.on_end_ != nullptr) promise.on_end_(promise.on_end_context_, promise.on_end_id_);
      return promise.continuation_ ? promise.continuation_ : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  std::coroutine_handle<> continuation_;
  void (*on_end_)(void* context, uint64_t id) = nullptr;
  void* on_end_context_ = nullptr;
  uint64_t on_end_id_ = 0;
};

template <class T>
class Task;

template <class T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T result() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void result() {}
};

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Of a task that nobody awaits: run to the first wait; done() says whether it ended.
  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }
  void on_end(void (*call)(void* context, uint64_t id), void* context, uint64_t id) {
    handle_.promise().on_end_ = call;
    handle_.promise().on_end_context_ = context;
    handle_.promise().on_end_id_ = id;
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().continuation_ = caller;
    return handle_;
  }
  T await_resume() { return handle_.promise().result(); }

 private:
  Handle handle_;
};

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

}  // namespace sluice::gateway
