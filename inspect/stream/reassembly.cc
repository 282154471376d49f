// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/reassembly.h"

#include <algorithm>
#include <cstring>

namespace sluice::inspect {
namespace {

// What the map and the heap add to a held segment, however short that is.
constexpr size_t kHeldOverhead = 128;

}  // namespace

StreamAccept TcpStream::refuse(StreamAccept why, uint64_t& counter) {
  counter++;
  return why;
}

StreamAccept TcpStream::accept(uint32_t sequence, bool syn, std::span<const uint8_t> payload) {
  if (finished_) return StreamAccept::kOk;
  if (syn) sequence++;
  if (!begun_ || (syn && next_ == 0 && held_.empty())) {
    // A client may try again with another initial sequence number as long as nothing was sent.
    begun_ = syn || !payload.empty();
    from_syn_ = syn;
    next_sequence_ = sequence;
  } else if (syn && from_syn_ && sequence != next_sequence_ - static_cast<uint32_t>(next_)) {
    return refuse(StreamAccept::kConflict, counters_.conflicts);
  }
  if (payload.empty()) return StreamAccept::kOk;

  const auto ahead = static_cast<int32_t>(sequence - next_sequence_);
  if (ahead > 0) return accept_early(next_ + static_cast<uint32_t>(ahead), payload);

  const uint64_t behind = static_cast<uint64_t>(-int64_t{ahead});
  const size_t old = static_cast<size_t>(std::min<uint64_t>(behind, payload.size()));
  // Before the first byte is only the place of the SYN, which a keep-alive probe may repeat.
  if (from_syn_ && behind > next_ + 1) return refuse(StreamAccept::kConflict, counters_.conflicts);
  const size_t before =
      static_cast<size_t>(std::min<uint64_t>(behind - std::min(behind, next_), old));
  if (conflicts_with_delivered(next_ - std::min(behind, next_),
                               payload.subspan(before, old - before)))
    return refuse(StreamAccept::kConflict, counters_.conflicts);
  const auto fresh = payload.subspan(old);
  if (fresh.empty()) return StreamAccept::kOk;
  if (conflicts_with_held(next_, fresh))
    return refuse(StreamAccept::kConflict, counters_.conflicts);
  if (budget_.used + fresh.size() > budget_.max)
    return refuse(StreamAccept::kNoMemory, counters_.no_memory);
  deliver(fresh);
  return StreamAccept::kOk;
}

StreamAccept TcpStream::accept_early(uint64_t position, std::span<const uint8_t> payload) {
  if (conflicts_with_held(position, payload))
    return refuse(StreamAccept::kConflict, counters_.conflicts);
  if (position + payload.size() - next_ > limits_.held_max ||
      held_bytes_ + payload.size() > limits_.held_max || held_.size() >= kSegmentsHeldMax)
    return refuse(StreamAccept::kHeldFull, counters_.held_full);
  if (budget_.used + payload.size() + kHeldOverhead > budget_.max)
    return refuse(StreamAccept::kNoMemory, counters_.no_memory);

  // The parts that no held segment covers yet.
  const uint64_t end = position + payload.size();
  uint64_t at = position;
  while (at < end) {
    const auto after = held_.upper_bound(at);
    if (after != held_.begin()) {
      const auto& [before_at, before] = *std::prev(after);
      if (before_at + before.size() > at) {
        at = before_at + before.size();
        continue;
      }
    }
    const uint64_t stop = after == held_.end() ? end : std::min(end, after->first);
    const auto part = payload.subspan(at - position, stop - at);
    held_.emplace(at, std::vector<uint8_t>(part.begin(), part.end()));
    held_bytes_ += part.size();
    budget_.used += part.size() + kHeldOverhead;
    at = stop;
  }
  counters_.segments_held++;
  return StreamAccept::kOk;
}

// Bytes that the receiver has acknowledged it will not take again, so they need no comparison (a
// keep-alive probe repeats the last byte with any value). Bytes older than the buffer cannot be
// compared; they are further back than held_max.
bool TcpStream::conflicts_with_delivered(uint64_t position,
                                         std::span<const uint8_t> payload) const {
  const uint64_t buffer_start = next_ - buffer_.size();
  const uint64_t from = std::max({position, acknowledged_, buffer_start});
  const uint64_t end = position + payload.size();
  if (from >= end) return false;
  return std::memcmp(&buffer_[from - buffer_start], &payload[from - position], end - from) != 0;
}

bool TcpStream::conflicts_with_held(uint64_t position, std::span<const uint8_t> payload) const {
  const uint64_t end = position + payload.size();
  auto it = held_.upper_bound(position);
  if (it != held_.begin()) --it;
  for (; it != held_.end() && it->first < end; ++it) {
    const uint64_t from = std::max(position, it->first);
    const uint64_t to = std::min(end, it->first + it->second.size());
    if (from < to &&
        std::memcmp(&it->second[from - it->first], &payload[from - position], to - from) != 0)
      return true;
  }
  return false;
}

void TcpStream::deliver(std::span<const uint8_t> bytes) {
  const auto part = bytes.first(static_cast<size_t>(
      std::min<uint64_t>(bytes.size(), limits_.depth - std::min(limits_.depth, next_))));
  buffer_.insert(buffer_.end(), part.begin(), part.end());
  budget_.used += part.size();
  next_ += part.size();
  next_sequence_ += static_cast<uint32_t>(part.size());
  piece_ += part.size();
  counters_.bytes_delivered += part.size();
}

std::span<const uint8_t> TcpStream::take() {
  while (!held_.empty() && held_.begin()->first <= next_) {
    const auto first = held_.extract(held_.begin());
    const std::vector<uint8_t>& bytes = first.mapped();
    held_bytes_ -= bytes.size();
    budget_.used -= bytes.size() + kHeldOverhead;
    const uint64_t old = next_ - first.key();
    if (old < bytes.size()) deliver(std::span(bytes).subspan(old));
  }
  last_piece_ = piece_;
  piece_ = 0;
  if (last_piece_ == 0) {
    if (next_ >= limits_.depth && !finished_) {
      finished_ = true;
      counters_.depth_reached++;
      clear();
    }
    return {};
  }
  trim();
  return std::span(buffer_).last(last_piece_);
}

void TcpStream::acknowledge(uint32_t sequence) {
  if (!begun_ || finished_) return;
  const auto ahead = static_cast<int32_t>(sequence - next_sequence_);
  if (ahead <= 0) {
    const auto behind = static_cast<uint64_t>(-int64_t{ahead});
    if (behind <= next_) acknowledged_ = std::max(acknowledged_, next_ - behind);
    return;
  }
  acknowledged_ = next_;
  // One beyond is the FIN. Without a held segment nobody has sent bytes past a gap: nothing to skip
  // to.
  if (held_.empty()) return;
  const uint64_t target = std::min(next_ + static_cast<uint32_t>(ahead), held_.begin()->first);
  if (target <= next_) return;
  counters_.gaps++;
  next_sequence_ += static_cast<uint32_t>(target - next_);
  next_ = target;
  acknowledged_ = target;
  budget_.used -= buffer_.size();
  buffer_.clear();
}

std::span<const uint8_t> TcpStream::window() const {
  return std::span(buffer_).last(std::min(window_max(), buffer_.size()));
}

// Keeps the window and what may still come again; moves bytes only when half the buffer can go.
void TcpStream::trim() {
  const uint64_t unacknowledged = std::min<uint64_t>(next_ - acknowledged_, limits_.held_max);
  const size_t keep = std::max(static_cast<size_t>(unacknowledged), window_max());
  if (buffer_.size() <= 2 * keep) return;
  const size_t remove = buffer_.size() - keep;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(remove));
  budget_.used -= remove;
}

void TcpStream::clear() {
  budget_.used -= buffer_.size() + held_bytes_ + held_.size() * kHeldOverhead;
  held_bytes_ = 0;
  held_.clear();
  buffer_ = {};
  piece_ = last_piece_ = 0;
}

}  // namespace sluice::inspect
