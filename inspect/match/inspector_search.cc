// SPDX-License-Identifier: Apache-2.0
// The part of Inspector that searches streams for rules.
#include <algorithm>

#include "inspect/match/inspector.h"

namespace sluice::inspect {
namespace {

bool begins_with(std::span<const uint8_t> bytes, std::span<const uint8_t> beginning) {
  return bytes.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), bytes.begin());
}

uint8_t missing_in(const BufferPlan& plan, std::span<const uint8_t> bytes) {
  for (uint8_t match = 0; match < plan.size(); match++)
    if (!plan.may_hold(match, bytes, 0)) return match;
  return BufferPlan::kNothing;
}

// Whether a rule is to be tried that has not held before.
bool may_hold_now(const BufferPlan& plan, const StreamInspection& side,
                  const StreamInspection::Pending& pending, size_t searched) {
  const auto window = side.stream.window();
  switch (pending.missing) {
    case StreamInspection::kUnknown:
    case StreamInspection::kUnasked:
      return true;
    case StreamInspection::kTooMuch:
      return plan.may_come_to_hold(window, searched);
    case BufferPlan::kNothing:
      return side.stream.next() >= pending.due || plan.has_more_of_a_content(window, searched);
    default:
      return plan.may_hold(pending.missing, window, searched);
  }
}

}  // namespace

// New bytes in order, or all that is held if the rules are new: what straddles a reload is found. A
// rule whose fast pattern occurs stays pending until its other matches have arrived too, or its
// pattern has left the window.
void Inspector::inspect_piece(const Current& current, StreamInspection& side,
                              std::span<const uint8_t> piece) {
  const size_t searched = search_piece(current, side, piece);
  const AppProtocol before = current.flow.user.app_protocol;
  ask_stream_rules(current, side, searched);
  inspect_application(current, side, piece);
  if (current.flow.user.app_protocol != before) ask_stream_rules(current, side, searched);
}

// How much of the window has been searched before.
size_t Inspector::search_piece(const Current& current, StreamInspection& side,
                               std::span<const uint8_t> piece) {
  const PortGroups& groups = engine_->stream_groups(current.direction);
  const RuleGroup& any = groups.any();
  const RuleGroup* const named = groups.named(current.server_port());
  const auto window = side.stream.window();
  size_t searched = window.size() - piece.size();
  if (side.generation != engine_->generation()) {
    side.begin_again(engine_->generation());
    searched = 0;
  }
  stream_candidates_.clear();
  if (any.prefilter) any.prefilter->scan_on(window, searched, scratch_, stream_candidates_);
  if (named != nullptr && named->prefilter)
    named->prefilter->scan_on(window, searched, scratch_, stream_candidates_);
  payload_searched_ = begins_with(piece, current.view.payload);
  remember_candidates(current, side);
  return searched;
}

// Those that are pending and those that no search names. Rules may be about the protocol of the
// connection, which these very bytes may tell.
void Inspector::ask_stream_rules(const Current& current, StreamInspection& side, size_t searched) {
  try_pending(current, side, searched);
  const PortGroups& groups = engine_->stream_groups(current.direction);
  for (const RuleGroup* group : {&groups.any(), groups.named(current.server_port())}) {
    if (group == nullptr) continue;
    group->call_always(side.stream.next(), [&](uint32_t index) {
      if (try_in_stream(current, side, index) == Tried::kRefused)
        refused_.push_back({index, false, current.second_reading});
    });
  }
}

void Inspector::remember_candidates(const Current& current, StreamInspection& side) {
  side.remember_pending(stream_candidates_.sorted(), side.stream.next(), budget_,
                        [&](uint32_t index) {
                          const CompiledRule& compiled = engine_->rule(index);
                          return compiled.rule.scope != Scope::kPacket &&
                                 check_.addresses_match(current, current.direction, compiled);
                        });
}

