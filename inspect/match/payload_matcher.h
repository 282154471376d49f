// SPDX-License-Identifier: Apache-2.0
// Whether a payload satisfies all content and pcre of a rule, exactly, with all positions.
//
// A match chain is a match without distance, within or /R and the relative ones that follow it.
// Chains do not depend on each other. Inside a chain every place of a content is tried, not only
// the first, until the relative matches after it hold too.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inspect/rules/rule.h"

namespace sluice::inspect {

// Of one rule against one payload, in searches plus 64-byte blocks searched; over it the rule
// counts as not matched, and is counted. About a millisecond.
inline constexpr uint32_t kMatchCostMax = 300'000;

// Bytes with the position of the first one in the packet payload (0) or in the stream.
struct Payload {
  std::span<const uint8_t> bytes;
  uint64_t start = 0;

  uint64_t end() const { return start + bytes.size(); }
};

// The order of work for one rule. Points into the rule, which must stay where it is.
class PayloadPlan {
 public:
  PayloadPlan() = default;
  explicit PayloadPlan(const std::vector<PayloadMatch>& payload);

 private:
  friend class PayloadMatcher;
  struct Step {
    const Content* content = nullptr;
    const Pcre* pcre = nullptr;
    bool negated = false;
    bool relative = false;
    bool retry = false;  // a later step of the chain depends on where this one matches
  };
  std::vector<Step> steps_;
  std::vector<size_t> chain_ends_;
};

// One per worker.
class PayloadMatcher {
 public:
  bool matches(const PayloadPlan& plan, const Payload& payload);

  uint64_t cost_limit_hits() const { return cost_limit_hits_; }
  uint64_t regex_limit_hits() const { return scratch_.limit_hits; }

 private:
  // kNever: nor would any later position of the steps before.
  enum class Outcome { kYes, kNo, kNever };
  struct Range {
    uint64_t first;
    uint64_t last;  // one past
  };

  Outcome run(const PayloadPlan& plan, size_t step, size_t end, uint64_t previous);
  Outcome run_content(const PayloadPlan& plan, size_t step, size_t end, uint64_t previous);
  Outcome run_pcre(const PayloadPlan& plan, size_t step, size_t end, uint64_t previous);
  Range range_of(const Content& content, uint64_t previous) const;
  // The position of the first place in the range, or kNowhere.
  uint64_t find(const Content& content, const Range& range);

  static constexpr uint64_t kNowhere = UINT64_MAX;

  Payload payload_;
  uint32_t cost_ = 0;
  uint64_t cost_limit_hits_ = 0;
  RegexScratch scratch_;
};

}  // namespace sluice::inspect
