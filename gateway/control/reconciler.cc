// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/reconciler.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

#include "gateway/control/attributes.h"

namespace sluice::gateway {

tunnels::siphash_key derive_key(const tunnels::siphash_key& key, KeyUse use) {
  const auto half = [&](uint64_t number) {
    siphash_state state;
    siphash_init(&state, &key);
    siphash_word(&state, static_cast<uint64_t>(use));
    return siphash_finish(&state, number, 9);
  };
  return {half(0), half(1)};
}

namespace {

// A silence of the list keeps its class, and one that is no longer in it too: flows may have it. A
// new one gets a class that none has had yet. If there is none, the next shorter one gives way
// which is not in the list, or else the next longer: then flows of that live by the new one.
void set_idle_rules(const Gateway& gateway, const settings& former, settings& out) {
  uint32_t* const classes = out.idle_ms + kIdleRules;
  uint32_t* const end = out.idle_ms + kIdleClasses;
  std::copy(former.idle_ms + kIdleRules, former.idle_ms + kIdleClasses, classes);
  std::set<uint32_t> wanted;
  for (const IdleTimeout& idle : gateway.idle_timeouts) wanted.insert(idle.seconds * 1000);
  for (const uint32_t ms : wanted) {
    if (std::find(classes, end, ms) != end) continue;
    const auto loss = [&](uint32_t of) {
      return std::tuple(wanted.contains(of), of != 0, of > ms, of > ms ? of - ms : ms - of);
    };
    *std::ranges::min_element(classes, end, {}, loss) = ms;
  }
  for (size_t i = 0; i < gateway.idle_timeouts.size(); i++) {
    const IdleTimeout& idle = gateway.idle_timeouts[i];
    const auto its_class = std::find(classes, end, idle.seconds * 1000) - out.idle_ms;
    out.idle_rule[kIdleRules + i] = {swap_be16(idle.port), idle.protocol,
                                     static_cast<uint8_t>(its_class)};
  }
}

}  // namespace

settings make_settings(const Config& config, const settings& former) {
  settings out{};
  const siphash_key flow_key = derive_key(config.gateway.key, KeyUse::kFlowHash);
  out.hash_key = flow_hash_key_from(&flow_key);
  out.cookie_key = derive_key(config.gateway.key, KeyUse::kCookie);
  out.tunnel_address = config.gateway.tunnel_address.words[0];
  std::ranges::copy(config.gateway.tunnel_address6.words, out.tunnel_address6);
  out.idle_ms[kIdleTcp] = idle_timeout_s(config) * 1000;
  out.idle_ms[kIdleOther] = kIdleOtherMs;
  set_idle_rules(config.gateway, former, out);
  out.tunnel_port = kGenevePort;
  out.mss_clamp = config.gateway.mss_clamp;
  // The longest idle time is 16 to 31 epochs.
  const uint32_t longest = *std::ranges::max_element(out.idle_ms);
  out.epoch_shift = static_cast<uint16_t>(std::bit_width(longest) - 5);
  return out;
}

std::set<std::string, std::less<>> steered_groups(const Config& config) {
  std::set<std::string, std::less<>> out;
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type == LoadBalancerType::kApplication) continue;
    for (const Listener& listener : lb.listeners)
      for (const WeightedGroup& group : groups_of(listener.default_action))
        out.insert(group.target_group);
  }
  for (const Hint& hint : config.gateway.hints)
    if (!hint.target_group.empty()) out.insert(hint.target_group);
  out.merge(policy_groups(config));
  return out;
}

Reconciler::Reconciler(DataPathHost& host)
    : host_(host), tables_(host.tables()), places_(kTargetsMax), policy_(host.tables()) {}

Result<> Reconciler::reconcile(const Config& config, World& world, OnMissing on_missing) {
  if (!look_at_interfaces(config, world, on_missing)) return interfaces_.missing;
  turn_++;
  rendezvous_key_ = derive_key(config.gateway.key, KeyUse::kRendezvous);
  const bool first_turn = !std::exchange(taken_over_, true);
  const bool leftovers = first_turn && host_.taken_over();
  if (leftovers) take_over(config);
  look_at_steering(config);
  spare_unknown(first_turn && host_.forgets_flows());
  Result<> first;
  const auto keep = [&](Result<> result) {
    if (!result && first) first = std::move(result);
    return static_cast<bool>(result);
  };
  // In the order of who refers to whom: nothing points to what is not there yet.
  free_drained();
  close_left_flows(kFlowBucketsPerTurnMax);
  look_at_next_hops(config, world);
  groups_stale_ = !keep(write_groups(config, world));
  if (leftovers) drain_leftovers();
  write_hints(config);
  if (listeners_stale_) listeners_stale_ = !keep(write_listeners(config));
  if (attachments_stale_)
    attachments_stale_ = !(keep(write_attachments(config)) && keep(write_policy(config)) &&
                           keep(write_ports(config, world)));
  if (groups_.size() > steered_.size()) remove_groups(config, world);
  if (std::exchange(zones_stale_, false)) remove_zones();
  if (first) detach_leftovers();
  last_ = config;
  return first;
}

