// SPDX-License-Identifier: Apache-2.0
// What each target group has carried. The packet path counts per target; this adds up what each has
// got since the last look for the groups that have it, so that a group's sums keep growing when
// targets come and go, and a target that drains counts for the group that it leaves.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/control/controller.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

inline constexpr size_t kPeakSeconds = 60;

struct GroupTraffic {
  target_counters sum{};
  uint64_t unhealthy_routing_flows = 0;  // opened while no target of the group was healthy
  std::array<uint64_t, kPeakSeconds> per_second{};  // packets, both ways; a ring
  uint64_t peak_per_second() const;                 // of the last minute
};

class Traffic {
 public:
  static constexpr uint32_t kLookMs = 1000;

  // `controller` outlives it and has its first state.
  Traffic(EventLoop& loop, const Controller& controller);
  ~Traffic();

  // Adds what has come since the last look; also by itself, every second.
  void look();
  const std::map<std::string, GroupTraffic, std::less<>>& groups() const { return groups_; }

 private:
  struct Place {
    Target target;
    std::vector<std::string> groups;
    target_counters last{};
  };
  void find_places();
  void add(const Place& place, const target_counters& more);
  bool has_healthy(const std::string& group) const;
  void second_is_over();

  const Controller& controller_;
  uint64_t listener_;
  bool moved_ = true;                 // targets may have other places than `places_` says
  std::map<uint16_t, Place> places_;  // in the table of targets
  std::map<std::string, GroupTraffic, std::less<>> groups_;
  std::map<std::string, uint64_t, std::less<>> packets_before_;  // at the last second's end
  size_t second_ = 0;
  Timer timer_;
};

}  // namespace sluice::gateway
