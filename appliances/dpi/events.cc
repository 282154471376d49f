// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/events.h"

#include "inspect/dpi/ndpi_event.h"
#include "inspect/eve/event.h"

namespace sluice::dpi {

std::string_view action_text(const DpiFlow& flow) {
  const bool by_rule = !flow.blocked() && flow.rule != nullptr;
  return policy_action_name(by_rule ? flow.rule->action.kind : flow.verdict);
}

std::string_view rule_text(const DpiFlow& flow) {
  return flow.rule != nullptr ? std::string_view(flow.rule->text) : "undecided";
}

void Events::flow(const DpiRecord& record, inspect::FlowEnd end, int64_t time_us) {
  inspect::begin_event(line_, time_us, "flow", record.id, record.to_server);
  inspect::write_ended_flow(line_, record, end);
  write_ndpi(line_, classifier_, record.user.classification);
  write_verdict(record.user);
  inspect::end_event(line_, sensor_name_, eve_);
}

void Events::drop(const DpiRecord& record, std::span<const uint8_t> ip, std::string_view reason,
                  int64_t time_us) {
  const inspect::PacketView view = inspect::headers_of(ip);
  inspect::begin_event(line_, time_us, "drop", record.id, view.packet.tuple);
  write_icmp(line_, view);
  inspect::write_drop(line_, view, reason);
  write_ndpi(line_, classifier_, record.user.classification);
  write_verdict(record.user);
  inspect::end_event(line_, sensor_name_, eve_);
}

void Events::stats(const DpiCounters& counters, int64_t time_us) {
  inspect::begin_event(line_, time_us, "stats", 0, {});
  line_.open("dpi");
  for (const CounterField& field : counter_fields())
    line_.unsigned_number(std::string_view(field.name), counters.*field.value);
  line_.close();
  inspect::end_event(line_, sensor_name_, eve_);
}

void Events::write_verdict(const DpiFlow& flow) {
  line_.open("verdict");
  line_.string("action", action_text(flow));
  line_.string("rule", rule_text(flow));
  if (flow.blocked() && flow.blocked_by != "policy") line_.string("reason", flow.blocked_by);
  if (shadow_) line_.boolean("shadow", true);
  if (flow.packets_blocked != 0) line_.unsigned_number("pkts_blocked", flow.packets_blocked);
  if (flow.packets_limited != 0) line_.unsigned_number("pkts_limited", flow.packets_limited);
  if (flow.packets_over_quota != 0)
    line_.unsigned_number("pkts_over_quota", flow.packets_over_quota);
  line_.close();
}

}  // namespace sluice::dpi
