// SPDX-License-Identifier: Apache-2.0
// The gateway's data path and its appliances in one process, fed with captured frames.
//
// Each frame enters at the attachment's outside or inside port; what the path sends to a target is
// answered by the appliance that stands there, through the code that the live appliance runs, and
// the answers enter at the tunnel port. No sockets, no real clock: the same frames give the same
// results.
//
//   capture ─▶ outside/inside port ─▶ path ─▶ appliance ─▶ tunnel port ─▶ path ─▶ delivered
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "gateway/control/address.h"
#include "gateway/datapath/mirror_copies.h"
#include "gateway/datapath/process_host.h"
#include "gateway/datapath/slow_path.h"
#include "testbed/replay/capture_file.h"
#include "testbed/replay/flow_log.h"
#include "testbed/replay/sides.h"
#include "testbed/replay/standing_appliance.h"

namespace sluice::testbed {

using StandingAppliances = std::map<gateway::IpAddress, std::unique_ptr<StandingAppliance>>;
using Delivery = std::function<void(int64_t time_ns, std::span<const uint8_t> frame)>;

// What became of the capture's frames. Each ends in one of: delivered, crossed, dropped, kept,
// left_to_stack or not_sent.
struct SimulationCounts {
  uint64_t frames = 0;
  uint64_t delivered = 0;         // from one side to the other
  uint64_t crossed = 0;           // past the gateway: ARP, neighbour discovery, not IP
  uint64_t dropped = 0;           // by the gateway
  uint64_t kept = 0;              // by an appliance
  uint64_t left_to_stack = 0;     // not taken by the gateway
  uint64_t not_sent = 0;          // of flows past kReplayFlowsMax
  uint64_t answered = 0;          // of the dropped: the gateway told the sender
  uint64_t injected = 0;          // not of the capture: added by appliances and delivered
  uint64_t injected_dropped = 0;  // added by appliances, and dropped by the gateway
  uint64_t fragments_added =
      0;  // by the gateway, which cuts a frame into several; they end as well
  std::array<uint64_t, tunnels::kDropReasonCount> drops{};  // both kinds, by the gateway's reason
};

class Simulation {
 public:
  // The tables of `host` are filled, and every appliance in them stands in `appliances`; `host`
  // stays the caller's. `delivered` is given each frame that leaves on either side.
  Simulation(gateway::ProcessHost& host, uint16_t attachment, Sides sides,
             StandingAppliances appliances, Delivery delivered);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  void enter(const CapturedFrame& frame);
  // After the last frame: lets the appliances write what is pending.
  void finish();

  const FlowLog& flows() const { return flows_; }
  const SimulationCounts& counts() const { return counts_; }
  const StandingAppliances& appliances() const { return appliances_; }

 private:
  // How the appliance and the gateway dealt with one captured frame.
  struct Fate {
    bool returned = false;
    bool delivered = false;
  };

  void advance(int64_t time_ns);
  void enter_ip(const tunnels::packet& packet);
  void enter_other(Side side);
  void leave(const gateway::Outcome& outcome, uint32_t port, const FlowLog::Seen& seen);
  void enter_fragment(uint32_t port, const tunnels::packet& packet, const FlowLog::Seen& seen);
  void out_of_slow_path(const gateway::Outcome& outcome, std::span<const uint8_t> bytes);
  Side side_of(const tunnels::packet& packet, const FlowLog::Seen& seen) const;
  void translate_as_target(tunnels::packet& packet, const ReplayFlow& flow);
  void learn_from_gateway(const tunnels::packet& packet, ReplayFlow& flow);
  void settle(const gateway::Outcome& outcome, ReplayFlow& flow, inspect::Direction direction);
  StandingAppliance& appliance_of(std::span<const uint8_t> sent) const;
  void ask_appliance(uint32_t tunnel, ReplayFlow& flow, inspect::Direction direction);
  Fate give_back(uint32_t tunnel, std::span<const StandingAppliance::Reply> replies,
                 ReplayFlow& flow);
  void drop(tunnels::DropReason reason, ReplayFlow* flow);
  void answer_copies();

  gateway::ProcessHost& host_;
  const gateway::Tables& tables_;
  const uint16_t attachment_;
  const Sides sides_;
  StandingAppliances appliances_;
  Delivery delivered_;
  FlowLog flows_;
  SimulationCounts counts_;
  int64_t first_ns_ = -1;
  int64_t now_ns_ = 0;
  gateway::FrameBuffer buffer_;
  gateway::SlowPath slow_path_;
  gateway::MirrorCopies copies_;
  gateway::mirror_taker copy_taker_;
  struct Copy {
    uint32_t interface;
    std::vector<uint8_t> frame;
  };
  std::vector<Copy> on_their_way_;  // copies to mirrors, of the frame that has entered
  FlowLog::Seen in_slow_path_{};    // whose frame it has just got
  std::vector<uint8_t> sent_;       // the frame that went to the appliance
  std::vector<uint8_t> back_;
};

}  // namespace sluice::testbed
