// SPDX-License-Identifier: Apache-2.0
// sluice-proxy: the application load balancers of a configuration. SIGHUP reads it again; SIGTERM
// and SIGINT end gently.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

#include "gateway/alb/alb.h"
#include "gateway/alb/metrics.h"
#include "gateway/alb/privileges.h"
#include "gateway/alb/stats.h"
#include "gateway/api/http_server.h"
#include "gateway/control/config.h"
#include "gateway/control/discover.h"
#include "gateway/follow/follower.h"
#include "gateway/proxy/service_manager.h"

namespace sluice::gateway {
namespace {

struct Arguments {
  std::string config;
  std::string follow;
  std::string load_balancer;
  std::string access_log;
  std::string stats_socket;
  std::string metrics;
  std::string user = "nobody";
};

// Leaves of the load balancers only those of type application, or the one of this name.
void choose(Config& config, const std::string& name) {
  config.load_balancers.erase_if([&](const LoadBalancer& each) {
    return each.type != LoadBalancerType::kApplication || (!name.empty() && each.name != name);
  });
}

Result<Config> read_state(const Arguments& arguments) {
  ConfigResult config = read_config(arguments.config);
  if (!config) {
    for (const Error& error : config.error()) std::fprintf(stderr, "%s\n", error.text().c_str());
    return fail("the configuration is not valid", arguments.config);
  }
  for (const TargetGroup& group : config->target_groups)
    if (group.protocol == Protocol::kHttp && is_followed(group))
      return fail("the targets of '" + group.name + "' are found by " +
                      discover_settings(group).text() +
                      ", by the daemon: start with --follow instead of --config",
                  arguments.config);
  const std::string& name = arguments.load_balancer;
  choose(*config, name);
  if (!config->load_balancers.empty()) return std::move(*config);
  const std::string which = name.empty() ? "" : " named \"" + name + "\"";
  return fail("no load balancer of type application" + which, arguments.config);
}

class Proxy {
 public:
  explicit Proxy(Arguments arguments) : arguments_(std::move(arguments)) {}
  Result<> start();
  void run() { loop_->run(); }

 private:
  Result<> catch_signals();
  Result<> follow();
  Result<> serve_metrics();
  void signalled(uint32_t number);
  void reload();
  void stop();
  void print_listeners() const;

  Arguments arguments_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Alb> alb_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<StatsServer> stats_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<ServiceManager> manager_;
  UniqueFd signals_;
  Watch signals_watch_;
};

// Signals as events, so that no code runs at an arbitrary instruction.
Result<> Proxy::catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("cannot block signals");
  signals_ = UniqueFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return fail_errno("cannot receive signals");
  return signals_watch_.start(*loop_, signals_.get(), EPOLLIN, [this](uint32_t) {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == sizeof info) signalled(info.ssi_signo);
  });
}

Result<> Proxy::start() {
  SLUICE_TRY(loop_, EventLoop::create());
  SLUICE_TRY_VOID(catch_signals());
  AccessLog log;
  if (!arguments_.access_log.empty()) {
    SLUICE_TRY(log, AccessLog::open(arguments_.access_log));
  }
  AlbOptions options;
  options.clients_max = raise_file_limit(options.clients_max);
  alb_ = std::make_unique<Alb>(*loop_, options, std::move(log));
  if (arguments_.follow.empty()) {
    SLUICE_TRY(const Config config, read_state(arguments_));
    SLUICE_TRY_VOID(alb_->apply(config));
  }
  if (!arguments_.stats_socket.empty()) {
    SLUICE_TRY(stats_, StatsServer::create(*loop_, *alb_, arguments_.stats_socket));
  }
  if (!arguments_.metrics.empty()) SLUICE_TRY_VOID(serve_metrics());
  SLUICE_TRY_VOID(drop_privileges(arguments_.user));
  SLUICE_TRY_VOID(alb_->start());
  print_listeners();
  if (!arguments_.follow.empty()) SLUICE_TRY_VOID(follow());
  manager_ = std::make_unique<ServiceManager>(*loop_);
  manager_->ready();
  return {};
}

// ADDRESS:PORT; of an IPv6 address in brackets.
Result<SocketAddress> parse_place(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] =
      std::from_chars(text.data() + std::min(colon + 1, text.size()), end, port);
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  if (colon == std::string::npos || error != std::errc() || stop != end || port == 0)
    return fail("expected ADDRESS:PORT", text);
  return SocketAddress::parse(address, port);
}