// False, and nothing has changed, if one is missing that must not be.
bool Reconciler::look_at_interfaces(const Config& config, World& world, OnMissing on_missing) {
  const bool others = !config.attachments.same_objects(last_.attachments) ||
                      config.gateway.tunnel_interfaces != last_.gateway.tunnel_interfaces ||
                      config.gateway.tunnel_entry != last_.gateway.tunnel_entry;
  if (!others && !interfaces_stale_) return true;
  Interfaces found = find_interfaces(config, world);
  const bool stop = !found.missing && on_missing == OnMissing::kRefuse;
  interfaces_stale_ = !found.missing;  // until it comes
  if (stop) {
    interfaces_.missing = std::move(found.missing);
    return false;
  }
  attachments_stale_ |= others || !found.same_numbers(interfaces_);
  interfaces_ = std::move(found);
  return true;
}

// What load balancers and the gateway's own section say.
void Reconciler::look_at_steering(const Config& config) {
  look_at_zones(config);
  // The policy goes by the stickiness of its groups.
  const bool has_policy = static_cast<uint32_t>(tables_.settings[0].policy) != 0;
  if (has_policy && !config.target_groups.same_objects(last_.target_groups))
    attachments_stale_ = true;
  if (turn_ > 1 && config.load_balancers.same_objects(last_.load_balancers) &&
      config.gateway == last_.gateway)
    return;
  write_settings(config);
  auto wanted = steered_groups(config);
  groups_stale_ |= wanted != steered_;
  steered_ = std::move(wanted);
  listeners_stale_ = attachments_stale_ = true;
}

void Reconciler::look_at_zones(const Config& config) {
  const bool same_places = config.network.same_objects(last_.network);
  if (turn_ > 1 && same_places && config.gateway.policy == last_.gateway.policy &&
      config.load_balancers.same_objects(last_.load_balancers) &&
      config.attachments.same_objects(last_.attachments) &&
      config.target_groups.same_objects(last_.target_groups))
    return;
  auto wanted = steered_zones(config);
  zones_stale_ = wanted != zones_ || (!same_places && !wanted.empty());
  zones_ = std::move(wanted);
  if (zones_stale_) groups_stale_ = listeners_stale_ = attachments_stale_ = true;
}

void Reconciler::health_changed(std::string_view group) { health_stale_.emplace(group); }

void Reconciler::network_changed() {
  interfaces_stale_ = true;
  next_hops_stale_ = kTargetsMax;
}

Reconciler::Interfaces Reconciler::find_interfaces(const Config& config, World& world) const {
  Interfaces out;
  const auto find = [&](const std::string& name) -> uint32_t {
    Result<uint32_t> index = world.interface_index(name);
    if (index && (*index == 0 || *index >= kPortsMax))
      index =
          fail("its index " + std::to_string(*index) + " is not below " + std::to_string(kPortsMax),
               "interface " + name);
    if (index) return *index;
    if (out.missing) out.missing = tl::make_unexpected(index.error());
    return 0;
  };
  for (const Attachment& attachment : config.attachments) {
    const uint32_t outside = find(attachment.outside);
    out.attachments.push_back({outside, find(attachment.inside)});
  }
  for (const std::string& name : config.gateway.tunnel_interfaces)
    out.tunnels.push_back(find(name));
  return out;
}

void Reconciler::write_settings(const Config& config) {
  settings wanted = make_settings(config, tables_.settings[0]);
  wanted.flow_bucket_mask = tables_.settings[0].flow_bucket_mask;
  wanted.policy = tables_.settings[0].policy;
  wanted.spared_until_ms = tables_.settings[0].spared_until_ms;
  wanted.watching = tables_.settings[0].watching;  // watching.h
  if (std::memcmp(&wanted, tables_.settings, sizeof(wanted)) != 0) tables_.settings[0] = wanted;
}

// A place keeps its hint as long as the configuration has it in the same order; each is one store.
void Reconciler::write_hints(const Config& config) {
  for (size_t i = 0; i < kHintsMax; i++) {
    hint wanted{};
    if (i < config.gateway.hints.size()) {
      const Hint& h = config.gateway.hints[i];
      const auto group = groups_.find(h.target_group);
      wanted.number = h.number;
      if (h.target_group.empty())
        wanted.action = kHintBypass;
      else if (group != groups_.end())
        wanted = {h.number, kHintSteer, group->second.rows.index, 0};
    }
    if (std::memcmp(&wanted, &tables_.hints[i], sizeof(wanted)) != 0) tables_.hints[i] = wanted;
  }
}

Result<> Reconciler::write_policy(const Config& config) {
  return policy_.write(config, {[&](const Attachment& attachment) {
                                  return attachments_.find(attachment.name)->second;
                                },
                                [&](const TargetGroup& group, std::string_view zone) {
                                  return group_index(group.name, zone).value_or(kNone16);
                                }});
}

std::string_view Reconciler::attachment_name(uint16_t index) const {
  for (const auto& [name, at] : attachments_)
    if (at == index) return name;
  return {};
}

std::string_view Reconciler::group_name(uint16_t index) const {
  if (index >= kGroupsMax) return {};
  const auto* name = reinterpret_cast<const char*>(tables_.groups[index].name);
  return {name, strnlen(name, kGroupNameLength)};
}

std::optional<uint16_t> Reconciler::group_index(std::string_view name,
                                                std::string_view zone) const {
  const auto at = groups_.find(name);
  if (at == groups_.end()) return {};
  if (zone.empty()) return at->second.rows.index;
  const auto rows = at->second.zones.find(zone_id(zone));
  if (rows == at->second.zones.end()) return {};
  return rows->second.index;
}

std::optional<uint16_t> Reconciler::target_index(Protocol protocol, const Target& target) const {
  const auto at = targets_.find({protocol == Protocol::kGeneve, target});
  if (at == targets_.end()) return {};
  return at->second.index;
}

}  // namespace sluice::gateway
