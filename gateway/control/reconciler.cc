// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/reconciler.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "gateway/control/failover.h"
#include "gateway/targets/rendezvous.h"

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

settings make_settings(const Config& config) {
  settings out{};
  out.hash_key = derive_key(config.gateway.key, KeyUse::kFlowHash);
  out.cookie_key = derive_key(config.gateway.key, KeyUse::kCookie);
  out.tunnel_address = config.gateway.tunnel_address.words[0];
  std::ranges::fill(out.idle_ms, kIdleOtherMs);
  out.idle_ms[kIdleTcp] = idle_timeout_s(config) * 1000;
  for (size_t i = 0; i < config.gateway.idle_timeouts.size(); i++) {
    const IdleTimeout& idle = config.gateway.idle_timeouts[i];
    out.idle_ms[kIdleRules + i] = idle.seconds * 1000;
    out.idle_rule[kIdleRules + i] = {swap_be16(idle.port), idle.protocol, 1};
  }
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
    for (const Listener& listener : lb.listeners) out.insert(listener.default_action.target_group);
  }
  for (const Hint& hint : config.gateway.hints)
    if (!hint.target_group.empty()) out.insert(hint.target_group);
  return out;
}

Reconciler::Reconciler(DataPathHost& host) : host_(host), tables_(host.tables()) {}

Result<> Reconciler::reconcile(const Config& config, World& world, OnMissing on_missing) {
  const Interfaces interfaces = find_interfaces(config, world);
  if (!interfaces.missing && on_missing == OnMissing::kRefuse) return interfaces.missing;
  missing_ = interfaces.missing;
  if (!std::exchange(taken_over_, true) && host_.taken_over()) take_over(config);
  write_settings(config);
  Result<> first;
  const auto keep = [&](Result<> result) {
    if (!result && first) first = std::move(result);
  };
  // In the order of who refers to whom: nothing points to what is not there yet.
  keep(write_targets(config, world));
  keep(write_groups(config, world));
  write_hints(config);
  keep(write_listeners(config));
  keep(write_attachments(config, interfaces));
  keep(write_ports(config, interfaces));
  detach_leftovers();
  return first;
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
  settings wanted = make_settings(config);
  wanted.flow_bucket_mask = tables_.settings[0].flow_bucket_mask;
  if (std::memcmp(&wanted, tables_.settings, sizeof(wanted)) != 0) tables_.settings[0] = wanted;
}

Result<> Reconciler::write_groups(const Config& config, World& world) {
  const auto wanted = steered_groups(config);
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    tables_.groups[at->second] = {};
    candidates_.erase(at->second);
    at = groups_.erase(at);
  }
  const siphash_key key = derive_key(config.gateway.key, KeyUse::kRendezvous);
  lost_groups_.clear();
  for (const TargetGroup& group : config.target_groups) {
    if (!wanted.contains(group.name)) continue;
    auto at = groups_.find(group.name);
    if (at == groups_.end()) {
      const auto free = std::find_if(tables_.groups, tables_.groups + kGroupsMax,
                                     [](const auto& g) { return !g.in_use; });
      if (free == tables_.groups + kGroupsMax)
        return fail("no place for target group " + group.name);
      const auto index = static_cast<uint16_t>(free - tables_.groups);
      clear_rows({&tables_.rows[index * kRowsPerGroup], kRowsPerGroup});
      at = groups_.emplace(group.name, index).first;
    }
    write_rows(at->second, group, world, key);
    struct group& place = tables_.groups[at->second];
    std::memcpy(place.name, group.name.data(), group.name.size());
    const auto stickiness = static_cast<uint16_t>(stickiness_of(group));
    if (place.stickiness != stickiness) place.stickiness = stickiness;
    place.in_use = 1;
  }
  return {};
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
        wanted = {h.number, kHintSteer, group->second, 0};
    }
    if (std::memcmp(&wanted, &tables_.hints[i], sizeof(wanted)) != 0) tables_.hints[i] = wanted;
  }
}

void Reconciler::write_rows(uint16_t group, const TargetGroup& config, World& world,
                            const tunnels::siphash_key& key) {
  if (rows_kept_.contains(group)) {
    const bool unknown = std::ranges::any_of(config.targets, [&](const Target& target) {
      return world.health({config.name, target}).state == HealthState::kInitial;
    });
    if (unknown) return;
    rows_kept_.erase(group);
  }
  const bool lost = !config.targets.empty() && group_health(config, world) == GroupHealth::kLost;
  if (lost) lost_groups_.insert(config.name);
  const bool fails_open = lost && failover_of(config).all_unhealthy == AllUnhealthy::kBypass;
  // Before the rows are nobody's, and until they are somebody's again.
  if (fails_open) tables_.groups[group].flags = kGroupFailsOpen;
  std::vector<RendezvousTarget> chosen;
  std::vector<uint16_t> indexes;
  for (const Target& target : new_flows_go_to(config, world)) {
    const auto index = target_index(config.protocol, target);
    if (!index) continue;
    chosen.push_back({rendezvous_id(key, target.address.words, target.port), *index});
    indexes.push_back(*index);
  }
  if (const auto known = candidates_.find(group);
      known == candidates_.end() || known->second != indexes)
    fill_rows({&tables_.rows[group * kRowsPerGroup], kRowsPerGroup}, std::move(chosen),
              static_cast<uint32_t>(host_.now_ms() / 1000));
  if (!fails_open && tables_.groups[group].flags != 0) tables_.groups[group].flags = 0;
  candidates_[group] = std::move(indexes);
}

