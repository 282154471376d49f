// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <vector>

namespace sluice::gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr const char* kKinds[] = {"2xx", "3xx", "4xx", "5xx"};

class Page {
 public:
  explicit Page(const Alb& alb) : alb_(alb) {}
  std::string text() {
    add_balancers();
    add_answers();
    add_groups();
    add_response_times();
    add_hosts();
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  MetricFamily& begin(const char* name, const char* help, MetricType type) {
    return families_.emplace_back(MetricFamily{name, help, type, {}});
  }
  template <class Number>
  static void add(MetricFamily& family, Labels labels, Number value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
  }

  void add_balancers() {
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
        {"sluice_alb_fail_open_requests_total",
         "Requests sent to a group without a healthy target.", &AlbCounters::fail_open},
    };
    for (const Column& column : kColumns) {
      MetricFamily& family = begin(column.name, column.help, MetricType::Counter);
      for (const auto& [name, balancer] : alb_.balancers())
        add(family, {{"load_balancer", name}}, balancer->counters.*column.value);
    }
    MetricFamily& active =
        begin("sluice_alb_active_connections", "Connections of clients.", MetricType::Gauge);
    for (const auto& [name, balancer] : alb_.balancers())
      add(active, {{"load_balancer", name}}, balancer->clients);
  }

  void add_answers() {
    MetricFamily& family = begin("sluice_alb_own_responses_total",
                                 "Responses that no target made, by status.", MetricType::Counter);
    for (const auto& [name, balancer] : alb_.balancers()) {
      const AlbCounters& counters = balancer->counters;
      const uint64_t values[] = {counters.own_2xx, counters.own_3xx, counters.own_4xx,
                                 counters.own_5xx};
      for (size_t i = 0; i < std::size(kKinds); i++)
        add(family, {{"load_balancer", name}, {"code", kKinds[i]}}, values[i]);
    }
  }

  template <class Each>
  void each_group(const Each& each) const {
    for (const auto& [name, balancer] : alb_.balancers())
      for (const auto& [group, pool] : balancer->pools)
        each(Labels{{"load_balancer", name}, {"target_group", group}}, *pool);
  }

  void add_groups() {
    MetricFamily requests{
        "sluice_alb_target_requests_total", "Requests given to targets.", MetricType::Counter, {}};
    MetricFamily failures{"sluice_alb_target_connection_errors_total",
                          "Connections to targets that failed.",
                          MetricType::Counter,
                          {}};
    MetricFamily responses{"sluice_alb_target_responses_total",
                           "Responses that targets made, by status.",
                           MetricType::Counter,
                           {}};
    each_group([&](const Labels& labels, TargetPool& pool) {
      add(requests, labels, pool.counters().requests);
      add(failures, labels, pool.counters().connect_failures);
      for (size_t i = 0; i < std::size(kKinds); i++) {
        Labels with_code = labels;
        with_code.push_back({"code", kKinds[i]});
        add(responses, std::move(with_code), pool.counters().status[i]);
      }
    });
    for (MetricFamily* family : {&requests, &failures, &responses})
      families_.push_back(std::move(*family));
  }

  void add_response_times() {
    MetricFamily& family = begin("sluice_alb_target_response_seconds",
                                 "From a request's last byte sent to the head of its response.",
                                 MetricType::Histogram);
    each_group([&](const Labels& labels, TargetPool& pool) {
      ClientMetric& metric = family.metric.emplace_back();
      metric.label = labels;
      const TargetCounters& counters = pool.counters();
      uint64_t sum = 0;
      for (size_t i = 0; i <= kResponseSeconds.size(); i++) {
        sum += counters.response_times[i];
        const double end = i < kResponseSeconds.size() ? kResponseSeconds[i]
                                                       : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({sum, end});
      }
      metric.histogram.sample_count = sum;
      metric.histogram.sample_sum = static_cast<double>(counters.response_us) / 1e6;
    });
  }

  void add_hosts() {
    MetricFamily healthy{
        "sluice_alb_healthy_hosts", "Targets that are healthy.", MetricType::Gauge, {}};
    MetricFamily unhealthy{
        "sluice_alb_unhealthy_hosts", "Targets that are unhealthy.", MetricType::Gauge, {}};
    each_group([&](const Labels& labels, TargetPool& pool) {
      size_t good = 0, bad = 0;
      for (const auto& target : pool.targets()) {
        const HealthState state = alb_.health({pool.name(), target->target()}).state;
        good += state == HealthState::kHealthy;
        bad += state == HealthState::kUnhealthy;
      }
      add(healthy, labels, good);
      add(unhealthy, labels, bad);
    });
    families_.push_back(std::move(healthy));
    families_.push_back(std::move(unhealthy));
  }

  const Alb& alb_;
  std::vector<MetricFamily> families_;
};

}  // namespace

std::string alb_metrics_text(const Alb& alb) { return Page(alb).text(); }

}  // namespace sluice::gateway
