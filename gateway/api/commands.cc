// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/commands.h"

#include <sys/stat.h>

#include <map>
#include <set>

#include "gateway/api/attachments.h"
#include "gateway/api/fields.h"
#include "gateway/api/flows.h"
#include "gateway/api/stat_csv.h"
#include "gateway/api/state_commands.h"
#include "gateway/api/watch_commands.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/controller.h"
#include "gateway/control/explain.h"
#include "gateway/control/protocol_text.h"
#include "gateway/control/zones.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

constexpr const char* kAuthor = "socket";

Result<json> version(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  struct stat status {};
  (void)::stat("/proc/self/ns/net", &status);
  return json{{"version", kVersion},
              {"gateway", plane.config().gateway.name},
              {"network_namespace", status.st_ino}};
}

// How many rows of a group's steering table each target has, by its place.
std::map<uint16_t, uint32_t> count_rows(const Controller& controller, const TargetGroup& group) {
  std::map<uint16_t, uint32_t> out;
  const auto index = controller.reconciler().group_index(group.name);
  if (!index) return out;
  std::vector<uint32_t> counts(kTargetsMax);
  const row* rows = &controller.tables().rows[first_row(*index)];
  for (uint32_t i = 0; i < rows_of(*index); i++)
    if (rows[i].target < kTargetsMax) counts[rows[i].target]++;
  for (const Target& target : group.targets)
    if (const auto place = controller.reconciler().target_index(group.protocol, target))
      out[*place] = counts[*place];
  return out;
}

json describe_target(const Controller& controller, const TargetGroup& group, const Target& target,
                     const std::map<uint16_t, uint32_t>& rows) {
  const TargetHealth health = controller.target_health(group, target);
  json out{{"target_group", group.name},
           {"protocol", protocol_name(group.protocol)},
           {"id", target.address.text()},
           {"port", target.port},
           {"state", health_state_name(health.state)},
           {"reason", health.reason},
           {"description", health.description}};
  if (group.protocol == Protocol::kGeneve) out["weight"] = weight_of(group, target);
  if (const auto zone = zone_of_target(controller.config().network, target.address); !zone.empty())
    out["zone"] = zone;
  const auto index = controller.reconciler().target_index(group.protocol, target);
  if (!index) return out;
  const Tables& tables = controller.tables();
  const target_counters& count = tables.target_counters[*index];
  out["index"] = *index;
  out["resolved"] = (tables.targets[*index].flags & kTargetResolved) != 0;
  out["packets_sent"] = count.packets_sent;
  out["bytes_sent"] = count.bytes_sent;
  out["packets_returned"] = count.packets_returned;
  out["bytes_returned"] = count.bytes_returned;
  if (const auto group_index = controller.reconciler().group_index(group.name))
    out["share"] = rows.at(*index) / static_cast<double>(rows_of(*group_index));
  return out;
}

json describe_draining(const Reconciler::Draining& draining) {
  json out{{"id", draining.target.address.text()},
           {"port", draining.target.port},
           {"state", health_state_name(HealthState::kDraining)},
           {"reason", "Target.DeregistrationInProgress"},
           {"description", draining.left_ms == 0
                               ? "its flows stay until they end"
                               : "drains for " + std::to_string(draining.left_ms / 1000) + " s"},
           {"index", draining.index}};
  if (!draining.group.empty()) out["target_group"] = draining.group;
  return out;
}

Result<json> targets(ControlPlane& plane, Fields& fields) {
  const Controller& controller = plane.controller();
  const std::string wanted = fields.string("target_group");
  SLUICE_TRY_VOID(fields.finish());
  json list = json::array();
  bool found = wanted.empty();
  for (const TargetGroup& group : controller.config().target_groups) {
    if (!wanted.empty() && group.name != wanted) continue;
    found = true;
    const auto rows = count_rows(controller, group);
    for (const Target& target : group.targets)
      list.push_back(describe_target(controller, group, target, rows));
  }
  if (!found) return fail("there is no target group '" + wanted + "'");
  const Reconciler& reconciler = controller.reconciler();
  for (const auto& one : wanted.empty() ? reconciler.draining() : reconciler.draining(wanted))
    list.push_back(describe_draining(one));
  return json{{"targets", std::move(list)}};
}

