// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_appliance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"
#include "inspect/stream/urgent.h"

namespace sluice::ids {
namespace {

using inspect::Inspector;

inspect::Frame frame_of(const sdk::Packet& packet) {
  inspect::Frame frame;
  frame.endpoint = packet.endpoint_id;
  frame.waited_us = packet.waited_us;
  if (packet.frame == nullptr) return frame;
  const sdk::CapturedFrame& from = *packet.frame;
  frame.number = from.number;
  std::ranges::copy(from.vlans, frame.vlans);
  frame.length = from.length;
  frame.header = from.header;
  frame.link_type = from.link_type;
  return frame;
}

class InspectingAppliance final : public IdsAppliance {
 public:
  InspectingAppliance(std::unique_ptr<Inspector> inspector, bool writes_stats, inspect::Sink& eve)
      : inspector_(std::move(inspector)), writes_stats_(writes_stats), eve_(eve) {}

  sdk::Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    const auto verdict =
        inspector_->inspect(packet.ip, packet.time_us, responses_, frame_of(packet));
    for (size_t i = 0; i < responses_.count(); i++) injector.inject(responses_[i]);
    if (verdict == Inspector::Verdict::kDrop) return sdk::Answer::kDrop;
    inspect::clear_urgent(packet.ip);
    return sdk::Answer::kReturn;
  }

  void tick(int64_t time_us) override { inspector_->tick(time_us); }

  void finish(int64_t time_us) override {
    inspector_->finish(time_us);
    if (writes_stats_) write_stats(time_us);
    eve_.flush();
  }

  void use(std::shared_ptr<const inspect::Engine> engine, inspect::InspectorParts& parts) override {
    inspector_->use(std::move(engine), parts);
  }
  IdsNumbers numbers() override { return numbers_of(*inspector_); }
  MemoryReport memory() const override {
    return {inspector_->flows(),         inspector_->held(),     inspector_->held_max(),
            inspector_->scratch_bytes(), inspector_->app_held(), inspector_->sessions_held()};
  }
  std::vector<inspect::LatencyGuard::SlowRule> slow_rules() const override {
    const inspect::LatencyGuard* const guard = inspector_->latency();
    return guard != nullptr ? guard->suspended() : std::vector<inspect::LatencyGuard::SlowRule>{};
  }

 private:
  void write_stats(int64_t time_us);

  std::unique_ptr<Inspector> inspector_;
  const bool writes_stats_;
  inspect::Sink& eve_;
  inspect::Responses responses_;
};

void InspectingAppliance::write_stats(int64_t time_us) {
  inspect::JsonLine line;
  inspect::begin_event(line, time_us, "stats", 0, {});
  line.members("\"stats\":" + stats_of(numbers()).dump());
  eve_.write(line.finish());
}

}  // namespace

Result<std::shared_ptr<const inspect::Engine>> load_rules(const IdsOptions& options) {
  return inspect::Engine::create(options.rules);
}

Result<std::unique_ptr<IdsAppliance>> make_ids(std::shared_ptr<const inspect::Engine> engine,
                                               const IdsOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto inspector, Inspector::create(std::move(engine), options.inspection, eve));
  return std::make_unique<InspectingAppliance>(
      std::move(inspector), options.inspection.events.types.has(inspect::EventType::kStats), eve);
}

Result<std::unique_ptr<IdsAppliance>> make_ids(const IdsOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto engine, load_rules(options));
  return make_ids(std::move(engine), options, eve);
}

}  // namespace sluice::ids
