// SPDX-License-Identifier: Apache-2.0
// sluiced, the gateway's daemon: reads the configuration, puts the packet path at its interfaces,
// checks its targets and answers on its socket, all on one loop. SIGHUP reads the configuration
// again; SIGTERM and SIGINT take everything back, unless it is pinned, and end.
#include <net/if.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "gateway/api/commands.h"
#include "gateway/api/http_server.h"
#include "gateway/api/log.h"
#include "gateway/api/server.h"
#include "gateway/api/status_pages.h"
#include "gateway/aws/aws_api.h"
#include "gateway/control/config.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/controller.h"
#include "gateway/control/mirror_lane.h"
#include "gateway/control/nlb_addresses.h"
#include "gateway/control/offloads.h"
#include "gateway/control/slow_lane.h"
#include "gateway/control/xdp_features.h"
#include "gateway/datapath/kernel_host.h"
#include "gateway/discovery/discovery.h"
#include "gateway/flow_log/flow_log.h"
#include "gateway/follow/publisher.h"
#include "gateway/proxy/service_manager.h"
#include "gateway/store/store.h"

namespace sluice::gateway {
namespace {

std::string list_of_addresses(const Gateway& gateway) { return gateway.socket + ".addresses"; }

std::string pins_of(const Gateway& gateway) { return "/sys/fs/bpf/sluice/" + gateway.name; }

class Daemon {
 public:
  explicit Daemon(std::string file) : file_(std::move(file)) {}
  Result<> start(Config config);
  void run() { loop_->run(); }
  ~Daemon() {
    if (!started_)
      addresses_.go_back();
    else if (pinned_)
      addresses_.keep();
    else
      controller_->detach_all();
  }

 private:
  Result<> watch_signals();
  Result<> serve_http(const Gateway& gateway);
  void reload();
  void refuse_reload(const std::vector<Error>& errors);
  Result<> set_addresses(const Config& next, ControlPlane::OnMissing on_missing);
  void tell_of_addresses(const Result<>& done);
  void set_addresses_again();
  void network_changed();
  void follow_flow_log();
  Result<> follow_mirrors(const Config& config);
  Result<> follow_config(const Config& config);

