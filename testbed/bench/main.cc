// SPDX-License-Identifier: Apache-2.0
// sluice-bench: the numbers in docs/performance.md. It prints; it never fails a build on time.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "testbed/bench/bench.h"

using namespace sluice;  // NOLINT

namespace {

void print_json(const std::vector<testbed::BenchCase>& cases) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const auto& c : cases)
    array.push_back({{"case", c.name}, {"host", c.host}, {"flows", c.flows}, {"ns", c.ns}});
  std::printf("%s\n", array.dump(1).c_str());
}

void print_table(const std::vector<testbed::BenchCase>& cases) {
  std::printf("%-12s %-8s %9s %9s\n", "case", "host", "flows", "ns/packet");
  for (const auto& c : cases)
    std::printf("%-12s %-8s %9lu %9.1f\n", c.name.c_str(), c.host.c_str(), c.flows, c.ns);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures the gateway on this machine");
  app.require_subcommand(1);
  testbed::BenchOptions options;
  bool json = false;
  CLI::App* datapath = app.add_subcommand(
      "datapath", "ns per packet of the packet path, by host and number of flows");
  datapath->add_flag("--json", json, "an array of cases instead of a table");
  datapath->add_option("--repetitions", options.repetitions, "packets per round")
      ->check(CLI::Range(1000, 100'000'000));
  datapath->add_option("--rounds", options.rounds, "rounds; the median is shown")
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);

  const auto cases = testbed::bench_datapath(options);
  if (!cases) {
    std::fprintf(stderr, "sluice-bench: %s\n", cases.error().text().c_str());
    return 1;
  }
  json ? print_json(*cases) : print_table(*cases);
  return 0;
}
