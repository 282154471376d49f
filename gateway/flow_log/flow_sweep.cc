// SPDX-License-Identifier: Apache-2.0
#include "gateway/flow_log/flow_sweep.h"

#include <algorithm>

#include "gateway/datapath/flow_table.h"

namespace sluice::gateway {
namespace {

uint64_t packets_of(const flow_usage& usage) {
  return uint64_t{usage.packets[0]} + usage.packets[1];
}

uint64_t flows_begun(const Tables& tables) {
  uint64_t sum = 0;
  for (uint32_t cpu = 0; cpu < kCpusMax; cpu++)
    sum += tables.counters[cpu].event[kEventFlowCreated];
  return sum;
}

// The path's clock has 32 bits, and goes on while the sweep looks: what is a little ahead is now.
uint64_t ago_ms(uint32_t time_ms, uint64_t now_ms) {
  const auto ago = static_cast<int32_t>(static_cast<uint32_t>(now_ms) - time_ms);
  return ago < 0 ? 0 : std::min<uint64_t>(static_cast<uint64_t>(ago), now_ms);
}

// The name of a place's flow; 0 when there is none, or it is being written.
uint64_t name_in(const flow_bucket& bucket, uint32_t way) {
  const uint64_t entry = *const_cast<const volatile __u64*>(&bucket.entry[way]);
  return flow_entry_state(entry) == kFlowEmpty ? 0 : entry & ~uint64_t{kFlowNameMask};
}

// Whether a place still has the flow that was met there: nothing of it has become less, and it
// began when it did, or has only been moved.
bool is_same(const FlowReport& before, const flow_record& record, const flow_usage& usage) {
  return record.attachment == before.record.attachment &&
         usage.packets[0] >= before.usage.packets[0] &&
         usage.packets[1] >= before.usage.packets[1] &&
         (usage.created_ms == before.usage.created_ms || (record.flags & kFlowMoved) != 0);
}

// Tells a place's flow from the next one there, which begins seconds later.
uint32_t mark_of(const flow_usage& usage) { return usage.created_ms | 1; }

FlowEnd how_closed(const flow_record& record) {
  return record.flags & kFlowReset ? FlowEnd::kReset : FlowEnd::kFin;
}

}  // namespace

FlowSweep::FlowSweep(const Tables& tables, uint64_t interval_ms, uint64_t now_ms, Tell tell)
    : tables_(tables),
      interval_ms_(interval_ms),
      started_ms_(now_ms),
      tell_(std::move(tell)),
      known_ways_(tables.flow_buckets_count),
      over_(size_t{tables.flow_buckets_count} * kFlowWays),
      begun_first_(flows_begun(tables)) {}

void FlowSweep::look(uint32_t buckets, uint64_t now_ms) {
  for (uint32_t i = 0; i < buckets; i++) {
    if (next_bucket_ == 0) begun_ = flows_begun(tables_);
    look_at(next_bucket_, now_ms);
    if (++next_bucket_ < tables_.flow_buckets_count) continue;
    next_bucket_ = 0;
    const uint64_t begun = begun_ - begun_first_;
    if (begun > met_) unseen_ = std::max(unseen_, begun - met_);
  }
}

void FlowSweep::look_at(uint32_t bucket_index, uint64_t now_ms) {
  flow_bucket& bucket = tables_.flow_buckets[bucket_index];
  for (uint32_t way = 0; way < kFlowWays; way++) {
    const uint32_t index = bucket_index * kFlowWays + way;
    const uint64_t name = name_in(bucket, way);
    if (name == 0) {
      if (is_known(index)) replaced(index);
      continue;
    }
    const flow_record record = bucket.record[way];
    const flow_usage usage = *flow_usage_in(&bucket, way);
    if (name_in(bucket, way) != name) continue;  // another flow's by now: the next sweep's
    if (record.flags & kFlowAlias) {
      if (is_known(index)) replaced(index);
    } else if (over_[index] != mark_of(usage)) {
      look_at_flow(index, name, record, usage, now_ms);
    }
  }
}

void FlowSweep::look_at_flow(uint32_t index, uint64_t name, const flow_record& record,
                             const flow_usage& usage, uint64_t now_ms) {
  if (is_known(index)) {
    const Known& known = known_[index];
    if (known.name != name || !is_same(known.report, record, usage)) replaced(index);
  }
  FlowReport& report =
      (is_known(index) ? known_[index] : meet(index, name, record, usage, now_ms)).report;
  report.record = record;
  report.usage = usage;
  const uint64_t silent_ms = ago_ms(record.last_seen_ms, now_ms);
  report.last_ms = now_ms - silent_ms;
  const bool expired =
      silent_ms != 0 && flow_is_expired(tables_.settings, &record, static_cast<uint32_t>(now_ms));
  const bool settled = expired || silent_ms >= kLingerMs;
  if (flow_is_closed(&record) && settled) return end(index, how_closed(record));
  if (expired) return end(index, FlowEnd::kIdle);
  if (interval_ms_ == 0 || now_ms - report.since_ms < interval_ms_) return;
  if (packets_of(usage) == packets_of(report.told)) return;
  report.end = FlowEnd::kOpen;
  tell_(report);
  report.told = usage;
  report.told_delivered = record.delivered;
  report.since_ms = now_ms;
}

FlowSweep::Known& FlowSweep::meet(uint32_t index, uint64_t name, const flow_record& record,
                                  const flow_usage& usage, uint64_t now_ms) {
  known_ways_[index / kFlowWays] |= static_cast<uint8_t>(1 << index % kFlowWays);
  Known& known = known_[index] = {};
  known.name = name;
  known.report.began_ms = known.report.since_ms = now_ms - ago_ms(usage.created_ms, now_ms);
  if (known.report.began_ms >= started_ms_) {
    met_++;
    return known;
  }
  // From before: what it has carried until now was somebody else's to tell.
  known.report.since_ms = now_ms;
  known.report.told = usage;
  known.report.told_delivered = record.delivered;
  return known;
}

void FlowSweep::end(uint32_t index, FlowEnd how) {
  const auto at = known_.find(index);
  FlowReport& report = at->second.report;
  report.end = how;
  const bool from_before = report.began_ms < started_ms_;
  if (!from_before || packets_of(report.usage) != packets_of(report.told)) tell_(report);
  over_[index] = mark_of(report.usage);
  known_.erase(at);
  known_ways_[index / kFlowWays] &= static_cast<uint8_t>(~(1 << index % kFlowWays));
}

// Its place is somebody else's.
void FlowSweep::replaced(uint32_t index) {
  const flow_record& record = known_[index].report.record;
  end(index, flow_is_closed(&record) ? how_closed(record) : FlowEnd::kReplaced);
}

void FlowSweep::stop(uint64_t now_ms) {
  next_bucket_ = 0;
  look(tables_.flow_buckets_count, now_ms);
  while (!known_.empty()) end(known_.begin()->first, FlowEnd::kStopped);
}

bool FlowSweep::is_known(uint32_t index) const {
  return known_ways_[index / kFlowWays] & 1 << index % kFlowWays;
}

}  // namespace sluice::gateway
