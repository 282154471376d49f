// SPDX-License-Identifier: Apache-2.0
// Whether the bytes of a buffer satisfy all that a rule says about it, exactly, with all positions.
//
// A match chain is a match without distance, within, relative or /R and the relative ones that
// follow it. Chains do not depend on each other. Inside a chain every place of a content is tried,
// not only the first, until the relative matches after it hold too.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inspect/rules/buffer_match.h"

namespace sluice::inspect {

// Of one rule against one buffer, in searches plus 64-byte blocks searched; over it the rule counts
// as not matched, and is counted. About a millisecond.
inline constexpr uint32_t kMatchCostMax = 300'000;

// Bytes with the position of the first one in the buffer (0) or in the stream.
struct Payload {
  std::span<const uint8_t> bytes;
  uint64_t start = 0;

  uint64_t end() const { return start + bytes.size(); }
};

// The order of work for one part of a rule. Points into the part, which must stay where it is.
class BufferPlan {
 public:
  BufferPlan() = default;
  explicit BufferPlan(const std::vector<BufferMatch>& matches);

  // Whether more bytes behind can undo a match: something must not be there, or the end counts.
  bool needs_end() const { return needs_end_; }
  // Whether the same bytes may hold another time: a set is asked for them.
  bool asks_sets() const { return asks_sets_; }
  // What ends before this position cannot hold all that is asked for.
  uint64_t end_min() const { return end_min_; }

  // Its matches are numbered from 0.
  uint8_t size() const { return static_cast<uint8_t>(steps_.size()); }
  // Whether the match may hold in the bytes, though it could not in those before `searched`: false
  // only if it asks for a content that is nowhere in them.
  bool may_hold(uint8_t match, std::span<const uint8_t> bytes, size_t searched) const;
  // Whether all may hold in the bytes, though they did not in those before `searched`: false only
  // if they ask for nothing but contents, and none is in what came since.
  bool may_come_to_hold(std::span<const uint8_t> bytes, size_t searched) const;
  // Whether a content that must be there is in what came since `searched`.
  bool has_more_of_a_content(std::span<const uint8_t> bytes, size_t searched) const;
  // ... because `missing` did not, a match; kNothing: though each may hold by itself.
  static constexpr uint8_t kNothing = UINT8_MAX;
  bool may_hold_now(uint8_t missing, std::span<const uint8_t> bytes, size_t searched) const {
    return missing == kNothing ? may_come_to_hold(bytes, searched)
                               : may_hold(missing, bytes, searched);
  }

 private:
  friend class BufferMatcher;
  struct Step {
    const BufferMatch* match = nullptr;
    bool relative = false;
    bool retry = false;  // a later step of the chain depends on where this one matches
    size_t inside = 0;   // Base64: its plan in nested_
  };
  std::vector<Step> steps_;
  std::vector<size_t> chain_ends_;
  std::vector<BufferPlan> nested_;
  bool needs_end_ = false;
  bool asks_sets_ = false;
  bool only_contents_ = true;  // none that must not be there, and of known positions
  bool reads_numbers_ = false;
  uint64_t end_min_ = 0;
};

// One per worker.
class BufferMatcher {
 public:
  // Before the buffers of another rule: forgets what byte_extract found.
  void begin_rule() {
    cost_ = 0;
    variables_ = {};
    changes_.clear();
  }
  bool matches(const BufferPlan& plan, const Payload& payload);
  // If that was false: where the same bytes with more behind them must end for it to become true,
  // if none of its contents is in those; kNowhere: it does not.
  uint64_t may_hold_at() const { return may_hold_at_; }
  static constexpr uint64_t kNowhere = UINT64_MAX;
  // ... and that it took too much to know.
  bool over_limit() const { return cost_ > kMatchCostMax; }
  // The rule holds: what it says about sets takes place.
  void apply_changes();
  // Of the rule so far.
  uint32_t cost() const { return cost_; }

  uint64_t cost_limit_hits() const { return cost_limit_hits_; }
  uint64_t regex_limit_hits() const { return scratch_.limit_hits; }

 private:
  // kNever: nor would any later position of the steps before.
  enum class Outcome { kYes, kNo, kNever };
  struct Range {
    uint64_t first;
    uint64_t last;  // one past
  };
  struct Number {
    uint64_t value;
    uint64_t end;  // the position behind what was read
  };
  // A chain's rest: its steps from `step` to `end`, of `plan`.
  struct Rest {
    const BufferPlan& plan;
    size_t step;
    size_t end;

    const BufferPlan::Step& self() const { return plan.steps_[step]; }
    Rest next() const { return {plan, step + 1, end}; }
  };

  bool run_chains(const BufferPlan& plan, const Payload& payload);
  Outcome run(Rest rest, uint64_t previous);
  Outcome run_step(Rest rest, const Content& content, uint64_t previous);
  Outcome run_step(Rest rest, const Pcre& pcre, uint64_t previous);
  Outcome run_step(Rest rest, const BufferSize& size, uint64_t previous);
  Outcome run_step(Rest rest, const DataAt& at, uint64_t previous);
  Outcome run_step(Rest rest, const ByteTest& test, uint64_t previous);
  Outcome run_step(Rest rest, const ByteJump& jump, uint64_t previous);
  Outcome run_step(Rest rest, const ByteExtract& extract, uint64_t previous);
  Outcome run_step(Rest rest, const ByteMath& math, uint64_t previous);
  Outcome run_step(Rest rest, const DatasetTest& test, uint64_t previous);
  Outcome run_step(Rest rest, const Base64& decode, uint64_t previous);

  int64_t value_of(const Operand& operand) const {
    return operand.variable ? static_cast<int64_t>(variables_[*operand.variable]) : operand.value;
  }
  // The bytes from a position on; nothing if that is outside.
  std::optional<std::span<const uint8_t>> bytes_at(int64_t position) const;
  std::optional<Number> read_number(const ByteReader& read, uint64_t previous);
  std::optional<uint64_t> jump_target(const ByteJump& jump, uint64_t previous);
  // What fails here, or holds, may do otherwise once the bytes end there.
  void depends_on_end(uint64_t end) {
    may_hold_at_ = std::min(may_hold_at_, std::max(end, payload_.end() + 1));
  }
  void depends_on_end() { depends_on_end(0); }
  Range range_of(const Content& content, uint64_t previous) const;
  // The position of the first place in the range, or kNowhere.
  uint64_t find(const Content& content, const Range& range);

  // What becomes of a set if the rule holds.
  struct Change {
    const DatasetUse* use;
    std::vector<uint8_t> value;
  };

  Payload payload_;
  uint64_t may_hold_at_ = kNowhere;
  std::array<uint64_t, kVariablesMax> variables_{};
  std::vector<Change> changes_;
  uint32_t cost_ = 0;
  uint64_t cost_limit_hits_ = 0;
  RegexScratch scratch_;
};

}  // namespace sluice::inspect
