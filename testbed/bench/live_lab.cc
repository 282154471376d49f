// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/live_lab.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "gateway/control/links.h"
#include "gateway/datapath/path_fixture.h"
#include "testbed/bench/live_bench.skel.h"

namespace sluice::testbed {
namespace {

using gateway::fixture::kInside;
using gateway::fixture::kOutside;
using gateway::fixture::kTunnel;

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // BPF_TCX_INGRESS, of Linux 6.6
constexpr uint32_t kFlowsMax = 1 << 18;
constexpr uint32_t kFramesPerCall = 1 << 20;
constexpr int kGeneratorCpu = 0;
constexpr int kPathCpu = 1;

struct Wire {
  LiveLab::Place place;
  const char* name;  // at the gateway
  int index;
  gateway::Bytes near_mac;
  gateway::Bytes far_mac;
  const char* address;
  const char* neighbour;
  const char* neighbour_mac;
};

const std::array<Wire, 3>& wires() {
  static const std::array<Wire, 3> all = {{
      {LiveLab::kClient,
       "out0",
       kOutside,
       {2, 0, 0, 0, 1, 0},
       {2, 0, 0, 0, 0, 1},
       "10.1.0.2/8",
       "10.1.0.11",
       "02:00:00:00:00:02"},
      {LiveLab::kServer,
       "in0",
       kInside,
       {2, 0, 0, 0, 1, 1},
       {2, 0, 0, 0, 0, 2},
       "10.1.0.11/8",
       "10.1.0.2",
       "02:00:00:00:00:01"},
      {LiveLab::kAppliance,
       "gen0",
       kTunnel,
       {2, 9, 0, 0, 0, 1},
       {2, 9, 0, 0, 1, 0},
       "10.9.0.11/16",
       "10.9.0.1",
       "02:09:00:00:00:01"},
  }};
  return all;
}

// Ctrl-C ends a measurement with an error, and so takes the namespaces away.
volatile sig_atomic_t interrupted = 0;

void end_at_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

Result<> pin(int thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(thread, sizeof(set), &set) != 0)
    return fail_errno("cannot bind a thread to CPU " + std::to_string(cpu));
  // Before all other programs, which would make the rings overflow meanwhile.
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(thread), cpu == kPathCpu ? -20 : -10) != 0)
    return fail_errno("cannot set the priority of a thread");
  return {};
}

// The kernel's NAPI threads of this moment.
std::vector<int> napi_threads() {
  std::vector<int> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "comm");
    std::string comm;
    if (std::getline(file, comm) && comm.starts_with("napi/"))
      out.push_back(std::atoi(entry.path().filename().c_str()));
  }
  return out;
}

}  // namespace

const char* entry_name(gateway::Entry entry) { return entry == gateway::Entry::kTc ? "tc" : "xdp"; }

std::string live_program(const char* what, gateway::Entry entry) {
  return std::string("live_") + what + "_" + entry_name(entry);
}

Result<std::string> shell(const std::string& command) {
  if (interrupted) return fail("interrupted");
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return fail_errno("cannot run", command);
  std::string out;
  std::array<char, 4096> part;
  size_t length = 0;
  while ((length = fread(part.data(), 1, part.size(), pipe)) > 0) out.append(part.data(), length);
  if (pclose(pipe) != 0) return fail("failed: " + out, command);
  return out;
}

Result<std::unique_ptr<LiveLab>> LiveLab::create() {
  if (geteuid() != 0) return fail("the live benchmark makes network namespaces; it needs root");
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
    return fail("the live benchmark needs two CPUs: one sends, the other is measured");
  end_at_signals();
  std::unique_ptr<LiveLab> lab(new LiveLab);
  SLUICE_TRY_VOID(lab->make());
  return lab;
}

