// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/tcp_inspection.h"

#include <algorithm>

namespace sluice::inspect {

void StreamInspection::begin_again(uint32_t its_generation) {
  if (remembered) remembered->pending.clear();
  generation = its_generation;
}

void StreamInspection::rest() {
  stream.rest();
  if (!remembered) return;
  remembered->pending.shrink_to_fit();
  remembered->fired.shrink_to_fit();
  remembered->charge();
  if (remembered->pending.empty() && remembered->fired.empty()) remembered.reset();
}

StreamInspection::Remembered& StreamInspection::memory(StreamBudget& budget) {
  if (!remembered) remembered = std::make_unique<Remembered>(budget);
  return *remembered;
}

void StreamInspection::Remembered::charge() {
  const size_t takes = pending.capacity() * sizeof(Pending) + fired.capacity() * sizeof(Fired);
  budget.used += takes - charged;
  charged = takes;
}

void StreamInspection::Remembered::wait(uint32_t rule, uint64_t hit, size_t known) {
  const auto end = pending.begin() + static_cast<ptrdiff_t>(known);
  const auto found = std::ranges::lower_bound(pending.begin(), end, rule, {}, &Pending::rule);
  if (found != end && found->rule == rule) {
    found->hit = hit;
  } else {
    pending.push_back({rule, kUnknown, hit, 0});
  }
}

void StreamInspection::Remembered::sort(size_t known) {
  const auto added = pending.begin() + static_cast<ptrdiff_t>(known);
  std::ranges::inplace_merge(pending, added, {}, &Pending::rule);
  charge();
}

// The end takes a sequence number.
bool StreamInspection::believes_reset(uint32_t sequence) const {
  return stream.is_at(sequence) || (fin == sequence - 1 && stream.is_at(sequence - 1));
}

bool StreamInspection::is_behind_end(uint32_t sequence, size_t length) const {
  return ended && length != 0 &&
         static_cast<int32_t>(sequence + static_cast<uint32_t>(length) - *fin) > 0;
}

uint64_t StreamInspection::fired_until(uint64_t rule) const {
  if (!remembered) return 0;
  const auto& fired = remembered->fired;
  const auto found =
      std::find_if(fired.begin(), fired.end(), [&](const Fired& f) { return f.rule == rule; });
  return found == fired.end() ? 0 : found->until;
}

bool StreamInspection::remember_fired(uint64_t rule, uint64_t until, StreamBudget& budget) {
  auto& fired = memory(budget).fired;
  const auto found =
      std::find_if(fired.begin(), fired.end(), [&](const Fired& f) { return f.rule == rule; });
  if (found != fired.end()) {
    found->until = until;
    return true;
  }
  if (fired.size() == kFiredMax) return false;
  fired.push_back({rule, until});
  remembered->charge();
  return true;
}

}  // namespace sluice::inspect
