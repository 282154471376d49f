// SPDX-License-Identifier: Apache-2.0
// How often rules act and speak: threshold, detection_filter, rate_filter and suppress, counted for
// each worker.
//
// A threshold limits only alerts, as suppress does: drop, reject and what a rule notes take place
// for every match (Suricata userguide, "Thresholding Keywords"). A detection_filter limits the rule
// itself, a rate_filter changes what it does.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "inspect/match/flow_state.h"
#include "inspect/rules/rule.h"

namespace sluice::inspect {

// Things counted at once; full, the oldest is forgotten and counted.
inline constexpr size_t kCountsMax = 1 << 16;

class AlertLimits {
 public:
  // The rule has matched: what it does now. Nothing: its detection_filter keeps it back.
  std::optional<Action> action(const Rule& rule, const Current& current);
  // False: its threshold, or a suppression, keeps the alert back.
  bool speaks(const Rule& rule, const Current& current);

  void expire(int64_t now_us);
  uint64_t forgotten() const { return forgotten_; }

 private:
  struct Key {
    uint64_t rule = 0;  // Rule::id(): a reload changes no count
    // What is counted and for how long: other numbers begin another count.
    std::array<uint32_t, 3> window{};
    std::array<uint32_t, 8> tracked{};
    auto operator<=>(const Key&) const = default;
  };
  struct Count {
    int64_t begun_us = 0;
    int64_t end_us = 0;
    uint32_t count = 0;
    std::set<uint16_t> unique;
    bool over = false;  // a rate_filter's, until the end
  };

  // `Limit`: Threshold, DetectionFilter or RateFilter.
  template <class Limit>
  static Key key(const Rule& rule, const Limit& limit, const Current& current);
  // Counts a match in its window.
  template <class Limit>
  Count& count(const Rule& rule, const Limit& limit, const Current& current);
  bool is_over(const Rule& rule, const RateFilter& filter, const Current& current);
  void make_room();

  std::map<Key, Count> counts_;
  std::set<std::pair<int64_t, Key>> by_end_;
  uint64_t forgotten_ = 0;
};

}  // namespace sluice::inspect
