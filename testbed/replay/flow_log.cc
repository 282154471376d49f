// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/flow_log.h"

#include <algorithm>

namespace sluice::testbed {

namespace {

tunnels::flow_key key_of(const inspect::Flow& flow) {
  tunnels::flow_key key{};
  tunnels::flow_key_from_tuple(&key, &flow.to_server);
  return key;
}

tunnels::flow_key pair_of(const inspect::Flow& flow) {
  tunnels::flow_key pair = key_of(flow);
  pair.port[0] = pair.port[1] = 0;
  pair.protocol = 0;
  return pair;
}

void turn_round(inspect::Flow& flow) {
  std::ranges::swap_ranges(flow.to_server.source, flow.to_server.destination);
  std::swap(flow.to_server.source_port, flow.to_server.destination_port);
  flow.reversed = !flow.reversed;
}

}  // namespace

std::string_view flow_verdict_name(FlowVerdict verdict) {
  switch (verdict) {
    case FlowVerdict::kDelivered:
      return "delivered";
    case FlowVerdict::kCrossed:
      return "crossed";
    case FlowVerdict::kDropped:
      return "dropped by gateway";
    case FlowVerdict::kBlocked:
      return "dropped by appliance";
    case FlowVerdict::kRejected:
      return "rejected by appliance";
  }
  return "unknown";
}

FlowVerdict ReplayFlow::verdict() const {
  if (ways[0].kept + ways[1].kept != 0)
    return ways[0].injected + ways[1].injected != 0 ? FlowVerdict::kRejected
                                                    : FlowVerdict::kBlocked;
  if (ways[0].dropped + ways[1].dropped != 0) return FlowVerdict::kDropped;
  return crossed != 0 ? FlowVerdict::kCrossed : FlowVerdict::kDelivered;
}

FlowLog::FlowLog(const tunnels::flow_hash_key& key)
    : latest_(0, Hash{key}), pair_reversed_(0, Hash{key}) {}

FlowLog::Seen FlowLog::see(const tunnels::packet& packet, int64_t time_us) {
  tunnels::flow_key key{};
  const bool from_second = tunnels::flow_key_from_tuple(&key, &packet.tuple) != 0;
  auto at = latest_.find(key);
  if (at == latest_.end()) {
    if (flows_.size() == kReplayFlowsMax) return {nullptr, inspect::Direction::kToServer};
    ReplayFlow& made = flows_.emplace_back();
    inspect::start_flow(made.flow, packet, /*space=*/0, /*hash=*/0, time_us);
    choose_client(made.flow, packet);
    at = latest_.emplace(key, &made).first;
  }
  const bool to_server = from_second == at->second->flow.reversed;
  return {at->second, to_server ? inspect::Direction::kToServer : inspect::Direction::kToClient};
}

// Fragments, and protocols without ports, are flows of their own. Between two addresses that also
// have a flow with ports, the same one is taken for the client.
void FlowLog::choose_client(inspect::Flow& flow, const tunnels::packet& packet) {
  const tunnels::flow_key pair = pair_of(flow);
  const auto known = pair_reversed_.find(pair);
  if (packet.flags & tunnels::kPacketHasPorts) {
    if (known == pair_reversed_.end()) pair_reversed_.emplace(pair, flow.reversed);
  } else if (known != pair_reversed_.end() && known->second != flow.reversed) {
    turn_round(flow);
  }
}

ReplayFlow* FlowLog::begin_again(const ReplayFlow& flow, int64_t time_us) {
  if (flows_.size() == kReplayFlowsMax) return nullptr;
  const inspect::Flow before = flow.flow;
  ReplayFlow& made = flows_.emplace_back();
  made.flow.to_server = before.to_server;
  made.flow.reversed = before.reversed;
  made.flow.start_us = time_us;
  latest_[key_of(before)] = &made;
  return &made;
}

}  // namespace sluice::testbed
