// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/print.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/cli/table.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

// A field as text; "-" when it is not there.
std::string text(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) return "-";
  const std::string out = at->is_string() ? at->get<std::string>() : at->dump();
  return out.empty() ? "-" : out;
}

std::string endpoint(const json& flow, const char* address, const char* port) {
  const std::string host = text(flow, address);
  const std::string number = text(flow, port);
  if (number == "0") return host;
  return host.find(':') == std::string::npos ? host + ":" + number : "[" + host + "]:" + number;
}

std::string seconds(const json& flow, const char* name) {
  char out[32];
  std::snprintf(out, sizeof(out), "%.1f", flow.value(name, 0.0) / 1000);
  return out;
}

// Empty without one.
std::string print_mirrors(const json& rules) {
  std::vector<std::vector<std::string>> rows;
  for (const json& rule : rules) {
    if (!rule.contains("mirror")) continue;
    std::vector<std::string> row{text(rule, "name")};
    for (const char* name : {"target_group", "type", "sent", "lost", "unrecorded", "no_target",
                             "unsent", "answers", "approved", "altered", "missing", "unasked",
                             "agreed", "would_drop", "would_pass", "would_change"})
      row.push_back(text(rule["mirror"], name));
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return {};
  return "\n" + format_table({"RULE", "COPIES TO", "AS", "SENT", "LOST", "UNRECORDED", "NO TARGET",
                              "UNSENT", "ANSWERS", "SAME", "ALTERED", "MISSING", "UNASKED",
                              "AGREED", "WOULD DROP", "WOULD PASS", "WOULD CHANGE"},
                             rows);
}

}  // namespace

std::string print_targets(const json& reply) {
  std::vector<std::vector<std::string>> rows;
  for (const json& t : reply.at("targets")) {
    char share[16] = "-";
    if (t.contains("share"))
      std::snprintf(share, sizeof(share), "%.1f%%", t["share"].get<double>() * 100);
    rows.push_back({text(t, "target_group"), endpoint(t, "id", "port"), text(t, "state"),
                    text(t, "reason"), text(t, "weight"), share, text(t, "packets_sent"),
                    text(t, "packets_returned"), text(t, "description")});
  }
  if (rows.empty()) return "no targets are registered\n";
  return format_table({"GROUP", "TARGET", "STATE", "REASON", "WEIGHT", "NEW FLOWS", "SENT",
                       "RETURNED", "LAST CHECK"},
                      rows);
}

std::string print_flows(const json& reply) {
  std::vector<std::vector<std::string>> rows;
  for (const json& f : reply.at("flows")) {
    const uint64_t packets =
        f.value("packets_forward", uint64_t{0}) + f.value("packets_back", uint64_t{0});
    const uint64_t bytes =
        f.value("bytes_forward", uint64_t{0}) + f.value("bytes_back", uint64_t{0});
    rows.push_back({text(f, "protocol"), endpoint(f, "source", "source_port"),
                    endpoint(f, "destination", "destination_port"), text(f, "attachment"),
                    text(f, "rule"), text(f, "appliance"), text(f, "backend"), text(f, "state"),
                    seconds(f, "age_ms"), seconds(f, "idle_ms"), std::to_string(packets),
                    std::to_string(bytes)});
  }
  const uint64_t matched = reply.value("matched", uint64_t{0});
  std::string out = format_table({"PROTO", "FROM", "TO", "ATTACHMENT", "RULE", "APPLIANCE",
                                  "BACKEND", "STATE", "AGE s", "IDLE s", "PACKETS", "BYTES"},
                                 rows);
  if (matched > rows.size())
    out += std::to_string(rows.size()) + " of " + std::to_string(matched) + " flows; see --limit\n";
  return out;
}