// An error of a commit as one.
Result<json> committed(CommitResult result, json reply = json::object()) {
  if (result) return reply;
  return tl::make_unexpected(result.error().front());
}

Result<json> change_target(ControlPlane& plane, Fields& fields, bool add) {
  const std::string group = fields.string("target_group");
  const auto address = fields.address("id");
  const auto port = static_cast<uint16_t>(fields.number("port", 65535));
  SLUICE_TRY_VOID(fields.finish());
  if (group.empty() || !address) return fail("'target_group' and 'id' are needed");
  const Target target{*address, port};
  return committed(plane.commit(kAuthor, [&](Config& next) {
    return add ? register_target(next, group, target) : deregister_target(next, group, target);
  }));
}

Result<json> attach(ControlPlane& plane, Fields& fields) {
  Attachment attachment;
  attachment.origin = Origin::kApi;
  attachment.name = fields.string("name");
  attachment.endpoint_id = fields.number("endpoint_id", UINT64_MAX);
  attachment.attachment_id = fields.number("attachment_id", UINT64_MAX);
  attachment.outside = fields.string("outside");
  attachment.inside = fields.string("inside");
  attachment.load_balancer = fields.string("load_balancer");
  SLUICE_TRY_VOID(fields.finish());
  if (attachment.load_balancer.empty()) {
    // The only one there is.
    for (const LoadBalancer& lb : plane.config().load_balancers)
      if (lb.type == LoadBalancerType::kGateway) {
        if (!attachment.load_balancer.empty())
          return fail("there are several gateway load balancers: 'load_balancer' is needed");
        attachment.load_balancer = lb.name;
      }
  }
  if (attachment.name.empty() || attachment.outside.empty() || attachment.inside.empty())
    return fail("'name', 'outside' and 'inside' are needed");
  return committed(plane.commit(kAuthor,
                                [&](Config& next) -> Result<> {
                                  next.attachments.push_back(attachment);
                                  return {};
                                }),
                   {{"load_balancer", attachment.load_balancer},
                    {"stored", !plane.config().gateway.store.empty()}});
}

Result<json> detach(ControlPlane& plane, Fields& fields) {
  const std::string name = fields.string("name");
  SLUICE_TRY_VOID(fields.finish());
  return committed(plane.commit(kAuthor, [&](Config& next) -> Result<> {
    const auto gone = next.attachments.erase_if(
        [&](const Attachment& a) { return a.name == name && a.origin == Origin::kApi; });
    if (gone == 1) return {};
    return fail("there is no attachment '" + name + "' that was inserted by hand");
  }));
}

Result<json> attachments(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  return describe_attachments(plane.controller());
}

Result<json> counters(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  return describe_counters(plane.controller().tables());
}

Result<json> stat(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  return json{{"csv", stat_csv(plane.controller())}};
}

Result<json> flows(ControlPlane& plane, Fields& fields) {
  FlowFilter filter;
  filter.address = fields.address("address");
  filter.port = static_cast<uint16_t>(fields.number("port", 65535));
  SLUICE_TRY(filter.protocol, parse_protocol(fields.string("protocol")));
  filter.target = fields.address("target");
  filter.all = fields.boolean("all");
  filter.limit = fields.number("limit", kFlowsShownMax, 100);
  SLUICE_TRY_VOID(fields.finish());
  return describe_flows(plane.controller(), filter);
}

Result<json> policy(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  return describe_policy(plane.controller());
}

