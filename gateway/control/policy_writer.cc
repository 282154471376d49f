// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/policy_writer.h"

#include <algorithm>
#include <cstring>

#include "gateway/control/attributes.h"
#include "gateway/control/zones.h"

namespace sluice::gateway {
namespace {

// Of the draws, the part that `part` of `whole` is: those up to and with this.
uint32_t last_draw(uint64_t part, uint64_t whole) {
  return static_cast<uint32_t>((part << 32) / whole - 1);
}

// The same on every gateway that has a rule of this name.
uint32_t salt_of(std::string_view name) { return static_cast<uint32_t>(zone_id(name) >> 16); }

bool holds_at(const PolicyRule& rule, const Attachment& attachment) {
  return rule.attachments.empty() ||
         std::ranges::find(rule.attachments, attachment.name) != rule.attachments.end();
}

const Listener* weighted_listener(const LoadBalancer& lb) {
  if (lb.type != LoadBalancerType::kGateway || lb.listeners.empty()) return nullptr;
  const Listener& listener = lb.listeners[0];
  return listener.default_action.weighted.empty() ? nullptr : &listener;
}

// The coarsest stickiness of its groups: what belongs together at one of them draws together.
uint8_t form_of(const PolicyRule& rule, const Config& config) {
  auto form = static_cast<uint8_t>(kFlowHash5Tuple);
  for (const Action& hop : rule.hops)
    for (const WeightedGroup& group : groups_of(hop))
      if (const TargetGroup* known = config.target_group(group.target_group))
        form = std::max(form, static_cast<uint8_t>(stickiness_of(*known)));
  return form;
}

void set_prefix(const Prefix& prefix, __u32 (&address)[4], __u32 (&mask)[4]) {
  uint8_t bits[16] = {};
  for (int i = 0; i < prefix.length; i++) bits[i / 8] |= static_cast<uint8_t>(0x80 >> i % 8);
  std::memcpy(mask, bits, sizeof(mask));
  for (int i = 0; i < 4; i++) address[i] = prefix.address.words[i] & mask[i];
}

template <class Value>
std::vector<const Value*> each_or_none(const std::vector<Value>& values) {
  std::vector<const Value*> out;
  for (const Value& value : values) out.push_back(&value);
  if (out.empty()) out.push_back(nullptr);
  return out;
}

// One entry for each combination of sources, destinations and ports.
void add_entries(const PolicyRule& rule, const policy_entry& form, std::vector<policy_entry>& out) {
  for (const Prefix* source : each_or_none(rule.sources))
    for (const Prefix* destination : each_or_none(rule.destinations)) {
      if (source != nullptr && destination != nullptr &&
          source->address.version != destination->address.version)
        continue;
      for (const PortRange* ports : each_or_none(rule.ports)) {
        policy_entry& entry = out.emplace_back(form);
        if (source != nullptr) set_prefix(*source, entry.source, entry.source_mask);
        if (destination != nullptr)
          set_prefix(*destination, entry.destination, entry.destination_mask);
        if (source != nullptr || destination != nullptr)
          entry.version = (source != nullptr ? source : destination)->address.version;
        if (ports != nullptr) {
          entry.port_first = ports->first;
          entry.port_last = ports->last;
        }
      }
    }
}

// Its hops, and then where its copies go.
std::vector<Action> stops_of(const PolicyRule& rule) {
  std::vector<Action> out = rule.hops;
  if (rule.mirror) out.emplace_back().target_group = rule.mirror->target_group;
  return out;
}

policy_hop make_hop(const Action& hop, const std::vector<uint16_t>& groups) {
  policy_hop out{};
  const std::vector<WeightedGroup> weighted = groups_of(hop);
  uint64_t sum = 0, upto = 0;
  for (const WeightedGroup& group : weighted) sum += group.weight;
  for (size_t i = 0; i < weighted.size() && i < kHopGroupsMax; i++) {
    if (weighted[i].weight == 0) continue;
    upto += weighted[i].weight;
    out.upto[out.groups] = last_draw(upto, sum);
    out.group[out.groups++] = groups[i];
  }
  return out;
}

}  // namespace

std::set<std::string> policy_groups(const Config& config, const Attachment* at) {
  std::set<std::string> out;
  for (const PolicyRule& rule : config.gateway.policy) {
    if (at != nullptr && !holds_at(rule, *at)) continue;
    for (const Action& hop : rule.hops)
      for (const WeightedGroup& group : groups_of(hop)) out.insert(group.target_group);
    if (rule.mirror) out.insert(rule.mirror->target_group);
  }
  return out;
}

bool has_policy(const Config& config, const Attachment& attachment) {
  const LoadBalancer* lb = config.load_balancer(attachment.load_balancer);
  return (lb != nullptr && weighted_listener(*lb) != nullptr) ||
         std::ranges::any_of(config.gateway.policy,
                             [&](const PolicyRule& rule) { return holds_at(rule, attachment); });
}

Result<> PolicyWriter::write(const Config& config, const Places& places) {
  Copy wanted{std::vector<policy_rule>(kPolicySlots), {}, {}};
  for (const PolicyRule& rule : config.gateway.policy) {
    Attachments scope;
    for (const Attachment& attachment : config.attachments)
      if (holds_at(rule, attachment)) scope.push_back(&attachment);
    SLUICE_TRY_VOID(add(rule, false, scope, config, places, wanted));
  }
  for (const LoadBalancer& lb : config.load_balancers) {
    const Listener* listener = weighted_listener(lb);
    if (listener == nullptr) continue;
    Attachments scope;
    for (const Attachment& attachment : config.attachments)
      if (attachment.load_balancer == lb.name) scope.push_back(&attachment);
    PolicyRule rule;
    rule.name = lb.name;
    rule.hops.push_back(listener->default_action);
    SLUICE_TRY_VOID(add(rule, true, scope, config, places, wanted));
  }
  if (wanted.entries.size() > kPolicyEntriesMax)
    return fail("the policy and the weights of listeners need " +
                std::to_string(wanted.entries.size()) + " entries; at most " +
                std::to_string(int{kPolicyEntriesMax}) + " are possible");
  wanted.rules[0].zone = last_;
  wanted.rules[0].mirror = std::ranges::any_of(
      config.gateway.policy, [](const PolicyRule& rule) { return rule.mirror.has_value(); });
  std::erase_if(places_, [&](const auto& known) { return !wanted.names.contains(known.first); });
  if (is_written(wanted)) return {};
  const uint32_t copy = 1 - copy_in_use();
  std::ranges::copy(wanted.rules, tables_.policy_rules + size_t{copy} * kPolicySlots);
  std::ranges::copy(wanted.entries, tables_.policy_entries + size_t{copy} * kPolicyEntriesMax);
  const uint64_t first = uint64_t{copy} * kPolicyEntriesMax;
  __atomic_store_n(&tables_.settings[0].policy, first << 32 | wanted.entries.size(),
                   __ATOMIC_RELEASE);
  return {};
}

// The attachments of a rule by the groups that they have for it: those of their zones.
Result<> PolicyWriter::add(const PolicyRule& rule, bool of_listener, const Attachments& scope,
                           const Config& config, const Places& places, Copy& out) {
  struct Variant {
    Attachments scope;
    std::vector<std::vector<uint16_t>> groups;  // by stop
  };
  std::map<std::string, Variant> variants;
  for (const Attachment* attachment : scope) {
    std::string zones;
    std::vector<std::vector<uint16_t>> groups;
    for (const Action& stop : stops_of(rule)) {
      // What flows know their rule by does not change when copies are made or no longer: an
      // attachment has one zone, which a mirror tells only if no hop does.
      const bool names = groups.size() < rule.hops.size() || zones.empty();
      auto& of_stop = groups.emplace_back();
      for (const WeightedGroup& weighted : groups_of(stop)) {
        const TargetGroup* group = config.target_group(weighted.target_group);
        if (group == nullptr)
          return fail("there is no target group '" + weighted.target_group + "'");
        const std::string_view zone = zone_of_endpoint(config, *attachment, *group);
        of_stop.push_back(places.group(*group, zone));
        if (names && !zone.empty()) zones.append(group->name).append("/").append(zone).append(",");
      }
    }
    Variant& variant = variants[zones];
    variant.scope.push_back(attachment);
    variant.groups = std::move(groups);
  }
  for (const auto& [zones, variant] : variants)
    SLUICE_TRY_VOID(add(rule, Name{rule.name, zone_id(zones), of_listener}, variant.scope,
                        variant.groups, config, places, out));
  return {};
}

Result<> PolicyWriter::add(const PolicyRule& rule, const Name& name, const Attachments& scope,
                           const std::vector<std::vector<uint16_t>>& groups, const Config& config,
                           const Places& places, Copy& out) {
  SLUICE_TRY(const uint8_t place, place_of(name, out));
  out.names.insert(name);
  policy_rule& r = out.rules[place];
  std::memcpy(r.name, rule.name.data(), std::min(rule.name.size(), sizeof(r.name)));
  r.zone = name.zone;
  r.of_listener = name.of_listener;
  r.in_use = 1;
  r.action = static_cast<uint16_t>(rule.decision);
  r.form = form_of(rule, config);
  r.salt = salt_of(rule.name);
  r.hops = static_cast<uint16_t>(rule.hops.size());
  for (size_t i = 0; i < rule.hops.size() && i < kChainHopsMax; i++)
    r.hop[i] = make_hop(rule.hops[i], groups[i]);
  if (rule.mirror && groups.back()[0] != kNone16) {
    r.mirror = static_cast<uint16_t>(groups.back()[0] + 1);
    r.shadow = rule.mirror->compared;
  }

  policy_entry entry{};
  for (const Attachment* attachment : scope) {
    const uint16_t at = places.attachment(*attachment);
    if (at < kAttachmentsMax) entry.attachments[at / 64] |= uint64_t{1} << at % 64;
  }
  entry.port_last = 0xffff;
  entry.protocol = rule.protocol.value_or(kPolicyAnyProtocol);
  entry.rule = place;
  entry.form = static_cast<uint8_t>(r.form);
  entry.share = last_draw(rule.percentage, 100);
  entry.salt = r.salt;
  add_entries(rule, entry, out.entries);
  return {};
}

// The rule's place, or one that is free and has been for long.
Result<uint8_t> PolicyWriter::place_of(const Name& name, const Copy& copy) {
  if (const auto at = places_.find(name); at != places_.end()) return at->second;
  for (uint32_t i = 1; i < kPolicySlots; i++) {
    const auto place = static_cast<uint8_t>((last_ + i) % kPolicySlots);
    const bool taken =
        std::ranges::any_of(places_, [&](const auto& known) { return known.second == place; });
    if (place == 0 || taken || copy.rules[place].in_use) continue;
    last_ = place;
    tables_.policy_counters[place] = {};
    tables_.mirror_counters[place] = {};
    places_.emplace(name, place);
    return place;
  }
  return fail("no place for rule " + name.rule + " of the policy: it has " +
              std::to_string(kPolicySlots - 1) + ", and rules need one for each zone");
}

bool PolicyWriter::is_written(const Copy& wanted) const {
  const uint32_t copy = copy_in_use();
  const policy_rule* rules = tables_.policy_rules + size_t{copy} * kPolicySlots;
  const policy_entry* entries = tables_.policy_entries + size_t{copy} * kPolicyEntriesMax;
  const auto count = static_cast<uint32_t>(tables_.settings[0].policy);
  return count == wanted.entries.size() &&
         std::memcmp(rules, wanted.rules.data(), sizeof(policy_rule) * kPolicySlots) == 0 &&
         (count == 0 ||
          std::memcmp(entries, wanted.entries.data(), sizeof(policy_entry) * count) == 0);
}

void PolicyWriter::take_over() {
  const policy_rule* rules = tables_.policy_rules + size_t{copy_in_use()} * kPolicySlots;
  // Flows may still have a rule that was removed: the next one gets the place that is free longest.
  last_ = static_cast<uint8_t>(rules[0].zone);
  for (uint32_t i = 1; i < kPolicySlots; i++) {
    if (!rules[i].in_use) continue;
    const auto* name = reinterpret_cast<const char*>(rules[i].name);
    places_.emplace(Name{std::string(name, strnlen(name, kPolicyNameLength)), rules[i].zone,
                         rules[i].of_listener != 0},
                    static_cast<uint8_t>(i));
  }
}

std::string_view PolicyWriter::rule_name(uint8_t place) const {
  if (place == 0) return {};
  const policy_rule& rule = tables_.policy_rules[size_t{copy_in_use()} * kPolicySlots + place];
  if (!rule.in_use) return "(gone)";
  if (rule.of_listener) return {};
  const auto* name = reinterpret_cast<const char*>(rule.name);
  return {name, strnlen(name, kPolicyNameLength)};
}

template <class Counters>
Counters PolicyWriter::sum(const Counters* of_places, std::string_view rule) const {
  Counters out{};
  for (const auto& [name, place] : places_) {
    if (name.rule != rule || name.of_listener) continue;
    const auto* from = reinterpret_cast<const __u64*>(&of_places[place]);
    auto* to = reinterpret_cast<__u64*>(&out);
    for (size_t i = 0; i < sizeof(Counters) / sizeof(__u64); i++) to[i] += from[i];
  }
  return out;
}

policy_counters PolicyWriter::count(std::string_view rule) const {
  return sum(tables_.policy_counters, rule);
}

mirror_counters PolicyWriter::count_mirrored(std::string_view rule) const {
  return sum(tables_.mirror_counters, rule);
}

uint16_t PolicyWriter::mirror_of(uint8_t place) const {
  const policy_rule& rule = tables_.policy_rules[size_t{copy_in_use()} * kPolicySlots + place];
  return place == 0 || !rule.in_use || rule.mirror == 0 ? uint16_t{kNone16}
                                                        : static_cast<uint16_t>(rule.mirror - 1);
}

}  // namespace sluice::gateway