  std::string file_;
  bool pinned_ = false;
  bool started_ = false;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ServiceManager> manager_;
  std::unique_ptr<KernelHost> host_;
  std::unique_ptr<KernelNextHops> hops_;
  std::optional<FrameSocket> frames_;
  std::unique_ptr<SlowLane> slow_lane_;
  std::unique_ptr<MirrorLane> mirror_lane_;
  std::optional<ProbeSocket> probes_, probes6_;
  NlbAddresses addresses_;
  bool addresses_missing_ = false;  // and it was told
  EventBus events_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<ControlPlane> plane_;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<FlowLog> flow_log_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<AwsApi> aws_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<StatusPages> pages_;
  UniqueFd signals_;
  Watch signals_watch_;
};

Result<> finish_packets(const std::string& interface, bool finish) {
  SLUICE_TRY(const Namespace here, Namespace::current());
  return write_offload(here, interface, Offload::kTransmitChecksum, !finish);
}

Result<> check_redirects_here(const std::string& interface) {
  SLUICE_TRY(const Namespace here, Namespace::current());
  return check_redirects(here, interface);
}

void warn_of_redirects(const Config& config) {
  auto here = Namespace::current();
  if (!here) return;
  std::vector<std::string> interfaces = config.gateway.tunnel_interfaces;
  for (const Attachment& attachment : config.attachments)
    interfaces.insert(interfaces.end(), {attachment.outside, attachment.inside});
  for (const std::string& name : interfaces)
    if (const std::string trouble = redirect_trouble(*here, name); !trouble.empty())
      spdlog::warn(trouble);
  if (config.gateway.tunnel_entry == EntryChoice::kTc) return;
  // Where a pinned gateway had XDP and this one has TC, its program was there when all was checked.
  for (const Attachment& attachment : config.attachments)
    for (const std::string& name : {attachment.outside, attachment.inside})
      if (const auto fits = check_redirects(*here, name); !fits) spdlog::error(fits.error().text());
}

Result<> Daemon::start(Config config) {
  if (config.gateway.host == HostKind::kProcess)
    return fail(
        "the process host moves no live packets, it is what `sluice replay` runs; use host: kernel",
        config.file + ": gateway.host");
  pinned_ = config.gateway.pinned;
  events_.listen(log_event);
  SLUICE_TRY(loop_, EventLoop::create());
  manager_ = std::make_unique<ServiceManager>(*loop_);
  SLUICE_TRY_VOID(watch_signals());
  // The socket first: a second daemon with the same configuration stops here.
  SLUICE_TRY(api_,
             ApiServer::create(*loop_, config.gateway.socket, [this](std::string_view request) {
               return answer_request(*plane_, request);
             }));
  std::unique_ptr<Store> store;
  if (!config.gateway.store.empty()) {
    SLUICE_TRY(store, Store::open(config.gateway.store));
  }
  // What a pinned gateway has left is taken over in any case, so that nothing is lost if this
  // fails.
  std::string pins = pins_of(config.gateway);
  std::error_code none;
  if (!pinned_ && !std::filesystem::exists(pins, none)) pins.clear();
  SLUICE_TRY(host_, KernelHost::create({config.gateway.flows_max, pins}));
  SLUICE_TRY(hops_, KernelNextHops::create(*loop_, [this] { network_changed(); }));
  SLUICE_TRY(frames_, FrameSocket::open());
  SLUICE_TRY(slow_lane_, SlowLane::open(*loop_, *host_, *frames_));
  SLUICE_TRY(probes_, ProbeSocket::open(config.gateway.tunnel_address));
  if (is_set(config.gateway.tunnel_address6)) {
    SLUICE_TRY(probes6_, ProbeSocket::open(config.gateway.tunnel_address6));
  }
  controller_ = std::make_unique<Controller>(
      *loop_, *host_, *hops_, events_, HealthOptions{.in_flight_max = checks_in_flight_max()},
      Controller::Senders{
          [this](uint32_t interface, auto frame) { return frames_->send(interface, frame); },
          [this](const IpAddress& to, auto datagram) {
            const auto& socket = to.version == 6 ? probes6_ : probes_;
            return socket && socket->send(to, datagram);
          },
          finish_packets, check_redirects_here});
  plane_ = std::make_unique<ControlPlane>(
      *controller_,
      [this](const Config& c, ControlPlane::OnMissing o) { return set_addresses(c, o); },
      std::move(store));
  discovery_ = std::make_unique<Discovery>(*loop_, *plane_);
  flow_log_ = std::make_unique<FlowLog>(*loop_, *controller_);
  SLUICE_TRY_VOID(serve_http(config.gateway));
  SLUICE_TRY_VOID(follow_config(config));
  addresses_.remember_in(list_of_addresses(config.gateway));
  SLUICE_TRY(const std::vector<Error> unapplied, plane_->start(std::move(config)));
  SLUICE_TRY_VOID(host_->settle(pinned_));
  started_ = true;
  set_addresses_again();  // also takes away what a daemon that was killed has left
  for (const Error& error : unapplied)
    spdlog::error("the file is not applied, the state of the store runs: {}", error.text());
  discovery_->follow();
  warn_of_redirects(controller_->config());
  manager_->ready();
  return {};
}

// What stands beside the path, as the configuration wants it: now, and with each that comes.
Result<> Daemon::follow_config(const Config& config) {
  const Gateway& gateway = config.gateway;
  SLUICE_TRY_VOID(flow_log_->follow(gateway.flow_log));
  SLUICE_TRY_VOID(follow_mirrors(config));
  SLUICE_TRY(publisher_, Publisher::create(*loop_, *plane_, controller_->applications(), events_,
                                           gateway.proxies_socket, gateway.proxies_user));
  events_.listen([this](const Event& event) {
    if (event.kind != EventKind::kGeneration) return;
    follow_flow_log();
    if (const auto followed = follow_mirrors(controller_->config()); !followed)
      spdlog::error("no copies are made for mirrors: {}", followed.error().text());
  });
  return {};
}

Result<> Daemon::serve_http(const Gateway& gateway) {
  const ApiAccess& access = gateway.api;
  aws_ = std::make_unique<AwsApi>(
      *plane_, AwsSettings{{gateway.region, gateway.account}, access.keys, access.keyless},
      [] { return ::time(nullptr); });
  http_ = HttpServer::create(*loop_);
  http_->set_fallback([this](const HttpRequest& request) { return aws_->answer(request); },
                      AwsApi::error);
  http_->set_guard([this](const HttpRequest& request) { return aws_->guard(request); });
  pages_ =
      std::make_unique<StatusPages>(*loop_, *controller_, events_, *discovery_, *flow_log_, *http_);
  if (!access.address.empty()) {
    SLUICE_TRY(const auto address, SocketAddress::parse(access.address, access.port));
    SLUICE_TRY_VOID(http_->listen(address));
  }
  return access.socket.empty() ? Result<>() : http_->listen_on_unix(access.socket);
}

// An interface that went away must not stop what does not need it; network_changed() waits for it.
Result<> Daemon::set_addresses(const Config& next, ControlPlane::OnMissing on_missing) {
  const Config& now = controller_->config();
  const std::string& interface = next.gateway.nlb_interface;
  if (interface == now.gateway.nlb_interface) {
    if (next.load_balancers.same_objects(now.load_balancers)) return {};
    if (nlb_addresses_of(next) == nlb_addresses_of(now)) return {};
  }
  Result<> done = addresses_.set(interface, nlb_addresses_of(next));
  const bool missing = !done && ::if_nametoindex(interface.c_str()) == 0;
  if (!missing || on_missing == ControlPlane::OnMissing::kRefuse) return done;
  tell_of_addresses(done);
  return {};
}

void Daemon::set_addresses_again() {
  const Config& config = controller_->config();
  tell_of_addresses(addresses_.set(config.gateway.nlb_interface, nlb_addresses_of(config)));
}

void Daemon::network_changed() {
  if (!controller_) return;
  controller_->look_again();
  // An interface that was made anew has lost them; one that is missing gets them when it is back.
  set_addresses_again();
}

void Daemon::tell_of_addresses(const Result<>& done) {
  if (addresses_missing_ == !done) return;
  addresses_missing_ = !done;
  if (done)
    events_.publish(EventKind::kInterfaceBack, EventLevel::kInfo,
                    "the addresses of NLB listeners are where they should be");
  else
    events_.publish(
        EventKind::kInterfaceMissing, EventLevel::kWarning,
        "the addresses of NLB listeners wait for their interface: " + done.error().text(),
        {{"what", done.error().what}, {"where", done.error().where}});
}

void Daemon::follow_flow_log() {
  if (const auto followed = flow_log_->follow(); !followed)
    spdlog::error("the flow log stays as it was: {}", followed.error().text());
}

// While no rule wants copies there are no rings for them.
Result<> Daemon::follow_mirrors(const Config& config) {
  const bool wanted = wants_copies(config);
  if (!wanted) mirror_lane_.reset();
  if (!wanted || mirror_lane_) return {};
  SLUICE_TRY(mirror_lane_, MirrorLane::open(*loop_, *host_, *frames_));
  return {};
}

Result<> Daemon::watch_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, number);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a store that may not grow is an error of a change, not the end
  signals_ = UniqueFd(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return fail_errno("cannot watch signals");
  return signals_watch_.start(*loop_, signals_.get(), EPOLLIN, [this](uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGHUP) {
        manager_->reloading();
        reload();
        manager_->ready();
      } else {
        manager_->stopping();
        loop_->stop();
      }
    }
  });
}

