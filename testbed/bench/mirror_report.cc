// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "testbed/bench/mirror_bench.h"

namespace sluice::testbed {
namespace {

nlohmann::ordered_json as_json(const MirrorCase& c) {
  return {{"entry", c.entry},
          {"action", c.action},
          {"percent", c.percent},
          {"packets_per_second", c.packets_per_s},
          {"cpu_ns_per_packet", c.cpu_ns},
          {"of_none", c.of_none},
          {"wanted", c.wanted},
          {"lost", c.lost},
          {"unsent", c.unsent},
          {"arrived", c.arrived},
          {"copies_per_second", c.copies_per_s},
          {"us_per_copy", c.us_per_copy}};
}

double percent_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void add_options(CLI::App& app, MirrorBenchOptions& options) {
  app.add_option("--seconds", options.seconds, "of one measurement")->check(CLI::Range(1, 60));
  app.add_option("--rounds", options.rounds, "the least cost is shown")->check(CLI::Range(1, 100));
}

void print(const std::vector<MirrorCase>& cases, bool json) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  if (!json)
    std::printf("%-6s %-7s %6s %7s %14s %8s %10s %7s %8s %8s %9s %8s\n", "entry", "action", "flows",
                "Mpps", "CPU ns/packet", "of none", "to copy", "lost", "unsent", "arrived",
                "copies/s", "us/copy");
  for (const MirrorCase& c : cases) {
    array.push_back(as_json(c));
    if (json) continue;
    std::printf("%-6s %-7s %5u%% %7.3f %14.0f %8.2f", c.entry.c_str(), c.action.c_str(), c.percent,
                c.packets_per_s / 1e6, c.cpu_ns, c.of_none);
    if (c.wanted != 0)
      std::printf(" %10lu %6.1f%% %7.1f%% %7.1f%% %9.0f %8.1f", c.wanted,
                  percent_of(c.lost, c.wanted), percent_of(c.unsent, c.wanted),
                  percent_of(c.arrived, c.wanted), c.copies_per_s, c.us_per_copy);
    std::printf("\n");
  }
  if (json) std::printf("%s\n", array.dump(1).c_str());
}

}  // namespace sluice::testbed
