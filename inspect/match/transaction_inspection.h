// SPDX-License-Identifier: Apache-2.0
// Rules about buffers of application protocols: what a parser tells, as it tells it.
//
// A buffer arrives: Hyperscan names the rules whose rarest content is in it. Such a rule is tried
// at once, and again whenever another buffer that it asks for arrives, until it holds or the
// transaction is over.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/app/tracked_file.h"
#include "inspect/app/transaction.h"
#include "inspect/match/candidates.h"
#include "inspect/match/engine.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/repeated_buffers.h"
#include "inspect/match/reports.h"
#include "inspect/match/rule_check.h"
#include "inspect/stream/reassembly.h"

namespace sluice::inspect {

// Buffers of which a transaction has many (BufferShape::kMany), and bodies, that are remembered.
inline constexpr size_t kBuffersMax = 256;
// Files that have ended in a packet and that its alerts list.
inline constexpr size_t kFilesListedMax = 64;
// Bytes of one body that are looked at, unless it is said otherwise.
inline constexpr size_t kBodyBytesMax = 128 * 1024;

// The same of a body of HTTP, by Direction. Its parser tells kHttpBodyMax of one at most.
using HttpBodyLimits = std::array<size_t, 2>;

struct TransactionCounters {
  uint64_t transactions[static_cast<size_t>(AppProtocol::kCount)][2] = {};  // over UDP, TCP
  uint64_t buffers_full = 0;  // buffers over kBuffersMax: forgotten once they were looked at
  uint64_t body_limit = 0;    // bodies over their limit
  uint64_t no_memory = 0;     // bodies over their share of the memory of streams
  uint64_t events = 0;        // what an honest peer does not do
  uint64_t files = 0;
  uint64_t files_unlisted = 0;  // over kFilesListedMax
};

// One per worker.
class TransactionInspection final : public TransactionSink {
 public:
  TransactionInspection(const Engine& engine, RuleCheck& check, Candidates& candidates,
                        PrefilterScratch& scratch, StreamBudget& budget, Reports& reports,
                        const FileHashes& hashes, const HttpBodyLimits& http_bodies);

  // Takes other rules. A transaction in progress meets them when its parser tells more: what was
  // kept of it is told again, and rules that have held do not hold again.
  void use(const Engine& engine) {
    engine_ = &engine;
    repeated_.begin(engine.views());
  }

  // What parsers tell from now on is about this packet, or about none: the end of a flow.
  void begin(const Current* current) {
    current_ = current;
    ended_files_.clear();
  }
  // The packet in hand, in another reading of its flow.
  void read_as(const Current& current) { current_ = &current; }
  // What matches of the packet are about is written down, `only` of one transaction: the packet, or
  // that transaction, is over.
  void tell_matches(const Transaction* only = nullptr);
  // What is logged without a packet belongs to this flow.
  void begin_end_of(Flows::Record& flow, int64_t time_us) {
    current_ = nullptr;
    ended_flow_ = &flow;
    time_us_ = time_us;
  }

  bool wants(Buffer buffer) const override {
    return !engine_->views_of(buffer).empty() || (buffer == Buffer::kFileData && tracks_files());
  }
  bool logs_dns_messages() const override { return reports_.options().dns_version == 3; }
  void buffer(Transaction& transaction, Direction direction, Buffer buffer,
              std::span<const uint8_t> bytes) override;
  void piece(Transaction& transaction, Direction direction, Buffer buffer,
             std::span<const uint8_t> bytes, bool begins) override;
  void file_begins(Transaction& transaction, Direction direction, std::string_view name) override;
  void file_gap(Transaction& transaction, Direction direction, uint64_t length) override;
  void file_ends(Transaction& transaction, Direction direction, FileEnd end) override;
  void headers_known(Transaction& transaction, Direction direction) override;
  void finished(Transaction& transaction, Direction direction) override;
  void log(Transaction& transaction, Direction direction) override;
  void ended(Transaction& transaction) override;
  void event(Transaction* transaction, Direction direction, std::string_view name) override;

  const TransactionCounters& counters() const { return counters_; }

 private:
  // A buffer that has arrived, as one view sees it.
  struct Arrived {
    Buffer buffer;
    uint16_t view;
    Direction direction;
    bool told;  // by the parser, and this is the buffer's first view
    std::span<const uint8_t> bytes;
    std::span<const uint8_t> untransformed;  // if it was told
  };
  // A body, as far as it has arrived.
  struct Body {
    Body(Buffer its_buffer, uint16_t its_view, Direction its_direction, bool first)
        : buffer(its_buffer), view(its_view), direction(its_direction), is_first(first) {}
    Buffer buffer;
    uint16_t view;
    Direction direction;
    bool is_first;  // of the views of its buffer
    bool whole = false;
    bool full = false;
    bool finished = false;  // what is transformed has been
    std::vector<uint8_t> bytes;
  };
  static constexpr uint16_t kAnyView = UINT16_MAX;
  // A rule, in one direction of the transaction. There are at most as many as there are rules:
  // nobody can keep one from waiting by having others wait.
  struct Waiting {
    uint32_t rule;
    Direction direction;
    // This part, about this view, did not hold: without more of that the rule does not either.
    uint8_t part = 0;
    uint16_t view = kAnyView;
    // Of the part's matches: a content that is nowhere in its bodies.
    uint8_t missing = BufferPlan::kNothing;
    // How many buffers there were then, if only a further one of that view can change it.
    std::optional<uint32_t> settled{};

