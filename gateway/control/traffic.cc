// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/traffic.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

constexpr __u64 target_counters::*kColumns[] = {
    &target_counters::packets_sent,
    &target_counters::bytes_sent,
    &target_counters::packets_returned,
    &target_counters::bytes_returned,
    &target_counters::flows,
    &target_counters::resets_sent,
    &target_counters::resets_returned,
};

uint64_t packets(const GroupTraffic& group) {
  return group.sum.packets_sent + group.sum.packets_returned;
}

}  // namespace

uint64_t GroupTraffic::peak_per_second() const { return std::ranges::max(per_second); }

Traffic::Traffic(EventLoop& loop, const Controller& controller)
    : controller_(controller), timer_(loop, [this] {
        timer_.set_after(kLookMs);
        look();
        second_is_over();
      }) {
  listener_ = controller.events().listen(
      [this](const Event& event) { moved_ |= event.kind == EventKind::kGeneration; });
  timer_.set_after(kLookMs);
}

Traffic::~Traffic() { controller_.events().remove(listener_); }

void Traffic::look() {
  if (std::exchange(moved_, false)) find_places();
  for (auto& [index, place] : places_) {
    const target_counters now = controller_.tables().target_counters[index];
    target_counters more{};
    // Less than before: the place was given to a target anew, and counts from zero.
    for (const auto column : kColumns)
      more.*column =
          now.*column >= place.last.*column ? now.*column - place.last.*column : now.*column;
    place.last = now;
    add(place, more);
  }
}

void Traffic::add(const Place& place, const target_counters& more) {
  for (const std::string& name : place.groups) {
    GroupTraffic& group = groups_[name];
    for (const auto column : kColumns) group.sum.*column += more.*column;
    if (more.flows > 0 && !has_healthy(name)) group.unhealthy_routing_flows += more.flows;
  }
}

bool Traffic::has_healthy(const std::string& name) const {
  const TargetGroup* group = controller_.config().target_group(name);
  return group != nullptr && std::ranges::any_of(group->targets, [&](const Target& target) {
           return gets_traffic(controller_.target_health(*group, target).state);
         });
}

// A target that left its groups keeps its place for as long as it drains.
void Traffic::find_places() {
  std::map<uint16_t, Place> next;
  std::map<std::string, GroupTraffic, std::less<>> groups;
  for (const TargetGroup& group : controller_.config().target_groups) {
    if (group.protocol == Protocol::kHttp) continue;
    if (const auto known = groups_.find(group.name); known != groups_.end())
      groups.insert(groups_.extract(known));
    else
      groups[group.name] = {};
    for (const Target& target : group.targets) {
      const auto index = controller_.reconciler().target_index(group.protocol, target);
      if (!index) continue;
      Place& place = next[*index];
      place.target = target;
      place.groups.push_back(group.name);
    }
  }
  for (auto& [index, old] : places_) {
    const auto at = next.find(index);
    if (at != next.end()) {
      if (at->second.target == old.target) at->second.last = old.last;
    } else if (controller_.tables().targets[index].flags & kTargetInUse) {
      std::erase_if(old.groups, [&](const std::string& name) { return !groups.contains(name); });
      next[index] = std::move(old);
    }
  }
  places_ = std::move(next);
  groups_ = std::move(groups);
}

void Traffic::second_is_over() {
  second_ = (second_ + 1) % kPeakSeconds;
  std::map<std::string, uint64_t, std::less<>> now;
  for (auto& [name, group] : groups_) {
    const auto before = packets_before_.find(name);
    now[name] = packets(group);
    group.per_second[second_] = now[name] - (before == packets_before_.end() ? 0 : before->second);
  }
  packets_before_ = std::move(now);
}

}  // namespace sluice::gateway
