// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/runner.h"

#include <csignal>
#include <cstdio>
#include <system_error>

namespace sluice::sdk {

Result<std::unique_ptr<Runner>> Runner::start(const RunnerOptions& options,
                                              const ApplianceFactory& make) {
  unsigned count = options.workers;
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  if (count > kWorkersMax)
    return fail("more than " + std::to_string(kWorkersMax) + " workers", "--workers");

  std::unique_ptr<Runner> runner(new Runner);
  for (unsigned i = 0; i < count; i++) {
    SLUICE_TRY(auto appliance, make(i));
    SLUICE_TRY(auto worker, Worker::create(options.listen, options.port, std::move(appliance)));
    runner->workers_.push_back(std::move(worker));
  }
  Runner* self = runner.get();
  SLUICE_TRY(HealthEndpoint health, HealthEndpoint::create({options.listen, options.health_port,
                                                            [self] { return self->alive(); },
                                                            [self] { return self->stats(); }}));
  SLUICE_TRY_VOID(runner->start_threads(std::move(health)));
  return runner;
}

Result<> Runner::start_threads(HealthEndpoint health) {
  try {
    for (auto& worker : workers_) threads_.emplace_back([this, &worker] { worker->run(stop_); });
    threads_.emplace_back([this, endpoint = std::move(health)]() mutable {
      while (!stop_.load(std::memory_order_relaxed)) endpoint.poll_once(100);
    });
  } catch (const std::system_error& error) {
    return fail_errno("cannot start a thread", {}, error.code().value());
  }
  return {};
}

Runner::~Runner() {
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) thread.join();
}

std::string Runner::stats() const {
  std::vector<const Counters*> counters;
  for (const auto& worker : workers_) counters.push_back(&worker->counters());
  return counters_json(counters);
}

bool Runner::alive() const {
  const int64_t now = steady_us();
  for (const auto& worker : workers_) {
    const int64_t last = worker->last_round_us();
    if (last != 0 && now - last > kWorkerSilenceUsMax) return false;
  }
  return true;
}

Result<> run(const RunnerOptions& options, const ApplianceFactory& make) {
  // Blocked here and so in every thread started below; sigwait takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  SLUICE_TRY(std::unique_ptr<Runner> runner, Runner::start(options, make));
  std::fprintf(stderr, "ready: GENEVE at %s:%u, health at port %u, %s\n", options.listen.c_str(),
               unsigned{options.port}, unsigned{options.health_port},
               "stop with SIGTERM or SIGINT");
  int signal = 0;
  sigwait(&signals, &signal);
  const std::string stats = runner->stats();
  runner.reset();
  std::fprintf(stderr, "%s\n", stats.c_str());
  return {};
}

}  // namespace sluice::sdk
