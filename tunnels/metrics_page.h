// SPDX-License-Identifier: Apache-2.0
// A page of numbers in Prometheus' text format.
//
//   MetricsPage page;
//   page.gauge("pears", "Pears left.").sample(7);
//   auto eaten = page.counter("apples_total", "Apples eaten.");
//   eaten.sample(3, {{"kind", "red"}});
//   eaten.sample(4, {{"kind", "green"}});
//   page.text();
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice::tunnels {

// Samples of one page; more are left out and counted by sluice_metrics_samples_left_out. A label
// may come from the network (a name that nDPI knows, never an address): this bounds what a scraper
// has to keep.
inline constexpr size_t kMetricsSamplesMax = 5000;
// Of a page whose labels all come from the configuration, which has limits of its own.
inline constexpr size_t kConfiguredMetricsSamplesMax = 1 << 20;

class MetricsPage {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  struct Histogram {
    std::span<const double> ends;      // of the buckets but the last, which has none
    std::span<const uint64_t> counts;  // of each bucket alone; one more than `ends`
    double sum = 0;                    // of all that was observed
  };

  // One metric of the page and its samples. The page outlives it.
  class Family {
   public:
    template <class Number>
    void sample(Number value, const Labels& labels = {}) {
      page_->add(index_, static_cast<double>(value), labels);
    }
    void sample(const Histogram& value, const Labels& labels = {}) {
      page_->add(index_, value, labels);
    }

   private:
    friend class MetricsPage;
    Family(MetricsPage* page, size_t index) : page_(page), index_(index) {}
    MetricsPage* page_;
    size_t index_;
  };

  explicit MetricsPage(size_t samples_max = kMetricsSamplesMax);
  ~MetricsPage();
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;

  // What has been counted since the start (its name ends with _total), what is there now, and how
  // values are spread.
  Family counter(const char* name, const char* help);
  Family gauge(const char* name, const char* help);
  Family histogram(const char* name, const char* help);

  std::string text();

 private:
  struct Families;
  void add(size_t family, double value, const Labels& labels);
  void add(size_t family, const Histogram& value, const Labels& labels);

  std::unique_ptr<Families> families_;
  size_t samples_max_;
  uint64_t left_out_ = 0;
};

}  // namespace sluice::tunnels
