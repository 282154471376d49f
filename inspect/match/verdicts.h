// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet: the rules that hold for it act in their order, the first that passes,
// drops or rejects decides, and what cannot be inspected safely is dropped. `drop` and `reject`
// hold for the rest of the flow.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "inspect/match/alert_limits.h"
#include "inspect/match/default_action.h"
#include "inspect/match/exception_policy.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/inspector_counters.h"
#include "inspect/match/responses.h"
#include "inspect/match/rule_check.h"
#include "inspect/stream/defrag.h"

namespace sluice::inspect {

// Alerts written for one packet, unless it is said otherwise; as in Suricata.
inline constexpr size_t kAlertsPerPacketMax = 15;

enum class Verdict { kPass, kDrop };

// Whether the caller drops the packet though no rule does.
enum class KeptBack { kNo, kUnlessFlowPasses, kYes };

// One per worker.
class Verdicts {
 public:
  Verdicts(const Engine& engine, Reports& reports, InspectorCounters& counters, size_t alerts_max,
           const ExceptionPolicies& policies, DefaultAction default_action)
      : engine_(&engine),
        reports_(reports),
        counters_(counters),
        alerts_max_(alerts_max),
        policies_(policies),
        default_action_(default_action) {}

  void use(const Engine& engine) { engine_ = &engine; }

  // `matches` are all rules that hold; they are put in order. Alerts say what becomes of the
  // packet, `kept_back` included.
  Verdict conclude(const Current& current, std::vector<Match>& matches, Responses& responses,
                   KeptBack kept_back = KeptBack::kNo);
  // The flow, or the one that an ICMP error is about, is blocked.
  Verdict drop_by_flow(const Current& current);
  // No honest part of its stream.
  Verdict drop_by_conflict(const Current& current);
  // By the policy for the cause; nothing: the packet goes on.
  std::optional<Verdict> except(const Current& current, ExceptionCause cause, Responses& responses);
  // The policy for the cause lets nothing pass.
  bool keeps_back(ExceptionCause cause) const {
    return policies_[cause] >= ExceptionPolicy::kDropPacket;
  }
  // The same for the first packet of a flow for which there is no place.
  std::optional<Verdict> except_new_flow(const PacketView& view, int64_t time_us,
                                         Responses& responses);
  // A segment that no receiver takes.
  Verdict drop_by_checksum(const PacketView& view, int64_t time_us);
  // A fragment that is refused.
  Verdict except_fragment(const PacketView& fragment, int64_t time_us, FragmentState why);

  void tick(int64_t now_us);
  const AlertLimits& limits() const { return limits_; }
  const ExceptionCounters& exceptions() const { return exceptions_; }

 private:
  // The rule that decides about a packet, and how.
  struct Deciding {
    const Rule* rule = nullptr;  // nullptr: none
    Action action = Action::kAlert;
  };

  // An alert that is written when it is known what becomes of the packet.
  struct Speaking {
    const Match* match;
    Action action;
  };

  void alert(const Current& current, const Speaking& speaking, std::string_view verdict,
             const Deciding& deciding);
  void speak(const Match& match, Action action);
  Verdict finish(const Current& current, const Match* passing, const Deciding& deciding,
                 Responses& responses, KeptBack kept_back);
  bool passes_flow(const Match& match) const;
  bool passes_by_default(const Current& current) const;
  Verdict pass_by_rule(const Current& current, const Match& match);
  Verdict drop_by_rule(const Current& current, const Deciding& deciding, Responses& responses);
  Verdict by_default(const Current& current);
  static void block(const Current& current);
  void reject(const Current& current, RejectWhom whom, Responses& responses);
  void report_error(const Current& current, std::string_view reason);
  static void keep_open(Flows::Record& flow);

  const Engine* engine_;
  Reports& reports_;
  InspectorCounters& counters_;
  const size_t alerts_max_;  // of a packet
  const ExceptionPolicies policies_;
  const DefaultAction default_action_;
  ExceptionCounters exceptions_;
  AlertLimits limits_;
  std::vector<Speaking> speaking_;  // about the packet in hand
  // Since the last tick: these have no flow to say it once for.
  bool fragment_error_reported_ = false;
  bool checksum_reported_ = false;
  bool flow_memory_reported_ = false;
};

}  // namespace sluice::inspect
