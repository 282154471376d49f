// SPDX-License-Identifier: Apache-2.0
// The reconciler's groups: their places, their targets, and who owns their rows.
#include <algorithm>
#include <cstring>

#include "gateway/control/failover.h"
#include "gateway/control/reconciler.h"

namespace sluice::gateway {
namespace {

bool is_for_appliances(uint16_t group_index) { return group_index < kApplianceGroupsMax; }

// Whether nobody knows yet what the health of the group is as a whole.
bool waits_for_health(const TargetGroup& group, World& world) {
  return std::ranges::any_of(group.targets, [&](const Target& target) {
    const HealthState state = world.health({group.name, target}).state;
    return state == HealthState::kInitial || state == HealthState::kUnused;
  });
}

}  // namespace

Result<> Reconciler::write_groups(const Config& config, World& world) {
  Result<> first;
  for (const SharedGroup& group : changed_groups(config))
    if (auto done = write_group(group, config, world); !done && first) first = std::move(done);
  for (const std::string& name : std::exchange(health_stale_, {})) {
    const auto at = groups_.find(name);
    if (at == groups_.end() || at->second.applied == nullptr) continue;
    write_health(at->second, *at->second.applied, config, world);
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
    const bool others = zones_stale_ && (zones_.contains(now[i].name) ||
                                         (at != groups_.end() && !at->second.zones.empty()));
    if (at == groups_.end() || at->second.applied.get() != &now[i] || others)
      out.push_back(now.shared(i));
  }
  return out;
}

Result<> Reconciler::write_group(const SharedGroup& group, const Config& config, World& world) {
  SLUICE_TRY(const GroupMap::iterator at, place_of(*group, config, world));
  GroupSlot& slot = at->second;
  Result<> taken = take_members(at, group, config, world);
  if (slot.applied == nullptr) return taken;
  Result<> zones = write_zones(slot, *group, config, world);
  write_health(slot, *slot.applied, config, world);
  const auto stickiness = static_cast<uint16_t>(stickiness_of(*group));
  const auto stick = [&](const Rows& rows) {
    struct group& place = tables_.groups[rows.index];
    if (place.stickiness != stickiness) place.stickiness = stickiness;
  };
  stick(slot.rows);
  for (const auto& [zone, rows] : slot.zones) stick(rows);
  return taken ? zones : taken;
}

const std::set<std::string>& Reconciler::zones_of(std::string_view group) const {
  static const std::set<std::string> kNone;
  const auto at = zones_.find(group);
  return at == zones_.end() ? kNone : at->second;
}

// Rows for each zone that the group is steered in; they are nobody's yet.
Result<> Reconciler::write_zones(GroupSlot& slot, const TargetGroup& group, const Config& config,
                                 World& world) {
  for (const std::string& zone : zones_of(group.name)) {
    if (slot.zones.contains(zone_id(zone))) continue;
    SLUICE_TRY(const uint16_t index, take_rows(group, zone, config, world));
    slot.zones.emplace(zone_id(zone), Rows{index, {}, false});
  }
  return {};
}

void Reconciler::remove_zones() {
  for (auto& [name, slot] : groups_) {
    std::set<uint64_t> wanted;
    for (const std::string& zone : zones_of(name)) wanted.insert(zone_id(zone));
    std::erase_if(slot.zones, [&](const auto& zone) {
      if (wanted.contains(zone.first)) return false;
      tables_.groups[zone.second.index] = {};
      return true;
    });
  }
  std::erase_if(lost_groups_, [&](const Lost& lost) {
    return !lost.zone.empty() && !zones_of(lost.group).contains(lost.zone);
  });
}

// The group's place, which may be a new one with rows that are nobody's.
Result<Reconciler::GroupMap::iterator> Reconciler::place_of(const TargetGroup& group,
                                                            const Config& config, World& world) {
  const bool appliances = group.protocol == Protocol::kGeneve;
  auto at = groups_.find(group.name);
  if (at != groups_.end() && is_for_appliances(at->second.rows.index) != appliances) {
    remove_group(at, config, world);  // made anew with another protocol
    at = groups_.end();
  }
  if (at != groups_.end()) return at;
  SLUICE_TRY(const uint16_t index, take_rows(group, {}, config, world));
  return groups_.try_emplace(group.name, GroupSlot{{index, {}, false}, {}, {}, {}, {}}).first;
}

// A new place with rows that are nobody's.
Result<uint16_t> Reconciler::take_rows(const TargetGroup& group, std::string_view zone,
                                       const Config& config, World& world) {
  auto index = free_group(group.protocol);
  if (!index) {
    remove_groups(config,
                  world);  // now, while listeners may still point to them, for want of places
    index = free_group(group.protocol);
  }
  if (!index)
    return fail("no place for target group " + group.name +
                (zone.empty() ? "" : " in " + std::string(zone)));
  clear_rows({&tables_.rows[first_row(*index)], rows_of(*index)});
  struct group& place = tables_.groups[*index];
  place = {};
  std::memcpy(place.name, group.name.data(), std::min<size_t>(group.name.size(), kGroupNameLength));
  place.zone = zone_id(zone);
  place.in_use = 1;
  listeners_stale_ = attachments_stale_ = true;
  return *index;
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
                    drained_failover(failover_of(*group)), 0, profile_of(*group)};
  const bool appliances = is_for_appliances(slot.rows.index);
  Result<> refused;
  std::vector<Target> placed;
  std::vector<TargetMap::iterator> members;
  members.reserve(group->targets.size());
  for (const Target& target : group->targets) {
    Share mine = share;
    const auto known = targets_.find({appliances, target});
    // What an earlier process said about its flows holds for as long as the rows that it filled.
    if (slot.rows.kept && known != targets_.end() && !known->second.drain_until_ms)
      mine.marks = known->second.marks;
    auto taken = take_target({appliances, target}, mine, config, world);
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

// What the health of the group means for the flows of its targets, and for its rows.
void Reconciler::write_health(GroupSlot& slot, const TargetGroup& group, const Config& config,
                              World& world) {
  ZoneParts parts;
  for (const std::string& zone : zones_of(group.name))
    parts.emplace(zone, part_in_zone(group, config.network, zone));
  mark_members(slot, group, parts, config, world);
  write_rows(slot.rows, group, {}, world);
  for (const auto& [zone, part] : parts)
    if (const auto at = slot.zones.find(zone_id(zone)); at != slot.zones.end())
      write_rows(at->second, part, zone, world);
}

void Reconciler::mark_members(GroupSlot& slot, const TargetGroup& group, const ZoneParts& parts,
                              const Config& config, World& world) {
  if (slot.rows.kept && waits_for_health(group, world)) return;
  const auto marks_in = [&](const TargetGroup& part) {
    return marks_when_unhealthy(failover_of(group), group_health(part, world));
  };
  // A target that a zone's flows go to is judged by that zone, one of no such zone by all.
  const uint16_t marks_of_all = marks_in(group);
  std::map<std::string_view, uint16_t> marks_of_zone;
  for (const auto& [zone, part] : parts) marks_of_zone[zone] = marks_in(part);
  for (size_t i = 0; i < slot.members.size(); i++) {
    uint16_t marks = marks_of_all;
    if (!marks_of_zone.empty()) {
      const auto at = marks_of_zone.find(zone_of_target(config.network, group.targets[i].address));
      if (at != marks_of_zone.end()) marks = at->second;
    }
    const bool sick = world.health({group.name, group.targets[i]}).state == HealthState::kUnhealthy;
    for (Share& share : slot.members[i]->second.shares)
      if (share.group == group.name) share.marks = sick ? marks : 0;
    sum_up(slot.members[i], config, world);
  }
}

void Reconciler::write_rows(Rows& rows, const TargetGroup& group, std::string_view zone,
                            World& world) {
  if (rows.kept) {
    if (waits_for_health(group, world)) return;
    rows.kept = false;
  }
  const GroupHealth health = group_health(group, world);
  const bool lost = !group.targets.empty() && health == GroupHealth::kLost;
  if (lost)
    lost_groups_.insert({group.name, std::string(zone)});
  else if (health == GroupHealth::kHealthy)  // neither without targets, nor with unknown ones
    lost_groups_.erase({group.name, std::string(zone)});
  const bool fails_open = lost && failover_of(group).all_unhealthy == AllUnhealthy::kBypass;
  struct group& place = tables_.groups[rows.index];
  // Before the rows are nobody's, and until they are somebody's again.
  if (fails_open) place.flags = kGroupFailsOpen;
  std::vector<RendezvousTarget> chosen;
  for (const Target& target : new_flows_go_to(group, world)) {
    const auto at = targets_.find({group.protocol == Protocol::kGeneve, target});
    if (at != targets_.end())
      chosen.push_back({at->second.id, at->second.index, weight_of(group, target)});
  }
  std::ranges::sort(chosen, {}, &RendezvousTarget::index);
  if (chosen != rows.candidates)
    refill_rows({&tables_.rows[first_row(rows.index)], rows_of(rows.index)}, rows.candidates,
                chosen, static_cast<uint32_t>(host_.now_ms() / 1000));
  rows.candidates = std::move(chosen);
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
  tables_.groups[slot.rows.index] = {};
  for (const auto& [zone, rows] : slot.zones) tables_.groups[rows.index] = {};
  std::erase_if(lost_groups_, [&](const Lost& lost) { return lost.group == at->first; });
  groups_.erase(at);
  listeners_stale_ = attachments_stale_ = true;
}

}  // namespace sluice::gateway
