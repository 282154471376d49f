// SPDX-License-Identifier: Apache-2.0
// Feeds a parser with a fuzzer's bytes and checks what holds for every parser: what it tells does
// not depend on where the bytes are cut, transactions end once, lines are whole, and buffers stay
// as they are until their transaction ends.
//
// The input: [direction and flags 1 byte][length 2 bytes][bytes], repeated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/app/app_event.h"
#include "inspect/app/parser.h"
#include "inspect/eve/json_line.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {

// Keeps a hash of all that is told, pieces joined.
class FuzzSink final : public TransactionSink {
 public:
  ~FuzzSink() override {
    if (!held_.empty()) std::abort();  // a transaction that told something has not ended
  }

  bool wants(Buffer) const override { return true; }
  void buffer(Transaction& transaction, Direction direction, Buffer buffer,
              std::span<const uint8_t> bytes) override {
    if (info_of(buffer).shape == BufferShape::kStreamed) std::abort();
    note(transaction.id(), direction, static_cast<uint64_t>(buffer));
    note_bytes(bytes);
    held_[transaction.id()].emplace_back(bytes, std::vector(bytes.begin(), bytes.end()));
  }
  void piece(Transaction& transaction, Direction direction, Buffer buffer,
             std::span<const uint8_t> bytes, bool begins) override {
    if (info_of(buffer).shape != BufferShape::kStreamed) std::abort();
    held_[transaction.id()];
    // Pieces may come earlier or later than what is told between them.
    uint64_t& hash = streams_[{transaction.id(), direction, buffer}];
    if (begins) hash = (hash ^ 256) * 0x100000001b3;
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  }
  void finished(Transaction& transaction, Direction direction) override {
    note(transaction.id(), direction, 200);
  }
  void log(Transaction& transaction, Direction direction) override {
    note(transaction.id(), direction, 201);
    write(transaction);
  }
  void ended(Transaction& transaction) override {
    note(transaction.id(), Direction::kToServer, 202);
    write(transaction);
    for (const auto& [bytes, copy] : held_[transaction.id()])
      if (!std::ranges::equal(bytes, copy)) std::abort();
    held_.erase(transaction.id());
    if (transaction.id() < ended_.size() && ended_[transaction.id()]) std::abort();
    if (ended_.size() <= transaction.id()) ended_.resize(transaction.id() + 1);
    ended_[transaction.id()] = true;
  }
  void event(Transaction* transaction, Direction direction, std::string_view name) override {
    if (!is_app_event(name)) std::abort();
    note(transaction == nullptr ? UINT64_MAX : transaction->id(), direction, 203);
    note_bytes({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  }

  // Of everything: by direction, since the order between directions may depend on the cuts.
  uint64_t hash() const {
    uint64_t all = hashes_[0] * 31 + hashes_[1];
    for (const auto& [key, hash] : streams_) all = all * 31 + hash;
    return all;
  }

 private:
  void note(uint64_t id, Direction direction, uint64_t what) {
    now_ = static_cast<size_t>(direction);
    mix(id);
    mix(what);
  }
  void note_bytes(std::span<const uint8_t> bytes) {
    mix(bytes.size());
    for (const uint8_t byte : bytes) mix(byte);
  }
  void mix(uint64_t value) { hashes_[now_] = (hashes_[now_] ^ value) * 0x100000001b3; }
  void write(const Transaction& transaction) {
    line_.begin();
    transaction.write(line_);
    const std::string_view text = line_.finish();
    if (text.size() < 3 || text.find('\n') != text.size() - 1) std::abort();
    note_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }

  struct StreamKey {
    uint64_t id;
    Direction direction;
    Buffer buffer;
    auto operator<=>(const StreamKey&) const = default;
  };

  uint64_t hashes_[2] = {1, 1};
  size_t now_ = 0;
  std::map<StreamKey, uint64_t> streams_;
  std::map<uint64_t, std::vector<std::pair<std::span<const uint8_t>, std::vector<uint8_t>>>> held_;
  std::vector<bool> ended_;
  JsonLine line_;
};

// Each chunk as it is, or in pieces of `piece` bytes; a hash of what was told.
inline uint64_t feed_chunks(const ProtocolEntry& entry, std::span<const uint8_t> input,
                            size_t piece) {
  FuzzSink sink;
  const auto parser = entry.make();
  tunnels::Reader reader(input);
  bool more = true;
  while (more && reader.remaining() > 3) {
    const uint8_t flags = reader.u8();
    const size_t length = reader.be16();
    const Direction direction = (flags & 1) != 0 ? Direction::kToClient : Direction::kToServer;
    if ((flags & 0xf0) == 0xf0) {
      more = parser->gap(direction, length, sink) == Parsed::kMore;
      continue;
    }
    auto bytes = reader.bytes(std::min(length, reader.remaining()));
    entry.probe(direction, bytes, 53);
    while (more && !bytes.empty()) {
      // A copy, so that what is kept of it after feed() is found out.
      const std::vector<uint8_t> now(bytes.begin(), bytes.begin() + std::min(piece, bytes.size()));
      more = parser->feed(direction, now, sink) == Parsed::kMore;
      if (parser->memory() == 0) std::abort();
      bytes = bytes.subspan(now.size());
    }
  }
  parser->end(Direction::kToServer, sink);
  parser->end(Direction::kToClient, sink);
  return sink.hash();
}

inline void feed_whole(const ProtocolEntry& entry, std::span<const uint8_t> input) {
  feed_chunks(entry, input, SIZE_MAX);
}

inline void feed_in_pieces(const ProtocolEntry& entry, std::span<const uint8_t> input) {
  const uint64_t whole = feed_chunks(entry, input, SIZE_MAX);
  if (feed_chunks(entry, input, 1) != whole || feed_chunks(entry, input, 7) != whole) std::abort();
}

}  // namespace sluice::inspect
