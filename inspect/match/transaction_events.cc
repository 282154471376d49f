// SPDX-License-Identifier: Apache-2.0
// The part of TransactionInspection that hears of events.
#include <algorithm>

#include "inspect/app/app_event.h"
#include "inspect/match/transaction_inspection.h"

namespace sluice::inspect {

void TransactionInspection::event(Transaction* transaction, Direction direction,
                                  std::string_view name) {
  // Where nobody knows who the client is, protocols that are not found are no event of the second
  // reading.
  if (transaction == nullptr && flow().user.is_second) return;
  counters_.events++;
  const bool rules_ask = current_ != nullptr && engine_->asks_for_events();
  if (!rules_ask && !reports_.anomalies().applayer) return;
  const auto event = find_app_event(
      transaction != nullptr ? transaction->protocol() : flow().user.app->protocol(), name);
  if (!event) return;
  if (transaction == nullptr) {
    tell_event(*event, direction, nullptr);
    if (rules_ask) event_of_none(*event, direction);
    return;
  }
  Notes& notes = notes_of(*transaction);
  if (std::ranges::find(notes.events, *event) != notes.events.end()) return;
  notes.events.push_back(*event);
  notes.event_directions.push_back(direction);
  tell_event(*event, direction, transaction);
  if (!rules_ask) return;
  call_by_event(*transaction, notes, *event, direction);
  try_all_waiting(*transaction, notes);
}

// Outside of transactions each once for a flow.
void TransactionInspection::tell_event(uint16_t event, Direction direction,
                                       const Transaction* transaction) {
  if (!reports_.anomalies().applayer) return;
  if (transaction == nullptr && !flow().user.is_first_outside(event)) return;
  const AppProtocol protocol =
      transaction != nullptr ? transaction->protocol() : flow().user.app->protocol();
  reports_.anomaly(flow(), protocol, direction, time_us(), app_events()[event], transaction);
}

void TransactionInspection::call_by_event(Transaction& transaction, Notes& notes, uint16_t event,
                                          Direction direction) {
  candidates_.clear();
  for (const uint32_t rule : engine_->event_rules(event, direction)) candidates_.candidate(rule);
  call(transaction, notes, direction);
}

// What happened outside of all transactions: rules that ask for nothing more of one.
void TransactionInspection::event_of_none(uint16_t event, Direction direction) {
  FlowUser& user = current_->flow.user;
  user.app_protocol = user.app->protocol();
  check_.about_events({&event, 1});
  for (const uint32_t index : engine_->event_rules(event, direction)) {
    const CompiledRule& compiled = engine_->rule(index);
    const uint8_t protocol = compiled.rule.protocol;
    if (protocol != 0 && protocol != current_->view.packet.tuple.protocol) continue;
    if (!compiled.parts.empty() || !check_.asks_for(*current_, direction, compiled, nullptr))
      continue;
    check_.matcher().begin_rule();
    check_.tried(index, true);
    check_.matched(*current_, {index, true}, nullptr);
  }
  check_.about_events({});
}

// As in Suricata an alert is written behind its packet: with the headers that came behind the
// request line that it is about.
void TransactionInspection::tell_matches(const Transaction* only) {
  if (current_ == nullptr) return;
  for (Match& match : check_.matches()) {
    if (match.transaction == nullptr || (only != nullptr && match.transaction != only)) continue;
    match.about_transaction = members_of(*std::exchange(match.transaction, nullptr));
  }
}

std::string TransactionInspection::members_of(const Transaction& transaction) {
  line_.begin();
  line_.unsigned_number("tx_id", transaction.id());
  transaction.write(line_);
  write_files(transaction);
  std::string members(line_.finish());
  members.resize(members.size() - 2);  // "}\n"
  return members.substr(1);
}

}  // namespace sluice::inspect
