// SPDX-License-Identifier: Apache-2.0
// The reconciler's groups: their places, their targets, and who owns their rows.
#include <algorithm>
#include <cstring>

#include "gateway/control/failover.h"
#include "gateway/control/reconciler.h"

namespace sluice::gateway {
namespace {

bool is_for_appliances(uint16_t group_index) { return group_index < kApplianceGroupsMax; }

}  // namespace

Result<> Reconciler::write_groups(const Config& config, World& world) {
  Result<> first;
  for (const SharedGroup& group : changed_groups(config))
    if (auto done = write_group(group, config, world); !done && first) first = std::move(done);
  for (const std::string& name : std::exchange(health_stale_, {})) {
    const auto at = groups_.find(name);
    if (at == groups_.end() || at->second.applied == nullptr) continue;
    mark_members(at->second, *at->second.applied, config, world);
    write_rows(at->second, *at->second.applied, world);
  }
  return first;
}

std::vector<Reconciler::SharedGroup> Reconciler::changed_groups(const Config& config) const {
  std::vector<SharedGroup> out;
  const auto& now = config.target_groups;
  const auto& before = last_.target_groups;
  for (size_t i = 0; i < now.size(); i++) {
    if (!groups_stale_ && i < before.size() && &now[i] == &before[i]) continue;
    if (!steered_.contains(now[i].name)) continue;
    const auto at = groups_.find(now[i].name);
    if (at == groups_.end() || at->second.applied.get() != &now[i]) out.push_back(now.shared(i));
  }
  return out;
}

Result<> Reconciler::write_group(const SharedGroup& group, const Config& config, World& world) {
  SLUICE_TRY(const GroupMap::iterator at, place_of(*group, config, world));
  GroupSlot& slot = at->second;
  Result<> taken = take_members(at, group, config, world);
  if (slot.applied == nullptr) return taken;
  mark_members(slot, *slot.applied, config, world);
  write_rows(slot, *slot.applied, world);
  struct group& place = tables_.groups[slot.index];
  const auto stickiness = static_cast<uint16_t>(stickiness_of(*group));
  if (place.stickiness != stickiness) place.stickiness = stickiness;
  return taken;
}

// The group's place, which may be a new one with rows that are nobody's.
Result<Reconciler::GroupMap::iterator> Reconciler::place_of(const TargetGroup& group,
                                                            const Config& config, World& world) {
  const bool appliances = group.protocol == Protocol::kGeneve;
  auto at = groups_.find(group.name);
  if (at != groups_.end() && is_for_appliances(at->second.index) != appliances) {
    remove_group(at, config, world);  // made anew with another protocol
    at = groups_.end();
  }
  if (at != groups_.end()) return at;
  auto index = free_group(group.protocol);
  if (!index) {
    remove_groups(config,
                  world);  // now, while listeners may still point to them, for want of places
    index = free_group(group.protocol);
  }
  if (!index) return fail("no place for target group " + group.name);
  clear_rows({&tables_.rows[first_row(*index)], rows_of(*index)});
  struct group& place = tables_.groups[*index];
  place = {};
  std::memcpy(place.name, group.name.data(), std::min<size_t>(group.name.size(), kGroupNameLength));
  place.in_use = 1;
  listeners_stale_ = attachments_stale_ = true;
  return groups_.try_emplace(group.name, GroupSlot{*index, {}, {}, {}, {}, false}).first;
}

std::optional<uint16_t> Reconciler::free_group(Protocol protocol) const {
  const bool appliances = protocol == Protocol::kGeneve;
  const uint16_t begin = appliances ? 0 : kApplianceGroupsMax;
  const uint16_t end = appliances ? kApplianceGroupsMax : kGroupsMax;
  for (uint16_t i = begin; i < end; i++)
    if (!tables_.groups[i].in_use) return i;
  return {};
}

// First the new ones, so that one that stays is never without a group. The group becomes what has
// places; if nothing has, it stays as it was.
Result<> Reconciler::take_members(GroupMap::iterator at, const SharedGroup& group,
                                  const Config& config, World& world) {
  GroupSlot& slot = at->second;
  const Share share{at->first, deregistration_delay_ms(*group),
                    drained_failover(failover_of(*group))};
  const bool appliances = is_for_appliances(slot.index);
  Result<> refused;
  std::vector<Target> placed;
  std::vector<TargetMap::iterator> members;
  members.reserve(group->targets.size());
  for (const Target& target : group->targets) {
    auto taken = take_target({appliances, target}, share, config, world);
    if (taken) {
      members.push_back(*taken);
      placed.push_back(target);
    } else if (refused) {
      refused = tl::make_unexpected(std::move(taken).error());
    }
  }
  if (!refused && members.empty()) return refused;
  const uint64_t now_ms = host_.now_ms();
  const uint64_t delay_ms = slot.applied == nullptr ? 0 : deregistration_delay_ms(*slot.applied);
  std::erase_if(slot.leaving, [&](const auto& entry) {
    return entry.second <= now_ms && !targets_.contains({appliances, entry.first});
  });
  for (const TargetMap::iterator& member : slot.members) {
    slot.leaving[member->first.target] = now_ms + delay_ms;
    leave_target(member, at->first, config, world);
  }
  for (const Target& target : placed) slot.leaving.erase(target);
  slot.members = std::move(members);
  slot.applied = group;
  if (!refused) {
    TargetGroup part = *group;
    part.targets = std::move(placed);
    slot.applied = std::make_shared<const TargetGroup>(std::move(part));
  }
  return refused;
}

// What the health of the group means for the flows of its targets.
void Reconciler::mark_members(GroupSlot& slot, const TargetGroup& group, const Config& config,
                              World& world) {
  const uint16_t marks = marks_when_unhealthy(failover_of(group), group_health(group, world));
  for (size_t i = 0; i < slot.members.size(); i++) {
    const bool sick = world.health({group.name, group.targets[i]}).state == HealthState::kUnhealthy;
    for (Share& share : slot.members[i]->second.shares)
      if (share.group == group.name) share.marks = sick ? marks : 0;
    sum_up(slot.members[i], config, world);
  }
}

void Reconciler::write_rows(GroupSlot& slot, const TargetGroup& group, World& world) {
  if (slot.rows_kept) {
    const bool unknown = std::ranges::any_of(group.targets, [&](const Target& target) {
      const HealthState state = world.health({group.name, target}).state;
      return state == HealthState::kInitial || state == HealthState::kUnused;
    });
    if (unknown) return;
    slot.rows_kept = false;
  }
  const bool lost = !group.targets.empty() && group_health(group, world) == GroupHealth::kLost;
  if (lost)
    lost_groups_.insert(group.name);
  else
    lost_groups_.erase(group.name);
  const bool fails_open = lost && failover_of(group).all_unhealthy == AllUnhealthy::kBypass;
  struct group& place = tables_.groups[slot.index];
  // Before the rows are nobody's, and until they are somebody's again.
  if (fails_open) place.flags = kGroupFailsOpen;
  std::vector<RendezvousTarget> chosen;
  for (const Target& target : new_flows_go_to(group, world)) {
    const auto at = targets_.find({group.protocol == Protocol::kGeneve, target});
    if (at != targets_.end()) chosen.push_back({at->second.id, at->second.index});
  }
  std::ranges::sort(chosen, {}, &RendezvousTarget::index);
  if (chosen != slot.candidates)
    refill_rows({&tables_.rows[first_row(slot.index)], rows_of(slot.index)}, slot.candidates,
                chosen, static_cast<uint32_t>(host_.now_ms() / 1000));
  slot.candidates = std::move(chosen);
  if (!fails_open && place.flags != 0) place.flags = 0;
}

void Reconciler::remove_groups(const Config& config, World& world) {
  for (auto at = groups_.begin(); at != groups_.end();) {
    const auto next = std::next(at);
    if (!steered_.contains(at->first) || config.target_group(at->first) == nullptr)
      remove_group(at, config, world);
    at = next;
  }
}

void Reconciler::remove_group(GroupMap::iterator at, const Config& config, World& world) {
  GroupSlot& slot = at->second;
  for (const TargetMap::iterator& member : slot.members)
    leave_target(member, at->first, config, world);
  tables_.groups[slot.index] = {};
  lost_groups_.erase(at->first);
  groups_.erase(at);
  listeners_stale_ = attachments_stale_ = true;
}

}  // namespace sluice::gateway
