// SPDX-License-Identifier: Apache-2.0
// A flow as it is if its other end is the client.
//
// Where no SYN has said who the client is, ports and who was heard first only suggest it, and what
// the ends say may be made up: a decoy arrives nowhere but here. So neither reading of such a flow
// takes anything from the other one. Each has its own parser from the first byte on, and once that
// of the second reading finds a protocol, rules are asked in both for good. Which of them events
// show is for the eye only.
//
// turn() in flow_state.h lets one take the place of the other.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "inspect/app/session.h"
#include "inspect/match/tcp_inspection.h"

namespace sluice::inspect {

inline bool is_found(AppProtocol protocol) {
  return protocol != AppProtocol::kUnknown && protocol != AppProtocol::kFailed;
}

// Those by whose first bytes it is known which end says them.
std::span<const ProtocolEntry> protocols_that_tell_ends_apart();

// The members have the names that they have in FlowUser.
struct OtherReading {
  explicit OtherReading(StreamBudget& budget) : budget_(budget) {
    budget_.sessions += sizeof(*this);
  }
  ~OtherReading() { budget_.sessions -= sizeof(*this); }
  OtherReading(const OtherReading&) = delete;
  OtherReading& operator=(const OtherReading&) = delete;

  std::unique_ptr<AppSession> app;
  AppProtocol app_protocol = AppProtocol::kUnknown;
  AppProtocol first_protocol = AppProtocol::kUnknown;
  AppProtocol of_server = AppProtocol::kUnknown;
  bool is_second = true;
  bool asked_established = false;
  uint32_t app_since = 0;
  uint32_t asked[2] = {};
  std::array<uint32_t, 2> asked_classified{};
  StreamSearch sides[2];  // beside those of TcpInspection, which see for their order

 private:
  StreamBudget& budget_;
};

}  // namespace sluice::inspect
