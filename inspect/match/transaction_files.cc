// SPDX-License-Identifier: Apache-2.0
// The part of TransactionInspection that follows files.
#include <algorithm>
#include <utility>

#include "inspect/match/transaction_inspection.h"

namespace sluice::inspect {

void TransactionInspection::file_begins(Transaction& transaction, Direction direction,
                                        std::string_view name) {
  file_ends(transaction, direction, FileEnd::kTruncated);
  if (!tracks_files()) return;
  counters_.files++;
  notes_of(transaction).file[static_cast<size_t>(direction)].emplace(name, file_hashes());
}

void TransactionInspection::file_gap(Transaction& transaction, Direction direction,
                                     uint64_t length) {
  auto& file = notes_of(transaction).file[static_cast<size_t>(direction)];
  if (file) file->gap(length);
}

void TransactionInspection::file_ends(Transaction& transaction, Direction direction, FileEnd end) {
  auto& file = notes_of(transaction).file[static_cast<size_t>(direction)];
  if (!file) return;
  file->end(end);
  if (reports_.writes(EventType::kFileinfo))
    reports_.file(flow(), direction, time_us(), transaction, *file);
  // A rule that it calls may be about other buffers, but not about the next file.
  TrackedFile ended = std::move(*file);
  file.reset();
  if (current_ == nullptr) return;
  if (engine_->asks_for_files()) {
    // What rules ask of its bytes besides can be answered, too.
    if (ended.is_whole())
      finish_bodies(transaction, notes_of(transaction), direction, Buffer::kFileData);
    ask_about_file(transaction, direction, ended);
  }
  list_file(transaction, direction, std::move(ended));
}

void TransactionInspection::list_file(const Transaction& transaction, Direction direction,
                                      TrackedFile file) {
  if (direction != current_->direction || !reports_.writes(EventType::kAlert)) return;
  if (ended_files_.size() < kFilesListedMax) {
    ended_files_.push_back({&transaction, std::move(file)});
  } else {
    counters_.files_unlisted++;
  }
}

// Those that go the packet's way and have ended in it, and the one that is passing.
void TransactionInspection::write_files(const Transaction& transaction) {
  const auto is_its = [&](const EndedFile& ended) { return ended.transaction == &transaction; };
  const auto* const notes = static_cast<const Notes*>(transaction.notes.get());
  const auto& passing = notes->file[current_->side()];
  if (!passing && std::ranges::none_of(ended_files_, is_its)) return;
  line_.open_array("files");
  for (const EndedFile& ended : ended_files_)
    if (is_its(ended)) ended.file.write_element(line_, transaction.id());
  if (passing) passing->write_element(line_, transaction.id());
  line_.close_array();
}

FileHashes TransactionInspection::file_hashes() const {
  FileHashes out = hashes_;
  for (size_t i = 0; i < kFileHashes; i++) out[i] |= engine_->file_hashes()[i];
  return out;
}

void TransactionInspection::ask_about_file(Transaction& transaction, Direction direction,
                                           const TrackedFile& file) {
  Notes& notes = notes_of(transaction);
  check_.about_file(&file, direction);
  candidates_.clear();
  for (const uint32_t rule : engine_->file_rules(direction)) candidates_.candidate(rule);
  call(transaction, notes, direction);
  try_all_waiting(transaction, notes);
  check_.about_file(nullptr, direction);
}

}  // namespace sluice::inspect
