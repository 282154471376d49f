// SPDX-License-Identifier: Apache-2.0
// The reconciler's targets and listeners.
#include <algorithm>
#include <cstring>

#include "gateway/control/failover.h"
#include "gateway/control/probed_table.h"
#include "gateway/control/reconciler.h"
#include "gateway/targets/header.h"
#include "tunnels/packet.h"

namespace sluice::gateway {
namespace {

// Keeps address and port: answers of the flows it had still get them back.
bool listener_is_gravestone(const listener& entry) { return entry.protocol == 0; }

}  // namespace

// The target's place; a new one, or that of a target which another group has or which drains.
Result<Reconciler::TargetMap::iterator> Reconciler::take_target(const TargetKey& key,
                                                                const Share& share,
                                                                const Config& config,
                                                                World& world) {
  auto at = targets_.find(key);
  if (at == targets_.end()) {
    SLUICE_TRY(const uint16_t index, take_place(key, share.profile));
    const uint64_t id = rendezvous_id(rendezvous_key_, key.target.address.words, key.target.port);
    const TargetSlot slot{.index = index,
                          .id = id,
                          .delay_ms = share.delay_ms,
                          .failover = share.failover,
                          .profile = share.profile};
    at = targets_.emplace(key, slot).first;
    places_[index] = at;
    write_target(at->second, key, config, world);
  }
  TargetSlot& slot = at->second;
  slot.shares.push_back(share);
  slot.drain_until_ms.reset();
  slot.quiet_since_ms = 0;
  lingering_.erase(slot.index);
  sum_up(at, config, world);
  return at;
}

// One group fewer has it; the last one leaves it to drain.
void Reconciler::leave_target(TargetMap::iterator at, std::string_view group, const Config& config,
                              World& world) {
  TargetSlot& slot = at->second;
  const auto share = std::ranges::find(slot.shares, group, &Share::group);
  SLUICE_CHECK(share != slot.shares.end());
  const Share left = *share;
  slot.shares.erase(share);
  if (!slot.shares.empty()) return sum_up(at, config, world);
  const bool again = slot.left_in == turn_;
  slot.delay_ms = again ? std::max(slot.delay_ms, left.delay_ms) : left.delay_ms;
  slot.failover = again ? slot.failover | left.failover : left.failover;
  // Nobody checks it any more. If it is dead, flows that were to leave it had better not come back.
  slot.marks = left.marks;
  slot.left_in = turn_;
  write_target(slot, at->first, config, world);
  drain(slot, slot.delay_ms);
}

// What the groups say together reaches the table.
void Reconciler::sum_up(TargetMap::iterator at, const Config& config, World& world) {
  Share sum{{}, 0, 0, 0, at->second.shares.back().profile};
  for (const Share& share : at->second.shares) {
    sum.delay_ms = std::max(sum.delay_ms, share.delay_ms);
    sum.failover |= share.failover;
    sum.marks |= share.marks;
  }
  TargetSlot& slot = at->second;
  if (sum.delay_ms == slot.delay_ms && sum.failover == slot.failover && sum.marks == slot.marks &&
      sum.profile == slot.profile)
    return;
  if (sum.profile != slot.profile)
    (void)add_source(at->first.target.address, slot.index, sum.profile);
  slot.profile = sum.profile;
  slot.delay_ms = sum.delay_ms;
  slot.failover = sum.failover;
  slot.marks = sum.marks;
  write_target(slot, at->first, config, world);
}

void Reconciler::drain(TargetSlot& slot, uint64_t delay_ms) {
  slot.drain_until_ms = host_.now_ms() + delay_ms;
  drains_.emplace(*slot.drain_until_ms, slot.index);
}

// Targets whose delay is over, and of those that wait for their flows to end the quiet ones.
void Reconciler::free_drained() {
  const uint64_t now_ms = host_.now_ms();
  while (!drains_.empty() && drains_.begin()->first <= now_ms) {
    const auto [until_ms, index] = *drains_.begin();
    drains_.erase(drains_.begin());
    if (!places_[index] || (*places_[index])->second.drain_until_ms != until_ms) continue;
    TargetSlot& slot = (*places_[index])->second;
    slot.marks |= marks_when_drained(slot.failover);
    if (!(*places_[index])->first.appliance || slot.failover & kDrainedMoves) {
      free_target(*places_[index]);
      continue;
    }
    __atomic_fetch_or(&tables_.targets[index].flags, slot.marks, __ATOMIC_RELEASE);
    lingering_.insert(index);
  }
  for (const uint16_t index : std::set<uint16_t>(lingering_))
    if (has_become_quiet((*places_[index])->second)) free_target(*places_[index]);
}

bool Reconciler::has_become_quiet(TargetSlot& slot) {
  const uint64_t now_ms = host_.now_ms();
  const uint64_t sent = tables_.target_counters[slot.index].packets_sent;
  if (slot.quiet_since_ms == 0 || sent != slot.sent) {
    slot.quiet_since_ms = now_ms;
    slot.sent = sent;
  }
  return now_ms - slot.quiet_since_ms > *std::ranges::max_element(tables_.settings[0].idle_ms);
}

// When places run out: that of the target which has drained and been quiet for longest.
bool Reconciler::free_quietest() {
  const auto quiet_since_ms = [&](uint16_t index) {
    return (*places_[index])->second.quiet_since_ms;
  };
  const auto best = std::ranges::min_element(lingering_, {}, quiet_since_ms);
  if (best == lingering_.end()) return false;
  free_target(*places_[*best]);
  return true;
}

Result<uint16_t> Reconciler::take_place(const TargetKey& key, uint8_t profile) {
  const uint32_t first = key.appliance ? 0 : kAppliancesMax;
  const uint32_t count = key.appliance ? kAppliancesMax : kNetworkTargetsMax;
  uint16_t& next = key.appliance ? next_appliance_ : next_network_target_;
  for (uint32_t i = 0; i < count; i++) {
    const auto index = static_cast<uint16_t>(first + (next - first + i) % count);
    if (tables_.targets[index].flags & kTargetInUse) continue;
    next = static_cast<uint16_t>(first + (index - first + 1) % count);
    if (key.appliance) SLUICE_TRY_VOID(add_source(key.target.address, index, profile));
    tables_.target_counters[index] = {};
    return index;
  }
  if (key.appliance && free_quietest()) return take_place(key, profile);
  return fail("all " + std::to_string(count) + " places for " +
              (key.appliance ? "appliances" : "NLB targets") + " are taken or draining");
}

void Reconciler::free_target(TargetMap::iterator at) {
  const uint16_t index = at->second.index;
  if (at->first.appliance) remove_source(at->first.target.address);
  tables_.targets[index].flags = 0;
  lingering_.erase(index);
  places_[index].reset();
  targets_.erase(at);
}

// A part of the targets at a time, so that nobody has to wait for all; from where the last one
// ended, so that each gets its turn however often the network changes.
void Reconciler::look_at_next_hops(const Config& config, World& world) {
  uint32_t looked_at = 0;
  while (next_hops_stale_ != 0 && looked_at < kNextHopsPerTurnMax) {
    if (const auto& place = places_[next_hop_]) {
      write_target((*place)->second, (*place)->first, config, world);
      looked_at++;
    }
    next_hop_ = static_cast<uint16_t>((next_hop_ + 1) % kTargetsMax);
    next_hops_stale_--;
  }
}

std::optional<uint64_t> Reconciler::draining_ms(uint16_t target) const {
  if (target >= places_.size() || !places_[target]) return {};
  const auto& until_ms = (*places_[target])->second.drain_until_ms;
  if (!until_ms) return {};
  const uint64_t now_ms = host_.now_ms();
  return *until_ms > now_ms ? *until_ms - now_ms : 0;
}

std::vector<Reconciler::Draining> Reconciler::draining(std::string_view group) const {
  std::vector<Draining> out;
  const auto at = groups_.find(group);
  if (at == groups_.end()) return out;
  const bool appliances = at->second.rows.index < kApplianceGroupsMax;
  const uint64_t now_ms = host_.now_ms();
  for (const auto& [target, until_ms] : at->second.leaving) {
    const auto place = targets_.find({appliances, target});
    if (place == targets_.end() || (until_ms <= now_ms && !place->second.drain_until_ms)) continue;
    out.push_back({std::string(group), target, place->second.index,
                   until_ms > now_ms ? until_ms - now_ms : 0});
  }
  return out;
}

std::vector<Reconciler::Draining> Reconciler::draining() const {
  std::vector<Draining> out;
  for (const auto& [name, slot] : groups_)
    std::ranges::move(draining(name), std::back_inserter(out));
  std::set<uint16_t> told;
  for (const Draining& one : out) told.insert(one.index);
  for (const auto& [until_ms, index] : drains_)
    if (const auto left_ms = draining_ms(index); left_ms && told.insert(index).second)
      out.push_back({{}, (*places_[index])->first.target, index, *left_ms});
  for (const uint16_t index : lingering_)
    if (told.insert(index).second) out.push_back({{}, (*places_[index])->first.target, index, 0});
  return out;
}

void Reconciler::write_target(const TargetSlot& slot, const TargetKey& key, const Config& config,
                              World& world) {
  target wanted{};
  wanted.failover = slot.failover;
  wanted.delay_s = static_cast<uint16_t>(slot.delay_ms / 1000);
  std::memcpy(wanted.address, key.target.address.words, sizeof(wanted.address));
  wanted.version = key.target.address.version;
  wanted.port = swap_be16(key.target.port);
  const auto hop = world.next_hop(key.target.address);
  const bool over_ipv6 = key.appliance && wanted.version == 6;
  wanted.profile = slot.profile;
  if (hop) {
    const uint32_t overhead =
        key.appliance ? encapsulation_overhead(slot.profile, wanted.version) : 0;
    wanted.interface = hop->interface;
    wanted.mtu = static_cast<uint16_t>(hop->mtu - std::min<uint32_t>(hop->mtu, overhead));
    if (hop->to) std::copy(hop->to->begin(), hop->to->end(), wanted.mac);
  }
  const MacAddress from = hop ? hop->from : MacAddress{};
  const MacAddress to = hop && hop->to ? *hop->to : MacAddress{};
  if (over_ipv6)
    build_target_header6(wanted.header, from, to, config.gateway.tunnel_address6.words,
                         wanted.address);
  else if (key.appliance)
    build_target_header(wanted.header, from, to, config.gateway.tunnel_address.words[0],
                        wanted.address[0]);
  const auto flags = static_cast<uint16_t>(
      kTargetInUse | (hop && hop->to ? kTargetResolved : 0) |
      (key.appliance ? kTargetAppliance : kTargetNlb) |
      (over_ipv6 || slot.profile != kProfileAws ? kTargetProfiled : 0) | slot.marks);
  target& place = tables_.targets[slot.index];
  wanted.flags = place.flags;
  if (std::memcmp(&wanted, &place, sizeof(wanted)) != 0) place = wanted;
  if (place.flags != flags) __atomic_store_n(&place.flags, flags, __ATOMIC_RELEASE);
}

Result<> Reconciler::write_listeners(const Config& config) {
  std::map<ListenerKey, uint16_t> wanted;  // to the group's index
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners) {
      const auto* group = config.target_group(listener.default_action.target_group);
      const uint8_t protocol = listener.protocol == Protocol::kTcp ? kProtocolTcp : kProtocolUdp;
      if (group == nullptr) continue;
      for (const IpAddress& address : addresses_of(lb, listener))
        if (const auto index =
                group_index(group->name, zone_of_address(config, lb, address, *group)))
          wanted[{address, swap_be16(listener.port), protocol}] = *index;
    }
  }
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    const bool gone = !wanted.contains(at->first);
    if (gone) remove_listener(at->first);
    at = gone ? listeners_.erase(at) : std::next(at);
  }
  ProbedTable<listener> table({tables_.listeners, kListenersMax}, listener_is_gravestone);
  for (const auto& [key, group] : wanted) {
    const auto at = listeners_.find(key);
    if (at != listeners_.end()) {
      listener& place = tables_.listeners[at->second];
      if (place.group != group) place.group = group;
      continue;
    }
    const auto index = table.place_for(listener_home(key.address.words, key.port, key.protocol));
    if (!index) return fail("no place for a listener at " + key.address.text());
    listener& place = tables_.listeners[*index];
    listener entry{{}, key.port, key.protocol, key.address.version, group, 0};
    std::memcpy(entry.address, key.address.words, sizeof(entry.address));
    // A gravestone stays in use meanwhile, so that the entries after it can still be found.
    entry.in_use = place.in_use;
    entry.protocol = 0;
    place = entry;
    __atomic_store_n(&place.protocol, key.protocol, __ATOMIC_RELEASE);
    __atomic_store_n(&place.in_use, uint16_t{1}, __ATOMIC_RELEASE);
    listeners_[key] = static_cast<uint16_t>(*index);
  }
  return {};
}

void Reconciler::remove_listener(const ListenerKey& key) {
  const uint16_t index = listeners_.find(key)->second;
  tables_.listeners[index].protocol = 0;
  ProbedTable<listener>({tables_.listeners, kListenersMax}, listener_is_gravestone).sweep(index);
}

}  // namespace sluice::gateway
