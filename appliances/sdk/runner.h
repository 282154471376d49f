// SPDX-License-Identifier: Apache-2.0
// Runs an appliance live: worker threads on the GENEVE port, the health endpoint beside them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/commands.h"
#include "appliances/sdk/control_server.h"
#include "appliances/sdk/health.h"
#include "appliances/sdk/worker.h"
#include "tunnels/geneve.h"
#include "tunnels/result.h"

namespace sluice::sdk {

inline constexpr unsigned kWorkersMax = 64;
// A worker that has not gone round its loop for this long makes the appliance unhealthy.
inline constexpr int64_t kWorkerSilenceUsMax = 2'000'000;

struct RunnerOptions {
  // IPv4 or IPv6 address to receive GENEVE and health checks at; :: is all of both.
  std::string listen = "0.0.0.0";
  // UDP port, here and at the gateway. RFC 8926 says 6081.
  uint16_t port = tunnels::kGenevePort;
  // TCP port of the health endpoint.
  uint16_t health_port = 8080;
  // Threads; 0 is one per CPU. Flows are spread over them.
  unsigned workers = 1;
  // Packets say how long they have waited (Packet::waited_us); the kernel reads its clock for each.
  bool stamps = false;
  // Path of the control socket; empty is none.
  std::string socket;
};

// Makes the appliance of worker 0, 1, ...
using ApplianceFactory = std::function<Result<std::unique_ptr<Appliance>>(unsigned worker)>;

class Runner {
 public:
  // Opens everything, so that each error shows before a thread runs; then starts the threads.
  static Result<std::unique_ptr<Runner>> start(const RunnerOptions& options,
                                               const ApplianceFactory& make,
                                               Controls controls = {});
  // Stops the threads; each worker finishes its appliance first. At most about 200 ms.
  ~Runner();

  // What is asked of a running appliance.
  Commands& commands() { return *commands_; }
  bool alive() const;

 private:
  Runner() = default;
  Result<> open_commands(const RunnerOptions& options, Controls controls);
  Result<> start_threads();

  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Commands> commands_;
  std::optional<HealthEndpoint> health_;
  std::optional<ControlServer> control_;
  std::vector<std::thread> threads_;
};

// From here on SIGHUP and SIGUSR2 wait until run() takes them, instead of ending a program that is
// still loading. For main(), before what takes time.
void hold_signals();

// Runs until SIGTERM or SIGINT, then prints the counters to stderr. SIGHUP opens log files again
// and reloads, SIGUSR2 only reloads. For main().
Result<> run(const RunnerOptions& options, const ApplianceFactory& make, Controls controls = {});

}  // namespace sluice::sdk
