// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace sluice::sdk {

void add_options(CLI::App& app, RunnerOptions& options) {
  app.add_option("--listen", options.listen, "IPv4 address to receive at")->capture_default_str();
  app.add_option("--port", options.port, "UDP port of GENEVE, here and at the gateway")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  app.add_option("--health-port", options.health_port,
                 "TCP port that answers health checks; GET /stats for counters")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  app.add_option("--workers", options.workers, "threads; 0 is one per CPU")
      ->capture_default_str()
      ->check(CLI::Range(0u, kWorkersMax));
}

int appliance_main(int argc, char** argv, const char* about, const ApplianceFactory& make) {
  CLI::App app(about);
  RunnerOptions options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return run_or_explain(options, make);
}

int run_or_explain(const RunnerOptions& options, const ApplianceFactory& make) {
  const Result<> result = run(options, make);
  if (result) return 0;
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  return 1;
}

}  // namespace sluice::sdk
