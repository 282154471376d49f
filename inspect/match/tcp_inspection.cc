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
  if (remembered->pending.empty() && remembered->fired.empty()) remembered.reset();
}

StreamInspection::Remembered& StreamInspection::memory() {
  if (!remembered) remembered = std::make_unique<Remembered>();
  return *remembered;
}

// The end takes a sequence number.
bool StreamInspection::believes_reset(uint32_t sequence) const {
  return stream.is_at(sequence) || (fin == sequence - 1 && stream.is_at(sequence - 1));
}

bool StreamInspection::is_behind_end(uint32_t sequence, size_t length) const {
  return ended && length != 0 &&
         static_cast<int32_t>(sequence + static_cast<uint32_t>(length) - *fin) > 0;
}

bool StreamInspection::remember_pending(uint32_t rule, uint64_t hit) {
  auto& pending = memory().pending;
  const auto found = std::find_if(pending.begin(), pending.end(),
                                  [&](const Pending& p) { return p.rule == rule; });
  if (found != pending.end()) {
    found->hit = hit;
    return true;
  }
  if (pending.size() == kPendingMax) return false;
  pending.push_back({rule, hit});
  return true;
}

uint64_t StreamInspection::fired_until(uint64_t rule) const {
  if (!remembered) return 0;
  const auto& fired = remembered->fired;
  const auto found =
      std::find_if(fired.begin(), fired.end(), [&](const Fired& f) { return f.rule == rule; });
  return found == fired.end() ? 0 : found->until;
}

void StreamInspection::remember_fired(uint64_t rule, uint64_t until) {
  auto& fired = memory().fired;
  const auto found =
      std::find_if(fired.begin(), fired.end(), [&](const Fired& f) { return f.rule == rule; });
  if (found != fired.end()) {
    found->until = until;
  } else if (fired.size() < kFiredMax) {
    fired.push_back({rule, until});
  }
}

}  // namespace sluice::inspect