Result<json> explain_packet(ControlPlane& plane, Fields& fields) {
  const Controller& controller = plane.controller();
  ExplainQuestion question;
  SLUICE_TRY(const auto protocol, parse_protocol(fields.string("protocol", "tcp")));
  question.protocol = protocol.value_or(kProtocolTcp);
  const auto source = fields.address("source"), destination = fields.address("destination");
  question.source_port = static_cast<uint16_t>(fields.number("source_port", 65535));
  question.destination_port = static_cast<uint16_t>(fields.number("destination_port", 65535));
  question.from_inside = fields.boolean("from_inside");
  question.attachment = fields.string("attachment");
  SLUICE_TRY_VOID(fields.finish());
  if (!source || !destination) return fail("'source' and 'destination' are needed");
  question.source = *source;
  question.destination = *destination;
  SLUICE_TRY(const Explanation told,
             explain(controller.tables(), controller.config(), controller.reconciler(),
                     controller.now_ms(), question));
  const auto address = [&](const std::optional<uint16_t>& index) -> json {
    if (!index) return nullptr;
    const target& t = controller.tables().targets[*index];
    return ip_address(t.address, t.version).text();
  };
  return json{
      {"attachment", told.attachment},
      {"rule", told.rule.empty() ? json(nullptr) : json(told.rule)},
      {"target_group", told.target_group},
      {"mirror", told.mirror_group.empty() ? json(nullptr) : json(told.mirror_group)},
      {"hash", told.hash},
      {"row", told.row ? json(*told.row) : json(nullptr)},
      {"flow_exists", told.flow_exists},
      {"unrecorded", told.unrecorded},
      {"appliance", address(told.appliance)},
      {"backend", address(told.backend)},
      {"drop", told.drop == kDropNone ? json(nullptr) : json(tunnels::drop_reason_name(told.drop))},
      {"story", told.story}};
}

using Command = Result<json> (*)(ControlPlane&, Fields&);

const std::map<std::string, Command, std::less<>>& commands() {
  static const std::map<std::string, Command, std::less<>> kCommands{
      {"version", version},
      {"targets", targets},
      {"register", [](ControlPlane& p, Fields& f) { return change_target(p, f, true); }},
      {"deregister", [](ControlPlane& p, Fields& f) { return change_target(p, f, false); }},
      {"flows", flows},
      {"policy", policy},
      {"explain", explain_packet},
      {"counters", counters},
      {"stat", stat},
      {"apply", apply_state},
      {"export", export_state},
      {"history", describe_history},
      {"changes", describe_changes},
      {"rollback", roll_back},
      {"attachments", attachments},
      {"attach", attach},
      {"detach", detach},
  };
  return kCommands;
}

// Text from the request may be no UTF-8.
std::string text_of(const json& reply) {
  return reply.dump(-1, ' ', false, json::error_handler_t::replace);
}

using StreamCommand = Result<std::unique_ptr<StreamSource>> (*)(ControlPlane&, Fields&);

const std::map<std::string, StreamCommand, std::less<>> kStreamCommands{{"capture", start_capture},
                                                                        {"trace", start_trace}};

Result<ApiReply> answer(ControlPlane& plane, std::string_view request) {
  const json parsed = json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return fail("a request is one JSON object on one line");
  const auto name = parsed.find("command");
  if (name == parsed.end() || !name->is_string()) return fail("'command' is missing");
  const auto& word = name->get_ref<const std::string&>();
  Fields fields(parsed);
  if (const auto stream = kStreamCommands.find(word); stream != kStreamCommands.end()) {
    ApiReply reply(json{{"ok", true}}.dump());
    SLUICE_TRY(reply.source, stream->second(plane, fields));
    return reply;
  }
  if (const auto command = commands().find(word); command != commands().end()) {
    SLUICE_TRY(json reply, command->second(plane, fields));
    reply["ok"] = true;
    return text_of(reply);
  }
  std::set<std::string> known;
  for (const auto& [other, function] : commands()) known.insert(other);
  for (const auto& [other, function] : kStreamCommands) known.insert(other);
  std::string list;
  for (const std::string& other : known) list += (list.empty() ? "" : ", ") + other;
  return fail("unknown command; known are: " + list);
}

}  // namespace

ApiReply answer_request(ControlPlane& plane, std::string_view request) {
  Result<ApiReply> reply = answer(plane, request);
  if (reply) return std::move(*reply);
  return text_of({{"ok", false}, {"error", reply.error().text()}});
}

}  // namespace sluice::gateway