    auto place() const { return std::pair(rule, direction); }
  };
  // One that has held, by Rule::id(): over a reload too.
  struct Done {
    uint64_t rule;
    Direction direction;
    bool operator==(const Done&) const = default;
  };
  struct Notes final : TransactionNotes {
    Notes(StreamBudget& shared, uint32_t its_generation)
        : budget(shared), generation(its_generation) {}
    ~Notes() override { release(); }
    void release() {
      give_back(held);
      budget.used -= std::exchange(kept, 0);
    }
    // Counts what rules that wait take. They are kept in any case; over the limit the next bytes of
    // any stream meet its policy.
    void keep(size_t bytes) {
      budget.used += bytes;
      kept += bytes;
    }
    void give_back(size_t bytes) {
      budget.used -= bytes;
      budget.bodies -= bytes;
      held -= bytes;
    }
    StreamBudget& budget;
    size_t held = 0;      // bytes of buffers and bodies
    size_t kept = 0;      // of rules that wait
    uint32_t generation;  // of the engine that views and rules belong to
    std::vector<Arrived> arrived;
    size_t many = 0;        // of them, of buffers that there are many of
    uint32_t arrivals = 0;  // also of those that were not kept
    // Lists: they stay where they are, and most transactions have none.
    std::list<Body> bodies;
    std::list<std::vector<uint8_t>> transformed;
    std::vector<Waiting> waiting;  // in order of their places
    uint64_t asked_views = 0;      // of all rules that have waited
    std::vector<Done> done;
    std::vector<uint16_t> events;  // places in app_events(), each once
    std::vector<Direction> event_directions;
    bool headers_known[2] = {};
    bool finished[2] = {};
    std::optional<TrackedFile> file[2];  // that is passing
  };

  // A file that goes the way of the packet in hand and has ended in it.
  struct EndedFile {
    const Transaction* transaction;
    TrackedFile file;
  };

  // A file is looked at when its event is written, or a rule asks for its end.
  bool tracks_files() const {
    return reports_.writes(EventType::kFileinfo) || engine_->asks_for_files();
  }
  FileHashes file_hashes() const;
  void ask_about_file(Transaction& transaction, Direction direction, const TrackedFile& file);
  Notes& notes_of(Transaction& transaction);
  void bring_over_body(Transaction& transaction, Notes& notes, const Body& former);
  void bring_over(Transaction& transaction, Notes& notes);
  // Counts bytes that a transaction keeps; false: no memory, which its flow meets as an exception.
  bool hold(Notes& notes, size_t bytes);
  void arrive(Transaction& transaction, Notes& notes, const Arrived& arrived);
  void continue_bodies(Transaction& transaction, Notes& notes, Direction direction, Buffer buffer,
                       std::span<const uint8_t> bytes, bool begins);
  void forget_oldest_body(Notes& notes);
  size_t body_max(const Transaction& transaction, Direction direction) const;
  Body* body_of(Notes& notes, Buffer buffer, uint16_t view, Direction direction, bool begins);
  void extend(Transaction& transaction, Notes& notes, Body& body, std::span<const uint8_t> bytes);
  void finish_bodies(Transaction& transaction, Notes& notes, Direction direction,
                     std::optional<Buffer> only = std::nullopt);
  void call(Transaction& transaction, Notes& notes, Direction direction);
  template <class Asked>
  void try_those(Transaction& transaction, Notes& notes, Asked asked);
  // More of that view: a buffer, or bytes of a body behind those that were there.
  struct More {
    uint16_t view;
    const Body* body = nullptr;
    size_t searched = 0;
  };
  void try_waiting(Transaction& transaction, Notes& notes, const More& more);
  bool may_change(const Notes& notes, const Waiting& waiting, const More& more) const;
  void try_all_waiting(Transaction& transaction, Notes& notes);
  void call_by_event(Transaction& transaction, Notes& notes, uint16_t event, Direction direction);
  void event_of_none(uint16_t event, Direction direction);
  void tell_event(uint16_t event, Direction direction, const Transaction* transaction);
  // True if it held, now or before; else notes what the rule waits for.
  bool try_rule(Transaction& transaction, Notes& notes, Waiting& rule);
  bool parts_hold(const Notes& notes, const CompiledRule& compiled, Waiting& rule);
  void wait_for(const Notes& notes, const CompiledRule& compiled, size_t part, Waiting& rule) const;
  uint8_t missing_in_bodies(const Notes& notes, const CompiledPart& part) const;
  bool part_holds(const Notes& notes, const RulePart& part, const CompiledPart& compiled,
                  Direction direction);
  std::string members_of(const Transaction& transaction);
  void write_files(const Transaction& transaction);
  void list_file(const Transaction& transaction, Direction direction, TrackedFile file);
  Flows::Record& flow() const { return current_ != nullptr ? current_->flow : *ended_flow_; }
  int64_t time_us() const { return current_ != nullptr ? current_->time_us : time_us_; }

  const Engine* engine_;
  RuleCheck& check_;
  Candidates& candidates_;
  PrefilterScratch& scratch_;
  StreamBudget& budget_;
  Reports& reports_;
  const FileHashes hashes_;
  const HttpBodyLimits http_bodies_;
  const Current* current_ = nullptr;
  Flows::Record* ended_flow_ = nullptr;
  int64_t time_us_ = 0;
  JsonLine line_;
  RepeatedBuffers repeated_;
  std::vector<EndedFile> ended_files_;
  TransactionCounters counters_;
};

}  // namespace sluice::inspect
