// SPDX-License-Identifier: Apache-2.0
// What the DPI appliance keeps of one flow beside the flow table's own record.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "appliances/dpi/hold.h"
#include "inspect/dpi/classifier.h"
#include "inspect/dpi/policy.h"
#include "inspect/dpi/usage.h"
#include "inspect/stream/flow_table.h"
#include "inspect/tls/hello_watch.h"

namespace sluice::dpi {

// Of one flow; the oldest ones are forgotten.
inline constexpr size_t kFlowStepsMax = 8;

// A refinement: from this packet of the flow on it was this application, and this rule decided.
struct FlowStep {
  uint64_t packet = 0;
  inspect::Application application;
  const inspect::PolicyRule* rule = nullptr;
};

struct DpiFlow {
  inspect::FlowClassification classification;
  inspect::tls::HelloWatch hello;
  std::shared_ptr<const inspect::Policy> policy;  // that the rules below belong to
  const inspect::PolicyRule* rule = nullptr;      // the decision
  uint64_t schedules = 0;                         // that were active then
  bool known = false;       // for a hold: there is an application, or nothing can change
  bool hold_over = false;   // was held for as long as may be
  bool limit_told = false;  // there was a drop event
  bool quota_told = false;
  // kAllow, kDrop or kReject; what is blocked stays blocked. `blocked_by` says whether that was the
  // policy, a quota or the end of a hold.
  inspect::PolicyAction verdict = inspect::PolicyAction::kAllow;
  std::string_view blocked_by;
  int64_t bucket = 0;  // of a limit per flow
  uint64_t endpoint_id = 0;
  uint64_t packets_blocked = 0;
  uint64_t packets_limited = 0;
  uint64_t packets_over_quota = 0;
  inspect::Accounted accounted;
  std::unique_ptr<HeldPackets> held;
  std::vector<FlowStep> steps;

  bool blocked() const { return verdict != inspect::PolicyAction::kAllow; }
  bool holds() const { return held != nullptr && !held->empty(); }
  uint64_t packets_lost() const { return packets_blocked + packets_limited + packets_over_quota; }
};

using DpiFlows = inspect::FlowTable<DpiFlow>;
using DpiRecord = DpiFlows::Record;

// Of one worker, or of all of them added up.
struct DpiCounters {
  uint64_t flows = 0;          // since the start
  uint64_t flows_known = 0;    // now
  uint64_t flows_evicted = 0;  // from a full table
  uint64_t flows_blocked = 0;
  uint64_t flows_held = 0;
  uint64_t fragments_refused = 0;  // overlapping, invalid or without room; they are dropped
  uint64_t packets_malformed = 0;  // no valid IP packet; they are dropped
  uint64_t packets_blocked = 0;
  uint64_t packets_limited = 0;     // over a limit; dropped
  uint64_t packets_over_quota = 0;  // likewise
  uint64_t packets_marked = 0;
  uint64_t packets_steered = 0;
  uint64_t packets_held = 0;
  uint64_t bytes_held = 0;        // now
  uint64_t holds_expired = 0;     // not known in time
  uint64_t holds_overflowed = 0;  // more than may be held
  uint64_t policies = 0;          // that were taken while it ran
  uint64_t hellos_read = 0;       // ClientHellos with a fingerprint
  uint64_t hellos_malformed = 0;

  DpiCounters& operator+=(const DpiCounters& other);
};

struct CounterField {
  const char* name;
  const char* help;
  uint64_t DpiCounters::*value;
  bool now = false;  // may go down
};
std::span<const CounterField> counter_fields();

}  // namespace sluice::dpi
