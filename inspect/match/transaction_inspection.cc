// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/transaction_inspection.h"

#include <algorithm>

namespace sluice::inspect {
namespace {

// Of an HTTP request with its answer.
constexpr size_t kBuffersUsual = 32;
constexpr size_t kWaitingUsual = 16;

bool asks_about(const CompiledRule& compiled, uint16_t view) {
  for (size_t i = 0; i < compiled.parts.size(); i++) {
    if (!is_packet_buffer(compiled.rule.parts[i].buffer) && compiled.parts[i].view == view)
      return true;
  }
  return false;
}

// Known when the headers are.
bool is_of_headers(Buffer buffer) {
  const BufferInfo& info = info_of(buffer);
  return info.protocol == AppProtocol::kHttp1 && info.shape != BufferShape::kStreamed;
}

}  // namespace

TransactionInspection::TransactionInspection(const Engine& engine, RuleCheck& check,
                                             Candidates& candidates, PrefilterScratch& scratch,
                                             StreamBudget& budget, Reports& reports,
                                             const FileHashes& hashes,
                                             const HttpBodyLimits& http_bodies)
    : engine_(&engine),
      check_(check),
      candidates_(candidates),
      scratch_(scratch),
      budget_(budget),
      reports_(reports),
      hashes_(hashes),
      http_bodies_(http_bodies) {
  use(engine);
}

TransactionInspection::Notes& TransactionInspection::notes_of(Transaction& transaction) {
  if (!transaction.notes) {
    transaction.notes = std::make_unique<Notes>(budget_, engine_->generation());
    static_cast<Notes&>(*transaction.notes).arrived.reserve(kBuffersUsual);
    counters_.transactions[static_cast<size_t>(transaction.protocol())][flow().is_tcp()]++;
  }
  auto& notes = static_cast<Notes&>(*transaction.notes);
  if (notes.generation != engine_->generation()) bring_over(transaction, notes);
  return notes;
}

// As if the new rules had been there from the start, but for what the old ones did not want: it was
// not kept. Of views of one buffer the first has what is told again.
void TransactionInspection::bring_over(Transaction& transaction, Notes& notes) {
  const auto arrived = std::exchange(notes.arrived, {});
  const auto bodies = std::exchange(notes.bodies, {});
  const auto transformed = std::exchange(notes.transformed, {});
  const bool was_finished[2] = {notes.finished[0], notes.finished[1]};
  const bool headers_known[2] = {notes.headers_known[0], notes.headers_known[1]};
  std::ranges::fill(notes.finished, false);
  std::ranges::fill(notes.headers_known, false);
  notes.waiting = {};
  notes.asked_views = 0;
  notes.many = 0;
  notes.release();
  notes.generation = engine_->generation();

  for (const Arrived& told : arrived)
    if (told.told) buffer(transaction, told.direction, told.buffer, told.untransformed);
  for (const Body& body : bodies)
    if (body.is_first) bring_over_body(transaction, notes, body);
  for (size_t i = 0; i < notes.events.size(); i++)
    call_by_event(transaction, notes, notes.events[i], notes.event_directions[i]);
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    if (headers_known[static_cast<size_t>(direction)])
      TransactionInspection::headers_known(transaction, direction);
    if (was_finished[static_cast<size_t>(direction)]) finished(transaction, direction);
  }
}

// What did not fit, or is over, stays so.
void TransactionInspection::bring_over_body(Transaction& transaction, Notes& notes,
                                            const Body& former) {
  continue_bodies(transaction, notes, former.direction, former.buffer, former.bytes, true);
  for (Body& body : notes.bodies) {
    if (body.buffer != former.buffer || body.direction != former.direction || body.whole) continue;
    body.full |= former.full;
    body.whole = former.whole;
  }
}

bool TransactionInspection::hold(Notes& notes, size_t bytes) {
  // No more than is left for others: however many hoard, there is room for one that does not.
  if (!budget_.has_room_for_body(notes.held + bytes)) {
    counters_.no_memory++;
    flow().user.lacks_memory = true;
    return false;
  }
  budget_.used += bytes;
  budget_.bodies += bytes;
  notes.held += bytes;
  return true;
}

// --- buffers that come whole ---

void TransactionInspection::buffer(Transaction& transaction, Direction direction, Buffer buffer,
                                   std::span<const uint8_t> bytes) {
  Notes& notes = notes_of(transaction);
  const auto views = engine_->views_of(buffer);
  for (const uint16_t view : views) {
    Arrived arrived{buffer, view, direction, view == views.front(), bytes, bytes};
    const auto& transforms = engine_->view(view).transforms;
    if (!transforms.empty()) {
      auto& changed = notes.transformed.emplace_back(transformed(bytes, transforms));
      if (!hold(notes, changed.size())) continue;
      arrived.bytes = changed;
    }
    arrive(transaction, notes, arrived);
  }
}

