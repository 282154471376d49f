// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <nlohmann/json.hpp>

#include "appliances/dpi/dpi_appliance.h"
#include "appliances/dpi/explain.h"
#include "inspect/eve/event.h"
#include "tunnels/integers.h"

namespace sluice::dpi {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Result<> read_address(const json& request, const char* field, uint32_t (&words)[4],
                      uint8_t& version) {
  const auto found = request.find(field);
  if (found == request.end() || !found->is_string())
    return fail("an IP address is expected", field);
  const auto text = found->get<std::string>();
  version = text.find(':') == std::string::npos ? 4 : 6;
  if (inet_pton(version == 4 ? AF_INET : AF_INET6, text.c_str(), words) != 1)
    return fail("not an IP address: '" + text + "'", field);
  return {};
}

Result<uint16_t> read_port(const json& request, const char* field) {
  const auto found = request.find(field);
  if (found == request.end()) return uint16_t{0};
  if (!found->is_number_unsigned() || found->get<uint64_t>() > UINT16_MAX)
    return fail("a port is expected", field);
  return tunnels::swap_be16(found->get<uint16_t>());
}

// As in an event: src_ip, src_port, dest_ip, dest_port, proto.
Result<tunnels::tuple> read_tuple(const json& request) {
  tunnels::tuple tuple{};
  uint8_t source_version = 0;
  SLUICE_TRY_VOID(read_address(request, "src_ip", tuple.source, source_version));
  SLUICE_TRY_VOID(read_address(request, "dest_ip", tuple.destination, tuple.version));
  if (source_version != tuple.version) return fail("the addresses are of two kinds", "dest_ip");
  SLUICE_TRY(tuple.source_port, read_port(request, "src_port"));
  SLUICE_TRY(tuple.destination_port, read_port(request, "dest_port"));
  const auto proto = request.find("proto");
  std::string name = "TCP";
  if (proto != request.end()) name = proto->is_string() ? proto->get<std::string>() : proto->dump();
  for (int protocol = 0; protocol <= UINT8_MAX; protocol++) {
    tuple.protocol = static_cast<uint8_t>(protocol);
    if (inspect::protocol_text(tuple.protocol) == name) return tuple;
  }
  return fail("no protocol of events: '" + name + "'", "proto");
}

void add_findings(const inspect::Findings& findings, ordered_json& reply) {
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) reply[name] = text;
  };
  add("hostname", findings.host);
  add("ja3", findings.ja3_client);
  add("ja4", findings.ja4);
  reply["risks"] = inspect::Classifier::risk_names(findings.risks);
  reply["risk_score"] = findings.risk_score;
}

ordered_json reply_of(const FlowReport& report) {
  constexpr const char* kMatches[] = {"no", "not yet", "for now", "yes"};
  const tunnels::tuple& tuple = report.to_server;
  ordered_json reply = {{"src_ip", inspect::address_text(tuple.source, tuple.version)},
                        {"src_port", tunnels::swap_be16(tuple.source_port)},
                        {"dest_ip", inspect::address_text(tuple.destination, tuple.version)},
                        {"dest_port", tunnels::swap_be16(tuple.destination_port)},
                        {"proto", inspect::protocol_text(tuple.protocol)},
                        {"application", report.application},
                        {"category", report.category},
                        {"final", report.final}};
  add_findings(report.findings, reply);
  reply["action"] = report.action;
  reply["rule"] = report.rule;
  if (!report.blocked_by.empty()) reply["reason"] = report.blocked_by;
  reply["packets_blocked"] = report.packets_blocked;
  reply["packets_limited"] = report.packets_limited;
  reply["packets_over_quota"] = report.packets_over_quota;
  reply["history"] = ordered_json::array();
  for (const FlowReport::Step& step : report.history)
    reply["history"].push_back(
        {{"packet", step.packet}, {"application", step.application}, {"rule", step.rule}});
  reply["steps"] = ordered_json::array();
  for (const inspect::PolicyStep& step : report.reasons)
    reply["steps"].push_back({{"matches", kMatches[static_cast<size_t>(step.state)]},
                              {"rule", step.rule},
                              {"why", step.why}});
  return reply;
}

Result<ordered_json> explain_flow(const json& request, const sdk::Workers& workers) {
  SLUICE_TRY(const tunnels::tuple tuple, read_tuple(request));
  SLUICE_TRY(const auto reports,
             workers.ask<std::optional<FlowReport>>([tuple](sdk::Appliance& appliance) {
               return static_cast<DpiAppliance&>(appliance).report(tuple);
             }));
  for (const auto& report : reports)
    if (report) return reply_of(*report);
  return fail("there is no such flow");
}

}  // namespace

sdk::Command explain_command() {
  return {"explain",
          "a flow's application, rule and why; src_ip= src_port= dest_ip= dest_port= proto=TCP",
          explain_flow,
          {"src_ip", "src_port", "dest_ip", "dest_port", "proto"}};
}

}  // namespace sluice::dpi
