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
  if (syn) sequence++;
  if (finished_) {
    const uint64_t behind = behind_next(sequence);
    if (const StreamAccept same = compare_with_past(behind, payload); same != StreamAccept::kOk)
      return same;
    if (!began_too_late(behind, payload.size())) return StreamAccept::kOk;
    finished_ = false;
  }
  if (!begun_ || (syn && next_ == 0 && !held_)) {
    // A client may try again with another initial sequence number as long as nothing was sent.
    begun_ = syn || !payload.empty();
    from_syn_ = syn;
    next_sequence_ = sequence;
  } else if (syn && from_syn_ && sequence != next_sequence_ - static_cast<uint32_t>(next_)) {
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  }
  if (payload.empty()) return StreamAccept::kOk;

  if (is_early(sequence)) return accept_early(next_ + (sequence - next_sequence_), payload);
  uint64_t behind = behind_next(sequence);
  // Before the first byte is only the place of the SYN, which a keep-alive probe may repeat.
  if (from_syn_ && behind > next_ + 1)
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  if (const StreamAccept same = compare_with_past(behind, payload); same != StreamAccept::kOk)
    return same;
  if (began_too_late(behind, payload.size())) {
    if (!begin_earlier(behind)) return refuse(StreamAccept::kConflict, pool_.counters.out_of_place);
    behind = 0;
  }
  const auto fresh = payload.subspan(std::min<uint64_t>(behind, payload.size()));
  if (fresh.empty()) return StreamAccept::kOk;
  if (conflicts_with_held(next_, fresh))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  if (!pool_.budget.has_room(fresh.size()))
    return refuse(StreamAccept::kNoMemory, pool_.counters.no_memory);
  deliver(fresh);
  return StreamAccept::kOk;
}

StreamAccept TcpStream::accept_early(uint64_t position, std::span<const uint8_t> payload) {
  // Where a connection is met in its middle, what came first may be a decoy. Only the receiver can
  // say, and does when something arrives.
  if (met_in_its_middle() && !heard_)
    return refuse(StreamAccept::kConflict, pool_.counters.out_of_place);
  if (conflicts_with_held(position, payload))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  if (!held_ && passed_before(position)) skip_to(position);
  const size_t held = held_ ? held_->bytes : 0;
  const size_t segments = held_ ? held_->segments.size() : 0;
  if (position + payload.size() - next_ > pool_.limits.held_max ||
      held + payload.size() > pool_.limits.held_max || segments >= kSegmentsHeldMax)
    return refuse(StreamAccept::kHeldFull, pool_.counters.held_full);
  // No more than is left for others: however many hoard, there is room for one that does not.
  if (!pool_.budget.has_room_for_early(held + payload.size() + (segments + 1) * kHeldOverhead))
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
    pool_.budget.held += part.size() + kHeldOverhead;
    at = stop;
  }
}

uint64_t TcpStream::behind_next(uint32_t sequence) const {
  return is_early(sequence) ? 0 : next_sequence_ - sequence;
}

// Met in its middle, and here are bytes before what came first, of which the receiver has not said
// that it has them.
bool TcpStream::began_too_late(uint64_t behind, size_t length) const {
  if (behind <= next_ - first_ || length == 0) return false;
  if (!met_in_its_middle() || acknowledged_ > first_) return false;
  return !has_receiver_all_before(next_sequence_ - static_cast<uint32_t>(behind - length));
}

bool TcpStream::has_receiver_all_before(uint32_t sequence) const {
  return heard_ && static_cast<int32_t>(sequence - heard_at_) <= 0;
}

// What was delivered waits to come again behind the bytes before it, and other bytes for its place
// are still a conflict; what is too far away is forgotten. Positions only grow: who follows them
// sees a gap.
bool TcpStream::begin_earlier(uint64_t behind) {
  if (earlier_ == kEarlierBeginningsMax) return false;
  earlier_++;
  if (behind <= pool_.limits.held_max) {
    move_held(behind + 1);
  } else {
    clear_held();
    clear_buffer();
  }
  next_sequence_ -= static_cast<uint32_t>(behind);
  first_ = acknowledged_ = ++next_;
  return true;
}

// Early segments, and what was delivered as one of them.
void TcpStream::move_held(uint64_t by) {
  if (!held_ && buffer_.empty()) return;
  auto moved = std::make_unique<Held>();
  if (held_) {
    moved->bytes = held_->bytes;
    for (auto& [at, bytes] : held_->segments) moved->segments.emplace(at + by, std::move(bytes));
  }
  if (!buffer_.empty()) {
    pool_.budget.used += kHeldOverhead;
    pool_.budget.held += buffer_.size() + kHeldOverhead;
    moved->bytes += buffer_.size();
    moved->segments.emplace(next_ - buffer_.size() + by, std::move(buffer_));
  }
  buffer_ = {};
  held_ = std::move(moved);
}

// The payload begins so far before the next byte.
StreamAccept TcpStream::compare_with_past(uint64_t behind, std::span<const uint8_t> payload) {
  const uint64_t known = std::min(behind, next_);
  const uint64_t old = std::min<uint64_t>(behind, payload.size());
  const uint64_t before = std::min(behind - known, old);
  const auto again = payload.subspan(before, old - before);
  if (conflicts_with_delivered(next_ - known, again))
    return refuse(StreamAccept::kConflict, pool_.counters.conflicts);
  if (is_forgotten(next_ - known, again.size()))
    return refuse(StreamAccept::kNoMemory, pool_.counters.no_memory);
  return StreamAccept::kOk;
}