void TransactionInspection::arrive(Transaction& transaction, Notes& notes, const Arrived& arrived) {
  const bool many = info_of(arrived.buffer).shape == BufferShape::kMany;
  const bool over = many && notes.many >= kBuffersMax;
  const auto waits_here = [&](const Waiting& waiting) { return waiting.view == arrived.view; };
  const size_t waiting = notes.waiting.size();
  const auto waiting_here = over ? std::ranges::count_if(notes.waiting, waits_here) : 0;
  notes.arrived.push_back(arrived);
  notes.arrivals++;
  const RuleGroup& group = engine_->view_group(arrived.view, arrived.direction);
  candidates_.clear();
  if (group.prefilter && !arrived.bytes.empty())
    repeated_.search(*group.prefilter, arrived.view, arrived.direction, arrived.bytes, scratch_,
                     candidates_);
  group.call_always(arrived.bytes.size(), [&](uint32_t rule) { candidates_.candidate(rule); });
  call(transaction, notes, arrived.direction);
  try_waiting(transaction, notes, {arrived.view});
  // One too many is looked at like any other, and kept if a rule waits for more because of it.
  if (!over || notes.waiting.size() > waiting ||
      std::ranges::count_if(notes.waiting, waits_here) < waiting_here) {
    notes.many += many;
  } else {
    counters_.buffers_full++;
    notes.arrived.pop_back();
  }
}

// --- rules ---

// Rules that the scan has named.
void TransactionInspection::call(Transaction& transaction, Notes& notes, Direction direction) {
  if (current_ == nullptr || candidates_.empty()) return;
  auto& waiting = notes.waiting;
  const auto known = static_cast<ptrdiff_t>(waiting.size());
  const size_t room = waiting.capacity();
  for (const uint32_t rule : candidates_.sorted()) {
    const bool both = engine_->rule(rule).rule.both_sides;
    Waiting called{rule, both ? Direction::kToServer : direction};
    const auto before = std::span(waiting).first(static_cast<size_t>(known));
    if (std::ranges::binary_search(before, called.place(), {}, &Waiting::place)) continue;
    if (try_rule(transaction, notes, called)) continue;
    if (waiting.empty()) waiting.reserve(kWaitingUsual);
    waiting.push_back(called);
    notes.asked_views |= engine_->asked_views(rule);
  }
  std::ranges::inplace_merge(waiting, waiting.begin() + known, {}, &Waiting::place);
  notes.keep((waiting.capacity() - room) * sizeof(Waiting));
}

// Those that have held wait no longer.
template <class Asked>
void TransactionInspection::try_those(Transaction& transaction, Notes& notes, Asked asked) {
  auto left = notes.waiting.begin();
  for (Waiting& waiting : notes.waiting)
    if (!asked(waiting) || !try_rule(transaction, notes, waiting)) *left++ = waiting;
  notes.waiting.erase(left, notes.waiting.end());
}

void TransactionInspection::try_waiting(Transaction& transaction, Notes& notes, const More& more) {
  if (current_ == nullptr || (notes.asked_views & Engine::bit_of_view(more.view)) == 0) return;
  try_those(transaction, notes,
            [&](const Waiting& waiting) { return may_change(notes, waiting, more); });
}

// Many rules may wait: as long as one misses a content of a body, only new bytes are searched, and
// for that.
bool TransactionInspection::may_change(const Notes& notes, const Waiting& waiting,
                                       const More& more) const {
  const CompiledRule& compiled = engine_->rule(waiting.rule);
  if (waiting.view == kAnyView)
    return (engine_->asked_views(waiting.rule) & Engine::bit_of_view(more.view)) != 0 &&
           asks_about(compiled, more.view);
  if (waiting.view != more.view || waiting.settled == notes.arrivals) return false;
  if (more.body == nullptr) return true;
  return compiled.parts[waiting.part].plan.may_hold_now(waiting.missing, more.body->bytes,
                                                        more.searched);
}

void TransactionInspection::try_all_waiting(Transaction& transaction, Notes& notes) {
  try_those(transaction, notes, [](const Waiting& waiting) { return !waiting.settled; });
}

bool TransactionInspection::try_rule(Transaction& transaction, Notes& notes, Waiting& rule) {
  rule.view = kAnyView;
  rule.missing = BufferPlan::kNothing;
  rule.settled.reset();
  const CompiledRule& compiled = engine_->rule(rule.rule);
  const Done done{compiled.rule.id(), rule.direction};
  if (std::find(notes.done.begin(), notes.done.end(), done) != notes.done.end()) return true;
  check_.about_events(notes.events);
  const bool asks = check_.asks_for(*current_, rule.direction, compiled, &transaction);
  check_.about_events({});  // they go with the transaction
  if (!asks) return false;
  check_.matcher().begin_rule();
  const bool holds = parts_hold(notes, compiled, rule);
  check_.tried(rule.rule, holds);
  if (!holds) return false;
  notes.done.push_back(done);
  check_.matched(*current_, {rule.rule, true, &transaction}, &transaction);
  return true;
}

bool TransactionInspection::parts_hold(const Notes& notes, const CompiledRule& compiled,
                                       Waiting& rule) {
  for (size_t i = 0; i < compiled.parts.size(); i++) {
    const RulePart& part = compiled.rule.parts[i];
    if (part_holds(notes, part, compiled.parts[i], rule.direction)) continue;
    wait_for(notes, compiled, i, rule);
    return false;
  }
  return true;
}

