// SPDX-License-Identifier: Apache-2.0
#include "gateway/flow_log/flow_line.h"

#include <cstring>

#include <nlohmann/json.hpp>

#include "gateway/control/controller.h"
#include "gateway/control/digest.h"
#include "gateway/control/events.h"
#include "gateway/control/protocol_text.h"
#include "gateway/datapath/policy.h"

namespace sluice::gateway {
namespace {

std::string target_text(const Tables& tables, uint16_t index) {
  if (index >= kTargetsMax) return {};
  const target& t = tables.targets[index];
  return ip_address(t.address, t.version).text();
}

std::string_view why_of(const Tables& tables, const flow_record& record, uint16_t group) {
  if (record.flags & kFlowBypass) return "bypass";
  if (record.flags & kFlowMoved) return "rehash";
  const bool sticky =
      group < kGroupsMax && tables.groups[group].stickiness != uint16_t{kFlowHash5Tuple};
  return sticky ? "sticky" : "hash";
}

// As its rule of the policy, or the listener, has it now.
uint16_t group_of(const Tables& tables, const flow_record& record) {
  flow_query query{};
  query.key = record.key;
  // A record has its usage there.
  if (query.key.version == 4) std::memset(query.key.rest, 0, sizeof(query.key.rest));
  query.hash = flow_hash(&tables.settings->hash_key, &record.key, kFlowHash5Tuple);
  return static_cast<uint16_t>(flow_group(&tables, &tables.attachments[record.attachment], &query,
                                          policy_rule_now(tables.settings, record.rule)));
}

std::string_view end_text(FlowEnd end) {
  switch (end) {
    case FlowEnd::kFin:
      return "fin";
    case FlowEnd::kReset:
      return "reset";
    case FlowEnd::kIdle:
      return "idle";
    case FlowEnd::kReplaced:
      return "replaced";
    case FlowEnd::kStopped:
      return "stopped";
    case FlowEnd::kOpen:
      break;
  }
  return "";
}

// The client sent the first packet.
int client_of(const flow_record& record) { return record.flags & kFlowClientFirst ? 0 : 1; }

std::string_view reset_by(const flow_record& record) {
  const int client = client_of(record);
  const bool by[2] = {(record.flags & kFlowReset0) != 0, (record.flags & kFlowReset1) != 0};
  if (by[0] && by[1]) return "both";
  if (by[client]) return "client";
  return by[client ^ 1] ? "server" : "gateway";
}

uint64_t packets_of(const flow_usage& usage) {
  return uint64_t{usage.packets[0]} + usage.packets[1];
}

// Of those since the last report. An appliance may add packets of its own.
bool is_missing_some(const FlowReport& report) {
  return packets_of(report.usage) > report.record.delivered;
}

}  // namespace

FlowPlace place_of(const Controller& controller, const flow_record& record) {
  const Tables& tables = controller.tables();
  const Config& config = controller.config();
  const struct attachment& at = tables.attachments[record.attachment % kAttachmentsMax];
  FlowPlace out;
  out.attachment = controller.reconciler().attachment_name(record.attachment);
  out.endpoint_id = "vpce-0" + hexadecimal(at.endpoint_id);
  out.rule = controller.reconciler().policy().rule_name(record.rule);
  const uint16_t group =
      record.target == kUninspected ? uint16_t{kNone16} : group_of(tables, record);
  if (group != kNone16) out.target_group = controller.reconciler().group_name(group);
  const uint16_t copies = controller.reconciler().policy().mirror_of(record.rule);
  if ((record.flags & kFlowMirror) && copies != kNone16)
    out.mirror = controller.reconciler().group_name(copies);
  for (const uint16_t index : appliances_of(record))
    out.appliance += (out.appliance.empty() ? "" : " > ") + target_text(tables, index);
  if (record.flags & kFlowNlb) out.backend = target_text(tables, record.backend);
  out.why = why_of(tables, record, group);
  out.region = config.gateway.region;
  out.account = config.gateway.account;
  for (const Attachment& attachment : config.attachments) {
    if (attachment.name != out.attachment) continue;
    out.subnet = attachment.subnet;
    if (const Subnet* subnet = config.network.subnets.find(attachment.subnet)) {
      out.vpc = subnet->vpc;
      out.zone = subnet->zone;
    }
  }
  return out;
}

std::string_view verdict_of(const FlowReport& report) {
  if (report.end == FlowEnd::kOpen || report.end == FlowEnd::kStopped) {
    // Some packets may be on their way.
    const bool some = report.record.delivered != report.told_delivered;
    return some || !is_missing_some(report) ? "returned" : "dropped";
  }
  if (report.end == FlowEnd::kFin) return "returned";
  if (is_missing_some(report)) return "dropped";
  return report.end == FlowEnd::kIdle ? "timed_out" : "returned";
}

std::string flow_json_line(const FlowReport& report, const FlowPlace& place, ToUnixMs to_unix_ms) {
  const flow_record& record = report.record;
  const flow_usage& usage = report.usage;
  const int client = client_of(record), server = client ^ 1;
  const auto time = [&](uint64_t ms) { return event_time(static_cast<int64_t>(ms) + to_unix_ms); };
  const uint64_t packets = packets_of(usage);
  nlohmann::ordered_json out{{"start", time(report.began_ms)},
                             {"last", time(report.last_ms)},
                             {"event", report.end == FlowEnd::kOpen ? "open" : "end"}};
  if (report.end != FlowEnd::kOpen) out["end"] = end_text(report.end);
  out["protocol"] = protocol_text(record.key.protocol);
  out["source"] = ip_address(record.key, client).text();
  out["source_port"] = swap_be16(record.key.port[client]);
  out["destination"] = ip_address(record.key, server).text();
  out["destination_port"] = swap_be16(record.key.port[server]);
  out["from_outside"] = ((record.flags & kFlowFirstEndOutside) != 0) == (client == 0);
  out["attachment"] = place.attachment;
  out["endpoint_id"] = place.endpoint_id;
  if (!place.rule.empty()) out["rule"] = place.rule;
  out["target_group"] = place.target_group;
  if (!place.appliance.empty()) out["appliance"] = place.appliance;
  if (!place.backend.empty()) out["backend"] = place.backend;
  if (!place.mirror.empty()) out["mirror"] = place.mirror;
  out["why"] = place.why;
  out["packets_forward"] = usage.packets[client];
  out["packets_back"] = usage.packets[server];
  out["bytes_forward"] = flow_bytes(&usage, static_cast<uint32_t>(client));
  out["bytes_back"] = flow_bytes(&usage, static_cast<uint32_t>(server));
  out["packets_delivered"] = record.delivered;
  out["packets_missing"] = packets > record.delivered ? packets - record.delivered : 0;
  out["verdict"] = verdict_of(report);
  if (record.flags & kFlowReset) out["reset_by"] = reset_by(record);
  return out.dump() + "\n";
}

const std::string_view kVpcHeader =
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr "
    "region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service "
    "flow-direction traffic-path\n";

std::string flow_vpc_lines(const FlowReport& report, const FlowPlace& place, ToUnixMs to_unix_ms) {
  const flow_record& record = report.record;
  const flow_key& key = record.key;
  const int client = client_of(record);
  const auto seconds = [&](uint64_t ms) {
    return std::to_string((static_cast<int64_t>(ms) + to_unix_ms) / 1000);
  };
  const auto or_none = [](const std::string& text) { return text.empty() ? "-" : text; };
  std::string out;
  for (const int from : {client, client ^ 1}) {
    const auto way = static_cast<uint32_t>(from);
    const int to = from ^ 1;
    const uint32_t packets = report.usage.packets[from] - report.told.packets[from];
    if (packets == 0) continue;
    const uint64_t bytes = flow_bytes(&report.usage, way) - flow_bytes(&report.told, way);
    const std::string source = ip_address(key, from).text();
    const std::string destination = ip_address(key, to).text();
    const bool fin = record.flags & (from == 0 ? kFlowFin0 : kFlowFin1);
    const bool reset = record.flags & (from == 0 ? kFlowReset0 : kFlowReset1);
    // What the packet has on the far side of the gateway.
    const bool backend = !place.backend.empty();
    const std::string& packet_source = backend && from != client ? place.backend : source;
    const std::string& packet_destination = backend && from == client ? place.backend : destination;
    const bool from_outside = ((record.flags & kFlowFirstEndOutside) != 0) == (from == 0);
    const std::string fields[] = {
        "5",
        place.account,
        place.endpoint_id,
        source,
        destination,
        std::to_string(swap_be16(key.port[from])),
        std::to_string(swap_be16(key.port[to])),
        std::to_string(key.protocol),
        std::to_string(packets),
        std::to_string(bytes),
        seconds(report.since_ms),
        seconds(std::max(report.last_ms, report.since_ms)),
        verdict_of(report) == "dropped" ? "REJECT" : "ACCEPT",
        "OK",
        or_none(place.vpc),
        or_none(place.subnet),
        "-",
        std::to_string((fin ? 1 : 0) | (reset ? 4 : 0)),
        key.version == 4 ? "IPv4" : "IPv6",
        packet_source,
        packet_destination,
        place.region,
        or_none(place.zone),
        "-",
        "-",
        "-",
        "-",
        from_outside ? "ingress" : "egress",
        "-",
    };
    for (const std::string& field : fields) out += (&field == fields ? "" : " ") + field;
    out += "\n";
  }
  return out;
}

}  // namespace sluice::gateway
