// SPDX-License-Identifier: Apache-2.0
#include "tunnels/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include "tunnels/result.h"

namespace sluice::tunnels {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

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
  size_t begin(const char* name, const char* help, MetricType type) {
    list.push_back({name, help, type, {}});
    return list.size() - 1;
  }
  ClientMetric& add(size_t family, const Labels& labels) {
    samples++;
    ClientMetric& metric = list[family].metric.emplace_back();
    for (const auto& [name, text] : labels) metric.label.push_back({name, printable(text)});
    return metric;
  }
  std::vector<MetricFamily> list;
  size_t samples = 0;
};

MetricsPage::MetricsPage(size_t samples_max)
    : families_(std::make_unique<Families>()), samples_max_(samples_max) {}
MetricsPage::~MetricsPage() = default;

MetricsPage::Family MetricsPage::counter(const char* name, const char* help) {
  return {this, families_->begin(name, help, MetricType::Counter)};
}
MetricsPage::Family MetricsPage::gauge(const char* name, const char* help) {
  return {this, families_->begin(name, help, MetricType::Gauge)};
}
MetricsPage::Family MetricsPage::histogram(const char* name, const char* help) {
  return {this, families_->begin(name, help, MetricType::Histogram)};
}

void MetricsPage::add(size_t family, double value, const Labels& labels) {
  SLUICE_CHECK(families_->list[family].type != MetricType::Histogram);
  if (families_->samples == samples_max_) {
    left_out_++;
    return;
  }
  ClientMetric& metric = families_->add(family, labels);
  metric.counter.value = metric.gauge.value = value;  // its type says which one is printed
}

void MetricsPage::add(size_t family, const Histogram& value, const Labels& labels) {
  SLUICE_CHECK(families_->list[family].type == MetricType::Histogram);
  SLUICE_CHECK(value.counts.size() == value.ends.size() + 1);
  if (families_->samples == samples_max_) {
    left_out_++;
    return;
  }
  ClientMetric::Histogram& histogram = families_->add(family, labels).histogram;
  uint64_t so_far = 0;
  for (size_t i = 0; i < value.counts.size(); i++) {
    so_far += value.counts[i];
    histogram.bucket.push_back(
        {so_far, i < value.ends.size() ? value.ends[i] : std::numeric_limits<double>::infinity()});
  }
  histogram.sample_count = so_far;
  histogram.sample_sum = value.sum;
}

std::string MetricsPage::text() {
  if (left_out_ != 0) {
    const size_t last = families_->begin("sluice_metrics_samples_left_out",
                                         "Samples that did not fit this page.", MetricType::Gauge);
    families_->add(last, {}).gauge.value = static_cast<double>(left_out_);
    left_out_ = 0;
  }
  return prometheus::TextSerializer().Serialize(families_->list);
}

}  // namespace sluice::tunnels
