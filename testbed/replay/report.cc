// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/control/address.h"
#include "gateway/datapath/mirror_counts.h"
#include "inspect/eve/event.h"

namespace sluice::testbed {

namespace {

using Json = nlohmann::ordered_json;

std::string end_text(const uint32_t (&address)[4], uint16_t port, const tunnels::tuple& tuple) {
  std::string text = gateway::ip_address(address, tuple.version).text();
  if (tuple.source_port == 0 && tuple.destination_port == 0) return text;  // has none
  const std::string number = std::to_string(tunnels::swap_be16(port));
  return tuple.version == 6 ? "[" + text + "]:" + number : text + ":" + number;
}

std::string target_text(const OfflineReplay& replay, uint16_t index) {
  if (index == gateway::kNone16) return "";
  const gateway::target& target = replay.host->tables().targets[index];
  std::string text = gateway::ip_address(target.address, target.version).text();
  if (target.flags & gateway::kTargetAppliance) return text;
  return text + ":" + std::to_string(tunnels::swap_be16(target.port));
}

std::string why_text(const ReplayFlow& flow) {
  if (!flow.known_to_gateway) return "";
  const std::string row = "row " + std::to_string(flow.row);
  return flow.row_owner ? row : "kept since before " + row + " changed";
}

// What the verdict rests on: drop reasons of the gateway, words of the appliance.
std::string reason_text(const ReplayFlow& flow) {
  std::string out = flow.blocked_by;
  for (const auto& [reason, count] : flow.drops) {
    if (!out.empty()) out += ", ";
    out += tunnels::drop_reason_name(reason);
  }
  return out;
}

Json drops_json(const std::map<tunnels::DropReason, uint64_t>& drops) {
  Json out = Json::object();
  for (const auto& [reason, count] : drops)
    out[std::string(tunnels::drop_reason_name(reason))] = count;
  return out;
}

Json way_json(const WayCounts& way) {
  return {{"packets", way.packets},
          {"delivered", way.delivered},
          {"dropped_by_gateway", way.dropped},
          {"dropped_by_appliance", way.kept},
          {"injected", way.injected}};
}

Json flow_json(const OfflineReplay& replay, const ReplayFlow& flow) {
  const tunnels::tuple& t = flow.flow.to_server;
  Json out;
  out["protocol"] = inspect::protocol_text(t.protocol);
  out["client"] = end_text(t.source, t.source_port, t);
  out["server"] = end_text(t.destination, t.destination_port, t);
  out["first_us"] = flow.flow.start_us;
  if (flow.known_to_gateway) {
    out["attachment"] = replay.reconciler->attachment_name(flow.attachment);
    out["target_group"] = replay.reconciler->group_name(flow.group);
    out["target"] = target_text(replay, flow.target);
    out["why"] = why_text(flow);
    if (flow.backend != gateway::kNone16) out["translated_to"] = target_text(replay, flow.backend);
  }
  out["to_server"] = way_json(flow.ways[0]);
  out["to_client"] = way_json(flow.ways[1]);
  out["verdict"] = flow_verdict_name(flow.verdict());
  if (!flow.blocked_by.empty()) out["dropped_by"] = flow.blocked_by;
  if (!flow.drops.empty()) out["drops"] = drops_json(flow.drops);
  if (!flow.alerts.empty()) out["alerts"] = flow.alerts;
  return out;
}

Json frames_json(const OfflineReplay& replay) {
  const SimulationCounts& counts = replay.simulation->counts();
  return {{"read", replay.capture.frames},
          {"truncated", replay.capture.truncated},
          {"too_long", replay.capture.too_long},
          {"not_ethernet", replay.capture.not_ethernet},
          {"sent", counts.frames - counts.not_sent},
          {"past_flow_limit", counts.not_sent},
          {"delivered", counts.delivered},
          {"crossed", counts.crossed},
          {"dropped_by_gateway", counts.dropped},
          {"answered", counts.answered},
          {"dropped_by_appliance", counts.kept},
          {"left_to_stack", counts.left_to_stack},
          {"injected", counts.injected},
          {"injected_dropped", counts.injected_dropped},
          {"fragments_added", counts.fragments_added}};
}

Json all_drops_json(const SimulationCounts& counts) {
  std::map<tunnels::DropReason, uint64_t> drops;
  for (size_t i = 0; i < counts.drops.size(); i++)
    if (counts.drops[i] != 0) drops[static_cast<tunnels::DropReason>(i)] = counts.drops[i];
  return drops_json(drops);
}

Json events_json(const OfflineReplay& replay) {
  const gateway::counters* counters = replay.host->tables().counters;
  Json out = Json::object();
  for (size_t i = 0; i < gateway::kEventCount; i++)
    out[gateway::path_event_name(static_cast<gateway::PathEvent>(i))] =
        counters[0].event[i] + counters[gateway::kSlowPathCpu].event[i];
  return out;
}

Json appliances_json(const OfflineReplay& replay) {
  Json out = Json::object();
  for (const auto& [address, standing] : replay.simulation->appliances()) {
    const sdk::Counters* counters = &standing->counters();
    const Json all = Json::parse(sdk::counters_json({&counters, 1}));
    Json& one = out[standing->name()];  // without what only sockets count
    for (const char* name :
         {"received", "returned", "dropped", "injected", "injections_refused", "refused"})
      one[name] = all.at(name);
  }
  return out;
}

// By rule of the policy.
Json mirrors_json(const OfflineReplay& replay) {
  const gateway::PolicyWriter& policy = replay.reconciler->policy();
  Json out = Json::object();
  for (uint32_t place = 1; place < gateway::kPolicySlots; place++) {
    if (policy.mirror_of(static_cast<uint8_t>(place)) == gateway::kNone16) continue;
    const std::string rule(policy.rule_name(static_cast<uint8_t>(place)));
    const gateway::mirror_counters count = policy.count_mirrored(rule);
    for (const gateway::MirrorColumn& column : gateway::kMirrorColumns)
      out[rule][column.name] = count.*column.value;
  }
  return out;
}

// ---- the table ----

using Line = std::vector<std::string>;

std::string way_text(const WayCounts& way) {
  std::string out = std::to_string(way.delivered) + "/" + std::to_string(way.packets);
  if (way.injected != 0) out += " +" + std::to_string(way.injected);
  return out;
}

Line flow_line(const OfflineReplay& replay, const ReplayFlow& flow) {
  const tunnels::tuple& t = flow.flow.to_server;
  std::string server = end_text(t.destination, t.destination_port, t);
  if (flow.backend != gateway::kNone16) server += " = " + target_text(replay, flow.backend);
  std::string verdict(flow_verdict_name(flow.verdict()));
  const std::string reason = reason_text(flow);
  if (!reason.empty()) verdict += ": " + reason;
  for (const std::string& alert : flow.alerts) verdict += "; alert: " + alert;
  return {inspect::protocol_text(t.protocol),
          end_text(t.source, t.source_port, t),
          server,
          target_text(replay, flow.target),
          why_text(flow),
          way_text(flow.ways[0]),
          way_text(flow.ways[1]),
          verdict};
}

std::string aligned(const std::vector<Line>& lines) {
  std::vector<size_t> widths(lines.front().size(), 0);
  for (const Line& line : lines)
    for (size_t i = 0; i < line.size(); i++) widths[i] = std::max(widths[i], line[i].size());
  std::string out;
  for (const Line& line : lines) {
    for (size_t i = 0; i + 1 < line.size(); i++)
      out += line[i] + std::string(widths[i] - line[i].size() + 2, ' ');
    out += line.back() + "\n";
  }
  return out;
}

// "frames: read 10, delivered 9": what is not zero.
std::string counts_line(const std::string& title, const Json& counts) {
  std::string out;
  for (const auto& [name, value] : counts.items())
    if (value.is_number() && value != 0)
      out += (out.empty() ? "" : ", ") + name + " " + value.dump();
  return title + ": " + (out.empty() ? "none" : out) + "\n";
}

}  // namespace

std::string report_text(const OfflineReplay& replay) {
  std::vector<Line> lines = {
      {"PROTO", "CLIENT", "SERVER", "APPLIANCE", "WHY", "TO SERVER", "TO CLIENT", "VERDICT"}};
  for (const ReplayFlow& flow : replay.simulation->flows().flows())
    lines.push_back(flow_line(replay, flow));
  std::string out = aligned(lines) + "\n";
  out += counts_line("frames", frames_json(replay));
  out += counts_line("drops", all_drops_json(replay.simulation->counts()));
  out += counts_line("gateway", events_json(replay));
  const Json appliances = appliances_json(replay);
  for (const auto& [name, counters] : appliances.items())
    out += counts_line("appliance " + name, counters);
  const Json mirrors = mirrors_json(replay);
  for (const auto& [name, counters] : mirrors.items())
    out += counts_line("copies of " + name, counters);
  return out;
}

std::string report_json(const OfflineReplay& replay) {
  Json out;
  out["flows"] = Json::array();
  for (const ReplayFlow& flow : replay.simulation->flows().flows())
    out["flows"].push_back(flow_json(replay, flow));
  out["frames"] = frames_json(replay);
  out["drops"] = all_drops_json(replay.simulation->counts());
  out["gateway"] = events_json(replay);
  out["appliances"] = appliances_json(replay);
  if (Json mirrors = mirrors_json(replay); !mirrors.empty()) out["mirrors"] = std::move(mirrors);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::testbed
