// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/verdicts.h"

#include <algorithm>
#include <utility>

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
                           Responses& responses, KeptBack kept_back) {
  order(matches);
  Deciding deciding;
  speaking_.clear();
  const Match* passing = nullptr;
  for (const Match& match : matches) {
    const Rule& rule = engine_->rule(match.rule).rule;
    const auto effect = limits_.effect(rule, current);
    if (!effect) continue;
    if (rule.bypass) current.flow.user.decision = Decision::kPass;
    if (effect->action == Action::kPass) {
      if (deciding.rule != nullptr) continue;
      if (rule.alerts_on_pass && effect->speaks) speak(match, Action::kPass);
      passing = &match;
      break;
    }
    if (effect->action != Action::kAlert && deciding.rule == nullptr)
      deciding = {&rule, effect->action};
    if (!rule.noalert && effect->speaks) speak(match, effect->action);
  }
  return finish(current, passing, deciding, responses, kept_back);
}

void Verdicts::speak(const Match& match, Action action) {
  if (speaking_.size() == alerts_max_) {
    counters_.alerts_suppressed++;
    return;
  }
  speaking_.push_back({&match, action});
}

Verdict Verdicts::finish(const Current& current, const Match* passing, const Deciding& deciding,
                         Responses& responses, KeptBack kept_back) {
  const bool passes = passing != nullptr;
  const bool flow_passes =
      current.flow.user.decision == Decision::kPass || (passes && passes_flow(*passing));
  const bool stays =
      kept_back == KeptBack::kYes || (kept_back == KeptBack::kUnlessFlowPasses && !flow_passes);
  const bool drops = stays || deciding.rule != nullptr || !(passes || passes_by_default(current));
  const std::string_view verdict = drops ? "drop" : passes ? "pass" : "alert";
  for (const Speaking& speaking : speaking_) alert(current, speaking, verdict, deciding);
  if (passing != nullptr) return pass_by_rule(current, *passing);
  if (deciding.rule != nullptr) return drop_by_rule(current, deciding, responses);
  return by_default(current);
}

void Verdicts::alert(const Current& current, const Speaking& speaking, std::string_view verdict,
                     const Deciding& deciding) {
  counters_.alerts++;
  current.flow.user.alerted = true;
  const Match& match = *speaking.match;
  const auto& tcp = current.flow.user.tcp;
  const bool in_stream = match.in_stream && tcp;
  Reports::Found found{
      match.about_transaction,
      in_stream ? tcp->sides[current.side()].stream.window() : current.view.payload, in_stream,
      speaking.action == Action::kDrop || speaking.action == Action::kReject, verdict};
  found.notes = current.flow.user.notes.get();
  if (deciding.action == Action::kReject) found.rejected = deciding.rule->reject_whom;
  reports_.alert(current.about(), engine_->rule(match.rule).rule, found);
}

// It passes the rest of the flow with the packet.
bool Verdicts::passes_flow(const Match& match) const {
  const CompiledRule& rule = engine_->rule(match.rule);
  return match.in_stream || rule.once_per_flow || rule.on_classification;
}

Verdict Verdicts::pass_by_rule(const Current& current, const Match& match) {
  if (passes_flow(match)) current.flow.user.decision = Decision::kPass;
  counters_.passed++;
  return Verdict::kPass;
}

Verdict Verdicts::drop_by_rule(const Current& current, const Deciding& deciding,
                               Responses& responses) {
  block(current);
  counters_.dropped_by_rules++;
  reports_.drop(current.about(), "rules", deciding.rule);
  if (deciding.action == Action::kReject) reject(current, deciding.rule->reject_whom, responses);
  return Verdict::kDrop;
}

bool Verdicts::passes_by_default(const Current& current) const {
  return default_action_ == DefaultAction::kPass || current.flow.user.decision == Decision::kPass ||
         current.about_known_flow ||
         (default_action_ == DefaultAction::kDropEstablished && is_undecided(current));
}

// Reported once for each flow: a rule may pass its next packet.
Verdict Verdicts::by_default(const Current& current) {
  FlowUser& user = current.flow.user;
  if (passes_by_default(current)) {
    counters_.passed++;
    return Verdict::kPass;
  }
  counters_.dropped_by_default++;
  if (!std::exchange(user.default_dropped, true) || reports_.options().every_drop)
    reports_.drop(current.about(), "default packet policy", nullptr);
  return Verdict::kDrop;
}

void Verdicts::block(const Current& current) {
  current.flow.user.decision = Decision::kDrop;
  keep_open(current.flow);
}

