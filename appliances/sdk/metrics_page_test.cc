// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/metrics_page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "appliances/sdk/counters.h"

namespace sluice::sdk {
namespace {

TEST(MetricsPage, IsPrometheusText) {
  MetricsPage page;
  page.counter("apples_total", "Apples eaten.");
  page.sample(3, {{"kind", "red"}, {"where", "at \"home\"\n\xff"}});
  page.sample(1e12, {{"kind", "green"}});
  page.gauge("pears", "Pears left.");
  page.sample(0.5);
  EXPECT_EQ(page.text(),
            "# HELP apples_total Apples eaten.\n# TYPE apples_total counter\n"
            "apples_total{kind=\"red\",where=\"at \\\"home\\\"??\"} 3\n"
            "apples_total{kind=\"green\"} 1000000000000\n"
            "# HELP pears Pears left.\n# TYPE pears gauge\npears 0.5\n");
}

TEST(MetricsPage, SamplesAreBoundedAndThoseLeftOutCounted) {
  MetricsPage page;
  page.gauge("many", "Many.");
  for (size_t i = 0; i < kMetricsSamplesMax + 3; i++) page.sample(1, {{"i", std::to_string(i)}});
  const std::string text = page.text();
  EXPECT_NE(text.find("\nsluice_metrics_samples_left_out 3\n"), std::string::npos);
  EXPECT_EQ(text.find("i=\"" + std::to_string(kMetricsSamplesMax) + "\""), std::string::npos);
}

TEST(MetricsPage, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "needs promtool";
  Counters counters;
  counters.received.add(5);
  counters.refused[tunnels::kDropGeneveVersion].add();
  const Counters* workers[] = {&counters};
  MetricsPage page;
  add_counters(workers, page);
  const std::string path = testing::TempDir() + "page_" + std::to_string(getpid());
  std::ofstream(path) << page.text();
  EXPECT_EQ(std::system(("promtool check metrics <" + path).c_str()), 0) << page.text();
  std::remove(path.c_str());
}

}  // namespace
}  // namespace sluice::sdk
