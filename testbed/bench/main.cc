// SPDX-License-Identifier: Apache-2.0
// sluice-bench: the numbers in docs/performance.md. It prints; it never fails a build on time.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "testbed/bench/appliance_bench.h"
#include "testbed/bench/bench.h"
#include "testbed/bench/dpi_bench.h"
#include "testbed/bench/ids_report.h"
#include "testbed/bench/mirror_bench.h"

using namespace sluice;  // NOLINT

namespace {

void print_json(const std::vector<testbed::BenchCase>& cases) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const auto& c : cases)
    array.push_back({{"case", c.name},
                     {"host", c.host},
                     {"flows", c.flows},
                     {"ns", c.ns},
                     {"of_kernel", c.of_kernel},
                     {"flow_bytes", testbed::kFlowBytes}});
  std::printf("%s\n", array.dump(1).c_str());
}

void print_table(const std::vector<testbed::BenchCase>& cases) {
  std::printf("%-12s %-8s %9s %9s %9s\n", "case", "host", "flows", "ns/packet", "of kernel");
  for (const auto& c : cases) {
    std::printf("%-12s %-8s %9lu %9.1f", c.name.c_str(), c.host.c_str(), c.flows, c.ns);
    if (c.of_kernel != 0) std::printf(" %9.2f", c.of_kernel);
    std::printf("\n");
  }
  std::printf("a flow takes %zu bytes, with an NLB target %zu\n", testbed::kFlowBytes,
              2 * testbed::kFlowBytes);
}

int fail(const Error& error) {
  std::fprintf(stderr, "sluice-bench: %s\n", error.text().c_str());
  return 1;
}

int run_health(testbed::HealthBench& bench, bool json) {
  if (auto result = testbed::bench_health(bench); !result) return fail(result.error());
  const char* kind = bench.path.empty() ? "TCP" : "HTTP";
  const double us = bench.checks == 0 ? 0
                                      : bench.cpu_percent * bench.seconds * 1e4 /
                                            static_cast<double>(bench.checks);
  if (json) {
    const nlohmann::ordered_json out{{"case", "health"},
                                     {"protocol", kind},
                                     {"targets", bench.targets},
                                     {"checks", bench.checks},
                                     {"not_good", bench.not_good},
                                     {"seconds", bench.seconds},
                                     {"cpu_percent", bench.cpu_percent},
                                     {"us_per_check", us}};
    std::printf("%s\n", nlohmann::ordered_json::array({out}).dump(1).c_str());
  } else {
    std::printf("%-8s %8s %9s %9s %8s %9s\n", "protocol", "targets", "checks/s", "not good",
                "CPU %", "us/check");
    std::printf("%-8s %8u %9.0f %9lu %8.1f %9.1f\n", kind, bench.targets,
                static_cast<double>(bench.checks) / bench.seconds, bench.not_good,
                bench.cpu_percent, us);
  }
  return 0;
}

nlohmann::ordered_json as_json(const testbed::Latencies& all) {
  return {{"median", all.median_ms}, {"p99", all.p99_ms}};
}

int run_control(testbed::ControlBench& bench, bool json) {
  if (auto result = testbed::bench_control(bench); !result) return fail(result.error());
  if (json) {
    const nlohmann::ordered_json out{
        {"case", "control"},
        {"groups", bench.groups},
        {"targets", bench.targets},
        {"read_ms", bench.read_ms},
        {"start_ms", bench.start_ms},
        {"reload_ms", bench.reload_ms},
        {"look_ms", as_json(bench.look)},
        {"change_ms", as_json(bench.change)},
        {"register_ms", as_json(bench.register_target)},
        {"describe_groups_ms", bench.describe_groups_ms},
        {"described", bench.described},
        {"describe_all_ms", bench.describe_all_ms},
        {"reconcile_one_ms", as_json(bench.reconcile_one)},
        {"reconcile_none_ms", bench.reconcile_none_ms},
        {"packets_per_second", {{"alone", bench.packets_alone}, {"beside", bench.packets_beside}}},
        {"packets", bench.packets},
        {"packets_lost", bench.packets_lost},
        {"rows_moved", bench.rows_moved}};
    std::printf("%s\n", nlohmann::ordered_json::array({out}).dump(1).c_str());
    return 0;
  }
  std::printf("%u target groups, %u targets\n", bench.groups, bench.targets);
  const auto line = [](const char* what, double ms) { std::printf("%-34s %9.2f ms\n", what, ms); };
  const auto latencies = [](const char* what, const testbed::Latencies& all) {
    std::printf("%-34s %9.3f ms  p99 %.3f ms\n", what, all.median_ms, all.p99_ms);
  };
  line("the file read and judged", bench.read_ms);
  line("into store, tables and checks", bench.start_ms);
  line("read and applied again, +1 target", bench.reload_ms);
  latencies("a call that looks", bench.look);
  latencies("a call that changes an attribute", bench.change);
  latencies("a call that registers a target", bench.register_target);
  line("every group described", bench.describe_groups_ms);
  line("and every target's health", bench.describe_all_ms);
  latencies("reconciled after a health change", bench.reconcile_one);
  line("reconciled after no change", bench.reconcile_none_ms);
  std::printf(
      "packets: %.2f M per second of CPU alone, %.2f M beside calls that register;\n"
      "         of %lu beside them %lu lost, %lu rows of other groups moved\n",
      bench.packets_alone / 1e6, bench.packets_beside / 1e6, bench.packets, bench.packets_lost,
      bench.rows_moved);
  return 0;
}