Result<> Proxy::serve_metrics() {
  SLUICE_TRY(const SocketAddress place, parse_place(arguments_.metrics));
  http_ = HttpServer::create(*loop_);
  http_->route("GET", "/metrics", HttpServer::Access::kOpen, [this](const HttpRequest&) {
    return HttpResponse{
        200, "text/plain; version=0.0.4; charset=utf-8", alb_metrics_text(*alb_), {}, {}};
  });
  SLUICE_TRY_VOID(http_->listen(place));
  return {};
}

std::map<std::string, ServedListeners> listeners_of(const Alb& alb) {
  std::map<std::string, ServedListeners> out;
  for (const auto& [name, balancer] : alb.balancers()) out[name];
  for (const auto& frontend : alb.frontends())
    out[frontend->site->balancer->name].push_back({frontend->address.text(), frontend->trouble});
  return out;
}

Result<> Proxy::follow() {
  follower_ = std::make_unique<Follower>(
      *loop_, arguments_.follow,
      Follower::World{[this](const Config& state, uint64_t) -> Result<> {
                        Config mine = state;
                        choose(mine, arguments_.load_balancer);
                        SLUICE_TRY_VOID(alb_->apply(mine, Alb::OnUnbound::kWait));
                        print_listeners();
                        return {};
                      },
                      [this](const TargetName& name) { return alb_->health(name); },
                      [this] { return alb_->targets(); }, [this] { return listeners_of(*alb_); },
                      [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }});
  alb_->on_health([this](const TargetName& name) { follower_->target_changed(name); });
  alb_->on_listeners([this] { follower_->listeners_changed(); });
  follower_->start();
  return {};
}

void Proxy::signalled(uint32_t number) {
  if (number != SIGHUP) return stop();
  manager_->reloading();
  reload();
  manager_->ready();
}

void Proxy::reload() {
  if (follower_ != nullptr) return follower_->restart();
  auto config = read_state(arguments_);
  Result<> done;
  if (config)
    done = alb_->apply(*config);
  else
    done = tl::make_unexpected(std::move(config).error());
  if (done) return print_listeners();
  std::fprintf(stderr, "sluice-proxy: everything stays as it was: %s\n",
               done.error().text().c_str());
}

void Proxy::stop() {
  if (alb_->draining()) return loop_->stop();  // asked twice
  manager_->stopping();
  std::fprintf(stderr, "stopping: %zu connections\n", alb_->clients());
  alb_->drain([this] { loop_->stop(); });
}

void Proxy::print_listeners() const {
  for (const auto& frontend : alb_->frontends())
    std::fprintf(stderr, "%s: %s%s%s\n", frontend->site->balancer->name.c_str(),
                 frontend->trouble.empty() ? "listening on " : "not listening on ",
                 frontend->address.text().c_str(),
                 frontend->trouble.empty() ? "" : (": " + frontend->trouble).c_str());
}

}  // namespace
}  // namespace sluice::gateway

int main(int argc, char** argv) {
  using namespace sluice::gateway;
  Arguments arguments;
  CLI::App app("An application load balancer: HTTP/1.1 to groups of targets by host and path.");
  auto* source = app.add_option_group("source", "where the load balancers come from");
  source->add_option("--config", arguments.config, "the YAML file that sluiced reads");
  source->add_option("--follow", arguments.follow,
                     "the socket at which sluiced tells them, /run/sluice/NAME-proxies.sock");
  source->require_option(1);
  app.add_option("--load-balancer", arguments.load_balancer,
                 "only this load balancer of type application; else all");
  app.add_option("--access-log", arguments.access_log, "append a line of JSON for each request");
  app.add_option("--stats-socket", arguments.stats_socket,
                 "unix socket that answers each connection with counters and health as JSON");
  app.add_option("--metrics", arguments.metrics,
                 "ADDRESS:PORT where GET /metrics answers in Prometheus' text format");
  app.add_option("--user", arguments.user, "become this user after binding, if started by root")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  Proxy proxy(std::move(arguments));
  if (auto started = proxy.start(); !started) {
    std::fprintf(stderr, "sluice-proxy: %s\n", started.error().text().c_str());
    return 1;
  }
  proxy.run();
  return 0;
}
