// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/profile.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "appliances/sdk/capture.h"
#include "inspect/match/rule_profile.h"

namespace sluice::ids {
namespace {

struct NoEvents final : inspect::Sink {
  void write(std::string_view) override {}
};

struct Inspecting final : sdk::Appliance {
  explicit Inspecting(inspect::Inspector& its_inspector) : inspector(its_inspector) {}
  sdk::Answer handle(sdk::Packet& packet, sdk::Injector&) override {
    (void)inspector.inspect(packet.ip, packet.time_us, responses);
    return sdk::Answer::kReturn;
  }
  void tick(int64_t time_us) override { inspector.tick(time_us); }
  void finish(int64_t time_us) override { inspector.finish(time_us); }

  inspect::Inspector& inspector;
  inspect::Responses responses;
};

std::string table(const inspect::Engine& engine, const std::vector<inspect::RuleCost>& costs) {
  std::vector<uint32_t> tried;
  uint64_t all = 0;
  for (uint32_t i = 0; i < costs.size(); i++) {
    if (costs[i].tries != 0) tried.push_back(i);
    all += costs[i].cost;
  }
  std::ranges::stable_sort(tried, std::greater{}, [&](uint32_t i) { return costs[i].cost; });
  std::string out = "      cost  share     tries   matches        sid  msg\n";
  for (size_t i = 0; i < std::min(tried.size(), kProfiledMax); i++) {
    const inspect::RuleCost& cost = costs[tried[i]];
    const inspect::Rule& rule = engine.rule(tried[i]).rule;
    char line[80];
    std::snprintf(
        line, sizeof(line), "%10lu %5.1f%% %9lu %9lu %10u  ", cost.cost,
        100.0 * static_cast<double>(cost.cost) / static_cast<double>(std::max<uint64_t>(all, 1)),
        cost.tries, cost.matches, rule.sid);
    out += line + rule.msg + "\n";
  }
  return out + std::to_string(tried.size()) + " of " + std::to_string(engine.size()) +
         " rules were tried\n";
}

}  // namespace

Result<std::string> profile_rules(const std::shared_ptr<const inspect::Engine>& engine,
                                  const IdsOptions& options, const std::string& capture) {
  NoEvents events;
  inspect::InspectorOptions inspection = options.inspection;
  inspection.profile = true;
  SLUICE_TRY(const auto inspector, inspect::Inspector::create(engine, inspection, events));
  Inspecting appliance(*inspector);
  SLUICE_TRY_VOID(sdk::run_capture(capture, appliance));
  return table(*engine, inspector->profile()->costs());
}

}  // namespace sluice::ids