int run_appliances(const testbed::ApplianceBenchOptions& options, bool json) {
  const auto cases = testbed::bench_appliances(options);
  if (!cases) return fail(cases.error());
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  if (!json) {
    std::printf("%lu packets of %.0f bytes a round\n", cases->front().packets,
                cases->front().bytes_per_packet);
    std::printf("%-12s %14s %12s %14s\n", "program", "CPU ns/packet", "packets/s",
                "of sluice-pass");
  }
  for (const auto& c : *cases) {
    array.push_back({{"program", c.program},
                     {"cpu_ns", c.cpu_ns},
                     {"packets_per_s", c.packets_per_s},
                     {"share", c.share}});
    if (!json)
      std::printf("%-12s %14.0f %12.0f %13.0f%%\n", c.program.c_str(), c.cpu_ns, c.packets_per_s,
                  100 * c.share);
  }
  if (json) std::printf("%s\n", array.dump(1).c_str());
  return 0;
}

int run_live(const testbed::LiveOptions& options, bool json) {
  const auto cases = testbed::bench_live(options);
  if (!cases) return fail(cases.error());
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  if (!json)
    std::printf("%-8s %-6s %-9s %9s %14s %14s %12s %11s\n", "what", "entry", "way", "flows", "rate",
                "CPU ns/packet", "of redirect", "of around");
  for (const auto& c : *cases) {
    array.push_back({{"what", c.what},
                     {"entry", c.entry},
                     {"way", c.way},
                     {"flows", c.flows},
                     {"per_second", c.rate},
                     {"cpu_ns_per_packet", c.cpu_ns},
                     {"of_redirect", c.of_redirect},
                     {"of_around", c.of_around}});
    if (json) continue;
    const bool tcp = c.what == "tcp";
    std::printf("%-8s %-6s %-9s %9lu %7.2f %-6s %14.0f %12.2f %11.2f\n", c.what.c_str(),
                c.entry.c_str(), c.way.c_str(), c.flows, c.rate / (tcp ? 1e9 : 1e6),
                tcp ? "Gbit/s" : "Mpps", c.cpu_ns, c.of_redirect, c.of_around);
  }
  if (json) std::printf("%s\n", array.dump(1).c_str());
  return 0;
}

int run_mirrors(const testbed::MirrorBenchOptions& options, bool json) {
  const auto cases = testbed::bench_mirrors(options);
  if (!cases) return fail(cases.error());
  print(*cases, json);
  return 0;
}

