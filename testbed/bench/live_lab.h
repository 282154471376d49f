// SPDX-License-Identifier: Apache-2.0
// Where the live benchmark happens: four namespaces, and programs at their interfaces.
//
//   client eth0 -- out0 [gateway] in0 -- eth0 server
//                        gen0 -- eth0 appliance
#pragma once

#include <linux/bpf.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gateway/control/namespaces.h"
#include "testbed/bench/live_bench.h"
#include "tunnels/result.h"

struct live_bench;

namespace sluice::testbed {

class LiveLab {
 public:
  static Result<std::unique_ptr<LiveLab>> create();
  ~LiveLab();
  LiveLab(const LiveLab&) = delete;
  LiveLab& operator=(const LiveLab&) = delete;

  enum Place { kClient, kGateway, kAppliance, kServer, kPlaces };
  std::string name(Place place) const;  // of the namespace
  // Runs in a namespace.
  Result<> inside(Place place, const std::function<Result<>()>& work) const;

  // A program of live_bench.bpf.c at an interface until detach_all(); XDP or TC by its name.
  Result<> attach(Place place, uint32_t interface_index, const char* program);
  void detach_all();

  // Packets that came in at `from` leave by `even` or `odd`, by their destination MAC address.
  void route(uint32_t from, uint32_t even, uint32_t odd);

  // Has the client send for so long, from another CPU than all else runs on. What it takes.
  struct Load {
    double seconds = 0;
    double packets = 0;  // that reached the sink
    double cpu_ns = 0;   // of all NAPI threads
  };
  Result<Load> send(uint32_t flows, double seconds);

  // Gives the namespaces' NAPI its own threads, all on one CPU; or takes them away.
  Result<> set_threads(bool threaded);

 private:
  LiveLab() = default;
  Result<> make();
  uint64_t sunk() const;
  double thread_ns() const;

  live_bench* programs_ = nullptr;
  std::vector<int> links_;
  std::vector<int> threads_;  // of NAPI
  std::vector<gateway::Namespace> places_;
};

// A command line; an error with its output if it fails. Returns what it printed.
Result<std::string> shell(const std::string& command);

}  // namespace sluice::testbed
