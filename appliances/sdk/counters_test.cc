// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/counters.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tunnels/metrics_page.h"

namespace sluice::sdk {
namespace {

TEST(Counters, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "needs promtool";
  Counters counters;
  counters.received.add(5);
  counters.refused[tunnels::kDropGeneveVersion].add();
  const Counters* workers[] = {&counters};
  tunnels::MetricsPage page;
  add_counters(workers, page);
  const std::string path = testing::TempDir() + "page_" + std::to_string(getpid());
  std::ofstream(path) << page.text();
  EXPECT_EQ(std::system(("promtool check metrics <" + path).c_str()), 0) << page.text();
  std::remove(path.c_str());
}

}  // namespace
}  // namespace sluice::sdk
