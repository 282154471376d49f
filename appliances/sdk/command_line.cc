// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "appliances/sdk/ctl.h"

namespace sluice::sdk {

namespace {

struct Ctl {
  std::string command;
  std::vector<std::string> fields;
  bool json = false;
};

Result<> ask(const std::string& socket, const Ctl& ctl) {
  if (socket.empty()) return fail("say --socket PATH, as the appliance was started with", "ctl");
  SLUICE_TRY(const auto request, make_request(ctl.command, ctl.fields));
  SLUICE_TRY(const auto reply, ask_appliance(socket, request));
  std::printf("%s", ctl.json ? (reply.dump(1) + "\n").c_str() : readable(reply).c_str());
  return {};
}

void add_ctl(CLI::App& app, const std::string& socket) {
  const auto ctl = std::make_shared<Ctl>();
  CLI::App* sub = app.add_subcommand("ctl", "ask a running appliance over its control socket");
  sub->fallthrough();  // for --socket
  sub->add_option("command", ctl->command, "stats, metrics, reload, ...; `help` lists them")
      ->required();
  sub->add_option("fields", ctl->fields, "what the command takes, as NAME=VALUE");
  sub->add_flag("--json", ctl->json, "the reply as it came");
  sub->callback([ctl, &socket] {
    const Result<> asked = ask(socket, *ctl);
    if (asked) throw CLI::Success();
    std::fprintf(stderr, "%s\n", asked.error().text().c_str());
    throw CLI::RuntimeError(1);
  });
}

}  // namespace

void add_options(CLI::App& app, RunnerOptions& options) {
  app.add_option("--listen", options.listen,
                 "IPv4 or IPv6 address to receive at; :: is all of both")
      ->capture_default_str();
  app.add_option("--port", options.port, "UDP port of GENEVE, here and at the gateway")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  app.add_option("--health-port", options.health_port,
                 "TCP port that answers health checks; GET /stats and /metrics for counters")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  app.add_option("--workers", options.workers, "threads; 0 is one per CPU")
      ->capture_default_str()
      ->check(CLI::Range(0u, kWorkersMax));
  app.add_option("--socket", options.socket,
                 "path of the control socket (made with mode 0600); none unless given");
  add_ctl(app, options.socket);
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

int run_or_explain(const RunnerOptions& options, const ApplianceFactory& make, Controls controls) {
  const Result<> result = run(options, make, std::move(controls));
  if (result) return 0;
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  return 1;
}

}  // namespace sluice::sdk
