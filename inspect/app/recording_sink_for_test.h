// SPDX-License-Identifier: Apache-2.0
// Keeps all that a parser tells, so that a test can compare it with what was meant and with what
// the same bytes tell when they are cut elsewhere. Pieces of one body are joined.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/app_event.h"
#include "inspect/app/buffer.h"
#include "inspect/app/parser.h"
#include "inspect/app/transaction.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {

struct Recorded {
  enum Kind { kBuffer, kFinished, kLog, kEnded, kEvent, kFile };
  static constexpr uint64_t kNone = UINT64_MAX;  // an event of no transaction

  Kind kind;
  uint64_t transaction;
  Direction direction;    // kEnded: always kToServer
  std::string_view name;  // of a buffer
  std::string bytes;  // of a buffer; an event's name; kFile: what happens to one; kLog, kEnded: the
                      // JSON of write()
};

class RecordingSink : public TransactionSink {
 public:
  std::vector<Recorded> all;
  std::vector<Buffer> unwanted;
  std::string brief;  // the JSON of write_brief() of the last that has ended

  bool wants(Buffer buffer) const override {
    return std::find(unwanted.begin(), unwanted.end(), buffer) == unwanted.end();
  }

  void buffer(Transaction& transaction, Direction direction, Buffer buffer,
              std::span<const uint8_t> bytes) override {
    const BufferInfo& info = info_of(buffer);
    EXPECT_NE(info.shape, BufferShape::kStreamed) << info.name;
    EXPECT_TRUE(direction == Direction::kToServer ? info.to_server : info.to_client) << info.name;
    if (info.shape == BufferShape::kWhole) {
      EXPECT_EQ(find(transaction.id(), direction, info.name), nullptr) << info.name << " twice";
    }
    all.push_back({Recorded::kBuffer, transaction.id(), direction, info.name, text(bytes)});
    held_.push_back({transaction.id(), bytes, text(bytes)});
  }

  void piece(Transaction& transaction, Direction direction, Buffer buffer,
             std::span<const uint8_t> bytes, bool begins) override {
    const BufferInfo& info = info_of(buffer);
    EXPECT_EQ(info.shape, BufferShape::kStreamed) << info.name;
    Recorded* const before = find(transaction.id(), direction, info.name);
    if (begins || before == nullptr)
      all.push_back({Recorded::kBuffer, transaction.id(), direction, info.name, text(bytes)});
    else
      before->bytes += text(bytes);
  }

  void finished(Transaction& transaction, Direction direction) override {
    all.push_back({Recorded::kFinished, transaction.id(), direction, "", ""});
  }

  void log(Transaction& transaction, Direction direction) override {
    all.push_back({Recorded::kLog, transaction.id(), direction, "", json(transaction)});
  }

  void ended(Transaction& transaction) override {
    all.push_back(
        {Recorded::kEnded, transaction.id(), Direction::kToServer, "", json(transaction)});
    JsonLine line;
    line.begin();
    transaction.write_brief(line);
    brief = line.finish();
    for (const Held& held : held_) {
      if (held.transaction == transaction.id()) {
        EXPECT_EQ(text(held.bytes), held.copy) << "a buffer must not change";
      }
    }
    std::erase_if(held_, [&](const Held& held) { return held.transaction == transaction.id(); });
  }

  void event(Transaction* transaction, Direction direction, std::string_view name) override {
    EXPECT_TRUE(is_app_event(name)) << name;
    const uint64_t id = transaction == nullptr ? Recorded::kNone : transaction->id();
    all.push_back({Recorded::kEvent, id, direction, "", std::string(name)});
  }

  void file_begins(Transaction& transaction, Direction direction, std::string_view name) override {
    file(transaction, direction, "begins " + std::string(name));
  }
  void file_gap(Transaction& transaction, Direction direction, uint64_t length) override {
    file(transaction, direction, "lacks " + std::to_string(length));
  }
  void file_ends(Transaction& transaction, Direction direction, FileEnd end) override {
    file(transaction, direction, end == FileEnd::kClosed ? "is closed" : "is truncated");
  }

  // The last such buffer; nullptr: it was not told.
  Recorded* find(uint64_t transaction, Direction direction, std::string_view name) {
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const Recorded& r) {
      return r.kind == Recorded::kBuffer && r.transaction == transaction &&
             r.direction == direction && r.name == name;
    });
    return found == all.rend() ? nullptr : &*found;
  }
  // Its bytes; "(none)" when it was not told.
  std::string get(uint64_t transaction, Direction direction, std::string_view name) {
    const Recorded* found = find(transaction, direction, name);
    return found == nullptr ? "(none)" : found->bytes;
  }
  // Those of all such buffers, e.g. of a kind that occurs more than once.
  std::vector<std::string> get_all(Recorded::Kind kind, std::string_view name = "") const {
    std::vector<std::string> result;
    for (const Recorded& r : all)
      if (r.kind == kind && r.name == name) result.push_back(r.bytes);
    return result;
  }
  std::vector<std::string> events() const { return get_all(Recorded::kEvent); }
  std::vector<std::string> files() const { return get_all(Recorded::kFile); }

  // Everything, a line each, in the order in which it was told.
  std::string str() const {
    static constexpr std::string_view kKinds[] = {"buffer", "finished", "log",
                                                  "ended",  "event",    "file"};
    std::string result;
    for (const Recorded& r : all) {
      result += r.transaction == Recorded::kNone ? "-" : std::to_string(r.transaction);
      result += r.direction == Direction::kToServer ? " > " : " < ";
      result += kKinds[r.kind];
      result += ' ';
      result += r.name;
      result += ": " + r.bytes + "\n";
    }
    return result;
  }

 private:
  struct Held {
    uint64_t transaction;
    std::span<const uint8_t> bytes;
    std::string copy;
  };

  void file(Transaction& transaction, Direction direction, std::string what) {
    all.push_back({Recorded::kFile, transaction.id(), direction, "", std::move(what)});
  }
  static std::string text(std::span<const uint8_t> bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  static std::string json(const Transaction& transaction) {
    JsonLine line;
    line.begin();
    transaction.write(line);
    std::string result(line.finish());
    if (!result.empty() && result.back() == '\n') result.pop_back();
    return result;
  }

  std::vector<Held> held_;
};

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace sluice::inspect
