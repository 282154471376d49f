// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_controls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliances/dpi/dpi_appliance.h"
#include "appliances/dpi/explain.h"
#include "inspect/dpi/policy.h"
#include "inspect/eve/event.h"

namespace sluice::dpi {

namespace {

using inspect::Amount;
using inspect::UsageReport;
using nlohmann::json;
using nlohmann::ordered_json;
using sdk::Workers;
using tunnels::MetricsPage;

DpiAppliance& dpi_of(sdk::Appliance& appliance) { return static_cast<DpiAppliance&>(appliance); }

Result<UsageReport> usage_of(const Workers& workers) {
  SLUICE_TRY(const auto reports, workers.ask<UsageReport>([](sdk::Appliance& appliance) {
    return dpi_of(appliance).usage();
  }));
  return inspect::merge(reports);
}

Result<DpiCounters> counters_of(const Workers& workers) {
  return workers.sum<DpiCounters>(
      [](sdk::Appliance& appliance) { return dpi_of(appliance).counters(); });
}

// What is not counted by application: sluice_dpi_all_packets_limited_total,
// sluice_dpi_all_bytes_held ...
void add_counters(const DpiCounters& counters, MetricsPage& page) {
  for (const CounterField& field : counter_fields()) {
    const std::string name = std::string("sluice_dpi_all_") + field.name;
    MetricsPage::Family family = field.now ? page.gauge(name.c_str(), field.help)
                                           : page.counter((name + "_total").c_str(), field.help);
    family.sample(counters.*field.value);
  }
}

Result<ordered_json> top(const json& request, const Workers& workers) {
  SLUICE_TRY(const int64_t limit, sdk::number_in(request, "limit", kTopDefault, 1, kTopMax));
  SLUICE_TRY(const UsageReport report, usage_of(workers));
  return top_of(report, static_cast<size_t>(limit));
}

// The names are those of the running classifiers, their list files included.
Result<ordered_json> reload(const std::string& policy_file, const Workers& workers) {
  if (policy_file.empty())
    return fail("there is no policy to read again: it runs without --policy");
  SLUICE_TRY(const auto names, workers.ask<inspect::DpiNames>([](sdk::Appliance& appliance) {
    return dpi_of(appliance).names();
  }));
  SLUICE_TRY(inspect::Policy read, inspect::Policy::load(policy_file, names.front()));
  const auto policy = std::make_shared<const inspect::Policy>(std::move(read));
  SLUICE_TRY_VOID(workers.each(
      [policy](size_t, sdk::Appliance& appliance) { dpi_of(appliance).set_policy(policy); }));
  return ordered_json::object();
}

ordered_json amount_fields(ordered_json row, const Amount& amount) {
  row["flows"] = amount.flows;
  row["flows_blocked"] = amount.flows_blocked;
  row["packets_to_server"] = amount.packets[0];
  row["packets_to_client"] = amount.packets[1];
  row["packets_blocked"] = amount.packets_blocked;
  row["bytes_to_server"] = amount.bytes[0];
  row["bytes_to_client"] = amount.bytes[1];
  return row;
}

struct Column {
  const char* name;
  const char* help;
  uint64_t (*value)(const Amount&);
};
constexpr Column kColumns[] = {
    {"sluice_dpi_flows_total", "Flows by application, counted once it is known for good.",
     [](const Amount& a) { return a.flows; }},
    {"sluice_dpi_flows_blocked_total", "Flows that the policy blocked.",
     [](const Amount& a) { return a.flows_blocked; }},
    {"sluice_dpi_packets_blocked_total", "Packets that were not let through.",
     [](const Amount& a) { return a.packets_blocked; }},
};

}  // namespace

ordered_json top_of(const UsageReport& report, size_t limit) {
  ordered_json applications = ordered_json::array();
  for (const auto& usage :
       std::span(report.applications).first(std::min(limit, report.applications.size())))
    applications.push_back(amount_fields(
        {{"application", usage.application}, {"category", usage.category}}, usage.amount));
  ordered_json hosts = ordered_json::array();
  for (const auto& host : std::span(report.hosts).first(std::min(limit, report.hosts.size()))) {
    hosts.push_back(amount_fields(
        {{"host", inspect::address_text(host.address.words, host.address.version)}}, host.amount));
    hosts.back()["bytes_missed_max"] = host.missed_bytes;
  }
  return {{"applications", applications}, {"hosts", hosts}};
}

void add_usage(const UsageReport& report, MetricsPage& page) {
  for (const auto& [name, help, value] : kColumns) {
    MetricsPage::Family family = page.counter(name, help);
    for (const auto& usage : report.applications)
      family.sample(value(usage.amount), {{"application", usage.application}});
  }
  const auto by_direction = [&](const char* name, const char* help, const auto& counts) {
    MetricsPage::Family family = page.counter(name, help);
    for (const auto& usage : report.applications) {
      for (int way = 0; way < 2; way++)
        family.sample(counts(usage.amount)[way],
                      {{"application", usage.application},
                       {"direction", way == 0 ? "to_server" : "to_client"}});
    }
  };
  by_direction("sluice_dpi_packets_total", "Packets that came in.",
               [](const Amount& a) { return a.packets; });
  by_direction("sluice_dpi_bytes_total", "Bytes of IP packets that came in.",
               [](const Amount& a) { return a.bytes; });
}

sdk::Controls dpi_controls(const std::string& policy_file) {
  sdk::Controls controls;
  controls.commands.push_back(
      {"top", "applications and clients that carry most; limit=10", top, {"limit"}});
  controls.commands.push_back(explain_command());
  controls.reload = [policy_file](const Workers& workers) { return reload(policy_file, workers); };
  controls.metrics = [](const Workers& workers, MetricsPage& page) -> Result<> {
    SLUICE_TRY(const UsageReport report, usage_of(workers));
    add_usage(report, page);
    SLUICE_TRY(const DpiCounters counters, counters_of(workers));
    add_counters(counters, page);
    return {};
  };
  controls.stats = [](const Workers& workers, ordered_json& stats) -> Result<> {
    SLUICE_TRY(const DpiCounters sum, counters_of(workers));
    for (const CounterField& field : counter_fields()) stats["dpi"][field.name] = sum.*field.value;
    return {};
  };
  return controls;
}

}  // namespace sluice::dpi
