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
  if (!begun_ || (syn && next_ == 0 && !held_)) {
    // A client may try again with another initial sequence number as long as nothing was sent.
    begun_ = syn || !payload.empty();
    from_syn_ = syn;
    next_sequence_ = sequence;
  } else if (syn && from_syn_ && sequence != next_sequence_ - static_cast<uint32_t>(next_)) {
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  }
  if (payload.empty()) return StreamAccept::kOk;

  const auto ahead = static_cast<int32_t>(sequence - next_sequence_);
  if (ahead > 0) return accept_early(next_ + static_cast<uint32_t>(ahead), payload);

  const uint64_t behind = static_cast<uint64_t>(-int64_t{ahead});
  const size_t old = static_cast<size_t>(std::min<uint64_t>(behind, payload.size()));
  // Before the first byte is only the place of the SYN, which a keep-alive probe may repeat.
  if (from_syn_ && behind > next_ + 1)
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  const size_t before =
      static_cast<size_t>(std::min<uint64_t>(behind - std::min(behind, next_), old));
  if (conflicts_with_delivered(next_ - std::min(behind, next_),
                               payload.subspan(before, old - before)))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  const auto fresh = payload.subspan(old);
  if (fresh.empty()) return StreamAccept::kOk;
  if (conflicts_with_held(next_, fresh))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  if (pool_.budget.used + fresh.size() > pool_.budget.max)
    return refuse(StreamAccept::kNoMemory, pool_.counters.no_memory);
  deliver(fresh);
  return StreamAccept::kOk;
}

StreamAccept TcpStream::accept_early(uint64_t position, std::span<const uint8_t> payload) {
  if (conflicts_with_held(position, payload))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  const size_t held = held_ ? held_->bytes : 0;
  const size_t segments = held_ ? held_->segments.size() : 0;
  if (position + payload.size() - next_ > pool_.limits.held_max ||
      held + payload.size() > pool_.limits.held_max || segments >= kSegmentsHeldMax)
    return refuse(StreamAccept::kHeldFull, pool_.counters.held_full);
  if (pool_.budget.used + payload.size() + kHeldOverhead > pool_.budget.max)
    return refuse(StreamAccept::kNoMemory, pool_.counters.no_memory);
  hold(position, payload);
  pool_.counters.segments_held++;
  return StreamAccept::kOk;
}

// The parts that no held segment covers yet.
void TcpStream::hold(uint64_t position, std::span<const uint8_t> payload) {
  if (!held_) held_ = std::make_unique<Held>();
  auto& segments = held_->segments;
  const uint64_t end = position + payload.size();
  uint64_t at = position;
  while (at < end) {
    const auto after = segments.upper_bound(at);
    if (after != segments.begin()) {
      const auto& [before_at, before] = *std::prev(after);
      if (before_at + before.size() > at) {
        at = before_at + before.size();
        continue;
      }
    }
    const uint64_t stop = after == segments.end() ? end : std::min(end, after->first);
    const auto part = payload.subspan(at - position, stop - at);
    segments.emplace(at, std::vector<uint8_t>(part.begin(), part.end()));
    held_->bytes += part.size();
    pool_.budget.used += part.size() + kHeldOverhead;
    at = stop;
  }
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
  if (!held_) return false;
  const auto& segments = held_->segments;
  const uint64_t end = position + payload.size();
  auto it = segments.upper_bound(position);
  if (it != segments.begin()) --it;
  for (; it != segments.end() && it->first < end; ++it) {
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
      std::min<uint64_t>(bytes.size(), pool_.limits.depth - std::min(pool_.limits.depth, next_))));
  buffer_.insert(buffer_.end(), part.begin(), part.end());
  pool_.budget.used += part.size();
  next_ += part.size();
  next_sequence_ += static_cast<uint32_t>(part.size());
  piece_ += static_cast<uint32_t>(part.size());
  pool_.counters.bytes_delivered += part.size();
}

std::span<const uint8_t> TcpStream::take() {
  while (held_ && held_->segments.begin()->first <= next_) {
    const auto first = held_->segments.extract(held_->segments.begin());
    const std::vector<uint8_t>& bytes = first.mapped();
    held_->bytes -= bytes.size();
    if (held_->segments.empty()) held_.reset();
    pool_.budget.used -= bytes.size() + kHeldOverhead;
    const uint64_t old = next_ - first.key();
    if (old < bytes.size()) deliver(std::span(bytes).subspan(old));
  }
  last_piece_ = piece_;
  piece_ = 0;
  if (last_piece_ == 0) {
    if (next_ >= pool_.limits.depth && !finished_) {
      finished_ = true;
      pool_.counters.depth_reached++;
      clear();
    }
    return {};
  }
  if (const size_t kept = needed(); buffer_.size() > 2 * kept) keep(kept);
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
  if (!held_) return;
  const uint64_t target =
      std::min(next_ + static_cast<uint32_t>(ahead), held_->segments.begin()->first);
  if (target <= next_) return;
  pool_.counters.gaps++;
  next_sequence_ += static_cast<uint32_t>(target - next_);
  next_ = target;
  acknowledged_ = target;
  pool_.budget.used -= buffer_.size();
  buffer_.clear();
}

std::span<const uint8_t> TcpStream::window() const {
  return std::span(buffer_).last(std::min(window_max(), buffer_.size()));
}

// The window and what may still come again.
size_t TcpStream::needed() const {
  const uint64_t unacknowledged = std::min<uint64_t>(next_ - acknowledged_, pool_.limits.held_max);
  return std::max(static_cast<size_t>(unacknowledged), window_max());
}

// Moves bytes, so that the caller waits until it is worth it.
void TcpStream::keep(size_t bytes) {
  if (buffer_.size() <= bytes) return;
  const size_t remove = buffer_.size() - bytes;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(remove));
  pool_.budget.used -= remove;
}

void TcpStream::rest() {
  keep(needed());
  buffer_.shrink_to_fit();
}

void TcpStream::clear() {
  pool_.budget.used -= buffer_.size();
  if (held_) pool_.budget.used -= held_->bytes + held_->segments.size() * kHeldOverhead;
  held_.reset();
  buffer_ = {};
  piece_ = last_piece_ = 0;
}

}  // namespace sluice::inspect