// Bytes that the receiver has acknowledged it will not take again, so they need no comparison (a
// keep-alive probe repeats the last byte with any value). The others are all in the buffer, unless
// they were forgotten.
bool TcpStream::conflicts_with_delivered(uint64_t position,
                                         std::span<const uint8_t> payload) const {
  const uint64_t buffer_start = next_ - buffer_.size();
  const uint64_t from = std::max({position, acknowledged_, buffer_start});
  const uint64_t end = position + payload.size();
  if (from >= end) return false;
  return std::memcmp(&buffer_[from - buffer_start], &payload[from - position], end - from) != 0;
}

bool TcpStream::is_forgotten(uint64_t position, size_t length) const {
  return std::max(position, acknowledged_) < std::min(position + length, next_ - buffer_.size());
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
  const auto part = bytes.first(static_cast<size_t>(std::min<uint64_t>(
      bytes.size(), pool_.limits.depth - std::min(pool_.limits.depth, next_ - first_))));
  buffer_.insert(buffer_.end(), part.begin(), part.end());
  pool_.budget.used += part.size();
  next_ += part.size();
  next_sequence_ += static_cast<uint32_t>(part.size());
  piece_ += static_cast<uint32_t>(part.size());
  pool_.counters.bytes_delivered += part.size();
}

std::span<const uint8_t> TcpStream::take() {
  if (piece_ == 0 && held_ && passed_before(held_->segments.begin()->first))
    skip_to(held_->segments.begin()->first);
  while (held_ && held_->segments.begin()->first <= next_) {
    const auto first = held_->segments.extract(held_->segments.begin());
    const std::vector<uint8_t>& bytes = first.mapped();
    held_->bytes -= bytes.size();
    if (held_->segments.empty()) held_.reset();
    pool_.budget.used -= bytes.size() + kHeldOverhead;
    pool_.budget.held -= bytes.size() + kHeldOverhead;
    const uint64_t old = next_ - first.key();
    if (old < bytes.size()) deliver(std::span(bytes).subspan(old));
  }
  last_piece_ = piece_;
  piece_ = 0;
  if (last_piece_ == 0) {
    if (next_ - first_ >= pool_.limits.depth && !finished_) finish();
    return {};
  }
  if (buffer_.size() > 2 * needed()) trim();
  return std::span(buffer_).last(last_piece_);
}

// Who sends other bytes later for what never arrived is still met with what was inspected.
void TcpStream::finish() {
  finished_ = true;
  pool_.counters.depth_reached++;
  clear_held();
  if (pool_.limits.one_sided) acknowledged_ = next_;
  if (acknowledged_ == next_) clear_buffer();
}

void TcpStream::acknowledge(uint32_t sequence) {
  if (!has_receiver_all_before(sequence)) heard_at_ = sequence;
  heard_ = true;
  if (!begun_) return;
  const uint64_t behind = behind_next(sequence);
  if (behind <= next_ - first_) acknowledged_ = std::max(acknowledged_, next_ - behind);
  if (finished_ && acknowledged_ == next_) clear_buffer();
  // One beyond is the FIN. Without a held segment nobody has sent bytes past a gap: nothing to skip
  // to.
  if (!is_early(sequence) || !held_) return;
  const uint64_t target =
      std::min(next_ + (sequence - next_sequence_), held_->segments.begin()->first);
  if (target > next_) skip_to(target);
}

// Met in its middle, and the receiver had the bytes before that position already.
bool TcpStream::passed_before(uint64_t position) const {
  return met_in_its_middle() && position > next_ &&
         has_receiver_all_before(next_sequence_ + static_cast<uint32_t>(position - next_));
}

void TcpStream::skip_to(uint64_t position) {
  pool_.counters.gaps++;
  next_sequence_ += static_cast<uint32_t>(position - next_);
  next_ = position;
  acknowledged_ = position;
  clear_buffer();
}

std::span<const uint8_t> TcpStream::window() const {
  return std::span(buffer_).last(std::min(window_max(), buffer_.size()));
}

// The window and what may still come again, which the receiver's window bounds.
size_t TcpStream::needed() const {
  const uint64_t again = std::min<uint64_t>(
      unacknowledged(), pool_.limits.one_sided ? pool_.limits.held_max : UINT64_MAX);
  return std::max(static_cast<size_t>(again), window_max());
}

// A receiver that is not heard has what is so far behind.
void TcpStream::trim() {
  keep(needed());
  if (pool_.limits.one_sided) acknowledged_ = std::max(acknowledged_, next_ - buffer_.size());
}

// Moves bytes, so that the caller waits until it is worth it. How many are gone.
size_t TcpStream::keep(size_t bytes) {
  if (buffer_.size() <= bytes) return 0;
  const size_t remove = buffer_.size() - bytes;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(remove));
  pool_.budget.used -= remove;
  return remove;
}

void TcpStream::rest() {
  trim();
  buffer_.shrink_to_fit();
}

void TcpStream::cut() {
  trim();
  if (keep(std::max<size_t>(unacknowledged(), kCutWindow)) != 0) pool_.counters.windows_cut++;
  buffer_.shrink_to_fit();
}

void TcpStream::forget() {
  if (keep(kStraddleMax) != 0) pool_.counters.windows_forgotten++;
  buffer_.shrink_to_fit();
}

void TcpStream::clear_held() {
  if (!held_) return;
  const size_t bytes = held_->bytes + held_->segments.size() * kHeldOverhead;
  pool_.budget.used -= bytes;
  pool_.budget.held -= bytes;
  held_.reset();
}

void TcpStream::clear_buffer() {
  pool_.budget.used -= buffer_.size();
  buffer_ = {};
  piece_ = last_piece_ = 0;
}

}  // namespace sluice::inspect
