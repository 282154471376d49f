// SPDX-License-Identifier: Apache-2.0
// The order of the segments of one TCP connection, for a reader that wants each byte once and in
// turn but packets rather than a stream.
//
// Segments that come early are copied and wait, up to a limit, for those that are missing; what
// was there before is not wanted again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tunnels/packet.h"

namespace sluice::inspect {

// Early segments of a connection that wait at once; one more, and those that are missing are
// taken for lost.
inline constexpr size_t kEarlySegmentsMax = 16;
// A segment this far ahead is no segment that a receiver would take.
inline constexpr uint32_t kSegmentAheadMax = 4u << 20;

// Memory that all connections of one worker share.
struct EarlyBudget {
  size_t used = 0;
  size_t max = 16u << 20;
};

struct Segment {
  bool way = false;  // which of the two ends sent it
  uint32_t sequence = 0;
  uint32_t acknowledged = 0;
  uint8_t flags = 0;
  uint32_t l4_offset = 0;
  uint32_t header_end = 0;  // where in the packet the payload begins
  uint32_t length = 0;      // of the payload
};

// `packet` is what parse_ip_packet made of `ip`: TCP, not a fragment. A header length that lies
// leaves a segment without payload.
Segment read_segment(std::span<const uint8_t> ip, const tunnels::packet& packet);

class SegmentOrder {
 public:
  enum class Place : uint8_t {
    kNext,   // in turn; nothing of it was there before
    kPart,   // in turn, but its first `repeated()` bytes were there before
    kOld,    // nothing new
    kEarly,  // something before it is missing: hold() it
  };

  explicit SegmentOrder(EarlyBudget& budget) : budget_(budget) {}
  ~SegmentOrder();
  SegmentOrder(const SegmentOrder&) = delete;
  SegmentOrder& operator=(const SegmentOrder&) = delete;

  // The bytes of this end begin here.
  void begin(bool way, uint32_t sequence);
  Place place(const Segment& segment);
  uint32_t repeated() const { return repeated_; }
  // Copies an early segment. False if there is no room for it: show it at once, out of turn.
  bool hold(const Segment& segment, std::span<const uint8_t> ip);
  // The next segment whose turn has come, or whose missing part is taken for lost. The segment that
  // was taken must be placed again.
  bool take(Segment& segment, std::vector<uint8_t>& ip);
  // All that is held has its turn, whatever is missing.
  void give_up_waiting();

 private:
  struct End {
    bool begun = false;
    uint32_t next = 0;
    uint32_t acknowledged = 0;  // by the other end; at least next
  };
  struct Held {
    Segment segment;
    std::vector<uint8_t> ip;
  };
  void acknowledge(const Segment& segment);
  bool ready(const Segment& segment) const;

  EarlyBudget& budget_;
  End ends_[2];
  uint32_t repeated_ = 0;
  std::vector<Held> held_;
};

}  // namespace sluice::inspect
