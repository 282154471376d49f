// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/metrics.h"

#include "tunnels/metrics_page.h"

namespace sluice::gateway {
namespace {

using tunnels::MetricsPage;
using Labels = MetricsPage::Labels;

constexpr const char* kKinds[] = {"2xx", "3xx", "4xx", "5xx"};

void add_balancers(MetricsPage& page, const Alb& alb) {
  struct Column {
    const char* name;
    const char* help;
    uint64_t AlbCounters::*value;
  };
  constexpr Column kColumns[] = {
      {"sluice_alb_requests_total", "Requests read, good or bad.", &AlbCounters::requests},
      {"sluice_alb_new_connections_total", "Connections accepted from clients.",
       &AlbCounters::connections_accepted},
      {"sluice_alb_rejected_connections_total", "Connections closed for want of places.",
       &AlbCounters::connections_refused},
      {"sluice_alb_received_bytes_total", "Bytes of clients' heads and bodies.",
       &AlbCounters::received_bytes},
      {"sluice_alb_sent_bytes_total", "Bytes sent to clients.", &AlbCounters::sent_bytes},
      {"sluice_alb_redirects_total", "Requests that a rule redirected.", &AlbCounters::redirects},
      {"sluice_alb_fixed_responses_total", "Requests that a rule answered.",
       &AlbCounters::fixed_responses},
      {"sluice_alb_fail_open_requests_total", "Requests sent to a group without a healthy target.",
       &AlbCounters::fail_open},
  };
  for (const Column& column : kColumns) {
    auto family = page.counter(column.name, column.help);
    for (const auto& [name, balancer] : alb.balancers())
      family.sample(balancer->counters.*column.value, {{"load_balancer", name}});
  }
  auto active = page.gauge("sluice_alb_active_connections", "Connections of clients.");
  for (const auto& [name, balancer] : alb.balancers())
    active.sample(balancer->clients, {{"load_balancer", name}});
}

void add_answers(MetricsPage& page, const Alb& alb) {
  auto family =
      page.counter("sluice_alb_own_responses_total", "Responses that no target made, by status.");
  for (const auto& [name, balancer] : alb.balancers()) {
    const AlbCounters& counters = balancer->counters;
    const uint64_t values[] = {counters.own_2xx, counters.own_3xx, counters.own_4xx,
                               counters.own_5xx};
    for (size_t i = 0; i < std::size(kKinds); i++)
      family.sample(values[i], {{"load_balancer", name}, {"code", kKinds[i]}});
  }
}

template <class Each>
void each_group(const Alb& alb, const Each& each) {
  for (const auto& [name, balancer] : alb.balancers())
    for (const auto& [group, pool] : balancer->pools)
      each(Labels{{"load_balancer", name}, {"target_group", group}}, *pool);
}

void add_groups(MetricsPage& page, const Alb& alb) {
  auto requests = page.counter("sluice_alb_target_requests_total", "Requests given to targets.");
  auto failures = page.counter("sluice_alb_target_connection_errors_total",
                               "Connections to targets that failed.");
  auto responses =
      page.counter("sluice_alb_target_responses_total", "Responses that targets made, by status.");
  each_group(alb, [&](const Labels& labels, TargetPool& pool) {
    requests.sample(pool.counters().requests, labels);
    failures.sample(pool.counters().connect_failures, labels);
    for (size_t i = 0; i < std::size(kKinds); i++) {
      Labels with_code = labels;
      with_code.push_back({"code", kKinds[i]});
      responses.sample(pool.counters().status[i], with_code);
    }
  });
}

void add_response_times(MetricsPage& page, const Alb& alb) {
  auto family = page.histogram("sluice_alb_target_response_seconds",
                               "From a request's last byte sent to the head of its response.");
  each_group(alb, [&](const Labels& labels, TargetPool& pool) {
    const TargetCounters& counters = pool.counters();
    family.sample({kResponseSeconds, counters.response_times,
                   static_cast<double>(counters.response_us) / 1e6},
                  labels);
  });
}

void add_hosts(MetricsPage& page, const Alb& alb) {
  auto healthy = page.gauge("sluice_alb_healthy_hosts", "Targets that are healthy.");
  auto unhealthy = page.gauge("sluice_alb_unhealthy_hosts", "Targets that are unhealthy.");
  each_group(alb, [&](const Labels& labels, TargetPool& pool) {
    size_t good = 0, bad = 0;
    for (const auto& target : pool.targets()) {
      const HealthState state = alb.health({pool.name(), target->target()}).state;
      good += state == HealthState::kHealthy;
      bad += state == HealthState::kUnhealthy;
    }
    healthy.sample(good, labels);
    unhealthy.sample(bad, labels);
  });
}

}  // namespace

std::string alb_metrics_text(const Alb& alb) {
  MetricsPage page(tunnels::kConfiguredMetricsSamplesMax);
  add_balancers(page, alb);
  add_answers(page, alb);
  add_groups(page, alb);
  add_response_times(page, alb);
  add_hosts(page, alb);
  return page.text();
}

}  // namespace sluice::gateway
