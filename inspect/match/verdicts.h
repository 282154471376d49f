// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet: the rules that hold for it act in the order pass, drop, reject, alert,
// and what cannot be inspected safely is dropped. `drop` and `reject` hold for the rest of the
// flow.
#pragma once

#include "inspect/match/alert_limits.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/inspector_counters.h"
#include "inspect/match/responses.h"
#include "inspect/match/rule_check.h"
#include "inspect/stream/defrag.h"

namespace sluice::inspect {

// Alerts written for one packet; as in Suricata.
inline constexpr size_t kAlertsPerPacketMax = 15;

enum class Verdict { kPass, kDrop };

// One per worker.
class Verdicts {
 public:
  Verdicts(const Engine& engine, Reports& reports, InspectorCounters& counters)
      : engine_(engine), reports_(reports), counters_(counters) {}

  // `matches` are all rules that hold; they are put in order.
  Verdict conclude(const Current& current, std::vector<Match>& matches, Responses& responses);
  // The flow, or the one that an ICMP error is about, is blocked.
  Verdict drop_by_flow(const Current& current);
  Verdict drop_by_stream(const Current& current, StreamAccept why);
  Verdict drop_fragment(const PacketView& fragment, int64_t time_us, FragmentState why);

  void tick(int64_t now_us);
  const AlertLimits& limits() const { return limits_; }

 private:
  void alert(const Current& current, const Match& match, size_t& alerts);
  Verdict pass_by_rule(const Current& current, const Match& match);
  Verdict drop_by_rule(const Current& current, const Rule& rule, Responses& responses);
  static void forget_content(FlowUser& user);
  static void keep_open(Flows::Record& flow);

  const Engine& engine_;
  Reports& reports_;
  InspectorCounters& counters_;
  AlertLimits limits_;
  bool fragment_error_reported_ = false;  // since the last tick
};

}  // namespace sluice::inspect
