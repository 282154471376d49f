// SPDX-License-Identifier: Apache-2.0
// sluice-proxy: the application load balancers of a configuration, one per process.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "gateway/alb/alb.h"
#include "gateway/alb/privileges.h"
#include "gateway/alb/stats.h"
#include "gateway/control/attributes.h"
#include "gateway/control/config.h"
#include "gateway/proxy/service_manager.h"

namespace sluice::gateway {
namespace {

struct Arguments {
  std::string config;
  std::string load_balancer;
  std::string access_log;
  std::string stats_socket;
  std::string user = "nobody";
};

Result<const LoadBalancer*> choose(const Config& config, const std::string& name) {
  const LoadBalancer* chosen = nullptr;
  for (const LoadBalancer& each : config.load_balancers) {
    if (each.type != LoadBalancerType::kApplication) continue;
    if (!name.empty() && each.name != name) continue;
    if (chosen != nullptr) {
      return fail("several application load balancers: choose one with --load-balancer",
                  config.file);
    }
    chosen = &each;
  }
  if (chosen != nullptr) return chosen;
  std::string which = name.empty() ? "" : " named \"" + name + "\"";
  return fail("no load balancer of type application" + which, config.file);
}

// SIGTERM and SIGINT as events, so that no code runs at an arbitrary instruction.
Result<UniqueFd> catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("cannot block signals");
  UniqueFd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return fail_errno("cannot receive signals");
  return fd;
}

Result<> run(const Config& config, const Arguments& arguments) {
  SLUICE_TRY(const LoadBalancer* load_balancer, choose(config, arguments.load_balancer));
  AccessLog log;
  if (!arguments.access_log.empty()) {
    SLUICE_TRY(log, AccessLog::open(arguments.access_log));
  }
  AlbOptions options;
  const auto milliseconds = [&](const char* attribute) {
    return static_cast<uint32_t>(1000 * number_attribute(*load_balancer, attribute));
  };
  options.idle_timeout_ms = milliseconds("idle_timeout.timeout_seconds");
  options.client_keep_alive_ms = milliseconds("client_keep_alive.seconds");
  options.clients_max = raise_file_limit(options.clients_max);
  SLUICE_TRY(std::unique_ptr<EventLoop> loop, EventLoop::create());
  SLUICE_TRY(UniqueFd signals, catch_signals());
  SLUICE_TRY(std::unique_ptr<Alb> alb,
             Alb::create(*loop, config, *load_balancer, options, std::move(log)));
  std::unique_ptr<StatsServer> stats;
  if (!arguments.stats_socket.empty()) {
    SLUICE_TRY(stats, StatsServer::create(*loop, *alb, arguments.stats_socket));
  }
  SLUICE_TRY_VOID(drop_privileges(arguments.user));
  SLUICE_TRY_VOID(alb->start());

  ServiceManager manager(*loop);
  Watch stop;
  SLUICE_TRY_VOID(stop.start(*loop, signals.get(), EPOLLIN, [&](uint32_t) {
    signalfd_siginfo info;
    (void)!read(signals.get(), &info, sizeof info);
    if (alb->draining()) return loop->stop();  // asked twice
    manager.stopping();
    std::fprintf(stderr, "stopping: %zu connections\n", alb->clients());
    alb->drain([&] { loop->stop(); });
  }));
  for (const auto& frontend : alb->frontends()) {
    std::fprintf(stderr, "%s: listening on %s\n", alb->name().c_str(),
                 frontend->address.text().c_str());
  }
  manager.ready();
  loop->run();
  return {};
}

}  // namespace
}  // namespace sluice::gateway

int main(int argc, char** argv) {
  using namespace sluice::gateway;
  Arguments arguments;
  CLI::App app("An application load balancer: HTTP/1.1 to groups of targets by host and path.");
  app.add_option("--config", arguments.config, "the YAML file that sluiced reads")->required();
  app.add_option("--load-balancer", arguments.load_balancer,
                 "which load balancer of type application, if there are several");
  app.add_option("--access-log", arguments.access_log, "append a line of JSON for each request");
  app.add_option("--stats-socket", arguments.stats_socket,
                 "unix socket that answers each connection with counters and health as JSON");
  app.add_option("--user", arguments.user, "become this user after binding, if started by root")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  ConfigResult config = read_config(arguments.config);
  if (!config) {
    for (const sluice::Error& error : config.error()) {
      std::fprintf(stderr, "%s\n", error.text().c_str());
    }
    return 1;
  }
  auto ran = run(*config, arguments);
  if (!ran) {
    std::fprintf(stderr, "sluice-proxy: %s\n", ran.error().text().c_str());
    return 1;
  }
  return 0;
}
