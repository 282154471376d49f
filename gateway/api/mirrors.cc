// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/mirrors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/control/controller.h"
#include "gateway/datapath/mirror_counts.h"
#include "tunnels/metrics_page.h"

namespace sluice::gateway {
nlohmann::json describe_mirror(const Controller& controller, const PolicyRule& rule) {
  const mirror_counters count = controller.reconciler().policy().count_mirrored(rule.name);
  nlohmann::json out{{"target_group", rule.mirror->target_group},
                     {"type", rule.mirror->compared ? "shadow" : "mirror"}};
  for (const MirrorColumn& column : kMirrorColumns)
    if (rule.mirror->compared || !column.of_shadow) out[column.name] = count.*column.value;
  return out;
}

void add_mirrors(tunnels::MetricsPage& page, const Controller& controller) {
  const auto& policy = controller.config().gateway.policy;
  if (std::ranges::none_of(policy, [](const PolicyRule& rule) { return rule.mirror.has_value(); }))
    return;
  auto family = page.counter("sluice_mirror_packets_total",
                             "Packets of a rule's mirror or shadow, by what became of them.");
  for (const PolicyRule& rule : policy) {
    if (!rule.mirror) continue;
    const mirror_counters count = controller.reconciler().policy().count_mirrored(rule.name);
    for (const MirrorColumn& column : kMirrorColumns)
      if (rule.mirror->compared || !column.of_shadow)
        family.sample(count.*column.value, {{"rule", rule.name}, {"result", column.name}});
  }
}

}  // namespace sluice::gateway
