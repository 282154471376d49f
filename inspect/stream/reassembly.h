// SPDX-License-Identifier: Apache-2.0
// The bytes of one direction of a TCP connection in order, each delivered once.
//
// The first copy of a byte wins. A later segment that carries other bytes for a place that the
// receiver has not acknowledged yet is a conflict, and whoever stands in the path drops it: the
// receiver then never sees a view of the stream that was not inspected. Segments that arrive early
// are held, up to a limit.
//
//   if (stream.accept(sequence, syn, payload) != StreamAccept::kOk) drop();
//   for (auto piece = stream.take(); !piece.empty(); piece = stream.take()) scan(piece);
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace sluice::inspect {

struct StreamLimits {
  // Bytes before the newest that stay for matching, at least.
  uint32_t window = 64 * 1024;
  // Bytes of early segments.
  uint32_t held_max = 1024 * 1024;
  // Inspection of the stream ends after this many bytes.
  uint64_t depth = 1024 * 1024;
  // The receiver is not heard: nothing waits for what it acknowledges.
  bool one_sided = false;
};

// Bytes that stay in front of a piece, however long it is: what begins there and ends in the piece
// is found by its first so many bytes and one more.
inline constexpr size_t kStraddleMax = 31;
// Early segments of one direction, whatever their size.
inline constexpr size_t kSegmentsHeldMax = 2048;

// Bytes of its past that stay of a silent stream when memory is short; as Suricata looks at a time.
inline constexpr size_t kCutWindow = 2560;

// A stream that was met in its middle begins at an earlier byte than was thought, so many times.
inline constexpr uint8_t kEarlierBeginningsMax = 16;

// Memory that all streams of one worker share. Whoever hoards it stops nobody whose bytes come in
// order: early segments have a quarter of it at most and bodies of transactions half, and of what
// comes in order those that have been silent longest give up their past when memory is short.
struct StreamBudget {
  size_t used = 0;
  size_t held = 0;    // of it, early segments
  size_t bodies = 0;  // of it, what transactions keep
  size_t max = 256u << 20;
  // Of the records of connections, by themselves.
  size_t sessions = 0;
  size_t sessions_max = SIZE_MAX;

  bool has_room(size_t bytes) const { return used + bytes <= max; }
  bool has_room_for_early(size_t bytes) const { return has_room(bytes) && held + bytes <= max / 4; }
  bool has_room_for_body(size_t bytes) const {
    return has_room(bytes) && bodies + bytes <= max / 2;
  }
  bool is_short() const { return used > max - max / 4; }
  bool is_nearly_gone() const { return used > max - max / 8; }
  bool has_room_for_session(size_t bytes) const {
    return bytes <= sessions_max - std::min(sessions, sessions_max);
  }
};

struct StreamCounters {
  uint64_t bytes_delivered = 0;
  uint64_t segments_held = 0;
  uint64_t gaps = 0;       // bytes that passed elsewhere: acknowledged, but never seen
  uint64_t conflicts = 0;  // other bytes for the same place
  uint64_t held_full = 0;  // early segments over held_max or kSegmentsHeldMax
  uint64_t no_memory = 0;  // over the budget
  uint64_t depth_reached = 0;
  uint64_t windows_cut = 0;        // because memory was short
  uint64_t windows_forgotten = 0;  // because it was nearly gone
  // Behind an end or beyond the receiver's window, or of a connection that nobody has answered.
  uint64_t out_of_place = 0;
};

// What all streams of one worker have in common.
struct StreamPool {
  const StreamLimits& limits;
  StreamBudget& budget;
  StreamCounters& counters;
};

// kNoSession: nothing can be remembered of this connection.
enum class StreamAccept : uint8_t { kOk, kConflict, kHeldFull, kNoMemory, kNoSession };

class TcpStream {
 public:
  // `pool` must outlive the stream.
  explicit TcpStream(const StreamPool& pool) : pool_(pool) {}
  ~TcpStream() {
    clear_held();
    clear_buffer();
  }
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  // One segment. Without a SYN before it, the stream begins with its first byte, or with one before
  // it that comes later and that the receiver does not have. Only kOk keeps anything.
  StreamAccept accept(uint32_t sequence, bool syn, std::span<const uint8_t> payload);

  // All new bytes in order; empty when there are none. Valid until the next call.
  std::span<const uint8_t> take();

  // Takes as little memory as it can until the next segment; nothing is forgotten.
  void rest();
  // Memory is short: only kCutWindow stays of what the receiver has acknowledged.
  void cut();
  // There is hardly any left: only kStraddleMax stays. What comes again for bytes that were not
  // acknowledged cannot be compared then, and gets kNoMemory.
  void forget();

  // What the receiver has acknowledged. Bytes that it has and we never saw are a gap, and are
  // skipped.
  void acknowledge(uint32_t sequence);

  // The last bytes delivered, at most limits.window, or the last piece and kStraddleMax before it
  // if that is more; and the stream position of its first one.
  std::span<const uint8_t> window() const;
  uint64_t window_start() const { return next_ - window().size(); }
  // The stream position after the last delivered byte.
  uint64_t next() const { return next_; }
  // All bytes before that sequence number have been delivered.
  bool has_all_before(uint32_t sequence) const {
    return begun_ && !finished_ && !held_ && sequence == next_sequence_;
  }
  // It knows which sequence number comes next.
  bool follows() const { return begun_ && !finished_; }
  bool is_at(uint32_t sequence) const { return follows() && sequence == next_sequence_; }
  // Of these bytes none are kept: whether they are those that came first nobody can say.
  bool is_before_window(uint32_t sequence, size_t length) const {
    const auto behind = static_cast<int32_t>(next_sequence_ - sequence);
    return follows() && length != 0 && behind > 0 &&
           static_cast<size_t>(behind) >= length + window().size();
  }
  // Bytes are missing before it.
  bool is_early(uint32_t sequence) const {
    return begun_ && static_cast<int32_t>(sequence - next_sequence_) > 0;
  }
  // The depth was reached: nothing more will be delivered. What the receiver has not acknowledged
  // of it is still compared.
  bool finished() const { return finished_; }

 private:
  // By position.
  struct Held {
    std::map<uint64_t, std::vector<uint8_t>> segments;
    size_t bytes = 0;
  };

  StreamAccept accept_early(uint64_t position, std::span<const uint8_t> payload);
  void hold(uint64_t position, std::span<const uint8_t> payload);
  uint64_t behind_next(uint32_t sequence) const;
  bool began_too_late(uint64_t behind, size_t length) const;
  bool has_receiver_all_before(uint32_t sequence) const;
  bool begin_earlier(uint64_t behind);
  void move_held(uint64_t by);
  bool passed_before(uint64_t position) const;
  void skip_to(uint64_t position);
  bool met_in_its_middle() const { return !from_syn_ && !pool_.limits.one_sided; }
  StreamAccept compare_with_past(uint64_t behind, std::span<const uint8_t> payload);
  bool conflicts_with_delivered(uint64_t position, std::span<const uint8_t> payload) const;
  bool is_forgotten(uint64_t position, size_t length) const;
  bool conflicts_with_held(uint64_t position, std::span<const uint8_t> payload) const;
  StreamAccept refuse(StreamAccept why, uint64_t& counter);
  void deliver(std::span<const uint8_t> bytes);
  void finish();
  uint64_t unacknowledged() const { return next_ - acknowledged_; }
  size_t needed() const;
  void trim();
  size_t keep(size_t bytes);
  void clear_held();
  void clear_buffer();
  size_t window_max() const {
    return std::max<size_t>(pool_.limits.window, last_piece_ + kStraddleMax);
  }

  const StreamPool& pool_;
  uint64_t first_ = 0;           // position of the first byte
  uint64_t next_ = 0;            // position of next_sequence_
  uint64_t acknowledged_ = 0;    // position; at most next_
  std::vector<uint8_t> buffer_;  // the bytes before next_
  std::unique_ptr<Held> held_;   // nullptr: no early segments, as nearly always
  uint32_t next_sequence_ = 0;
  uint32_t heard_at_ = 0;  // the receiver has all before that sequence number
  uint32_t piece_ = 0;     // delivered and not taken, at the end of buffer_
  uint32_t last_piece_ = 0;
  bool begun_ = false;
  bool from_syn_ = false;  // begun by a SYN, so that the first byte is known
  bool finished_ = false;
  bool heard_ = false;  // the receiver
  uint8_t earlier_ = 0;
};

}  // namespace sluice::inspect
