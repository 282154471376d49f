// SPDX-License-Identifier: Apache-2.0
// How often rules act and speak: threshold, detection_filter, rate_filter and suppress, counted for
// each worker.
//
// suppress and a threshold of type limit limit only alerts: drop and reject take place for every
// match. Below its count a threshold of type threshold or both, as a detection_filter, limits the
// rule itself (Suricata userguide, "Thresholding Keywords"). A rate_filter changes what it does.
// What a rule notes takes place for every match.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "inspect/match/flow_state.h"
#include "inspect/rules/rule.h"

namespace sluice::inspect {

// Things counted at once; full, the oldest is forgotten and counted.
inline constexpr size_t kCountsMax = 1 << 16;
// Those of them that tell ports from each other have a bit for each one, 16 MB in all; full, others
// count every match.
inline constexpr size_t kPortSetsMax = 2048;

class AlertLimits {
 public:
  struct Effect {
    Action action;
    bool speaks;
  };
  // The rule has matched. Nothing: it has not matched often enough.
  std::optional<Effect> effect(const Rule& rule, const Current& current);

  void expire(int64_t now_us);
  uint64_t forgotten() const { return forgotten_; }
  // Bytes of the sets of ports, and matches that counted for want of one.
  size_t port_memory() const { return port_sets_ * sizeof(Ports); }
  uint64_t port_sets_refused() const { return port_sets_refused_; }

 private:
  struct Key {
    uint64_t rule = 0;  // Rule::id(): a reload changes no count
    // What is counted and for how long: other numbers begin another count.
    std::array<uint32_t, 3> window{};
    std::array<uint32_t, 8> tracked{};
    auto operator<=>(const Key&) const = default;
  };
  using Ports = std::bitset<kUniqueMax>;
  struct Count {
    int64_t begun_us = 0;
    int64_t end_us = 0;
    uint32_t count = 0;
    std::unique_ptr<Ports> ports;  // that were seen
    bool over = false;             // a rate_filter's, until the end
  };

  // `Limit`: Threshold, DetectionFilter or RateFilter.
  template <class Limit>
  static Key key(const Rule& rule, const Limit& limit, const Current& current);
  // Counts a match in its window.
  template <class Limit>
  Count& count(const Rule& rule, const Limit& limit, const Current& current);
  // Nothing: its detection_filter keeps it back.
  std::optional<Action> action(const Rule& rule, const Current& current);
  // Whether it speaks; nothing: it is below the threshold's count.
  std::optional<bool> reach(const Rule& rule, const Threshold& threshold, const Current& current);
  bool is_over(const Rule& rule, const RateFilter& filter, const Current& current);
  bool is_new_port(Count& count, uint16_t port);
  void make_room();
  void forget_first();

  std::map<Key, Count> counts_;
  std::set<std::pair<int64_t, Key>> by_end_;
  uint64_t forgotten_ = 0;
  size_t port_sets_ = 0;
  uint64_t port_sets_refused_ = 0;
};

}  // namespace sluice::inspect
