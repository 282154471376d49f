// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/reports.h"

#include "inspect/app/tracked_file.h"
#include "inspect/eve/event.h"

namespace sluice::inspect {

namespace {

bool is_known(AppProtocol protocol) { return protocol != AppProtocol::kUnknown; }

tunnels::tuple turned(const tunnels::tuple& t) {
  tunnels::tuple out = t;
  std::swap(out.source, out.destination);
  std::swap(out.source_port, out.destination_port);
  return out;
}

}  // namespace

void Reports::begin(const About& about, std::string_view event_type) {
  begin_event(line_, about.time_us, event_type, about.flow.id, about.view.packet.tuple);
  if (is_known(about.app_protocol))
    line_.string("app_proto", app_protocol_name(about.app_protocol));
  line_.string("direction", about.direction == Direction::kToServer ? "to_server" : "to_client");
}

void Reports::alert_object(const Rule& rule, const About& about) {
  const AlertFields fields{
      .blocked = rule.action == Action::kDrop || rule.action == Action::kReject,
      .gid = rule.gid,
      .signature_id = rule.sid,
      .rev = rule.rev,
      .signature = rule.msg,
      .category = rule.category,
      .severity = rule.priority,
      .metadata = rule.metadata,
      .target = rule.target == Target::kNone     ? AlertTarget::kNone
                : rule.target == Target::kSource ? AlertTarget::kSource
                                                 : AlertTarget::kDestination,
      .packet = &about.view.packet.tuple};
  write_alert(line_, fields);
}

void Reports::alert(const About& about, const Rule& rule, std::string_view members) {
  if (!writes(EventType::kAlert)) return;
  begin(about, "alert");
  alert_object(rule, about);
  line_.members(members);
  write_flow(line_, about.flow);
  sink_.write(line_.finish());
}

void Reports::drop(const About& about, std::string_view reason, const Rule* rule) {
  if (!writes(EventType::kDrop)) return;
  begin(about, "drop");
  write_drop(line_, about.view.packet.l3_length, reason);
  if (rule != nullptr) alert_object(*rule, about);
  sink_.write(line_.finish());
}

void Reports::begin_of_flow(std::string_view event_type, const Flow& flow, Direction direction,
                            int64_t time_us) {
  const bool to_server = direction == Direction::kToServer;
  begin_event(line_, time_us, event_type, flow.id,
              to_server ? flow.to_server : turned(flow.to_server));
}

void Reports::transaction(const Flow& flow, Direction direction, int64_t time_us,
                          const Transaction& transaction) {
  if (!types_.has(transaction.event_type())) return;
  begin_of_flow(transaction.event_type(), flow, direction, time_us);
  line_.unsigned_number("tx_id", transaction.id());
  transaction.write(line_);
  sink_.write(line_.finish());
}

void Reports::file(const Flow& flow, Direction direction, int64_t time_us,
                   const Transaction& transaction, const TrackedFile& file) {
  begin_of_flow("fileinfo", flow, direction, time_us);
  transaction.write(line_);
  line_.string("app_proto", app_protocol_name(transaction.protocol()));
  file.write(line_, transaction.id());
  sink_.write(line_.finish());
}

void Reports::flow_end(const Flow& flow, AppProtocol app_protocol, FlowEnd end, int64_t time_us,
                       bool alerted, std::string_view action) {
  if (!writes(EventType::kFlow)) return;
  begin_event(line_, time_us, "flow", flow.id, flow.to_server);
  if (is_known(app_protocol)) line_.string("app_proto", app_protocol_name(app_protocol));
  write_ended_flow(line_, flow, end, alerted, action);
  sink_.write(line_.finish());
}

}  // namespace sluice::inspect
