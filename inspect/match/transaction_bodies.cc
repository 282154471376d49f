// SPDX-License-Identifier: Apache-2.0
// The part of TransactionInspection that keeps bodies as far as they have come.
#include <algorithm>

#include "inspect/match/transaction_inspection.h"

namespace sluice::inspect {

// A later one may be what a rule asks for. One that has not been looked at to its end goes last.
void TransactionInspection::forget_oldest_body(Notes& notes) {
  auto over = std::ranges::find_if(notes.bodies, &Body::finished);
  if (over == notes.bodies.end()) over = std::ranges::find_if(notes.bodies, &Body::whole);
  if (over == notes.bodies.end()) return;
  counters_.buffers_full++;
  notes.give_back(over->bytes.size());
  notes.bodies.erase(over);
}

// nullptr: its beginning was not kept, without which no position is right.
TransactionInspection::Body* TransactionInspection::body_of(Notes& notes, Buffer buffer,
                                                            uint16_t view, Direction direction,
                                                            bool begins) {
  const auto same = [&](const Body& body) {
    return body.view == view && body.direction == direction && !body.whole;
  };
  const auto open = std::find_if(notes.bodies.begin(), notes.bodies.end(), same);
  if (!begins) return open != notes.bodies.end() ? &*open : nullptr;
  if (open != notes.bodies.end()) open->whole = true;
  if (notes.bodies.size() >= kBuffersMax) forget_oldest_body(notes);
  return &notes.bodies.emplace_back(buffer, view, direction,
                                    view == engine_->views_of(buffer).front());
}

void TransactionInspection::piece(Transaction& transaction, Direction direction, Buffer buffer,
                                  std::span<const uint8_t> bytes, bool begins) {
  Notes& notes = notes_of(transaction);
  auto& file = notes.file[static_cast<size_t>(direction)];
  if (file && buffer == Buffer::kFileData) file->content(bytes);
  continue_bodies(transaction, notes, direction, buffer, bytes, begins);
}

void TransactionInspection::continue_bodies(Transaction& transaction, Notes& notes,
                                            Direction direction, Buffer buffer,
                                            std::span<const uint8_t> bytes, bool begins) {
  for (const uint16_t view : engine_->views_of(buffer)) {
    if (Body* body = body_of(notes, buffer, view, direction, begins))
      extend(transaction, notes, *body, bytes);
  }
}

size_t TransactionInspection::body_max(const Transaction& transaction, Direction direction) const {
  const AppProtocol protocol = transaction.protocol();
  const bool http = protocol == AppProtocol::kHttp1 || protocol == AppProtocol::kHttp2;
  return http ? http_bodies_[static_cast<size_t>(direction)] : kBodyBytesMax;
}

void TransactionInspection::extend(Transaction& transaction, Notes& notes, Body& body,
                                   std::span<const uint8_t> bytes) {
  if (body.full) return;
  const size_t left = body_max(transaction, body.direction) - body.bytes.size();
  if (bytes.size() > left) {
    bytes = bytes.first(left);
    body.full = true;
    counters_.body_limit++;
  }
  if (!hold(notes, bytes.size())) {
    body.full = true;
    return;
  }
  const size_t searched = body.bytes.size();
  body.bytes.insert(body.bytes.end(), bytes.begin(), bytes.end());
  if (!engine_->view(body.view).transforms.empty()) return;  // of the whole one, at its end
  const RuleGroup& group = engine_->view_group(body.view, body.direction);
  candidates_.clear();
  if (group.prefilter && !bytes.empty())
    group.prefilter->scan_on(body.bytes, searched, scratch_, candidates_);
  if (searched == 0) {
    group.call_always(body.bytes.size(), [&](uint32_t rule) { candidates_.candidate(rule); });
  }
  call(transaction, notes, body.direction);
  try_waiting(transaction, notes, {body.view, &body, searched});
}

// The bodies of a direction are whole: what asks for their end can be answered, and what is
// transformed can be.
void TransactionInspection::finish_bodies(Transaction& transaction, Notes& notes,
                                          Direction direction, std::optional<Buffer> only) {
  for (Body& body : notes.bodies) {
    if (body.direction != direction || (only && body.buffer != *only)) continue;
    body.whole = true;
    if (std::exchange(body.finished, true)) continue;
    const auto& transforms = engine_->view(body.view).transforms;
    if (transforms.empty()) continue;
    auto& changed = notes.transformed.emplace_back(transformed(body.bytes, transforms));
    if (hold(notes, changed.size()))
      arrive(transaction, notes, {body.buffer, body.view, direction, false, changed, {}});
  }
}

}  // namespace sluice::inspect