// What the packet says changes without being told, and so does a set. Of a body, and of what must
// not be there, its end may decide; and what one part reads into a variable may help another one.
void TransactionInspection::wait_for(const Notes& notes, const CompiledRule& compiled, size_t part,
                                     Waiting& rule) const {
  const RulePart& failed = compiled.rule.parts[part];
  if (is_packet_buffer(failed.buffer)) return;
  rule.part = static_cast<uint8_t>(part);
  rule.view = compiled.parts[part].view;
  const bool streamed = info_of(failed.buffer).shape == BufferShape::kStreamed;
  if (streamed && !failed.absent) rule.missing = missing_in_bodies(notes, compiled.parts[part]);
  if (!streamed && !failed.absent && compiled.rule.variables == 0 &&
      !compiled.parts[part].plan.asks_sets())
    rule.settled = notes.arrivals;
}

uint8_t TransactionInspection::missing_in_bodies(const Notes& notes,
                                                 const CompiledPart& part) const {
  if (!engine_->view(part.view).transforms.empty()) return BufferPlan::kNothing;
  for (uint8_t match = 0; match < part.plan.size(); match++) {
    const auto may_hold = [&](const Body& body) {
      return body.view == part.view && part.plan.may_hold(match, body.bytes, 0);
    };
    if (std::ranges::none_of(notes.bodies, may_hold)) return match;
  }
  return BufferPlan::kNothing;
}

bool TransactionInspection::part_holds(const Notes& notes, const RulePart& part,
                                       const CompiledPart& compiled, Direction direction) {
  if (part.buffer == Buffer::kPayload)
    return check_.payload_of_transaction_matches(*current_, compiled.plan);
  // What both sides have is asked of the one that the rule is about.
  const BufferInfo& info = info_of(part.buffer);
  const bool of_both = info.to_server && info.to_client;
  bool there = false;
  for (const Arrived& arrived : notes.arrived) {
    if (arrived.view != compiled.view || (of_both && arrived.direction != direction)) continue;
    there = true;
    if (part.absent && !part.or_else) return false;
    if (check_.matcher().matches(compiled.plan, {arrived.bytes, 0})) return true;
  }
  for (const Body& body : notes.bodies) {
    if (body.view != compiled.view || !engine_->view(body.view).transforms.empty()) continue;
    if (of_both && body.direction != direction) continue;
    there = true;
    if (part.absent && !part.or_else) return false;
    if (compiled.plan.needs_end() && !body.whole) continue;
    if (check_.matcher().matches(compiled.plan, {body.bytes, 0})) return true;
  }
  const auto side = static_cast<size_t>(direction);
  const bool known = is_of_headers(part.buffer) ? notes.headers_known[side] : notes.finished[side];
  return part.absent && !there && known &&
         engine_->wanted_since(part.buffer) <= current_->flow.user.app_since;
}

// Rules about headers that are not there are decided before the body passes, those about a message
// of TLS before the next one.
void TransactionInspection::headers_known(Transaction& transaction, Direction direction) {
  Notes& notes = notes_of(transaction);
  notes.headers_known[static_cast<size_t>(direction)] = true;
  if (current_ == nullptr || !engine_->asks_early()) return;
  const auto asks = [&](uint32_t rule) { return engine_->rule(rule).asked_early; };
  candidates_.clear();
  for (const uint32_t rule : engine_->last_rules(transaction.protocol(), direction))
    if (asks(rule)) candidates_.candidate(rule);
  call(transaction, notes, direction);
  try_those(transaction, notes, [&](const Waiting& waiting) { return asks(waiting.rule); });
}

void TransactionInspection::finished(Transaction& transaction, Direction direction) {
  Notes& notes = notes_of(transaction);
  if (notes.finished[static_cast<size_t>(direction)]) return;
  notes.finished[static_cast<size_t>(direction)] = true;
  notes.headers_known[static_cast<size_t>(direction)] = true;
  finish_bodies(transaction, notes, direction);
  if (current_ == nullptr) return;
  if (direction == Direction::kToServer) current_->flow.user.request_known = true;
  candidates_.clear();
  for (const uint32_t rule : engine_->last_rules(transaction.protocol(), direction))
    candidates_.candidate(rule);
  call(transaction, notes, direction);
  try_all_waiting(transaction, notes);
}

// --- events ---

void TransactionInspection::log(Transaction& transaction, Direction direction) {
  reports_.transaction(flow(), direction, time_us(), transaction);
}

void TransactionInspection::ended(Transaction& transaction) {
  for (const Direction direction : {Direction::kToServer, Direction::kToClient})
    file_ends(transaction, direction, FileEnd::kTruncated);
  tell_matches(&transaction);
  std::erase_if(ended_files_, [&](const EndedFile& e) { return e.transaction == &transaction; });
  if (!transaction.logs_itself()) log(transaction, Direction::kToServer);
}

}  // namespace sluice::inspect
