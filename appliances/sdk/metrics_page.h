// SPDX-License-Identifier: Apache-2.0
// A page of numbers in Prometheus' text format.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

namespace sluice::sdk {

// Samples of one page; more are left out and counted by sluice_metrics_samples_left_out. A label
// may come from the network (a name that nDPI knows, never an address): this bounds what a scraper
// has to keep.
inline constexpr size_t kMetricsSamplesMax = 5000;

class MetricsPage {
 public:
  using Labels = std::initializer_list<std::pair<const char*, std::string>>;

  MetricsPage();
  ~MetricsPage();

  // Starts a family of samples: what has been counted since the start (its name ends with _total),
  // or what is there now.
  void counter(const char* name, const char* help);
  void gauge(const char* name, const char* help);
  // A sample of the family begun last.
  void sample(double value, Labels labels = {});

  std::string text();

 private:
  struct Families;
  void begin(const char* name, const char* help, bool counts);

  std::unique_ptr<Families> families_;
  size_t samples_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace sluice::sdk
