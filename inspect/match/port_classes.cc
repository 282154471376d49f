// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/port_classes.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <optional>

namespace sluice::inspect {
namespace {

constexpr uint32_t kPorts = 65536;
// A rule that names more is about any port.
constexpr size_t kPortsNamedMax = kPorts / 2;
using Ports = std::bitset<kPorts>;

Ports ports_of(const PortList& list) {
  Ports positive;
  Ports negated;
  bool positives = false;
  for (const auto& entry : list.entries) {
    positives |= !entry.negated;
    Ports& into = entry.negated ? negated : positive;
    if (entry.leaf.empty()) {
      into |= ports_of(entry.list.front());
    } else {
      for (uint32_t p = entry.leaf.front().first; p <= entry.leaf.front().last; p++) into.set(p);
    }
  }
  if (!positives) positive.set();
  return positive & ~negated;
}

struct Named {
  uint32_t rule;
  size_t count;
  std::vector<uint16_t> ports;  // not of more than kPortsNamedMax
};

Named named_by(const PortRule& rule) {
  if (rule.ports->any()) return {rule.rule, kPorts, {}};
  const Ports ports = ports_of(*rule.ports);
  Named named{rule.rule, ports.count(), {}};
  if (named.count > kPortsNamedMax) return named;
  named.ports.reserve(named.count);
  for (uint32_t p = 0; named.ports.size() < named.count; p++) {
    if (ports[p]) named.ports.push_back(static_cast<uint16_t>(p));
  }
  return named;
}

// Splits the ports until each rule has all of a class or none of it.
std::vector<uint32_t> refined(const std::vector<Named>& rules, size_t widest) {
  std::vector<uint32_t> class_of(kPorts, 0);
  uint32_t next = 1;
  for (const Named& named : rules) {
    if (named.count > widest) continue;
    std::map<uint32_t, uint32_t> split;  // the old class -> its part that is named
    for (const uint16_t port : named.ports) {
      const auto [part, is_new] = split.try_emplace(class_of[port], next);
      next += is_new;
      class_of[port] = part->second;
    }
  }
  return class_of;
}

// Nothing if there are too many classes.
std::optional<PortClasses> classify(const std::vector<Named>& rules, size_t widest) {
  const auto is_narrow = [&](const Named& named) { return named.count <= widest; };
  if (std::none_of(rules.begin(), rules.end(), is_narrow)) {
    PortClasses all;
    for (const Named& named : rules) all.any.push_back(named.rule);
    return all;
  }
  const std::vector<uint32_t> fine = refined(rules, widest);
  std::map<uint32_t, uint8_t> numbers{{0, 0}};
  PortClasses out;
  out.class_of.reserve(kPorts);
  for (const uint32_t of : fine) {
    const auto number = numbers.try_emplace(of, static_cast<uint8_t>(numbers.size())).first;
    if (numbers.size() > kPortClassesMax) return std::nullopt;
    out.class_of.push_back(number->second);
  }
  out.named.resize(numbers.size());
  for (const Named& named : rules) {
    if (named.count > widest) {
      out.any.push_back(named.rule);
      continue;
    }
    std::bitset<kPortClassesMax> done;
    for (const uint16_t port : named.ports) {
      const uint8_t of = out.class_of[port];
      if (!done[of]) out.named[of].push_back(named.rule);
      done.set(of);
    }
  }
  return out;
}

}  // namespace

PortClasses classify_ports(const std::vector<PortRule>& rules) {
  std::vector<Named> named;
  named.reserve(rules.size());
  for (const PortRule& rule : rules) named.push_back(named_by(rule));
  size_t widest = kPortsNamedMax;
  while (true) {
    if (auto classes = classify(named, widest)) return std::move(*classes);
    widest /= 2;
  }
}

}  // namespace sluice::inspect
