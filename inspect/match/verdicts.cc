// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/verdicts.h"

#include <algorithm>

namespace sluice::inspect {
namespace {

// Rules are numbered in the order in which they win. A rule that matched in packet and stream
// counts once, for the stream; in two transactions, for each.
void order(std::vector<Match>& matches) {
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return a.rule != b.rule ? a.rule < b.rule : a.in_stream > b.in_stream;
  });
  const auto last = std::unique(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return a.rule == b.rule && a.about_transaction.empty() && b.about_transaction.empty();
  });
  matches.erase(last, matches.end());
}

}  // namespace

Verdict Verdicts::conclude(const Current& current, std::vector<Match>& matches,
                           Responses& responses) {
  order(matches);
  const Rule* deciding = nullptr;
  size_t alerts = 0;
  for (const Match& match : matches) {
    const Rule& rule = engine_.rule(match.rule).rule;
    if (!limits_.acts(match.rule, rule, current)) continue;
    if (rule.bypass) current.flow.user.decision = Decision::kPass;
    if (rule.action == Action::kPass) return pass_by_rule(current, match);
    if (rule.action != Action::kAlert && deciding == nullptr) deciding = &rule;
    if (!rule.noalert && limits_.speaks(match.rule, rule, current)) alert(current, match, alerts);
  }
  if (deciding != nullptr) return drop_by_rule(current, *deciding, responses);
  if (current.flow.user.decision == Decision::kPass) forget_content(current.flow.user);
  counters_.passed++;
  return Verdict::kPass;
}

void Verdicts::alert(const Current& current, const Match& match, size_t& alerts) {
  if (alerts == kAlertsPerPacketMax) {
    counters_.alerts_suppressed++;
    return;
  }
  alerts++;
  counters_.alerts++;
  current.flow.user.alerted = true;
  reports_.alert(current.about(), engine_.rule(match.rule).rule, match.about_transaction);
}

Verdict Verdicts::pass_by_rule(const Current& current, const Match& match) {
  if (match.in_stream || engine_.rule(match.rule).once_per_flow) {
    current.flow.user.decision = Decision::kPass;
    forget_content(current.flow.user);
  }
  counters_.passed++;
  return Verdict::kPass;
}

// Nothing more of the flow is looked into.
void Verdicts::forget_content(FlowUser& user) {
  user.tcp.reset();
  user.app.reset();
}

Verdict Verdicts::drop_by_rule(const Current& current, const Rule& rule, Responses& responses) {
  FlowUser& user = current.flow.user;
  user.decision = Decision::kDrop;
  forget_content(user);
  keep_open(current.flow);
  counters_.dropped_by_rules++;
  reports_.drop(current.about(), "rules", &rule);
  if (rule.action == Action::kReject) {
    counters_.rejected++;
    responses.reject(current.view, rule.reject_whom);
    // The resets end the connection: the next SYN with its tuple is another one.
    if (current.flow.is_tcp()) {
      current.flow.tcp_flags[0] |= tunnels::kTcpRst;
      current.flow.state = user.open_state = FlowState::kClosed;
    }
  }
  return Verdict::kDrop;
}

// Nobody receives a packet that is dropped, so nothing that it says ends the connection: a reset
// with a SYN behind it does not lead out of a drop.
void Verdicts::keep_open(Flows::Record& flow) {
  const bool rejected = flow.user.open_state == FlowState::kClosed;
  if (flow.state != FlowState::kClosed || rejected) return;
  flow.state = flow.user.open_state;
  for (uint8_t& flags : flow.tcp_flags)
    flags &= static_cast<uint8_t>(~(tunnels::kTcpRst | tunnels::kTcpFin));
}

// Later packets are reported once for each flow and counted always.
Verdict Verdicts::drop_by_flow(const Current& current) {
  counters_.dropped_by_flow++;
  if (current.flow.user.decision == Decision::kDrop) keep_open(current.flow);
  if (!current.flow.user.drop_reported) reports_.drop(current.about(), "flow drop", nullptr);
  current.flow.user.drop_reported = true;
  return Verdict::kDrop;
}

Verdict Verdicts::drop_by_stream(const Current& current, StreamAccept why) {
  const bool conflict = why == StreamAccept::kConflict;
  (conflict ? counters_.dropped_stream_error : counters_.dropped_stream_memory)++;
  if (!current.flow.user.error_reported)
    reports_.drop(current.about(), conflict ? "stream error" : "stream memcap", nullptr);
  current.flow.user.error_reported = true;
  return Verdict::kDrop;
}

// Reported at most once between two ticks: fragments have no flow to say it once for.
Verdict Verdicts::drop_fragment(const PacketView& fragment, int64_t time_us, FragmentState why) {
  const bool no_room = why == FragmentState::kNoRoom;
  (no_room ? counters_.dropped_fragment_memory : counters_.dropped_fragment_error)++;
  const Flow none;
  if (!fragment_error_reported_)
    reports_.drop({fragment, none, AppProtocol::kUnknown, Direction::kToServer, time_us},
                  no_room ? "defrag memcap" : "defrag error", nullptr);
  fragment_error_reported_ = true;
  return Verdict::kDrop;
}

void Verdicts::tick(int64_t now_us) {
  fragment_error_reported_ = false;
  limits_.expire(now_us);
}

}  // namespace sluice::inspect
