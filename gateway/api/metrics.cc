// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/metrics.h"

#include <algorithm>
#include <vector>

#include "gateway/api/attachments.h"
#include "gateway/api/commands.h"
#include "gateway/api/event_stream.h"
#include "gateway/api/flows.h"
#include "gateway/api/http_server.h"
#include "gateway/api/mirrors.h"
#include "gateway/control/controller.h"
#include "gateway/control/events.h"
#include "gateway/control/traffic.h"
#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/sum_counters.h"
#include "gateway/discovery/discovery.h"
#include "gateway/flow_log/flow_log.h"
#include "tunnels/metrics_page.h"

namespace sluice::gateway {
namespace {

using tunnels::MetricsPage;
using Labels = MetricsPage::Labels;

void add_data_path(MetricsPage& page, const Controller& controller, const ActiveFlows& flows) {
  const counters sum = sum_counters(controller.tables());
  page.gauge("sluice_active_flows", "Flows in the table that are not over.").sample(flows.all);
  page.counter("sluice_new_flows_total", "Flows that began.").sample(sum.event[kEventFlowCreated]);
  auto packets = page.counter("sluice_packets_total",
                              "Packets that the path has taken, by what became of them.");
  for (size_t i = 0; i < kVerdictCount; i++)
    packets.sample(sum.verdict[i], {{"verdict", verdict_name(static_cast<Verdict>(i))}});
  auto dropped = page.counter("sluice_dropped_packets_total", "Packets dropped, by reason.");
  for (size_t i = tunnels::kDropNone + 1; i < tunnels::kDropReasonCount; i++) {
    const auto reason = static_cast<tunnels::DropReason>(i);
    dropped.sample(sum.drop[i], {{"reason", std::string(tunnels::drop_reason_name(reason))}});
  }
  auto happened = page.counter("sluice_path_events_total",
                               "What happened in the packet path besides verdicts.");
  for (size_t i = 0; i < kEventCount; i++)
    happened.sample(sum.event[i], {{"event", path_event_name(static_cast<PathEvent>(i))}});
}

void add_interfaces(MetricsPage& page, const Controller& controller) {
  auto info = page.gauge("sluice_interface_info",
                         "1 for each interface where packets are taken, with the entry there.");
  for (const TakenInterface& one : taken_interfaces(controller))
    if (!one.entry.empty())
      info.sample(1, {{"interface", one.name},
                      {"role", std::string(one.role)},
                      {"attachment", one.attachment},
                      {"entry", std::string(one.entry)}});
}

// Without a policy, no lines.
void add_policy(MetricsPage& page, const Controller& controller) {
  const PolicyWriter& policy = controller.reconciler().policy();
  const auto column = [&](MetricsPage::Family family, __u64 policy_counters::*value) {
    for (const PolicyRule& rule : controller.config().gateway.policy)
      family.sample(policy.count(rule.name).*value, {{"rule", rule.name}});
  };
  if (controller.config().gateway.policy.empty()) return;
  column(page.counter("sluice_policy_flows_total", "Flows that began by a rule of the policy."),
         &policy_counters::flows);
  column(page.counter("sluice_policy_dropped_packets_total", "Packets that a rule has dropped."),
         &policy_counters::packets_dropped);
}

// One series per place in the target table: groups that share a target share its numbers.
void add_targets(MetricsPage& page, const Controller& controller) {
  struct Column {
    const char* name;
    const char* help;
    __u64 target_counters::*value;
  };
  const Column columns[] = {
      {"sluice_target_new_flows_total", "Flows that were opened to a target.",
       &target_counters::flows},
      {"sluice_target_sent_packets_total", "Packets sent to a target.",
       &target_counters::packets_sent},
      {"sluice_target_sent_bytes_total", "Bytes of the IP packets sent to a target.",
       &target_counters::bytes_sent},
      {"sluice_target_returned_packets_total", "Packets that came back from a target.",
       &target_counters::packets_returned},
      {"sluice_target_returned_bytes_total", "Bytes of the IP packets that came back.",
       &target_counters::bytes_returned},
  };
  const Tables& tables = controller.tables();
  for (const Column& column : columns) {
    auto family = page.counter(column.name, column.help);
    for (uint16_t i = 0; i < kTargetsMax; i++) {
      const target& target = tables.targets[i];
      if (!(target.flags & kTargetInUse)) continue;
      const std::string address = ip_address(target.address, target.version).text();
      const char* kind = target.flags & kTargetAppliance ? "appliance" : "nlb";
      const int port = target.flags & kTargetAppliance ? 6081 : swap_be16(target.port);
      family.sample(tables.target_counters[i].*column.value,
                    {{"target", address}, {"port", std::to_string(port)}, {"kind", kind}});
    }
  }
}

void add_hosts(MetricsPage& page, const Controller& controller) {
  struct Count {
    std::string group;
    size_t healthy = 0, unhealthy = 0;
  };
  std::vector<Count> counts;
  for (const TargetGroup& group : controller.config().target_groups) {
    Count count{group.name};
    for (const Target& target : group.targets) {
      const HealthState state = controller.target_health(group, target).state;
      count.healthy += state == HealthState::kHealthy;
      count.unhealthy += state == HealthState::kUnhealthy;
    }
    counts.push_back(std::move(count));
  }
  auto healthy = page.gauge("sluice_healthy_hosts", "Targets of a group that are healthy.");
  for (const Count& count : counts) healthy.sample(count.healthy, {{"target_group", count.group}});
  auto unhealthy = page.gauge("sluice_unhealthy_hosts", "Targets of a group that are unhealthy.");
  for (const Count& count : counts)
    unhealthy.sample(count.unhealthy, {{"target_group", count.group}});
}

void add_probes(MetricsPage& page, const TunnelProbeCounters& counters) {
  auto family = page.counter("sluice_tunnel_probes_total",
                             "Probes through the tunnel, by what became of them.");
  family.sample(counters.returned, {{"result", "returned"}});
  family.sample(counters.missed, {{"result", "missed"}});
  family.sample(counters.not_sent, {{"result", "not_sent"}});
}

void add_checks(MetricsPage& page, const HealthChecker& checker) {
  const HealthCounters& counters = checker.counters();
  auto family =
      page.counter("sluice_health_checks_total", "Health checks that have ended, by result.");
  family.sample(counters.succeeded, {{"result", "success"}});
  family.sample(counters.mismatched, {{"result", "response_code_mismatch"}});
  family.sample(counters.timed_out, {{"result", "timeout"}});
  family.sample(counters.failed, {{"result", "failure"}});
  family.sample(counters.not_made, {{"result", "not_made"}});
  page.counter("sluice_health_checks_deferred_total", "Checks that had to wait for their turn.")
      .sample(counters.deferred);
  page.gauge("sluice_health_checks_in_flight", "Checks under way.").sample(checker.in_flight());
}

void add_server(MetricsPage& page, const HttpServer& server) {
  const HttpCounters& counters = server.counters();
  page.counter("sluice_api_requests_total", "HTTP requests read.").sample(counters.requests);
  page.counter("sluice_api_requests_refused_total", "HTTP requests refused before any handler.")
      .sample(counters.requests_refused);
  page.counter("sluice_api_connections_total", "HTTP connections accepted.")
      .sample(counters.connections);
  auto family = page.counter("sluice_api_connections_lost_total",
                             "HTTP connections closed for want of places.");
  family.sample(counters.connections_evicted, {{"how", "evicted"}});
  family.sample(counters.connections_refused, {{"how", "refused"}});
  page.gauge("sluice_api_connections", "HTTP connections open.").sample(server.connections());
}

// As in the last part of its ARN: "gwy/inspect/0123456789abcdef".
std::string balancer_label(const LoadBalancer& lb) {
  return (lb.type == LoadBalancerType::kGateway ? "gwy/" : "net/") + lb.name + "/" + lb.id;
}

// Those that forward to the group, commas between them; AWS allows one.
std::string balancers_of(const Config& config, const TargetGroup& group) {
  std::string out;
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type == LoadBalancerType::kApplication) continue;
    const bool forwards = std::ranges::any_of(lb.listeners, [&](const Listener& listener) {
      return forwards_to(listener.default_action, group.name);
    });
    if (forwards) out += (out.empty() ? "" : ",") + balancer_label(lb);
  }
  return out;
}