// Many rules may wait: as long as one misses a content, only new bytes are searched, and for that;
// if they are all there and that was not enough, for any of them, until there are as many bytes as
// something else asks for.
// Those that waited before come first: what rules note about the new bytes was not so before.
void Inspector::try_pending(const Current& current, StreamInspection& side, size_t searched) {
  using Pending = StreamInspection::Pending;
  const auto is_over = [&](Pending& pending) {
    if (pending.hit <= side.stream.window_start()) return true;
    const BufferPlan& plan = *engine_->rule(pending.rule).payload_plan();
    if (!may_hold_now(plan, side, pending, searched)) return false;
    const Tried tried = try_in_stream(current, side, pending.rule);
    if (tried == Tried::kYes) return true;
    if (tried == Tried::kRefused) refused_.push_back({pending.rule, true, current.second_reading});
    note_missing(side, pending, tried);
    return false;
  };
  for (const bool anew : {false, true}) {
    side.settle_pending([&](Pending& pending) {
      return (pending.missing == StreamInspection::kUnknown) == anew && is_over(pending);
    });
  }
}

// Once nothing is missing that stays so: what counts is what comes.
// What a note refused holds again when one of its contents comes again.
void Inspector::note_missing(const StreamInspection& side, StreamInspection::Pending& pending,
                             Tried tried) {
  if (tried == Tried::kRefused) {
    pending.missing = BufferPlan::kNothing;
    pending.due = BufferMatcher::kNowhere;
    return;
  }
  if (pending.missing < StreamInspection::kTooMuch || pending.missing == StreamInspection::kUnknown)
    pending.missing = missing_in(*engine_->rule(pending.rule).payload_plan(), side.stream.window());
  else
    pending.missing = BufferPlan::kNothing;
  if (pending.missing != BufferPlan::kNothing) return;
  const BufferMatcher& matcher = check_.matcher();
  if (tried == Tried::kNotAsked)
    pending.missing = StreamInspection::kUnasked;
  else if (matcher.over_limit())
    pending.missing = StreamInspection::kTooMuch;
  pending.due = matcher.may_hold_at();
}

Inspector::Tried Inspector::try_in_stream(const Current& current, StreamInspection& side,
                                          uint32_t index) {
  const CompiledRule& compiled = engine_->rule(index);
  const auto asks = check_.asks_for_stream(current, compiled);
  if (asks == RuleCheck::Asks::kNotYet) return Tried::kNotAsked;
  const uint64_t start = std::max(side.stream.window_start(), side.fired_until(compiled.rule.id()));
  const auto window = side.stream.window();
  const Payload payload{window.subspan(start - side.stream.window_start()), start};
  if (payload.bytes.empty()) return Tried::kNotAsked;
  const bool holds = check_.payload_matches(compiled, payload);
  const bool asked = asks == RuleCheck::Asks::kYes;
  check_.tried(index, holds && asked);
  if (!holds) return Tried::kNo;
  if (!asked) return Tried::kRefused;
  note_fired(side, compiled);
  check_.matched(current, {index, true}, nullptr);
  return Tried::kYes;
}

void Inspector::note_fired(StreamInspection& side, const CompiledRule& compiled) {
  if (!side.remember_fired(compiled.rule.id(), side.stream.next(), budget_)) counters_.fired_full++;
}

// All that the packet says is noted now, whichever rule stands first. What is noted later is not
// about these bytes: a rule that was searched for waits for more of its contents; another one would
// meet them with the next piece.
void Inspector::try_refused(const Current& current) {
  const auto try_again = [&](const Current& reading) {
    StreamInspection& side = reading.flow.user.tcp->sides[reading.side()];
    for (const Refused& refused : refused_) {
      if (refused.second_reading != reading.second_reading) continue;
      const Tried tried = try_in_stream(reading, side, refused.rule);
      if (tried == Tried::kRefused && !refused.searched)
        note_fired(side, engine_->rule(refused.rule));
    }
  };
  try_again(current);
  if (current.flow.user.read_twice) try_again(OtherWay(current, transactions_).current());
}

}  // namespace sluice::inspect
