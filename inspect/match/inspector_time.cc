// SPDX-License-Identifier: Apache-2.0
// The part of Inspector that follows time: flows that end, are silent, or must make room.
#include <algorithm>
#include <utility>

#include "inspect/match/inspector.h"

namespace sluice::inspect {

void Inspector::end_application(Flows::Record& flow) {
  transactions_.begin_end_of(flow, now_us_);
  in_each_reading(flow, [&] {
    if (!flow.user.app) return;
    for (const Direction direction : {Direction::kToServer, Direction::kToClient})
      flow.user.app->end(direction, transactions_);
  });
}

void Inspector::on_flow_end(Flows::Record& flow, FlowEnd end) {
  const Frame* const frame = reports_.set_frame(nullptr);
  end_application(flow);
  const Decision decision = flow.user.decision;
  const std::string_view action = decision == Decision::kDrop   ? "drop"
                                  : decision == Decision::kPass ? "pass"
                                                                : "";
  const std::string exceptions = exceptions_text(options_.exceptions, flow.user.exceptions);
  reports_.flow_end(flow,
                    {flow.user.app_protocol, flow.user.of_server, flow.user.first_protocol, end,
                     flow.user.alerted, action, flow.user.notes.get(), exceptions},
                    now_us_);
  reports_.set_frame(frame);
}

void Inspector::rest(Flows::Record& flow) {
  in_each_reading(flow, [&] {
    if (flow.user.app) flow.user.app->rest();
    if (!flow.user.tcp) return;
    for (StreamInspection& side : flow.user.tcp->sides) side.rest();
  });
}

// So that whoever opens many connections and keeps them holds up nobody: room is taken from those
// that have been silent longest. Each is asked once until its next packet.
void Inspector::relieve() {
  const auto take_from = [&](FlowSweep sweep, auto is_needed, auto take) {
    flows_.sweep(sweep, kCutPerPacketMax, [&](Flows::Record& flow) {
      if (!is_needed()) return false;
      if (flow.user.tcp)
        for (StreamInspection& side : flow.user.tcp->sides) take(side.stream);
      return true;
    });
  };
  take_from(
      FlowSweep::kCut, [&] { return budget_.is_short(); }, [](TcpStream& stream) { stream.cut(); });
  take_from(
      FlowSweep::kForget, [&] { return budget_.is_nearly_gone(); },
      [](TcpStream& stream) { stream.forget(); });
}

void Inspector::tick(int64_t time_us) {
  now_us_ = std::max(now_us_, time_us);
  flows_.expire(now_us_);
  flows_.rest(now_us_, kRestAfterUs, [this](Flows::Record& flow) { rest(flow); });
  check_.host_bits().expire(now_us_);
  verdicts_.tick(now_us_);
  reports_.sink().flush();
}

void Inspector::finish(int64_t time_us) {
  now_us_ = std::max(now_us_, time_us);
  flows_.end_all(FlowEnd::kShutdown);
  reports_.sink().flush();
}

}  // namespace sluice::inspect
