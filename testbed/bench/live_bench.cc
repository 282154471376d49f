// SPDX-License-Identifier: Apache-2.0
// The gateway on real interfaces, beside programs that do nothing but redirect the same packets:
//
//   redirect  client -> gateway -> server
//   around    client -> gateway -> appliance -> gateway -> server, nothing put around the packets
//   gateway   the same way, through the packet path and an appliance that echoes in the kernel
#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/path_fixture.h"
#include "testbed/bench/bench.h"
#include "testbed/bench/live_lab.h"
#include "testbed/bench/measure.h"

namespace sluice::testbed {
namespace {

using gateway::Entry;
using gateway::KernelHost;
using gateway::fixture::kInside;
using gateway::fixture::kOutside;
using gateway::fixture::kTunnel;

constexpr uint32_t kFarEnd = 20;
constexpr uint32_t kFlowsMax = 1 << 18;
constexpr double kWarmSeconds = 0.5;
constexpr int kTriesMax = 100;  // of 50 ms, for iperf3's server to listen

const char* entry_name(Entry entry) { return entry == Entry::kTc ? "tc" : "xdp"; }

std::string program(const char* what, Entry entry) {
  return std::string("live_") + what + "_" + entry_name(entry);
}

class Bench {
 public:
  Bench(LiveLab& lab, Entry entry) : lab_(lab), entry_(entry) {}

  Result<> redirect() {
    clear();
    lab_.route(kOutside, kInside, kInside);
    lab_.route(kInside, kOutside, kOutside);
    return attach_forwarders({kOutside, kInside});
  }

  Result<> around() {
    clear();
    lab_.route(kOutside, kTunnel, kTunnel);
    lab_.route(kInside, kTunnel, kTunnel);
    lab_.route(kTunnel, kInside, kOutside);  // the server's MAC address is even
    SLUICE_TRY_VOID(lab_.attach(LiveLab::kAppliance, kFarEnd, program("bounce", entry_).c_str()));
    return attach_forwarders({kOutside, kInside, kTunnel});
  }

  Result<> gateway() {
    clear();
    SLUICE_TRY_VOID(lab_.attach(LiveLab::kAppliance, kFarEnd, program("echo", entry_).c_str()));
    SLUICE_TRY(host_, KernelHost::create({.flows_max = kFlowsMax, .pins = {}}));
    gateway::fixture::configure(host_->tables());
    return lab_.inside(LiveLab::kGateway, [&]() -> Result<> {
      for (const uint32_t index : {kOutside, kInside, kTunnel})
        SLUICE_TRY_VOID(host_->attach(index, entry_));
      return {};
    });
  }

  void clear() {
    host_.reset();
    lab_.detach_all();
  }

 private:
  Result<> attach_forwarders(std::initializer_list<uint32_t> interfaces) {
    for (const uint32_t index : interfaces)
      SLUICE_TRY_VOID(lab_.attach(LiveLab::kGateway, index, program("redirect", entry_).c_str()));
    return {};
  }

