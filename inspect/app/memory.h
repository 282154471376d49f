// SPDX-License-Identifier: Apache-2.0
// What application parsers hold, about: their buffers and texts as they are, the records of
// libraries and of the inspection at what one of them takes. `memory_test` holds this to what the
// allocator has given out. Not counted: what nghttp2 holds of a header block that is not whole (a
// limit of its own), and what the allocator adds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <vector>

namespace sluice::inspect {

// What the inspection keeps of a transaction, but for its bodies, which count as memory of streams.
inline constexpr size_t kTransactionNotesBytes = 2048;

inline size_t heap_of(const std::string& text) {
  return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
}
template <class T>
size_t heap_of(const std::vector<T>& items) {
  return items.capacity() * sizeof(T);
}
// An empty one takes a block, too.
inline constexpr size_t kDequeBytes = 576;
inline size_t heap_of(const std::deque<std::string>& texts) {
  size_t bytes = kDequeBytes + texts.size() * sizeof(std::string);
  for (const std::string& text : texts) bytes += heap_of(text);
  return bytes;
}

// An empty one takes nothing.
inline size_t heap_of(const std::list<std::string>& texts) {
  size_t bytes = texts.size() * (sizeof(std::string) + 2 * sizeof(void*));
  for (const std::string& text : texts) bytes += heap_of(text);
  return bytes;
}

// What a flow may hold however much the others do: together they are stopped by ending those that
// hold much, never small ones beside them.
inline constexpr size_t kFlowShareBytes = 32 << 10;

// Counting takes a walk over all open transactions. It is done again when more bytes have come than
// one for so many that the flow holds: who has many open cannot have each tiny segment cost a walk.
inline constexpr size_t kHeldPerByte = 1024;

// Shared by the parsers of one worker.
struct AppBudget {
  size_t used = 0;
  size_t max = SIZE_MAX;
  size_t flow_max = SIZE_MAX;  // of one flow
};

// What one flow's parser takes of it.
class AppCharge {
 public:
  // No budget: nothing is counted.
  explicit AppCharge(AppBudget* budget) : budget_(budget) {}
  ~AppCharge() { set(0); }
  AppCharge(const AppCharge&) = delete;
  AppCharge& operator=(const AppCharge&) = delete;

  void set(size_t bytes) {
    if (budget_ == nullptr) return;
    budget_->used += bytes - bytes_;
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }
  AppBudget* budget() const { return budget_; }
  bool is_over() const {
    if (budget_ == nullptr) return false;
    const bool too_much_of_all = budget_->used > budget_->max && bytes_ > kFlowShareBytes;
    return too_much_of_all || bytes_ > budget_->flow_max;
  }

 private:
  AppBudget* const budget_;
  size_t bytes_ = 0;
};

}  // namespace sluice::inspect
