// SPDX-License-Identifier: Apache-2.0
// What became of each flow of a capture.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/datapath/tables.h"
#include "inspect/stream/flow.h"

namespace sluice::testbed {

// Flows that are kept; packets of later ones are counted and not sent.
inline constexpr size_t kReplayFlowsMax = 1'000'000;
inline constexpr size_t kAlertsPerFlowMax = 8;

// One direction of a flow.
struct WayCounts {
  uint64_t packets = 0;    // sent, as the capture has them
  uint64_t delivered = 0;  // that left on the other side
  uint64_t dropped = 0;    // by the gateway
  uint64_t kept = 0;       // by the appliance
  uint64_t injected = 0;   // added by the appliance and delivered
};

enum class FlowVerdict {
  kDelivered,  // every packet
  kCrossed,    // neighbour discovery: past the gateway
  kDropped,    // at least one packet, by the gateway
  kBlocked,    // at least one packet, by the appliance
  kRejected,   // the same, and the appliance told an end
};
std::string_view flow_verdict_name(FlowVerdict verdict);

struct ReplayFlow {
  inspect::Flow flow;             // who the client is
  std::array<WayCounts, 2> ways;  // by inspect::Direction
  uint64_t crossed = 0;
  std::map<tunnels::DropReason, uint64_t> drops;  // by the gateway
  std::vector<std::string> alerts;                // what the appliance said without blocking
  std::string blocked_by;                         // what it said when it blocked
  bool known_to_gateway = false;                  // the gateway made a flow; then also:
  uint16_t attachment = gateway::kNone16;
  uint16_t group = gateway::kNone16;
  uint16_t target = gateway::kNone16;   // index of the appliance
  uint16_t backend = gateway::kNone16;  // index of the NLB target
  uint32_t row = 0;
  bool row_owner =
      false;  // the target is its row's; else the flow was there before the row changed

  FlowVerdict verdict() const;
};

class FlowLog {
 public:
  explicit FlowLog(const tunnels::flow_hash_key& key);

  struct Seen {
    ReplayFlow* flow;  // nullptr when kReplayFlowsMax are kept
    inspect::Direction direction;
  };
  // The latest flow of the packet's tuple, begun if there is none.
  Seen see(const tunnels::packet& packet, int64_t time_us);
  // Begins another flow with the tuple of `flow`, for the same client. nullptr as above.
  ReplayFlow* begin_again(const ReplayFlow& flow, int64_t time_us);

  // In the order of their first packets.
  const std::deque<ReplayFlow>& flows() const { return flows_; }

 private:
  struct Hash {
    tunnels::flow_hash_key key;
    size_t operator()(const tunnels::flow_key& k) const {
      return tunnels::flow_hash(&key, &k, tunnels::kFlowHash5Tuple);
    }
  };
  struct Equal {
    bool operator()(const tunnels::flow_key& a, const tunnels::flow_key& b) const {
      return tunnels::flow_key_equal(&a, &b) != 0;
    }
  };
  template <class T>
  using Table = std::unordered_map<tunnels::flow_key, T, Hash, Equal>;

  void choose_client(inspect::Flow& flow, const tunnels::packet& packet);

  std::deque<ReplayFlow> flows_;
  Table<ReplayFlow*> latest_;
  // Per pair of addresses, whether the second end was the client of its first flow with ports.
  Table<bool> pair_reversed_;
};

}  // namespace sluice::testbed