  LiveLab& lab_;
  Entry entry_;
  std::unique_ptr<KernelHost> host_;
};

using Ways = std::vector<std::pair<const char*, Result<> (Bench::*)()>>;
const Ways kWays = {
    {"redirect", &Bench::redirect}, {"around", &Bench::around}, {"gateway", &Bench::gateway}};

// Each way once a round, one after another, so that what else the machine does meets all of them.
Result<> measure_packets(LiveLab& lab, Entry entry, uint32_t flows, uint64_t shown,
                         const LiveOptions& options, std::vector<LiveCase>& cases) {
  Bench bench(lab, entry);
  std::map<std::string, std::vector<double>> rates, costs;
  for (uint32_t round = 0; round < options.rounds; round++) {
    for (const auto& [way, start] : kWays) {
      SLUICE_TRY_VOID((bench.*start)());
      SLUICE_TRY_VOID(lab.attach(LiveLab::kServer, kFarEnd, "live_sink_xdp"));
      SLUICE_TRY_VOID(lab.send(flows, kWarmSeconds));
      SLUICE_TRY(const LiveLab::Load load, lab.send(flows, options.seconds));
      rates[way].push_back(load.packets / load.seconds);
      costs[way].push_back(load.cpu_ns / load.packets);
    }
  }
  bench.clear();
  for (const auto& [way, start] : kWays)
    cases.push_back({"packets", entry_name(entry), way, shown, median(rates[way]),
                     median(costs[way]), median(costs["redirect"]) / median(costs[way]),
                     median(costs["around"]) / median(costs[way])});
  return {};
}

// Bits per second of one TCP connection.
Result<double> transfer(LiveLab& lab, double seconds) {
  // It ends with the connection, or, if none comes, soon after.
  SLUICE_TRY_VOID(shell("ip netns exec " + lab.name(LiveLab::kServer) + " timeout " +
                        std::to_string(static_cast<int>(seconds) + 30) +
                        " iperf3 --server --one-off >/dev/null 2>&1 </dev/null &"));
  const std::string client = "ip netns exec " + lab.name(LiveLab::kClient) +
                             " iperf3 --client 10.1.0.11 --json --connect-timeout 5000 --time " +
                             std::to_string(static_cast<int>(seconds));
  Result<std::string> out = fail("not tried");
  for (int i = 0; i < kTriesMax; i++) {
    out = shell(client);
    const std::string said = out ? *out : out.error().text();
    if (said.find("refused") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!out) return ::tl::make_unexpected(out.error());
  const auto json = nlohmann::json::parse(*out, nullptr, false);
  const auto at = nlohmann::json::json_pointer("/end/sum_received/bits_per_second");
  if (json.is_discarded() || !json.contains(at)) return fail("iperf3 says: " + *out);
  return json[at].get<double>();
}

Result<> measure_tcp(LiveLab& lab, Entry entry, const LiveOptions& options,
                     std::vector<LiveCase>& cases) {
  // XDP loses the mark of an unfinished checksum. The packet path finishes those, a plain redirect
  // does not; so that all three do the same work, the ends finish them.
  for (const auto place : {LiveLab::kClient, LiveLab::kServer})
    SLUICE_TRY_VOID(shell("ip netns exec " + lab.name(place) + " ethtool -K eth0 tx " +
                          (entry == Entry::kXdp ? "off" : "on")));
  Bench bench(lab, entry);
  std::map<std::string, std::vector<double>> rates;
  for (uint32_t round = 0; round < options.rounds; round++) {
    for (const auto& [way, start] : kWays) {
      SLUICE_TRY_VOID((bench.*start)());
      SLUICE_TRY(const double bits, transfer(lab, options.seconds));
      rates[way].push_back(bits);
    }
  }
  bench.clear();
  for (const auto& [way, start] : kWays)
    cases.push_back({"tcp", entry_name(entry), way, 1, median(rates[way]), 0,
                     median(rates[way]) / median(rates["redirect"]),
                     median(rates[way]) / median(rates["around"])});
  return {};
}

}  // namespace

Result<std::vector<LiveCase>> bench_live(const LiveOptions& options) {
  std::vector<LiveCase> cases;
  SLUICE_TRY(auto lab, LiveLab::create());
  for (const Entry entry : {Entry::kTc, Entry::kXdp})
    SLUICE_TRY_VOID(measure_tcp(*lab, entry, options, cases));
  SLUICE_TRY_VOID(lab->set_threads(true));
  for (const Entry entry : {Entry::kXdp, Entry::kTc})
    for (const auto& [flows, shown] : {std::pair{1u << 10, 1'000u}, {1u << 17, 100'000u}})
      SLUICE_TRY_VOID(measure_packets(*lab, entry, flows, shown, options, cases));
  return cases;
}

}  // namespace sluice::testbed