double flows_of_gateway(const Controller& controller, const LoadBalancer& lb,
                        const ActiveFlows& flows) {
  double out = 0;
  for (uint16_t i = 0; i < kAttachmentsMax; i++) {
    if (flows.of_attachment[i] == 0) continue;
    const std::string_view name = controller.reconciler().attachment_name(i);
    out +=
        std::ranges::any_of(controller.config().attachments,
                            [&](const Attachment& attachment) {
                              return attachment.name == name && attachment.load_balancer == lb.name;
                            })
            ? flows.of_attachment[i]
            : 0;
  }
  return out;
}

bool is_of(const listener& place, const LoadBalancer& lb, const Listener& listener) {
  const uint8_t protocol = listener.protocol == Protocol::kUdp ? kProtocolUdp : kProtocolTcp;
  if (place.protocol != protocol || swap_be16(place.port) != listener.port) return false;
  const auto addresses = addresses_of(lb, listener);
  const IpAddress address = ip_address(place.address, place.version);
  return std::ranges::find(addresses, address) != addresses.end();
}

double flows_of_network(const Controller& controller, const LoadBalancer& lb,
                        const ActiveFlows& flows) {
  double out = 0;
  for (uint16_t i = 0; i < kListenersMax; i++) {
    if (flows.of_listener[i] == 0) continue;
    for (const Listener& listener : lb.listeners)
      if (is_of(controller.tables().listeners[i], lb, listener)) out += flows.of_listener[i];
  }
  return out;
}