Result<> LiveLab::make() {
  for (int place = 0; place < kPlaces; place++) {
    const std::string n = name(static_cast<Place>(place));
    SLUICE_TRY_VOID(gateway::create_namespace(n));
    SLUICE_TRY(auto opened, gateway::Namespace::open(n));
    places_.push_back(std::move(opened));
  }
  SLUICE_TRY(auto socket, gateway::RouteSocket::open(places_[kGateway]));
  for (const Wire& wire : wires()) {
    SLUICE_TRY_VOID(
        gateway::create_veth(socket, {wire.name, wire.index, 0, wire.near_mac, nullptr},
                             {"eth0", int{kFarEnd}, 0, wire.far_mac, &places_[wire.place]}));
    const std::string far = name(wire.place), near = name(kGateway);
    const uint32_t mtu = wire.place == kAppliance ? 1600 : 1500;
    for (const auto& [where, device] : {std::pair{far, "eth0"}, std::pair{near, wire.name}}) {
      const std::string to = "ip -n " + where + " link set " + device;
      SLUICE_TRY_VOID(shell(to + " mtu " + std::to_string(mtu) + " up"));
      // Polled, whatever program is there: XDP redirects into it, and it can have a thread.
      SLUICE_TRY_VOID(shell("ip netns exec " + where + " ethtool -K " + device + " gro on"));
    }
    SLUICE_TRY_VOID(shell("ip -n " + far + " address add " + wire.address + " dev eth0"));
    SLUICE_TRY_VOID(shell("ip -n " + far + " neighbour add " + wire.neighbour + " lladdr " +
                          wire.neighbour_mac + " dev eth0"));
  }
  programs_ = live_bench__open_and_load();
  if (!programs_) return fail_errno("the kernel refuses the benchmark's programs");
  return {};
}

LiveLab::~LiveLab() {
  detach_all();
  live_bench__destroy(programs_);
  places_.clear();
  for (int place = 0; place < kPlaces; place++)
    (void)gateway::delete_namespace(name(static_cast<Place>(place)));
}

std::string LiveLab::name(Place place) const {
  constexpr const char* kNames[] = {"client", "gateway", "appliance", "server"};
  return "live-" + std::to_string(getpid()) + "-" + kNames[place];
}

Result<> LiveLab::inside(Place place, const std::function<Result<>()>& work) const {
  SLUICE_TRY(auto scope, gateway::NamespaceScope::enter(places_[place]));
  return work();
}

Result<> LiveLab::attach(Place place, uint32_t interface_index, const char* program_name) {
  const bpf_program* program = bpf_object__find_program_by_name(programs_->obj, program_name);
  if (!program) return fail("no such program", program_name);
  const bool xdp = bpf_program__type(program) == BPF_PROG_TYPE_XDP;
  return inside(place, [&]() -> Result<> {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    const int link = bpf_link_create(bpf_program__fd(program), static_cast<int>(interface_index),
                                     xdp ? BPF_XDP : kTcxIngress, xdp ? &options : nullptr);
    if (link < 0) return fail_errno("cannot attach", program_name, -link);
    links_.push_back(link);
    return {};
  });
}

void LiveLab::detach_all() {
  for (const int link : links_) close(link);
  links_.clear();
}

Result<std::unique_ptr<gateway::KernelHost>> LiveLab::gateway(
    gateway::Entry entry, const std::function<void(gateway::Tables&)>& configure) const {
  SLUICE_TRY(auto host, gateway::KernelHost::create({.flows_max = kFlowsMax, .pins = {}}));
  gateway::fixture::configure(host->tables());
  configure(host->tables());
  SLUICE_TRY(const auto scope, gateway::NamespaceScope::enter(places_[kGateway]));
  for (const uint32_t index : {kOutside, kInside, kTunnel})
    SLUICE_TRY_VOID(host->attach(index, entry));
  return host;
}

