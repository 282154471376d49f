// SPDX-License-Identifier: Apache-2.0
// Rules named by one scan, each once.
#pragma once

#include <cstdint>
#include <vector>

#include "inspect/match/prefilter.h"

namespace sluice::inspect {

class Candidates final : public CandidateSink {
 public:
  explicit Candidates(size_t rules) : seen_(rules, 0) { list_.reserve(rules); }
  void candidate(uint32_t rule) override {
    if (seen_[rule] == round_) return;
    seen_[rule] = round_;
    list_.push_back(rule);
  }
  void clear() {
    round_++;
    list_.clear();
  }
  bool empty() const { return list_.empty(); }
  const std::vector<uint32_t>& named() const { return list_; }
  // In the order in which rules win, so that one may ask for what another has just noted.
  const std::vector<uint32_t>& sorted();

 private:
  std::vector<uint64_t> seen_;
  uint64_t round_ = 1;
  std::vector<uint32_t> list_;
};

}  // namespace sluice::inspect