Result<> Reconciler::write_attachments(const Config& config, const Interfaces& interfaces) {
  for (auto at = attachments_.begin(); at != attachments_.end();) {
    const bool gone = std::ranges::find(config.attachments, at->first, &Attachment::name) ==
                      config.attachments.end();
    if (gone) tables_.attachments[at->second] = {};
    at = gone ? attachments_.erase(at) : std::next(at);
  }
  for (size_t i = 0; i < config.attachments.size(); i++) {
    const Attachment& attachment = config.attachments[i];
    auto at = attachments_.find(attachment.name);
    if (at == attachments_.end()) {
      const auto free = std::find_if(tables_.attachments, tables_.attachments + kAttachmentsMax,
                                     [](const auto& a) { return !a.in_use; });
      if (free == tables_.attachments + kAttachmentsMax)
        return fail("no place for attachment " + attachment.name);
      at = attachments_.emplace(attachment.name, static_cast<uint16_t>(free - tables_.attachments))
               .first;
    }
    const LoadBalancer* lb = config.load_balancer(attachment.load_balancer);
    struct attachment wanted {};
    wanted.endpoint_id = attachment.endpoint_id;
    wanted.attachment_id = attachment.attachment_id;
    wanted.interface[0] = interfaces.attachments[i].outside;
    wanted.interface[1] = interfaces.attachments[i].inside;
    wanted.group = kNone16;
    if (lb != nullptr && !lb->listeners.empty()) {
      const Listener& listener = lb->listeners[0];
      wanted.flags = (resets_when_idle(listener) ? kAttachmentResets : 0) |
                     (drops_unknown_tcp(listener) ? kAttachmentDropsUnknown : 0);
      wanted.group = group_index(listener.default_action.target_group).value_or(kNone16);
    }
    wanted.in_use = 1;
    auto& place = tables_.attachments[at->second];
    if (std::memcmp(&place, &wanted, sizeof(wanted)) != 0) place = wanted;
  }
  return {};
}

void Reconciler::set_port(uint32_t interface_index, uint16_t role, uint16_t attachment) {
  if (interface_index == 0) return;
  port& place = tables_.ports[interface_index];
  if (place.role != role || place.attachment != attachment) place = {role, attachment, 0};
}

Result<> Reconciler::write_ports(const Config& config, const Interfaces& interfaces) {
  std::set<uint32_t> wanted(interfaces.tunnels.begin(), interfaces.tunnels.end());
  for (uint32_t index : interfaces.tunnels) set_port(index, kPortTunnel, kNone16);
  for (size_t i = 0; i < config.attachments.size(); i++) {
    const uint16_t attachment = attachments_.find(config.attachments[i].name)->second;
    const auto [outside, inside] = interfaces.attachments[i];
    set_port(outside, kPortOutside, attachment);
    set_port(inside, kPortInside, attachment);
    wanted.insert({outside, inside});
  }
  wanted.erase(0);
  for (auto at = ports_.begin(); at != ports_.end();) {
    if (wanted.contains(*at)) {
      ++at;
      continue;
    }
    // An interface that was taken away is detached already; there is nobody to tell.
    (void)host_.detach(*at);
    tables_.ports[*at] = {};
    at = ports_.erase(at);
  }
  for (uint32_t index : wanted) {
    if (ports_.contains(index)) continue;
    if (auto attached = host_.attach(index); !attached) {
      tables_.ports[index] = {};
      return attached;
    }
    ports_.insert(index);
  }
  return {};
}

void Reconciler::detach_all() {
  for (uint32_t index : ports_) {
    (void)host_.detach(index);
    tables_.ports[index] = {};
  }
  ports_.clear();
}

std::string_view Reconciler::attachment_name(uint16_t index) const {
  for (const auto& [name, at] : attachments_)
    if (at == index) return name;
  return {};
}

std::string_view Reconciler::group_name(uint16_t index) const {
  for (const auto& [name, at] : groups_)
    if (at == index) return name;
  return {};
}

std::optional<uint16_t> Reconciler::group_index(std::string_view name) const {
  const auto at = groups_.find(name);
  if (at == groups_.end()) return {};
  return at->second;
}

std::optional<uint16_t> Reconciler::target_index(Protocol protocol, const Target& target) const {
  const auto at = targets_.find({protocol == Protocol::kGeneve, target});
  if (at == targets_.end()) return {};
  return at->second.index;
}

std::optional<uint64_t> Reconciler::draining_ms(uint16_t target) const {
  for (const auto& [key, slot] : targets_) {
    if (slot.index != target || !slot.drain_until_ms) continue;
    const uint64_t now = host_.now_ms();
    return *slot.drain_until_ms > now ? *slot.drain_until_ms - now : 0;
  }
  return {};
}

}  // namespace sluice::gateway