void LiveLab::route(uint32_t from, uint32_t even, uint32_t odd) {
  const uint64_t to = uint64_t{odd} << 32 | even;
  bpf_map_update_elem(bpf_map__fd(programs_->maps.live_routes), &from, &to, BPF_ANY);
}

Result<> LiveLab::set_threads(bool threaded) {
  const std::vector<int> before = napi_threads();
  for (const Wire& wire : wires())
    for (const auto& [where, device] :
         {std::pair{name(wire.place), "eth0"}, std::pair{name(kGateway), wire.name}})
      SLUICE_TRY_VOID(shell("ip netns exec " + where + " sh -c 'echo " + (threaded ? "1" : "0") +
                            " > /sys/class/net/" + device + "/threaded'"));
  threads_.clear();
  if (!threaded) return {};
  for (const int thread : napi_threads()) {
    if (std::ranges::find(before, thread) != before.end()) continue;
    SLUICE_TRY_VOID(pin(thread, kPathCpu));
    threads_.push_back(thread);
  }
  if (threads_.empty()) return fail("the kernel gave NAPI no threads");
  return {};
}

Result<> LiveLab::move_beside_generator() { return pin(0, kGeneratorCpu); }

uint64_t LiveLab::counted(__u64 gateway::live_count::*what) const {
  uint64_t sum = 0;
  for (uint32_t cpu = 0; cpu < gateway::kLiveCpusMax; cpu++) {
    gateway::live_count count{};
    bpf_map_lookup_elem(bpf_map__fd(programs_->maps.live_counts), &cpu, &count);
    sum += count.*what;
  }
  return sum;
}

double LiveLab::thread_ns() const {
  double sum = 0;
  for (const int thread : threads_) {
    std::ifstream file("/proc/" + std::to_string(thread) + "/schedstat");
    double ns = 0;
    if (file >> ns) sum += ns;
  }
  return sum;
}

Result<LiveLab::Load> LiveLab::send(uint32_t flows, double seconds) {
  gateway::live_traffic traffic{};
  std::memcpy(traffic.to, wires()[1].far_mac.data(), 6);
  std::memcpy(traffic.from, wires()[0].far_mac.data(), 6);
  traffic.interface = kFarEnd;
  traffic.flows = flows;
  const uint32_t zero = 0;
  bpf_map_update_elem(bpf_map__fd(programs_->maps.live_traffic), &zero, &traffic, BPF_ANY);
  Load load;
  const auto sending = [&]() -> Result<> {
    cpu_set_t before;
    sched_getaffinity(0, sizeof(before), &before);
    SLUICE_TRY_VOID(pin(0, kGeneratorCpu));
    std::array<uint8_t, gateway::kLiveFrameLength> frame{};
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_size_in = frame.size(),
                .repeat = static_cast<int>(kFramesPerCall), .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
    int error = bpf_prog_test_run_opts(bpf_program__fd(programs_->progs.live_generate), &run);
    const uint64_t sunk_before =
        counted(&gateway::live_count::packets);  // after a first call: flows are open
    const double ns_before = thread_ns();
    while (error == 0 && !interrupted && load.seconds < seconds) {
      error = bpf_prog_test_run_opts(bpf_program__fd(programs_->progs.live_generate), &run);
      // Of the sending alone: a call also makes its buffers, and waits until all are back.
      load.seconds += static_cast<double>(run.duration) * kFramesPerCall / 1e9;
    }
    load.packets = static_cast<double>(counted(&gateway::live_count::packets) - sunk_before);
    load.cpu_ns = thread_ns() - ns_before;
    sched_setaffinity(0, sizeof(before), &before);
    setpriority(PRIO_PROCESS, 0, 0);
    if (interrupted) return fail("interrupted");
    if (error != 0) return fail_errno("the generator fails", {}, -error);
    return {};
  };
  SLUICE_TRY_VOID(inside(kClient, sending));
  if (load.packets == 0) return fail("no packet reached the server");
  return load;
}

}  // namespace sluice::testbed
