// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/other_reading.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "inspect/match/flow_state.h"

namespace sluice::inspect {
namespace {

template <class T>
void turn(T (&pair)[2]) {
  std::swap(pair[0], pair[1]);
}

void turn_ends(tunnels::tuple& tuple) {
  std::swap_ranges(std::begin(tuple.source), std::end(tuple.source), std::begin(tuple.destination));
  std::swap(tuple.source_port, tuple.destination_port);
}

// What was counted and seen of each direction is now of the other one.
void turn_directions(Flows::Record& flow) {
  turn_ends(flow.to_server);
  flow.reversed = !flow.reversed;
  turn(flow.packets);
  turn(flow.bytes);
  turn(flow.tcp_flags);
  turn(flow.icmp_type);
  turn(flow.icmp_code);
  FlowUser& user = flow.user;
  turn(user.initial_sequence);
  turn(user.syn_seen);
  turn(user.acknowledged);
  turn(user.ends);
  turn(user.windows);
  turn(user.encrypted_bytes);
  if (user.tcp) user.tcp->sides.turn();
}

void exchange_readings(FlowUser& user, OtherReading& other) {
  std::swap(user.app, other.app);
  std::swap(user.app_protocol, other.app_protocol);
  std::swap(user.first_protocol, other.first_protocol);
  std::swap(user.of_server, other.of_server);
  std::swap(user.is_second, other.is_second);
  std::swap(user.asked_established, other.asked_established);
  std::swap(user.app_since, other.app_since);
  std::swap(user.asked, other.asked);
  std::swap(user.asked_classified, other.asked_classified);
  if (!user.tcp) return;
  for (size_t side = 0; side < 2; side++)
    std::swap(static_cast<StreamSearch&>(user.tcp->sides[side]), other.sides[side]);
  turn(other.sides);
}

}  // namespace

void turn(Flows::Record& flow) {
  if (flow.user.other) exchange_readings(flow.user, *flow.user.other);
  turn_directions(flow);
}

std::span<const ProtocolEntry> protocols_that_tell_ends_apart() {
  static const std::vector<ProtocolEntry> kThose = [] {
    std::vector<ProtocolEntry> those;
    for (const ProtocolEntry& entry : all_protocols())
      if (entry.protocol != AppProtocol::kSsh && entry.protocol != AppProtocol::kSmb)
        those.push_back(entry);
    return those;
  }();
  return kThose;
}

}  // namespace sluice::inspect
