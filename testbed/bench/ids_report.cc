// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_report.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::testbed {
namespace {

nlohmann::ordered_json object_of(const OpenFlowsMemory& memory) {
  return {{"bytes_per_flow", memory.bytes}, {"resident_peak_bytes", memory.resident_peak}};
}

void print_json(const IdsBench& bench) {
  nlohmann::ordered_json traffic = nlohmann::ordered_json::array();
  for (const IdsTraffic& t : bench.traffic) {
    traffic.push_back({{"name", t.name},
                       {"packets", t.packets},
                       {"bytes_per_packet", t.bytes_per_packet},
                       {"mpps", t.mpps},
                       {"gbit_per_s", t.gbit_per_s},
                       {"hyperscan_gbit_per_s", t.hyperscan_gbit_per_s},
                       {"alerts", t.alerts},
                       {"dropped", t.dropped}});
  }
  const nlohmann::ordered_json out{{"case", "ids"},
                                   {"rules", bench.rules},
                                   {"refused", bench.refused},
                                   {"start_s", bench.start_s},
                                   {"cached_start_s", bench.cached_start_s},
                                   {"traffic", traffic},
                                   {"open_flows", bench.open_flows},
                                   {"memory",
                                    {{"handshake", object_of(bench.memory.handshake)},
                                     {"http", object_of(bench.memory.http)},
                                     {"http_silent", object_of(bench.memory.http_silent)},
                                     {"tls", object_of(bench.memory.tls)}}}};
  std::printf("%s\n", nlohmann::ordered_json::array({out}).dump(1).c_str());
}

void print_table(const IdsBench& bench) {
  std::printf("%lu rules, %lu refused; ready in %.1f s, with a cache in %.1f s\n", bench.rules,
              bench.refused, bench.start_s, bench.cached_start_s);
  std::printf("%-9s %9s %6s %8s %8s %17s %7s %7s\n", "traffic", "packets", "bytes", "Mpps",
              "Gbit/s", "Hyperscan Gbit/s", "alerts", "dropped");
  for (const IdsTraffic& t : bench.traffic)
    std::printf("%-9s %9lu %6.0f %8.2f %8.2f %17.2f %7lu %7lu\n", t.name.c_str(), t.packets,
                t.bytes_per_packet, t.mpps, t.gbit_per_s, t.hyperscan_gbit_per_s, t.alerts,
                t.dropped);
  if (bench.open_flows == 0) return;
  std::printf("%lu flows open %16s %20s\n", bench.open_flows, "bytes/flow", "program at most, GB");
  const auto line = [](const char* name, const OpenFlowsMemory& memory) {
    std::printf("%-20s %10.0f %20.2f\n", name, memory.bytes, memory.resident_peak / 1e9);
  };
  line("handshake", bench.memory.handshake);
  line("HTTP", bench.memory.http);
  line("HTTP, then silent", bench.memory.http_silent);
  line("TLS", bench.memory.tls);
}

}  // namespace

void add_options(CLI::App& app, IdsBenchOptions& options) {
  app.add_option("-S,--rules", options.rules.rule_files, "files of rules; made-up ones without any")
      ->envname("SLUICE_BENCH_RULES");
  app.add_option("--classification", options.rules.classification_file,
                 "file of `config classification:` lines");
  app.add_option("--made-up-rules", options.made_up_rules, "how many")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--capture", options.captures, "pcap files; two made-up mixes without any");
  app.add_option("--flows", options.flows, "of the web mix; of the others 50 times as many")
      ->check(CLI::Range(10, 10'000));
  app.add_option("--rounds", options.rounds, "the median is shown")->check(CLI::Range(1, 1000));
  app.add_option("--open-flows", options.open_flows, "at once, for the memory of a flow")
      ->check(CLI::Range(0, 1'000'000));
}

void print(const IdsBench& bench, bool json) { json ? print_json(bench) : print_table(bench); }

}  // namespace sluice::testbed