void add_load_balancers(MetricsPage& page, const Controller& controller, const ActiveFlows& flows) {
  auto family = page.gauge("sluice_load_balancer_active_flows",
                           "Flows of a load balancer that are not over.");
  for (const LoadBalancer& lb : controller.config().load_balancers) {
    if (lb.type == LoadBalancerType::kApplication) continue;
    family.sample(lb.type == LoadBalancerType::kGateway ? flows_of_gateway(controller, lb, flows)
                                                        : flows_of_network(controller, lb, flows),
                  {{"load_balancer", balancer_label(lb)}});
  }
}

double flows_of(const Controller& controller, const TargetGroup& group, const ActiveFlows& flows) {
  double out = 0;
  for (const Target& target : group.targets)
    if (const auto index = controller.reconciler().target_index(group.protocol, target))
      out += flows.of_target[*index];
  return out;
}

// Groups that share a target each have all of its numbers.
void add_groups(MetricsPage& page, const Controller& controller, const ActiveFlows& flows,
                const Traffic& traffic) {
  struct Row {
    const TargetGroup* group;
    const GroupTraffic* traffic;
    Labels labels;
  };
  std::vector<Row> rows;
  for (const TargetGroup& group : controller.config().target_groups) {
    const auto at = traffic.groups().find(group.name);
    if (at == traffic.groups().end()) continue;
    rows.push_back({&group,
                    &at->second,
                    {{"load_balancer", balancers_of(controller.config(), group)},
                     {"target_group", group.name}}});
  }
  const auto column = [&](MetricsPage::Family family, __u64 target_counters::*value,
                          const Labels& more = {}) {
    for (const Row& row : rows) {
      Labels labels = row.labels;
      labels.insert(labels.end(), more.begin(), more.end());
      family.sample(row.traffic->sum.*value, labels);
    }
  };
  auto active =
      page.gauge("sluice_target_group_active_flows", "Flows of a target group that are not over.");
  for (const Row& row : rows) active.sample(flows_of(controller, *row.group, flows), row.labels);
  column(
      page.counter("sluice_target_group_new_flows_total", "Flows that were opened to its targets."),
      &target_counters::flows);
  auto unhealthy = page.counter("sluice_target_group_unhealthy_routing_flows_total",
                                "Flows of those, opened while none of its targets was healthy.");
  for (const Row& row : rows) unhealthy.sample(row.traffic->unhealthy_routing_flows, row.labels);
  const auto packets =
      page.counter("sluice_target_group_packets_total", "Packets to its targets, and from them.");
  column(packets, &target_counters::packets_sent, {{"direction", "sent"}});
  column(packets, &target_counters::packets_returned, {{"direction", "returned"}});
  const auto bytes = page.counter("sluice_target_group_bytes_total", "Bytes of those IP packets.");
  column(bytes, &target_counters::bytes_sent, {{"direction", "sent"}});
  column(bytes, &target_counters::bytes_returned, {{"direction", "returned"}});
  const auto resets = page.counter("sluice_target_group_resets_total",
                                   "TCP resets of a network load balancer's clients and targets.");
  column(resets, &target_counters::resets_sent, {{"from", "client"}});
  column(resets, &target_counters::resets_returned, {{"from", "target"}});
  auto peak = page.gauge("sluice_target_group_peak_packets_per_second",
                         "The most packets of one second of the last minute.");
  for (const Row& row : rows) peak.sample(row.traffic->peak_per_second(), row.labels);
}

