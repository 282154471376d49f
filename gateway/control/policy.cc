// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/policy.h"

#include <algorithm>

namespace sluice::gateway {

size_t policy_entries_of(const PolicyRule& rule) {
  size_t pairs = 0;
  const auto versions = [](const std::vector<Prefix>& prefixes, int version) {
    return static_cast<size_t>(std::ranges::count_if(
        prefixes, [&](const Prefix& prefix) { return prefix.address.version == version; }));
  };
  if (rule.sources.empty() || rule.destinations.empty()) {
    pairs = std::max<size_t>(1, rule.sources.size() + rule.destinations.size());
  } else {
    for (const int version : {4, 6})
      pairs += versions(rule.sources, version) * versions(rule.destinations, version);
  }
  return pairs * std::max<size_t>(1, rule.ports.size());
}

}  // namespace sluice::gateway
