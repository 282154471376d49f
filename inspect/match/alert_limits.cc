// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/alert_limits.h"

#include <algorithm>
#include <iterator>

namespace sluice::inspect {
namespace {

template <class Limit>
UniqueOn unique_on(const Limit& limit) {
  if constexpr (requires { limit.unique_on; }) return limit.unique_on;
  return UniqueOn::kNone;
}

}  // namespace

template <class Limit>
AlertLimits::Key AlertLimits::key(const Rule& rule, const Limit& limit, const Current& current) {
  const tunnels::tuple& t = current.view.packet.tuple;
  auto kinds = static_cast<uint32_t>(limit.track) << 8 | static_cast<uint32_t>(unique_on(limit));
  if constexpr (requires { limit.type; }) kinds |= (static_cast<uint32_t>(limit.type) + 1) << 16;
  if constexpr (requires { limit.timeout_seconds; }) kinds |= 1u << 24;
  Key key{rule.id(), {limit.count, limit.seconds, kinds}, {}};
  const auto put = [&](const uint32_t(&address)[4], size_t at) {
    std::copy(std::begin(address), std::end(address), key.tracked.begin() + static_cast<int>(at));
  };
  switch (limit.track) {
    case Track::kBySource:
      put(t.source, 0);
      break;
    case Track::kByDestination:
      put(t.destination, 0);
      break;
    case Track::kByBoth: {  // a pair, whoever speaks
      const bool turned = std::ranges::lexicographical_compare(t.destination, t.source);
      put(turned ? t.destination : t.source, 0);
      put(turned ? t.source : t.destination, 4);
      break;
    }
    case Track::kByFlow:
      key.tracked[0] = static_cast<uint32_t>(current.flow.id);
      key.tracked[1] = static_cast<uint32_t>(current.flow.id >> 32);
      break;
    case Track::kByRule:
      break;
  }
  return key;
}

template <class Limit>
AlertLimits::Count& AlertLimits::count(const Rule& rule, const Limit& limit,
                                       const Current& current) {
  const Key key = AlertLimits::key(rule, limit, current);
  if (counts_.size() == kCountsMax && !counts_.contains(key)) make_room();
  const auto [place, is_new] = counts_.try_emplace(key);
  Count& out = place->second;
  // As in Suricata, the end is still in the window.
  if (is_new || current.time_us > out.end_us) {
    if (!is_new) by_end_.erase({out.end_us, key});
    out = Count{current.time_us, current.time_us + int64_t{limit.seconds} * 1'000'000, 0,
                std::move(out.ports)};
    if (out.ports) out.ports->reset();
    by_end_.emplace(out.end_us, key);
  }
  const uint16_t port = unique_on(limit) == UniqueOn::kSourcePort ? current.view.source_port
                                                                  : current.view.destination_port;
  if (unique_on(limit) == UniqueOn::kNone || is_new_port(out, port)) out.count++;
  return out;
}

bool AlertLimits::is_new_port(Count& count, uint16_t port) {
  if (!count.ports && port_sets_ == kPortSetsMax) {
    port_sets_refused_++;
    return true;
  }
  if (!count.ports) {
    count.ports = std::make_unique<Ports>();
    port_sets_++;
  }
  const bool is_new = !count.ports->test(port);
  count.ports->set(port);
  return is_new;
}

std::optional<Action> AlertLimits::action(const Rule& rule, const Current& current) {
  if (rule.rate_filter && is_over(rule, *rule.rate_filter, current))
    return rule.rate_filter->new_action;
  if (!rule.detection_filter) return rule.action;
  const DetectionFilter& filter = *rule.detection_filter;
  if (count(rule, filter, current).count <= filter.count) return std::nullopt;
  return rule.action;
}

bool AlertLimits::is_over(const Rule& rule, const RateFilter& filter, const Current& current) {
  Count& counted = count(rule, filter, current);
  if (counted.over || counted.count <= filter.count) return counted.over;
  const Key its = key(rule, filter, current);
  counted.over = true;
  by_end_.erase({counted.end_us, its});
  counted.end_us = current.time_us + int64_t{filter.timeout_seconds} * 1'000'000;
  by_end_.emplace(counted.end_us, its);
  return true;
}

std::optional<AlertLimits::Effect> AlertLimits::effect(const Rule& rule, const Current& current) {
  const auto action = AlertLimits::action(rule, current);
  if (!action) return std::nullopt;
  const tunnels::tuple& t = current.view.packet.tuple;
  for (const auto& suppression : rule.suppressions) {
    if (suppression->holds({t.source, t.version}, {t.destination, t.version}))
      return Effect{*action, false};
  }
  if (!rule.threshold) return Effect{*action, true};
  const auto speaks = reach(rule, *rule.threshold, current);
  return speaks ? std::optional(Effect{*action, *speaks}) : std::nullopt;
}

std::optional<bool> AlertLimits::reach(const Rule& rule, const Threshold& threshold,
                                       const Current& current) {
  Count& counted = count(rule, threshold, current);
  if (threshold.type == Threshold::Type::kLimit) return counted.count <= threshold.count;
  if (counted.count < threshold.count) return std::nullopt;
  if (threshold.type == Threshold::Type::kBoth) return counted.count == threshold.count;
  counted.count = 0;
  if (counted.ports) counted.ports->reset();
  return true;
}

void AlertLimits::make_room() {
  forget_first();
  forgotten_++;
}

void AlertLimits::expire(int64_t now_us) {
  while (!by_end_.empty() && by_end_.begin()->first < now_us) forget_first();
}

void AlertLimits::forget_first() {
  const auto first = counts_.find(by_end_.begin()->second);
  if (first->second.ports) port_sets_--;
  counts_.erase(first);
  by_end_.erase(by_end_.begin());
}

}  // namespace sluice::inspect
