// SPDX-License-Identifier: Apache-2.0
// Walks the flow table while the packet path writes it, and tells of each flow that has ended and,
// at intervals, of those that live on. The path knows nothing of it.
//
// The sweep keeps a copy of each flow that lives. So a flow whose place was given away between two
// sweeps is told of with what was known of it; one that came and went between two sweeps is only
// counted (unseen). Flows that had ended before the sweep was made are not told of.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "gateway/datapath/host.h"

namespace sluice::gateway {

enum class FlowEnd {
  kOpen,      // it has not ended
  kFin,       // both ends have closed it
  kReset,     // by RST
  kIdle,      // nothing was heard of it for too long
  kReplaced,  // its place was needed, or its tuple used again
  kStopped,   // the log ends
};

struct FlowReport {
  FlowEnd end = FlowEnd::kOpen;
  flow_record record{};  // as it is now
  flow_usage usage{};
  flow_usage told{};            // what earlier reports of it had
  uint32_t told_delivered = 0;  // likewise
  // In the host's time.
  uint64_t began_ms = 0;
  uint64_t since_ms = 0;  // the last report, or its beginning
  uint64_t last_ms = 0;   // its last packet
};

class FlowSweep {
 public:
  using Tell = std::function<void(const FlowReport& report)>;

  // A TCP connection is over this long after its last packet: its last ACK is still on its way.
  static constexpr uint32_t kLingerMs = 2000;

  // interval_ms: how often a flow that lives is told of; 0: never. `tables` outlive it.
  FlowSweep(const Tables& tables, uint64_t interval_ms, uint64_t now_ms, Tell tell);

  // Looks at the next `buckets` buckets, and begins again at the end.
  void look(uint32_t buckets, uint64_t now_ms);
  // Looks at all, and tells of the flows that have not ended.
  void stop(uint64_t now_ms);

  // Flows that ended before any sweep met them; as of the last whole sweep.
  uint64_t unseen() const { return unseen_; }
  size_t known() const { return known_.size(); }

 private:
  struct Known {
    uint64_t name = 0;  // of its entry
    FlowReport report;
  };
  void look_at(uint32_t bucket, uint64_t now_ms);
  void look_at_flow(uint32_t index, uint64_t name, const flow_record& record,
                    const flow_usage& usage, uint64_t now_ms);
  Known& meet(uint32_t index, uint64_t name, const flow_record& record, const flow_usage& usage,
              uint64_t now_ms);
  void end(uint32_t index, FlowEnd how);
  void replaced(uint32_t index);
  bool is_known(uint32_t index) const;

  const Tables& tables_;
  const uint64_t interval_ms_;
  const uint64_t started_ms_;
  Tell tell_;
  std::unordered_map<uint32_t, Known> known_;  // by place
  std::vector<uint8_t> known_ways_;            // by bucket, a bit per way: who is in known_
  std::vector<uint32_t> over_;                 // by place: which flow there has ended; 0: none
  uint32_t next_bucket_ = 0;
  // Flows that the path had begun at the start, and when this sweep began; and that were met since.
  const uint64_t begun_first_;
  uint64_t begun_ = 0, met_ = 0, unseen_ = 0;
};

}  // namespace sluice::gateway
