// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/reports.h"

#include "inspect/eve/event.h"

namespace sluice::inspect {

void Reports::begin(const About& about, std::string_view event_type) {
  begin_event(line_, about.time_us, event_type, about.flow.id, about.view.packet.tuple);
  line_.string("direction", about.direction == Direction::kToServer ? "to_server" : "to_client");
}

void Reports::alert_object(const Rule& rule) {
  write_alert(line_, {.blocked = rule.action == Action::kDrop || rule.action == Action::kReject,
                      .gid = rule.gid,
                      .signature_id = rule.sid,
                      .rev = rule.rev,
                      .signature = rule.msg,
                      .category = rule.category,
                      .severity = rule.priority,
                      .metadata = rule.metadata});
}

void Reports::alert(const About& about, const Rule& rule) {
  begin(about, "alert");
  alert_object(rule);
  write_flow(line_, about.flow);
  sink_.write(line_.finish());
}

void Reports::drop(const About& about, std::string_view reason, const Rule* rule) {
  begin(about, "drop");
  write_drop(line_, about.view.packet.l3_length, reason);
  if (rule != nullptr) alert_object(*rule);
  sink_.write(line_.finish());
}

void Reports::flow_end(const Flow& flow, FlowEnd end, int64_t time_us, bool alerted,
                       std::string_view action) {
  begin_event(line_, time_us, "flow", flow.id, flow.to_server);
  write_ended_flow(line_, flow, end, alerted, action);
  sink_.write(line_.finish());
}

}  // namespace sluice::inspect
