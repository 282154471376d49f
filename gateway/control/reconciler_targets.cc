// SPDX-License-Identifier: Apache-2.0
// The reconciler's targets, sources and listeners.
#include <algorithm>
#include <cstring>

#include "gateway/control/failover.h"
#include "gateway/control/probed_table.h"
#include "gateway/control/reconciler.h"
#include "gateway/targets/header.h"
#include "tunnels/packet.h"

namespace sluice::gateway {
namespace {

bool source_is_gravestone(const source& entry) { return entry.target == kNone16; }
// Keeps address and port: answers of the flows it had still get them back.
bool listener_is_gravestone(const listener& entry) { return entry.protocol == 0; }

}  // namespace

Result<> Reconciler::write_targets(const Config& config, World& world) {
  const auto wanted = wanted_targets(config, world);
  for (auto at = targets_.begin(); at != targets_.end();) {
    auto& [key, slot] = *at;
    if (const auto found = wanted.find(key); found != wanted.end()) {
      const uint16_t index = slot.index;
      slot = found->second;
      slot.index = index;
    } else if (has_drained(key, slot)) {
      free_target(key, slot.index);
      at = targets_.erase(at);
      continue;
    }
    ++at;
  }
  for (const auto& [key, slot] : wanted) {
    if (targets_.contains(key)) continue;
    SLUICE_TRY(const uint16_t index, take_target(key));
    targets_[key] = slot;
    targets_[key].index = index;
  }
  for (const auto& [key, slot] : targets_) write_target(slot, key, config, world);
  return {};
}

std::map<Reconciler::TargetKey, Reconciler::TargetSlot> Reconciler::wanted_targets(
    const Config& config, World& world) const {
  std::map<TargetKey, TargetSlot> out;
  const auto steered = steered_groups(config);
  for (const TargetGroup& group : config.target_groups) {
    if (!steered.contains(group.name)) continue;
    const FailoverPolicy policy = failover_of(group);
    const uint16_t marks = marks_when_unhealthy(policy, group_health(group, world));
    for (const Target& target : group.targets) {
      TargetSlot& slot = out[{group.protocol == Protocol::kGeneve, target}];
      slot.delay_ms = std::max(slot.delay_ms, deregistration_delay_ms(group));
      slot.failover |= drained_failover(policy);
      if (world.health({group.name, target}).state == HealthState::kUnhealthy) slot.marks |= marks;
    }
  }
  return out;
}

// A target that is in no group any more: whether its place can be given away. Rows may still name
// it the first time.
bool Reconciler::has_drained(const TargetKey& key, TargetSlot& slot) {
  const uint64_t now_ms = host_.now_ms();
  if (!slot.drain_until_ms) {
    slot.drain_until_ms = now_ms + slot.delay_ms;
    slot.marks = 0;
    return false;
  }
  if (*slot.drain_until_ms > now_ms) return false;
  slot.marks = marks_when_drained(slot.failover);
  if (!key.appliance || slot.marks & kTargetMoves) return true;
  const uint64_t sent = tables_.target_counters[slot.index].packets_sent;
  if (slot.quiet_since_ms == 0 || sent != slot.sent) {
    slot.quiet_since_ms = now_ms;
    slot.sent = sent;
  }
  return now_ms - slot.quiet_since_ms > *std::ranges::max_element(tables_.settings[0].idle_ms);
}

// When places run out: that of the target which has drained and been quiet for longest.
bool Reconciler::free_quietest() {
  auto best = targets_.end();
  for (auto at = targets_.begin(); at != targets_.end(); ++at) {
    const TargetSlot& slot = at->second;
    if (slot.quiet_since_ms == 0) continue;
    if (best == targets_.end() || slot.quiet_since_ms < best->second.quiet_since_ms) best = at;
  }
  if (best == targets_.end()) return false;
  free_target(best->first, best->second.index);
  targets_.erase(best);
  return true;
}

Result<uint16_t> Reconciler::take_target(const TargetKey& key) {
  for (uint32_t i = 0; i < kTargetsMax; i++) {
    const auto index = static_cast<uint16_t>((next_target_ + i) % kTargetsMax);
    if (tables_.targets[index].flags & kTargetInUse) continue;
    next_target_ = static_cast<uint16_t>((index + 1) % kTargetsMax);
    if (key.appliance) SLUICE_TRY_VOID(add_source(key.target.address.words[0], index));
    tables_.target_counters[index] = {};
    return index;
  }
  if (free_quietest()) return take_target(key);
  return fail("all " + std::to_string(kTargetsMax) + " places for targets are taken or draining");
}

void Reconciler::free_target(const TargetKey& key, uint16_t index) {
  if (key.appliance) remove_source(key.target.address.words[0]);
  tables_.targets[index].flags = 0;
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
  if (hop) {
    wanted.interface = hop->interface;
    wanted.mtu = hop->mtu;
    if (hop->to) std::copy(hop->to->begin(), hop->to->end(), wanted.mac);
  }
  if (key.appliance)
    build_target_header(wanted.header, hop ? hop->from : MacAddress{},
                        hop && hop->to ? *hop->to : MacAddress{},
                        config.gateway.tunnel_address.words[0], wanted.address[0]);
  const auto flags =
      static_cast<uint16_t>(kTargetInUse | (hop && hop->to ? kTargetResolved : 0) |
                            (key.appliance ? kTargetAppliance : kTargetNlb) | slot.marks);
  target& place = tables_.targets[slot.index];
  wanted.flags = place.flags;
  if (std::memcmp(&wanted, &place, sizeof(wanted)) != 0) place = wanted;
  if (place.flags != flags) __atomic_store_n(&place.flags, flags, __ATOMIC_RELEASE);
}

Result<> Reconciler::add_source(uint32_t address, uint16_t target) {
  ProbedTable<source> table({tables_.sources, kSourcesMax}, source_is_gravestone);
  const auto index = table.place_for(source_home(address));
  if (!index)
    return fail("no place for another target near that of " + ip_address(&address, 4).text());
  const source entry{address, target, 1};
  std::memcpy(&tables_.sources[*index], &entry, sizeof(entry));
  return {};
}

void Reconciler::remove_source(uint32_t address) {
  ProbedTable<source> table({tables_.sources, kSourcesMax}, source_is_gravestone);
  for (uint32_t i = 0; i < kProbesMax; i++) {
    const uint32_t index = (source_home(address) + i) & (kSourcesMax - 1);
    source& entry = tables_.sources[index];
    if (!entry.in_use) return;
    if (entry.address != address || source_is_gravestone(entry)) continue;
    entry.target = kNone16;
    table.sweep(index);
    return;
  }
}

Result<> Reconciler::write_listeners(const Config& config) {
  std::map<ListenerKey, uint16_t> wanted;  // to the group's index
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners) {
      const auto group = group_index(listener.default_action.target_group);
      const uint8_t protocol = listener.protocol == Protocol::kTcp ? kProtocolTcp : kProtocolUdp;
      if (!group) continue;
      for (const IpAddress& address : addresses_of(lb, listener))
        wanted[{address, swap_be16(listener.port), protocol}] = *group;
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
