// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/runner.h"

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

namespace sluice::sdk {

namespace {

std::string news_of(const nlohmann::ordered_json& reloaded) {
  return reloaded.empty() ? "reloaded" : "reloaded " + reloaded.dump();
}

sigset_t renewing_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGUSR2);
  return signals;
}

// The log files come first: they are opened again whatever is wrong with the rules.
void renew(Commands& commands, bool log_files_too) {
  if (log_files_too) {
    if (const auto reopened = commands.reopen(); !reopened)
      std::fprintf(stderr, "%s\n", reopened.error().text().c_str());
  }
  const auto reloaded = commands.reload();
  std::fprintf(stderr, "%s\n",
               reloaded ? news_of(*reloaded).c_str() : reloaded.error().text().c_str());
}

}  // namespace

Result<std::unique_ptr<Runner>> Runner::start(const RunnerOptions& options,
                                              const ApplianceFactory& make, Controls controls) {
  unsigned count = options.workers;
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  if (count > kWorkersMax)
    return fail("more than " + std::to_string(kWorkersMax) + " workers", "--workers");

  std::unique_ptr<Runner> runner(new Runner);
  for (unsigned i = 0; i < count; i++) {
    SLUICE_TRY(auto appliance, make(i));
    SLUICE_TRY(auto worker, Worker::create({options.listen, options.port, i == 0, options.stamps},
                                           std::move(appliance)));
    runner->workers_.push_back(std::move(worker));
  }
  SLUICE_TRY_VOID(runner->open_commands(options, std::move(controls)));
  SLUICE_TRY_VOID(runner->start_threads());
  return runner;
}

Result<> Runner::open_commands(const RunnerOptions& options, Controls controls) {
  std::vector<Errands*> errands;
  std::vector<const Counters*> counters;
  for (const auto& worker : workers_) {
    errands.push_back(&worker->errands());
    counters.push_back(&worker->counters());
  }
  commands_ = std::make_unique<Commands>(std::move(controls), Workers(std::move(errands)),
                                         std::move(counters));
  SLUICE_TRY(health_,
             HealthEndpoint::create(
                 {options.listen, options.health_port, [this] { return alive(); },
                  [this] { return commands_->stats(); }, [this] { return commands_->metrics(); }}));
  if (options.socket.empty()) return {};
  SLUICE_TRY(ControlServer control, ControlServer::create(options.socket, [this](auto request) {
               return commands_->answer(request);
             }));
  control_.emplace(std::move(control));
  return {};
}

Result<> Runner::start_threads() {
  const auto until_stopped = [this](auto& endpoint) {
    while (!stop_.load(std::memory_order_relaxed)) endpoint.poll_once(100);
  };
  try {
    for (auto& worker : workers_) threads_.emplace_back([this, &worker] { worker->run(stop_); });
    threads_.emplace_back([=, this] { until_stopped(*health_); });
    if (control_) threads_.emplace_back([=, this] { until_stopped(*control_); });
  } catch (const std::system_error& error) {
    return fail_errno("cannot start a thread", {}, error.code().value());
  }
  return {};
}

Runner::~Runner() {
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) thread.join();
}

bool Runner::alive() const {
  const int64_t now = steady_us();
  for (const auto& worker : workers_) {
    const int64_t last = worker->last_round_us();
    if (last != 0 && now - last > kWorkerSilenceUsMax) return false;
  }
  return true;
}

void hold_signals() {
  sigset_t signals = renewing_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<> run(const RunnerOptions& options, const ApplianceFactory& make, Controls controls) {
  // Blocked here and so in every thread started below; sigwait takes them.
  sigset_t signals = renewing_signals();
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  SLUICE_TRY(std::unique_ptr<Runner> runner, Runner::start(options, make, std::move(controls)));
  std::fprintf(stderr, "ready: GENEVE at %s:%u, health at port %u, %s\n", options.listen.c_str(),
               unsigned{options.port}, unsigned{options.health_port},
               "stop with SIGTERM or SIGINT");
  for (int signal = 0; sigwait(&signals, &signal) == 0 && (signal == SIGHUP || signal == SIGUSR2);)
    renew(runner->commands(), signal == SIGHUP);
  const std::string stats = runner->commands().stats();
  runner->commands().ending();
  runner.reset();
  std::fprintf(stderr, "%s\n", stats.c_str());
  return {};
}

}  // namespace sluice::sdk