std::string print_attachments(const json& reply) {
  const auto taken = [](const json& one) {
    const std::string entry = text(one, "taken_at");
    return entry == "-" ? "not there" : entry;
  };
  std::vector<std::vector<std::string>> rows;
  for (const json& a : reply.at("attachments"))
    rows.push_back({text(a, "name"), text(a, "endpoint_id"), text(a, "outside"), text(a, "inside"),
                    text(a, "load_balancer"), text(a, "entry"), taken(a)});
  std::string out = rows.empty() ? "the gateway has no attachment\n"
                                 : format_table({"ATTACHMENT", "ENDPOINT", "OUTSIDE", "INSIDE",
                                                 "LOAD BALANCER", "ENTRY", "TAKEN AT"},
                                                rows);
  for (const json& t : reply.at("tunnel"))
    out += "tunnel interface " + text(t, "interface") + ": " + taken(t) + "\n";
  return out;
}

std::string print_policy(const json& reply) {
  const auto join = [](const json& list, const char* between) {
    std::string out;
    for (const json& one : list)
      out += (out.empty() ? "" : between) + (one.is_string() ? one.get<std::string>() : one.dump());
    return out.empty() ? "any" : out;
  };
  const auto what = [&](const json& action) {
    if (action.contains("target_group")) return text(action, "target_group");
    if (!action.contains("target_groups")) return text(action, "type");
    json shares = json::array();
    for (const json& group : action["target_groups"])
      shares.push_back(text(group, "weight") + " " + text(group, "target_group"));
    return join(shares, " : ");
  };
  std::vector<std::vector<std::string>> rows;
  for (const json& r : reply.at("rules")) {
    json actions = json::array();
    std::string copies;
    for (const json& action : r.at("actions")) {
      const std::string type = text(action, "type");
      if (type == "mirror" || type == "shadow")
        copies = " + " + type + " " + text(action, "target_group");
      else
        actions.push_back(what(action));
    }
    rows.push_back({text(r, "name"), join(r.value("attachments", json::array()), ","),
                    join(r.value("sources", json::array()), ","),
                    join(r.value("destinations", json::array()), ","), text(r, "protocol"),
                    join(r.value("ports", json::array()), ","),
                    std::to_string(r.value("percentage", 100)) + "%", join(actions, " > ") + copies,
                    text(r, "flows"), text(r, "packets_dropped")});
  }
  if (rows.empty()) return "the gateway has no policy: listeners decide\n";
  return format_table({"RULE", "ATTACHMENTS", "SOURCES", "DESTINATIONS", "PROTO", "PORTS", "OF",
                       "ACTION", "FLOWS", "DROPPED"},
                      rows) +
         print_mirrors(reply.at("rules"));
}

std::string print_counters(const json& reply, bool zeros) {
  std::vector<std::vector<std::string>> rows;
  for (const char* kind : {"verdicts", "events", "drops"}) {
    for (const auto& [name, count] : reply.at(kind).items())
      if (zeros || count != 0) rows.push_back({kind, name, count.dump()});
  }
  if (rows.empty()) return "no packet has come yet\n";
  return format_table({"KIND", "NAME", "COUNT"}, rows);
}

std::string print_sighting(const json& line) {
  if (line.contains("lost")) return "... " + text(line, "lost") + " are lost\n";
  const auto column = [](std::string word, size_t width) {
    word.resize(std::max(word.size(), width), ' ');
    return word + "  ";
  };
  const std::string time = text(line, "time");  // 2026-11-21T06:31:01.250112Z
  const std::string clock = time.size() == 27 ? time.substr(11, 15) : time;
  std::string packet = text(line, "length") + " bytes";
  if (line.contains("tcp_flags")) packet += " " + text(line, "tcp_flags");
  return clock + "  " + column(text(line, "direction"), 7) + column(packet, 18) +
         column(text(line, "stage"), 12) + text(line, "what") + "\n";
}

std::string print_explanation(const json& reply) {
  std::string out;
  int step = 1;
  for (const json& sentence : reply.at("story"))
    out += std::to_string(step++) + ". " + sentence.get<std::string>() + "\n";
  return out;
}

}  // namespace sluice::gateway
