// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/flows.h"

#include <nlohmann/json.hpp>

#include "gateway/api/mirrors.h"
#include "gateway/control/controller.h"
#include "gateway/control/object_json.h"
#include "gateway/control/protocol_text.h"
#include "gateway/datapath/chain.h"
#include "gateway/datapath/sum_counters.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

constexpr const char* kVerdictNames[] = {"stack", "cross",    "target", "outside",   "inside",
                                         "drop",  "answered", "probe",  "slow_path", "mirror"};
static_assert(std::size(kVerdictNames) == kVerdictCount);
static_assert(kDropReasonCount <= std::size(counters{}.drop));

std::string state_text(const flow_record& record, const flow_usage& usage, bool expired) {
  if (expired) return "expired";
  if (record.flags & kFlowReset) return "reset";
  if (flow_is_closed(&record)) return "closed";
  if (record.flags & (kFlowFin0 | kFlowFin1)) return "half_closed";
  const bool both = usage.packets[0] != 0 && usage.packets[1] != 0;
  return both && record.key.zero & kFlowGoesOn ? "established" : "half_open";
}

// Empty of a flow that is not inspected.
std::string target_address(const Tables& tables, uint16_t index) {
  if (index >= kTargetsMax) return {};
  const target& t = tables.targets[index];
  return ip_address(t.address, t.version).text();
}

// "10.9.0.11", or "10.9.0.11 > 10.9.0.12" of a chain.
std::string appliances_text(const Tables& tables, const flow_record& record) {
  std::string out;
  for (const uint16_t index : appliances_of(record))
    out += (out.empty() ? "" : " > ") + target_address(tables, index);
  return out;
}

bool matches(const Tables& tables, const flow_record& record, const FlowFilter& filter) {
  const flow_key& key = record.key;
  if (filter.protocol && key.protocol != *filter.protocol) return false;
  if (filter.port != 0 && swap_be16(key.port[0]) != filter.port &&
      swap_be16(key.port[1]) != filter.port)
    return false;
  if (filter.address && ip_address(key, 0) != *filter.address &&
      ip_address(key, 1) != *filter.address)
    return false;
  return !filter.target || std::ranges::any_of(appliances_of(record), [&](uint16_t index) {
    return target_address(tables, index) == filter.target->text();
  });
}

json describe_flow(const Controller& controller, const flow_record& record, const flow_usage& usage,
                   bool expired) {
  const Tables& tables = controller.tables();
  // The client sent the first packet.
  const int client = record.flags & kFlowClientFirst ? 0 : 1;
  const int server = client ^ 1;
  const auto now_ms = static_cast<uint32_t>(controller.now_ms());
  json out{{"protocol", protocol_text(record.key.protocol)},
           {"source", ip_address(record.key, client).text()},
           {"source_port", swap_be16(record.key.port[client])},
           {"destination", ip_address(record.key, server).text()},
           {"destination_port", swap_be16(record.key.port[server])},
           {"attachment", controller.reconciler().attachment_name(record.attachment)},
           {"appliance", appliances_text(tables, record)},
           {"state", state_text(record, usage, expired)},
           {"from_outside", (record.flags & kFlowFirstEndOutside) != 0 ? client == 0 : client == 1},
           {"idle_ms", now_ms - record.last_seen_ms},
           {"age_ms", now_ms - usage.created_ms},
           {"packets_forward", usage.packets[client]},
           {"packets_back", usage.packets[server]},
           {"packets_delivered", record.delivered},
           {"bytes_forward", flow_bytes(&usage, client)},
           {"bytes_back", flow_bytes(&usage, server)}};
  if (!flow_is_chain(&record)) out["cookie"] = record.cookie;
  if (record.rule != 0) out["rule"] = controller.reconciler().policy().rule_name(record.rule);
  if (record.flags & kFlowBypass) out["bypassed"] = true;
  const PolicyWriter& policy = controller.reconciler().policy();
  if (const uint16_t group = policy.mirror_of(record.rule);
      (record.flags & kFlowMirror) && group != kNone16)
    out["mirror"] = controller.reconciler().group_name(group);
  if (record.flags & kFlowNlb) out["backend"] = target_address(tables, record.backend);
  return out;
}

}  // namespace

json describe_flows(const Controller& controller, const FlowFilter& filter) {
  const Tables& tables = controller.tables();
  json list = json::array();
  uint64_t matched = 0;
  for (uint32_t bucket = 0; bucket < tables.flow_buckets_count; bucket++) {
    for (uint32_t way = 0; way < kFlowWays; way++) {
      const uint64_t entry = tables.flow_buckets[bucket].entry[way];
      if (entry == 0 || flow_entry_state(entry) == kFlowEmpty) continue;
      // A copy: the packet path may give the place to another flow meanwhile.
      const flow_record record = tables.flow_buckets[bucket].record[way];
      const flow_usage usage = *flow_usage_in(&tables.flow_buckets[bucket], way);
      if (record.flags & kFlowAlias) continue;
      const bool expired =
          flow_is_expired(tables.settings, &record, static_cast<uint32_t>(controller.now_ms()));
      if ((expired && !filter.all) || !matches(tables, record, filter)) continue;
      if (++matched <= filter.limit)
        list.push_back(describe_flow(controller, record, usage, expired));
    }
  }
  return {{"flows", std::move(list)}, {"matched", matched}};
}

json describe_policy(const Controller& controller) {
  json list = json::array();
  for (const PolicyRule& rule : controller.config().gateway.policy) {
    json entry = to_json(rule);
    const policy_counters count = controller.reconciler().policy().count(rule.name);
    entry["flows"] = count.flows;
    entry["packets_dropped"] = count.packets_dropped;
    if (rule.mirror) entry["mirror"] = describe_mirror(controller, rule);
    list.push_back(std::move(entry));
  }
  return {{"rules", std::move(list)}};
}

const char* verdict_name(Verdict verdict) { return kVerdictNames[verdict]; }

json describe_counters(const Tables& tables) {
  const counters sum = sum_counters(tables);
  json out;
  for (size_t i = 0; i < kVerdictCount; i++) out["verdicts"][kVerdictNames[i]] = sum.verdict[i];
  for (size_t i = 0; i < kEventCount; i++)
    out["events"][path_event_name(static_cast<PathEvent>(i))] = sum.event[i];
  for (size_t i = kDropNone + 1; i < kDropReasonCount; i++)
    out["drops"][std::string(drop_reason_name(static_cast<DropReason>(i)))] = sum.drop[i];
  return out;
}

}  // namespace sluice::gateway