// The resets end the connection: the next SYN with its tuple is another one.
void Verdicts::reject(const Current& current, RejectWhom whom, Responses& responses) {
  if (!current.is_packet) return;  // nobody could be told
  counters_.rejected++;
  responses.reject(current.view, whom);
  if (!current.flow.is_tcp()) return;
  current.flow.tcp_flags[0] |= tunnels::kTcpRst;
  current.flow.state = current.flow.user.open_state = FlowState::kClosed;
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
  if (!current.flow.user.drop_reported || reports_.options().every_drop)
    reports_.drop(current.about(), "flow drop", nullptr);
  current.flow.user.drop_reported = true;
  return Verdict::kDrop;
}

void Verdicts::report_error(const Current& current, std::string_view reason) {
  if (!current.flow.user.error_reported || reports_.options().every_drop)
    reports_.drop(current.about(), reason, nullptr);
  current.flow.user.error_reported = true;
}

Verdict Verdicts::drop_by_conflict(const Current& current) {
  counters_.dropped_stream_error++;
  report_error(current, "stream error");
  return Verdict::kDrop;
}

std::optional<Verdict> Verdicts::except(const Current& current, ExceptionCause cause,
                                        Responses& responses) {
  const ExceptionPolicy policy = policies_[cause];
  exceptions_.count(cause, policy);
  current.flow.user.exceptions |= static_cast<uint8_t>(1u << static_cast<int>(cause));
  if (policy == ExceptionPolicy::kIgnore) return std::nullopt;
  if (policy == ExceptionPolicy::kPassPacket || policy == ExceptionPolicy::kPassFlow) {
    if (policy == ExceptionPolicy::kPassFlow) current.flow.user.decision = Decision::kPass;
    counters_.passed++;
    return Verdict::kPass;
  }
  report_error(current, reason_of(cause));
  if (policy != ExceptionPolicy::kDropPacket) block(current);
  if (policy == ExceptionPolicy::kReject) reject(current, RejectWhom::kBoth, responses);
  return Verdict::kDrop;
}

std::optional<Verdict> Verdicts::except_new_flow(const PacketView& view, int64_t time_us,
                                                 Responses& responses) {
  const ExceptionPolicy policy = policies_[ExceptionCause::kFlowMemory];
  exceptions_.count(ExceptionCause::kFlowMemory, policy);
  if (policy == ExceptionPolicy::kIgnore) return std::nullopt;
  if (policy == ExceptionPolicy::kPassPacket) {
    counters_.passed++;
    return Verdict::kPass;
  }
  const Flow none;
  if (!std::exchange(flow_memory_reported_, true) || reports_.options().every_drop)
    reports_.drop({view, none, AppProtocol::kUnknown, Direction::kToServer, time_us},
                  reason_of(ExceptionCause::kFlowMemory), nullptr);
  if (policy == ExceptionPolicy::kReject) {
    counters_.rejected++;
    responses.reject(view, RejectWhom::kBoth);
  }
  return Verdict::kDrop;
}

// A flow that it names knows nothing of it.
Verdict Verdicts::drop_by_checksum(const PacketView& view, int64_t time_us) {
  counters_.dropped_checksum++;
  const Flow none;
  if (!std::exchange(checksum_reported_, true) || reports_.options().every_drop)
    reports_.drop({view, none, AppProtocol::kUnknown, Direction::kToServer, time_us},
                  "invalid checksum", nullptr);
  return Verdict::kDrop;
}

Verdict Verdicts::except_fragment(const PacketView& fragment, int64_t time_us, FragmentState why) {
  const bool no_room = why == FragmentState::kNoRoom;
  const ExceptionPolicy policy = policies_[ExceptionCause::kDefragMemory];
  if (no_room) exceptions_.count(ExceptionCause::kDefragMemory, policy);
  if (no_room && policy == ExceptionPolicy::kPassPacket) {
    counters_.passed++;
    return Verdict::kPass;
  }
  if (!no_room) counters_.dropped_fragment_error++;
  const Flow none;
  if (!fragment_error_reported_)
    reports_.drop({fragment, none, AppProtocol::kUnknown, Direction::kToServer, time_us},
                  no_room ? reason_of(ExceptionCause::kDefragMemory) : "defrag error", nullptr);
  fragment_error_reported_ = true;
  return Verdict::kDrop;
}

void Verdicts::tick(int64_t now_us) {
  fragment_error_reported_ = checksum_reported_ = flow_memory_reported_ = false;
  limits_.expire(now_us);
}

}  // namespace sluice::inspect