void Daemon::refuse_reload(const std::vector<Error>& errors) {
  for (const Error& error : errors) spdlog::error(error.text());
  events_.publish(EventKind::kReloadRefused, EventLevel::kError,
                  "the configuration stays as it was: " + errors.front().text(),
                  {{"errors", std::to_string(errors.size())}});
}

void Daemon::reload() {
  auto config = read_config(file_);
  if (!config) return refuse_reload(config.error());
  const std::string digest = config->digest;
  const auto done = plane_->commit(
      "file", [&](Config& next) { return apply_file(next, std::move(*config)); }, digest);
  if (!done) return refuse_reload(done.error());
  spdlog::info("read {} again: {} changes", file_, done->changes.size() + done->sections.size());
  follow_flow_log();
  flow_log_->reopen();
  warn_of_redirects(controller_->config());
}

// Takes back what a pinned gateway has left. Its socket is free only if no sluiced runs it.
Result<> remove(const Config& config) {
  SLUICE_TRY(const auto loop, EventLoop::create());
  SLUICE_TRY(const auto alone, ApiServer::create(*loop, config.gateway.socket,
                                                 [](std::string_view) { return std::string(); }));
  NlbAddresses addresses;
  addresses.remember_in(list_of_addresses(config.gateway));
  (void)addresses.set(config.gateway.nlb_interface, nlb_addresses_of(config));
  return KernelHost::remove_pins(pins_of(config.gateway));
}

enum class Wanted { kRun, kCheck, kRemove };

int run(const std::string& file, Wanted wanted) {
  auto config = read_config(file);
  if (!config) {
    for (const Error& error : config.error()) spdlog::error(error.text());
    return 1;
  }
  if (wanted == Wanted::kRemove) {
    if (const auto removed = remove(*config); !removed) {
      spdlog::error(removed.error().text());
      return 1;
    }
    return 0;
  }
  if (wanted == Wanted::kCheck) {
    std::printf("%s: valid\n", file.c_str());
    return 0;
  }
  const std::string name = config->gateway.name;
  start_log(config->gateway.log_format, config->gateway.log_level);
  Daemon daemon(file);
  if (auto started = daemon.start(std::move(*config)); !started) {
    spdlog::error(started.error().text());
    return 1;
  }
  spdlog::info("gateway {} runs", name);
  daemon.run();
  spdlog::info("gateway {} ends", name);
  return 0;
}

}  // namespace
}  // namespace sluice::gateway

int main(int argc, char** argv) {
  sluice::gateway::start_log(sluice::gateway::LogFormat::kText, sluice::gateway::LogLevel::kInfo);
  CLI::App app{"The gateway load balancer's daemon"};
  std::string file;
  bool check_only = false;
  bool remove_path = false;
  app.add_option("--config", file, "the YAML file")->required();
  app.add_flag("--check", check_only, "only read and validate it");
  app.add_flag("--remove", remove_path, "end the packet path that a pinned gateway has left");
  CLI11_PARSE(app, argc, argv);
  using sluice::gateway::Wanted;
  return sluice::gateway::run(file, remove_path  ? Wanted::kRemove
                                    : check_only ? Wanted::kCheck
                                                 : Wanted::kRun);
}
