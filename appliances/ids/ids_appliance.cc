// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_appliance.h"

#include <algorithm>

#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"

namespace sluice::ids {
namespace {

using inspect::Inspector;

inspect::Frame frame_of(const sdk::Packet& packet) {
  if (packet.frame == nullptr) return {};
  const sdk::CapturedFrame& from = *packet.frame;
  return {from.number, {from.vlans[0], from.vlans[1]}, from.length, from.header, from.link_type};
}

// By cause and policy: how often.
void write_exceptions(inspect::JsonLine& line, const inspect::ExceptionCounters& counters) {
  line.open("exception_policy");
  for (size_t c = 0; c < inspect::kExceptionCauses; c++) {
    const auto cause = static_cast<inspect::ExceptionCause>(c);
    line.open(inspect::cause_name(cause));
    for (size_t p = 0; p < inspect::kExceptionPolicies; p++) {
      const auto policy = static_cast<inspect::ExceptionPolicy>(p);
      if (can_be(cause, policy))
        line.unsigned_number(inspect::policy_name(policy), counters.get(cause, policy));
    }
    line.close();
  }
  line.close();
}

class IdsAppliance final : public sdk::Appliance {
 public:
  IdsAppliance(std::unique_ptr<Inspector> inspector, bool writes_stats, inspect::Sink& eve)
      : inspector_(std::move(inspector)), writes_stats_(writes_stats), eve_(eve) {}

  sdk::Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    const auto verdict =
        inspector_->inspect(packet.ip, packet.time_us, responses_, frame_of(packet));
    for (size_t i = 0; i < responses_.count(); i++) injector.inject(responses_[i]);
    return verdict == Inspector::Verdict::kPass ? sdk::Answer::kReturn : sdk::Answer::kDrop;
  }

  void tick(int64_t time_us) override { inspector_->tick(time_us); }

  void finish(int64_t time_us) override {
    inspector_->finish(time_us);
    if (writes_stats_) write_stats(time_us);
    eve_.flush();
  }

 private:
  void write_stats(int64_t time_us);

  std::unique_ptr<Inspector> inspector_;
  const bool writes_stats_;
  inspect::Sink& eve_;
  inspect::Responses responses_;
};

void IdsAppliance::write_stats(int64_t time_us) {
  const auto& c = inspector_->counters();
  const auto& stream = inspector_->stream_counters();
  const auto& flows = inspector_->flow_counters();
  inspect::JsonLine line;
  inspect::begin_event(line, time_us, "stats", 0, {});
  line.open("stats");
  line.open("decoder");
  line.unsigned_number("pkts", c.packets);
  line.unsigned_number("bytes", c.bytes);
  line.unsigned_number("invalid", c.dropped_malformed);
  line.close();
  line.open("ips");
  line.unsigned_number("accepted", c.passed + c.passed_by_flow);
  line.unsigned_number("blocked", c.packets - c.passed - c.passed_by_flow);
  line.unsigned_number("rejected", c.rejected);
  line.open("drop_reason");
  line.unsigned_number("decode_error", c.dropped_malformed);
  line.unsigned_number("rules", c.dropped_by_rules);
  line.unsigned_number("flow_drop", c.dropped_by_flow);
  line.unsigned_number("stream_error", c.dropped_stream_error);
  line.unsigned_number("stream_memcap", c.dropped_stream_memory);
  line.unsigned_number("defrag_error", c.dropped_fragment_error);
  line.unsigned_number("defrag_memcap", c.dropped_fragment_memory);
  line.unsigned_number("exception", c.dropped_by_exception);
  line.close();
  write_exceptions(line, inspector_->exception_counters());
  line.close();
  line.open("detect");
  line.unsigned_number("alert", c.alerts);
  line.unsigned_number("alert_queue_overflow", c.alerts_suppressed);
  line.unsigned_number("pending_full", c.pending_full);
  line.unsigned_number("match_limit", inspector_->matcher().cost_limit_hits());
  line.unsigned_number("pcre_limit", inspector_->matcher().regex_limit_hits());
  line.close();
  line.open("flow");
  line.unsigned_number("total", flows.created);
  line.unsigned_number("timed_out", flows.timed_out);
  line.unsigned_number("evicted", flows.evicted);
  line.unsigned_number("encrypted", c.encrypted_flows);
  line.close();
  line.open("tcp");
  line.unsigned_number("bytes_delivered", stream.bytes_delivered);
  line.unsigned_number("segments_held", stream.segments_held);
  line.unsigned_number("gaps", stream.gaps);
  line.unsigned_number("overlap_conflicts", stream.conflicts);
  line.unsigned_number("held_full", stream.held_full);
  line.unsigned_number("depth_reached", stream.depth_reached);
  line.close();
  line.close();
  eve_.write(line.finish());
}

}  // namespace

Result<std::shared_ptr<const inspect::Engine>> load_rules(const IdsOptions& options) {
  return inspect::Engine::create(options.rules);
}

Result<std::unique_ptr<sdk::Appliance>> make_ids(std::shared_ptr<const inspect::Engine> engine,
                                                 const IdsOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto inspector, Inspector::create(std::move(engine), options.inspection, eve));
  return std::make_unique<IdsAppliance>(
      std::move(inspector), options.inspection.events.types.has(inspect::EventType::kStats), eve);
}

Result<std::unique_ptr<sdk::Appliance>> make_ids(const IdsOptions& options, inspect::Sink& eve) {
  SLUICE_TRY(auto engine, load_rules(options));
  return make_ids(std::move(engine), options, eve);
}

}  // namespace sluice::ids
