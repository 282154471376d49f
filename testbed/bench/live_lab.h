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
#include "gateway/datapath/kernel_host.h"
#include "testbed/bench/live_bench.h"
#include "tunnels/result.h"

struct live_bench;

namespace sluice::testbed {

inline constexpr uint32_t kFarEnd = 20;  // the interface of a namespace that is not the gateway

const char* entry_name(gateway::Entry entry);
// A program of live_bench.bpf.c: "live_echo_xdp".
std::string live_program(const char* what, gateway::Entry entry);

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

  // The packet path at the gateway's interfaces for as long as the host lives.
  Result<std::unique_ptr<gateway::KernelHost>> gateway(
      gateway::Entry entry, const std::function<void(gateway::Tables&)>& configure) const;

  // Packets that came in at `from` leave by `even` or `odd`, by their destination MAC address.
  void route(uint32_t from, uint32_t even, uint32_t odd);

  // Has the client send for so long, from another CPU than all else runs on. What it takes.
  struct Load {
    double seconds = 0;
    double packets = 0;  // that reached the sink
    double cpu_ns = 0;   // of all NAPI threads
  };
  Result<Load> send(uint32_t flows, double seconds);

  // Packets that have reached the tap (live_bench.h).
  uint64_t tapped() const { return counted(&gateway::live_count::tapped); }
  // This thread runs where the generator does, as often as it.
  static Result<> move_beside_generator();

  // Gives the namespaces' NAPI its own threads, all on one CPU; or takes them away.
  Result<> set_threads(bool threaded);

 private:
  LiveLab() = default;
  Result<> make();
  uint64_t counted(__u64 gateway::live_count::*what) const;
  double thread_ns() const;

  live_bench* programs_ = nullptr;
  std::vector<int> links_;
  std::vector<int> threads_;  // of NAPI
  std::vector<gateway::Namespace> places_;
};

// A command line; an error with its output if it fails. Returns what it printed.
Result<std::string> shell(const std::string& command);

}  // namespace sluice::testbed