int run_dpi(const testbed::DpiBenchOptions& options, bool json) {
  const auto b = testbed::bench_dpi(options);
  if (!b) return fail(b.error());
  if (json) {
    const nlohmann::ordered_json out{{"case", "dpi"},
                                     {"corpus", b->corpus},
                                     {"packets", b->packets},
                                     {"flows", b->flows},
                                     {"packets_shown", b->shown},
                                     {"mpps", b->mpps},
                                     {"gbit_per_s", b->gbit_per_s},
                                     {"mpps_every_packet", b->mpps_every},
                                     {"ratio", b->ratio},
                                     {"bytes_per_flow", b->bytes_per_flow},
                                     {"bytes_at_first", b->bytes_at_first}};
    std::printf("%s\n", nlohmann::ordered_json::array({out}).dump(1).c_str());
    return 0;
  }
  std::printf("%s; a round has %lu packets of %lu flows, nDPI is shown %lu\n", b->corpus.c_str(),
              b->packets, b->flows, b->shown);
  std::printf("%-14s %8s %8s\n", "", "Mpps", "Gbit/s");
  std::printf("%-14s %8.2f %8.1f\n", "early stop", b->mpps, b->gbit_per_s);
  std::printf("%-14s %8.2f %8.1f   early stop is %.2f times as fast\n", "every packet",
              b->mpps_every, b->gbit_per_s / b->ratio, b->ratio);
  std::printf("memory of a flow: %.0f bytes at the end, %.0f after its first four packets\n",
              b->bytes_per_flow, b->bytes_at_first);
  return 0;
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
  datapath->add_option("--rounds", options.rounds, "rounds; the least is shown")
      ->check(CLI::Range(1, 1000));
  testbed::HealthBench health_options;
  CLI::App* health = app.add_subcommand("health", "CPU time of health checks of many targets");
  health->add_flag("--json", json, "an array of cases instead of a table");
  health->add_option("--targets", health_options.targets)->check(CLI::Range(1, 60'000));
  health->add_option("--interval", health_options.interval_s, "seconds")->check(CLI::Range(1, 300));
  health->add_option("--seconds", health_options.seconds, "measured")->check(CLI::Range(1, 3600));
  health->add_option("--path", health_options.path, "HTTP GET of this instead of TCP");
  testbed::ApplianceBenchOptions appliance_options;
  CLI::App* appliances =
      app.add_subcommand("appliance", "CPU time of sluice-dpi per packet, beside sluice-pass");
  appliances->add_flag("--json", json, "an array of cases instead of a table");
  appliances->add_option("--flows", appliance_options.flows)->check(CLI::Range(10, 20'000));
  appliances->add_option("--packets", appliance_options.packets_per_flow, "of each TCP flow")
      ->check(CLI::Range(10, 10'000));
  appliances->add_option("--rounds", appliance_options.rounds)->check(CLI::Range(1, 100));
  appliances->add_option("--policy", appliance_options.policy, "of sluice-dpi");
  testbed::LiveOptions live_options;
  CLI::App* live = app.add_subcommand(
      "live", "packets/s and TCP through interfaces and an appliance, beside plain redirects");
  live->add_flag("--json", json, "an array of cases instead of a table");
  live->add_option("--seconds", live_options.seconds, "of one measurement")
      ->check(CLI::Range(1, 60));
  live->add_option("--rounds", live_options.rounds, "the best is shown")->check(CLI::Range(1, 100));
  testbed::MirrorBenchOptions mirror_options;
  CLI::App* mirrors = app.add_subcommand(
      "mirror",
      "CPU time of packets with copies for a mirror or shadow, and what becomes of those");
  mirrors->add_flag("--json", json, "an array of cases instead of a table");
  add_options(*mirrors, mirror_options);
  testbed::DpiBenchOptions dpi_options;
  CLI::App* dpi = app.add_subcommand("dpi", "Mpps of flow table and classifier, one thread");
  dpi->add_flag("--json", json, "an array of cases instead of a table");
  dpi->add_option("--capture", dpi_options.captures, "pcap files; made-up traffic without any");
  dpi->add_option("--rounds", dpi_options.rounds)->check(CLI::Range(1, 1000));
  testbed::IdsBenchOptions ids_options;
  CLI::App* ids = app.add_subcommand(
      "ids", "Gbit/s of inspection by rules, beside Hyperscan alone; start-up; memory of a flow");
  ids->add_flag("--json", json, "an array of cases instead of a table");
  add_options(*ids, ids_options);
  testbed::ControlBench control_options;
  CLI::App* control = app.add_subcommand(
      "control", "a large configuration, and the time of AWS API calls about it");
  control->add_flag("--json", json, "an array of cases instead of a table");
  control->add_option("--groups", control_options.groups)->check(CLI::Range(20, 1000));
  control->add_option("--targets", control_options.targets)->check(CLI::Range(1000, 20'000));
  control->add_option("--calls", control_options.calls)->check(CLI::Range(100, 1'000'000));
  control->add_option("--store", control_options.store, "folder of the database");
  CLI11_PARSE(app, argc, argv);

  if (health->parsed()) return run_health(health_options, json);
  if (control->parsed()) return run_control(control_options, json);
  if (appliances->parsed()) return run_appliances(appliance_options, json);
  if (live->parsed()) return run_live(live_options, json);
  if (mirrors->parsed()) return run_mirrors(mirror_options, json);
  if (dpi->parsed()) return run_dpi(dpi_options, json);
  if (ids->parsed()) {
    const auto bench = testbed::bench_ids(ids_options);
    if (!bench) return fail(bench.error());
    print(*bench, json);
    return 0;
  }
  const auto cases = testbed::bench_datapath(options);
  if (!cases) return fail(cases.error());
  json ? print_json(*cases) : print_table(*cases);
  return 0;
}
