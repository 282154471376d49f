// SPDX-License-Identifier: Apache-2.0
#include "tunnels/metrics_page.h"

#include <gtest/gtest.h>

namespace sluice::tunnels {
namespace {

TEST(MetricsPage, IsPrometheusText) {
  MetricsPage page;
  auto apples = page.counter("apples_total", "Apples eaten.");
  page.gauge("pears", "Pears left.").sample(0.5);
  apples.sample(3, {{"kind", "red"}, {"where", "at \"home\"\n\xff"}});
  apples.sample(uint64_t{1'000'000'000'000}, {{"kind", "green"}});
  EXPECT_EQ(page.text(),
            "# HELP apples_total Apples eaten.\n# TYPE apples_total counter\n"
            "apples_total{kind=\"red\",where=\"at \\\"home\\\"??\"} 3\n"
            "apples_total{kind=\"green\"} 1000000000000\n"
            "# HELP pears Pears left.\n# TYPE pears gauge\npears 0.5\n");
}

TEST(MetricsPage, BucketsOfAHistogramAddUp) {
  MetricsPage page;
  const double ends[] = {0.5, 2};
  const uint64_t counts[] = {1, 0, 3};
  page.histogram("wait_seconds", "Waiting.").sample({ends, counts, 17.5}, {{"who", "me"}});
  EXPECT_EQ(page.text(),
            "# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n"
            "wait_seconds_count{who=\"me\"} 4\nwait_seconds_sum{who=\"me\"} 17.5\n"
            "wait_seconds_bucket{who=\"me\",le=\"0.5\"} 1\n"
            "wait_seconds_bucket{who=\"me\",le=\"2\"} 1\n"
            "wait_seconds_bucket{who=\"me\",le=\"+Inf\"} 4\n");
}

TEST(MetricsPage, SamplesAreBoundedAndThoseLeftOutCounted) {
  for (const size_t samples_max : {kMetricsSamplesMax, size_t{10}}) {
    MetricsPage page(samples_max);
    auto many = page.gauge("many", "Many.");
    for (size_t i = 0; i < samples_max + 2; i++) many.sample(1, {{"i", std::to_string(i)}});
    const uint64_t counts[] = {1};
    page.histogram("one_more", "One more.").sample({{}, counts, 1});
    const std::string text = page.text();
    EXPECT_NE(text.find("\nsluice_metrics_samples_left_out 3\n"), std::string::npos);
    EXPECT_EQ(text.find("i=\"" + std::to_string(samples_max) + "\""), std::string::npos);
    EXPECT_EQ(text.find("one_more_count"), std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::tunnels
