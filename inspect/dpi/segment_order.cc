// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/segment_order.h"

#include <algorithm>

#include "tunnels/flow_key.h"

namespace sluice::inspect {
namespace {

// How far `a` is after `b` (RFC 9293 section 3.4).
int32_t after(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }

}  // namespace

Segment read_segment(std::span<const uint8_t> ip, const tunnels::packet& packet) {
  const uint8_t* header = &ip[packet.l4_offset];
  Segment segment;
  segment.way = tunnels::tuple_is_reversed(&packet.tuple) != 0;
  segment.sequence = tunnels::load_be32(header + 4);
  segment.acknowledged = tunnels::load_be32(header + 8);
  segment.flags = packet.tcp_flags;
  segment.l4_offset = packet.l4_offset;
  segment.header_end = packet.l4_offset + (header[12] >> 4) * 4u;
  if (segment.header_end < packet.l4_offset + 20 || segment.header_end > packet.l3_length)
    segment.header_end = packet.l3_length;
  segment.length = packet.l3_length - segment.header_end;
  return segment;
}

SegmentOrder::~SegmentOrder() {
  for (const Held& held : held_) budget_.used -= held.ip.size();
}

void SegmentOrder::begin(bool way, uint32_t sequence) { ends_[way] = {true, sequence, sequence}; }

// What the other end has acknowledged and never came by here is not waited for.
void SegmentOrder::acknowledge(const Segment& segment) {
  if (!(segment.flags & tunnels::kTcpAck)) return;
  End& other = ends_[!segment.way];
  if (!other.begun) begin(!segment.way, segment.acknowledged);
  if (after(segment.acknowledged, other.acknowledged) > 0)
    other.acknowledged = segment.acknowledged;
}

SegmentOrder::Place SegmentOrder::place(const Segment& segment) {
  acknowledge(segment);
  End& end = ends_[segment.way];
  const uint32_t first = segment.sequence + (segment.flags & tunnels::kTcpSyn ? 1 : 0);
  if (!end.begun) begin(segment.way, first);
  repeated_ = 0;
  if (segment.length == 0) return Place::kNext;
  const int32_t ahead = after(first, end.next);
  if (ahead > static_cast<int32_t>(kSegmentAheadMax)) return Place::kOld;
  if (ahead > 0 && after(end.acknowledged, first) < 0) return Place::kEarly;
  const uint32_t last = first + segment.length;
  if (after(last, end.next) <= 0) return Place::kOld;
  end.next = last;
  if (ahead >= 0) return Place::kNext;
  repeated_ = static_cast<uint32_t>(-ahead);
  return Place::kPart;
}

bool SegmentOrder::hold(const Segment& segment, std::span<const uint8_t> ip) {
  if (budget_.used + ip.size() > budget_.max) return false;
  budget_.used += ip.size();
  held_.push_back({segment, {ip.begin(), ip.end()}});
  if (held_.size() > kEarlySegmentsMax) give_up_waiting();
  return true;
}

void SegmentOrder::give_up_waiting() {
  for (const Held& held : held_) {
    End& end = ends_[held.segment.way];
    if (after(held.segment.sequence, end.acknowledged) > 0)
      end.acknowledged = held.segment.sequence;
  }
}

bool SegmentOrder::ready(const Segment& segment) const {
  const End& end = ends_[segment.way];
  return after(segment.sequence, end.next) <= 0 || after(segment.sequence, end.acknowledged) <= 0;
}

bool SegmentOrder::take(Segment& segment, std::vector<uint8_t>& ip) {
  auto best = held_.end();
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (!ready(at->segment)) continue;
    const bool first = best == held_.end();
    if (first || (at->segment.way == best->segment.way &&
                  after(at->segment.sequence, best->segment.sequence) < 0))
      best = at;
  }
  if (best == held_.end()) return false;
  budget_.used -= best->ip.size();
  segment = best->segment;
  ip = std::move(best->ip);
  held_.erase(best);
  return true;
}

}  // namespace sluice::inspect
