// SPDX-License-Identifier: Apache-2.0
// Keeps the targets of groups that follow a source what the source tells.
//
// While a source fails, its group keeps the targets that were found last. What changed goes through
// the control plane as any change does: checked, stored, drained. A source that changes its mind
// all the time may do so kQuickChangesMax times an hour; the rest of the hour what it says takes
// effect on the full minute, together with that of all others like it, so that a generation a
// minute is the most that such sources can make.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/control_plane.h"
#include "gateway/discovery/source.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

inline constexpr uint32_t kQuickChangesMax = 20;  // of one group in an hour
inline constexpr uint64_t kCollectMs = 100;       // changes that come together make one generation

// What is known of one group that follows a source.
struct FollowedGroup {
  std::string group;
  std::string source;    // "dns:ids.example"
  std::string trouble;   // why the source cannot be heard now; empty: it was heard last time
  std::string refused;   // why what it told is not in effect; empty: it is
  size_t targets = 0;    // that it told last
  uint64_t answers = 0;  // counts, since the group follows this source
  uint64_t failures = 0;
  uint64_t unusable = 0;  // entries left out
  uint64_t changes = 0;   // that took effect
};

class Discovery {
 public:
  // `plane` outlives it. `second_ms` shortens tests.
  Discovery(EventLoop& loop, ControlPlane& plane, uint32_t second_ms = 1000);
  ~Discovery();

  // After the control plane has started. From then on it hears of changes by itself.
  void follow();

  std::vector<FollowedGroup> groups() const;  // by name

 private:
  // What an answer is read by: a group for which this changes is followed anew.
  struct Reading {
    DiscoverSettings settings;
    Protocol protocol{};
    uint16_t port = 0;
    uint8_t ip_version = 0;
    bool operator==(const Reading&) const = default;
  };
  struct Follower {
    Reading reading;
    FollowedGroup known;
    std::optional<std::vector<Target>> found;  // sorted; nothing was heard yet without
    std::string left_out;                      // the entries that were told of last
    uint64_t hour_ms = 0;                      // when the present hour of its changes began
    uint32_t changes_in_hour = 0;
    uint64_t due_ms = UINT64_MAX;  // when what was found is to take effect
    std::unique_ptr<Source> source;
  };
  using Followers = std::map<std::string, Follower, std::less<>>;

  void heard(const std::string& group, Result<Found> answer);
  void take(Follower& follower, const TargetGroup& group, const Found& answer);
  void schedule(Follower& follower);
  void set_timer();
  void put_into_effect();
  bool commit(const std::vector<Follower*>& due);
  void tell(const Follower& follower, bool good, const std::string& text);

  EventLoop& loop_;
  ControlPlane& plane_;
  const uint32_t second_ms_;
  Followers followers_;
  uint64_t listener_;
  Timer look_;    // after a commit of anybody's
  Timer effect_;  // at the earliest due_ms
};

}  // namespace sluice::gateway
