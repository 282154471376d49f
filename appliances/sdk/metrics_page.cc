// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "tunnels/result.h"

namespace sluice::sdk {

namespace {

// Prometheus wants labels in UTF-8; what came from the network may be anything.
std::string printable(const std::string& text) {
  std::string out = text;
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

}  // namespace

struct MetricsPage::Families {
  std::vector<prometheus::MetricFamily> list;
};

MetricsPage::MetricsPage() : families_(std::make_unique<Families>()) {}
MetricsPage::~MetricsPage() = default;

void MetricsPage::begin(const char* name, const char* help, bool counts) {
  families_->list.push_back(
      {name, help, counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge, {}});
}
void MetricsPage::counter(const char* name, const char* help) { begin(name, help, true); }
void MetricsPage::gauge(const char* name, const char* help) { begin(name, help, false); }

void MetricsPage::sample(double value, Labels labels) {
  SLUICE_CHECK(!families_->list.empty());
  if (samples_ == kMetricsSamplesMax) {
    left_out_++;
    return;
  }
  samples_++;
  prometheus::MetricFamily& family = families_->list.back();
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  for (const auto& [name, text] : labels) metric.label.push_back({name, printable(text)});
  if (family.type == prometheus::MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
}

std::string MetricsPage::text() {
  if (left_out_ != 0) {
    families_->list.push_back({"sluice_metrics_samples_left_out",
                               "Samples that did not fit this page.",
                               prometheus::MetricType::Gauge,
                               {}});
    families_->list.back().metric.emplace_back().gauge.value = static_cast<double>(left_out_);
    left_out_ = 0;
  }
  return prometheus::TextSerializer().Serialize(families_->list);
}

}  // namespace sluice::sdk
