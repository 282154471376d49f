// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_appliance.h"

#include <algorithm>
#include <utility>

#include "appliances/sdk/counters.h"
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
  // `stats` may be null: there are no such events.
  InspectingAppliance(std::unique_ptr<Inspector> inspector, const inspect::Engine& engine,
                      std::shared_ptr<StatsLog> stats, inspect::Sink& eve)
      : inspector_(std::move(inspector)), stats_(std::move(stats)), eve_(eve) {
    note_rules(engine);
    if (stats_) worker_ = stats_->join();
  }

  sdk::Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    const auto verdict =
        inspector_->inspect(packet.ip, packet.time_us, responses_, frame_of(packet));
    for (size_t i = 0; i < responses_.count(); i++) injector.inject(responses_[i]);
    if (verdict == Inspector::Verdict::kDrop) return sdk::Answer::kDrop;
    inspect::clear_urgent(packet.ip);
    return sdk::Answer::kReturn;
  }

  void count_in(const sdk::Counters& counters) override { received_ = &counters; }

  void tick(int64_t time_us) override {
    if (stats_) stats_->tell(worker_, stats(), time_us, eve_);
    inspector_->tick(time_us);
  }

  void finish(int64_t time_us) override {
    inspector_->finish(time_us);
    if (stats_) stats_->leave(worker_, stats(), time_us, eve_);
    eve_.flush();
  }

  void use(std::shared_ptr<const inspect::Engine> engine, inspect::InspectorParts& parts) override {
    note_rules(*engine);
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
  void note_rules(const inspect::Engine& engine) {
    rules_loaded_ = engine.size();
    rules_failed_ = engine.refused().size();
    rules_skipped_ = engine.skipped().size();
  }
  WorkerStats stats() {
    WorkerStats out{numbers(), rules_loaded_, rules_failed_, rules_skipped_, received_ != nullptr};
    if (!out.live) return out;
    out.packets_received = received_->received.get();
    out.packets_lost = received_->receive_overflow.get();
    return out;
  }

  std::unique_ptr<Inspector> inspector_;
  const std::shared_ptr<StatsLog> stats_;
  size_t worker_ = 0;  // of stats_
  size_t rules_loaded_ = 0;
  size_t rules_failed_ = 0;
  size_t rules_skipped_ = 0;
  const sdk::Counters* received_ = nullptr;  // nullptr: it is not live
  inspect::Sink& eve_;
  inspect::Responses responses_;
};

}  // namespace

Result<std::shared_ptr<const inspect::Engine>> load_rules(const IdsOptions& options) {
  return inspect::Engine::create(options.rules);
}

std::shared_ptr<StatsLog> make_stats_log(const IdsOptions& options) {
  const inspect::EventOptions& events = options.inspection.events;
  if (!events.types.has(inspect::EventType::kStats)) return nullptr;
  return std::make_shared<StatsLog>(options.stats, events.sensor_name);
}

Result<std::unique_ptr<IdsAppliance>> make_ids(const std::shared_ptr<const inspect::Engine>& engine,
                                               const IdsOptions& options, inspect::Sink& eve,
                                               std::shared_ptr<StatsLog> stats) {
  if (!stats) stats = make_stats_log(options);
  SLUICE_TRY(auto inspector, Inspector::create(engine, options.inspection, eve));
  return std::make_unique<InspectingAppliance>(std::move(inspector), *engine, std::move(stats),
                                               eve);
}

Result<std::unique_ptr<IdsAppliance>> make_ids(const IdsOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto engine, load_rules(options));
  return make_ids(engine, options, eve);
}

}  // namespace sluice::ids