// Groups that follow a source; none, no lines.
void add_discovery(MetricsPage& page, const Discovery& discovery) {
  const std::vector<FollowedGroup> groups = discovery.groups();
  const auto column = [&](MetricsPage::Family family, const auto& value) {
    for (const FollowedGroup& group : groups)
      family.sample(value(group), {{"target_group", group.group}});
  };
  column(page.gauge("sluice_discovery_up", "1 while the source of a group's targets is heard."),
         [](const FollowedGroup& g) { return g.answers > 0 && g.trouble.empty(); });
  column(page.gauge("sluice_discovery_targets", "Targets that the source told last."),
         [](const FollowedGroup& g) { return g.targets; });
  column(page.counter("sluice_discovery_answers_total", "Answers of the source."),
         [](const FollowedGroup& g) { return g.answers; });
  column(
      page.counter("sluice_discovery_failures_total", "Times that the source could not be heard."),
      [](const FollowedGroup& g) { return g.failures; });
  column(page.counter("sluice_discovery_unusable_total", "Entries of answers that were left out."),
         [](const FollowedGroup& g) { return g.unusable; });
  column(page.counter("sluice_discovery_changes_total", "Changes of targets that took effect."),
         [](const FollowedGroup& g) { return g.changes; });
}

void add_flow_log(MetricsPage& page, const FlowLog& log) {
  page.counter("sluice_flow_log_lines_total", "Lines about flows that were written.")
      .sample(log.lines_written());
  page.counter("sluice_flow_log_lines_lost_total",
               "Lines that found no room in the queue, or that the disk did not take.")
      .sample(log.lines_lost());
  page.counter("sluice_flow_log_flows_unseen_total",
               "Flows that the log does not have: they ended before anybody looked at them.")
      .sample(log.unseen());
}

}  // namespace

// The first byte of a record is not touched unless its place is taken.
ActiveFlows active_flows(const Controller& controller) {
  const Tables& tables = controller.tables();
  const uint32_t step = std::max<uint32_t>(1, tables.flow_buckets_count / kFlowBucketsRead);
  const auto now_ms = static_cast<uint32_t>(controller.now_ms());
  ActiveFlows out{0, std::vector<double>(kTargetsMax), std::vector<double>(kAttachmentsMax),
                  std::vector<double>(kListenersMax)};
  for (uint32_t at = 0; at < tables.flow_buckets_count; at += step) {
    const flow_bucket& bucket = tables.flow_buckets[at];
    for (uint32_t way = 0; way < kFlowWays; way++) {
      const __u32 state = flow_entry_state(bucket.entry[way]);
      if (state == kFlowEmpty || state == kFlowClosed) continue;
      const flow_record record = bucket.record[way];  // the path may change it meanwhile
      if (flow_is_expired(tables.settings, &record, now_ms)) continue;
      if (record.flags & kFlowAlias) {
        out.of_listener[record.backend % kListenersMax] += step;
        continue;
      }
      out.all += step;
      out.of_attachment[record.attachment % kAttachmentsMax] += step;
      for (const uint16_t target : appliances_of(record)) out.of_target[target] += step;
      if (record.flags & kFlowNlb) out.of_target[record.backend % kTargetsMax] += step;
    }
  }
  return out;
}

std::string metrics_text(const MetricsSources& sources) {
  MetricsPage page(tunnels::kConfiguredMetricsSamplesMax);
  page.gauge("sluice_build_info", "Always 1; the version is a label.")
      .sample(1, {{"version", kVersion}, {"gateway", sources.controller.config().gateway.name}});
  const ActiveFlows flows = active_flows(sources.controller);
  add_data_path(page, sources.controller, flows);
  add_load_balancers(page, sources.controller, flows);
  add_interfaces(page, sources.controller);
  add_policy(page, sources.controller);
  add_mirrors(page, sources.controller);
  add_targets(page, sources.controller);
  add_hosts(page, sources.controller);
  add_checks(page, sources.controller.checker());
  add_probes(page, sources.controller.prober().counters());
  auto events = page.counter("sluice_events_total", "Events, by kind.");
  for (EventKind kind : all_event_kinds())
    events.sample(sources.events.published(kind), {{"kind", std::string(event_kind_name(kind))}});
  if (sources.stream != nullptr) {
    page.gauge("sluice_event_readers", "Clients that read GET /events.")
        .sample(sources.stream->readers());
    page.counter("sluice_event_readers_dropped_total", "Readers dropped because they did not read.")
        .sample(sources.stream->dropped());
  }
  if (sources.server != nullptr) add_server(page, *sources.server);
  if (sources.traffic != nullptr) add_groups(page, sources.controller, flows, *sources.traffic);
  if (sources.discovery != nullptr) add_discovery(page, *sources.discovery);
  if (sources.flow_log != nullptr) add_flow_log(page, *sources.flow_log);
  return page.text();
}

}  // namespace sluice::gateway
