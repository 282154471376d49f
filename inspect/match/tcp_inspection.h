// SPDX-License-Identifier: Apache-2.0
// What stream rules remember about one connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inspect/stream/reassembly.h"

namespace sluice::inspect {

// Rules that matched in one direction of a connection and may match again further on.
inline constexpr size_t kFiredMax = 64;

// How far one direction has been searched.
struct StreamSearch {
  // A rule whose fast pattern occurred but whose other contents have not yet. There are at most as
  // many as there are rules: nobody can keep one from waiting by having others wait.
  struct Pending {
    uint32_t rule;
    uint8_t missing;  // of its matches: a content that is nowhere in the window; or one of these
    uint64_t hit;     // stream position at which its pattern occurred last
    uint64_t due;     // if nothing is missing: the position up to which only a content may help
  };
  // ... or BufferPlan::kNothing.
  static constexpr uint8_t kUnknown = UINT8_MAX - 1;
  static constexpr uint8_t kUnasked = UINT8_MAX - 2;  // nothing, but the rule has not been asked
  static constexpr uint8_t kTooMuch = UINT8_MAX - 3;  // nothing, but the rule took too much to try
  struct Fired {
    uint64_t rule;   // Rule::id(): it holds over a reload
    uint64_t until;  // bytes before this position belong to a match that was reported
  };
  struct Remembered {
    explicit Remembered(StreamBudget& shared) : budget(shared) {}
    ~Remembered() { budget.used -= charged; }
    // What it takes counts as memory of streams, also over their limit: the next bytes of any
    // stream meet that.
    void charge();
    // Among the first so many that are known, or behind all.
    void wait(uint32_t rule, uint64_t hit, size_t known);
    void sort(size_t known);

    StreamBudget& budget;
    size_t charged = 0;
    std::vector<Pending> pending;  // by number
    std::vector<Fired> fired;
  };

  uint64_t parsed = 0;                     // position up to which the application's parser was fed
  std::unique_ptr<Remembered> remembered;  // of rules; nullptr: nothing
  uint32_t generation = 0;  // of the engine that has searched the stream and knows what is pending
};

// One direction.
struct StreamInspection : StreamSearch {
  explicit StreamInspection(const StreamPool& pool) : stream(pool) {}

  bool ended = false;           // there: nothing honest comes behind it
  std::optional<uint32_t> fin;  // the sequence number of its end
  TcpStream stream;

  // Takes as little memory as it can; nothing is forgotten.
  void rest();
  // A reset there ends the connection (RFC 5961 section 3.2), if the stream is followed.
  bool believes_reset(uint32_t sequence) const;
  // A segment with bytes there says more than its sender has.
  bool is_behind_end(uint32_t sequence, size_t length) const;
  // Other rules: nothing has been searched for them.
  void begin_again(uint32_t its_generation);
  // Forgets those of which `is_over` says so.
  template <class IsOver>
  void settle_pending(IsOver is_over) {
    if (!remembered) return;
    auto left = remembered->pending.begin();
    for (Pending& pending : remembered->pending)
      if (!is_over(pending)) *left++ = pending;
    remembered->pending.erase(left, remembered->pending.end());
  }
  // Adds or renews those of `rules`, which are in order, that `may_wait`.
  template <class MayWait>
  void remember_pending(std::span<const uint32_t> rules, uint64_t hit, StreamBudget& budget,
                        MayWait may_wait) {
    const size_t known = remembered ? remembered->pending.size() : 0;
    for (const uint32_t rule : rules)
      if (may_wait(rule)) memory(budget).wait(rule, hit, known);
    if (remembered && remembered->pending.size() != known) remembered->sort(known);
  }
  // Where a further match of the rule may begin; 0: it has not matched.
  uint64_t fired_until(uint64_t rule) const;
  // False: there is no room, so that the rule may report the same bytes again.
  bool remember_fired(uint64_t rule, uint64_t until, StreamBudget& budget);

 private:
  Remembered& memory(StreamBudget& budget);
};

// By Direction.
class BothSides {
 public:
  explicit BothSides(const StreamPool& pool)
      : sides_{StreamInspection(pool), StreamInspection(pool)} {}
  StreamInspection& operator[](size_t side) { return sides_[side ^ turned_]; }
  const StreamInspection& operator[](size_t side) const { return sides_[side ^ turned_]; }
  StreamInspection* begin() { return sides_; }
  StreamInspection* end() { return sides_ + 2; }
  // The directions change.
  void turn() { turned_ ^= 1; }

 private:
  StreamInspection sides_[2];
  uint8_t turned_ = 0;
};

struct TcpInspection {
  explicit TcpInspection(const StreamPool& pool) : sides(pool), budget_(pool.budget) {
    budget_.sessions += sizeof(*this);
  }
  ~TcpInspection() { budget_.sessions -= sizeof(*this); }
  TcpInspection(const TcpInspection&) = delete;
  TcpInspection& operator=(const TcpInspection&) = delete;

  BothSides sides;

 private:
  StreamBudget& budget_;
};

}  // namespace sluice::inspect
