// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/stat_csv.h"

#include <map>

#include "gateway/control/controller.h"

namespace sluice::gateway {
namespace {

// HAProxy's columns, in its order, as far as last_chk.
constexpr std::string_view kColumns[] = {"pxname",       "svname",     "qcur",
                                         "qmax",         "scur",       "smax",
                                         "slim",         "stot",       "bin",
                                         "bout",         "dreq",       "dresp",
                                         "ereq",         "econ",       "eresp",
                                         "wretr",        "wredis",     "status",
                                         "weight",       "act",        "bck",
                                         "chkfail",      "chkdown",    "lastchg",
                                         "downtime",     "qlimit",     "pid",
                                         "iid",          "sid",        "throttle",
                                         "lbtot",        "tracked",    "type",
                                         "rate",         "rate_lim",   "rate_max",
                                         "check_status", "check_code", "check_duration",
                                         "hrsp_1xx",     "hrsp_2xx",   "hrsp_3xx",
                                         "hrsp_4xx",     "hrsp_5xx",   "hrsp_other",
                                         "hanafail",     "req_rate",   "req_rate_max",
                                         "req_tot",      "cli_abrt",   "srv_abrt",
                                         "comp_in",      "comp_out",   "comp_byp",
                                         "comp_rsp",     "lastsess",   "last_chk"};

enum RowType { kFrontend = 0, kBackend = 1, kServer = 2 };

using Row = std::map<std::string_view, std::string>;

void write(std::string& out, const Row& row) {
  for (std::string_view column : kColumns) {
    const auto at = row.find(column);
    if (at != row.end()) out += csv_field(at->second);
    out += ',';
  }
  out += '\n';
}

std::string_view status_word(HealthState state) {
  switch (state) {
    case HealthState::kHealthy:
      return "UP";
    case HealthState::kUnavailable:
    case HealthState::kUnused:
      return "no check";
    case HealthState::kDraining:
      return "DRAIN";
    case HealthState::kInitial:
    case HealthState::kUnhealthy:
      break;
  }
  return "DOWN";
}

// L4: the connection. L6: TLS. L7: the answer.
std::string check_word(const HealthCheck& check, const LastCheck& last) {
  if (!last.any) return "INI";
  const std::string layer = check.protocol == HealthProtocol::kTcp ? "L4" : "L7";
  switch (last.outcome) {
    case ProbeOutcome::kSucceeded:
      return layer + "OK";
    case ProbeOutcome::kMismatch:
      return "L7STS";
    case ProbeOutcome::kTimeout:
      return layer + "TOUT";
    case ProbeOutcome::kFailed:
      return layer == "L4" ? "L4CON" : "L7RSP";
    case ProbeOutcome::kNotMade:
      break;
  }
  return "SOCKERR";
}

struct Sum {
  uint64_t in = 0, out = 0;
  size_t up = 0;
};

void write_server(std::string& out, const Controller& controller, const TargetGroup& group,
                  const Target& target, Sum& sum) {
  const TargetHealth health = controller.target_health(group, target);
  const LastCheck last = controller.checker().last_check({group.name, target});
  Row row{{"pxname", group.name},
          {"svname", SocketAddress::parse(target.address.text(), target.port)->text()},
          {"status", std::string(status_word(health.state))},
          {"weight", "1"},
          {"act", "1"},
          {"bck", "0"},
          {"type", std::to_string(kServer)},
          {"last_chk", health.description}};
  if (controller.checker().watches({group.name, target})) {
    row["lastchg"] = std::to_string(last.in_state_ms / 1000);
    if (group.health_check.enabled) row["check_status"] = check_word(group.health_check, last);
    if (last.code >= 0) row["check_code"] = std::to_string(last.code);
    if (last.any) row["check_duration"] = std::to_string(last.took_ms);
  }
  if (const auto index = controller.reconciler().target_index(group.protocol, target)) {
    const target_counters& count = controller.tables().target_counters[*index];
    row["bin"] = std::to_string(count.bytes_sent);
    row["bout"] = std::to_string(count.bytes_returned);
    sum.in += count.bytes_sent;
    sum.out += count.bytes_returned;
  }
  sum.up += gets_traffic(health.state);
  write(out, row);
}

void write_group(std::string& out, const Controller& controller, const TargetGroup& group) {
  Sum sum;
  for (const Target& target : group.targets) write_server(out, controller, group, target, sum);
  write(out, {{"pxname", group.name},
              {"svname", "BACKEND"},
              {"bin", std::to_string(sum.in)},
              {"bout", std::to_string(sum.out)},
              // With none up, all registered targets get flows.
              {"status", group.targets.empty() ? "DOWN" : "UP"},
              {"weight", std::to_string(sum.up)},
              {"act", std::to_string(sum.up)},
              {"bck", "0"},
              {"type", std::to_string(kBackend)}});
}

}  // namespace

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string stat_csv(const Controller& controller) {
  std::string out = "# ";
  for (std::string_view column : kColumns) out += std::string(column) + ",";
  out += '\n';
  for (const LoadBalancer& lb : controller.config().load_balancers) {
    if (lb.type == LoadBalancerType::kApplication) continue;  // sluice-proxy's
    write(out, {{"pxname", lb.name},
                {"svname", "FRONTEND"},
                {"status", lb.listeners.empty() ? "STOP" : "OPEN"},
                {"type", std::to_string(kFrontend)}});
  }
  for (const TargetGroup& group : controller.config().target_groups)
    if (group.protocol != Protocol::kHttp) write_group(out, controller, group);
  return out;
}

}  // namespace sluice::gateway
