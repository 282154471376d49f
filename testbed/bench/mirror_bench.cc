// SPDX-License-Identifier: Apache-2.0
// The gateway of the live benchmark with a rule that has packets copied. The copies are sent by
// what sends them in sluiced, on a thread beside the generator, at the same priority.
#include "testbed/bench/mirror_bench.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "gateway/control/mirror_lane.h"
#include "gateway/datapath/mirror_fixture.h"
#include "testbed/bench/live_lab.h"

namespace sluice::testbed {
namespace {

using gateway::Entry;
using gateway::KernelHost;
using gateway::mirror_counters;
using gateway::Tables;

constexpr uint32_t kFlows = 1 << 10;
constexpr double kWarmSeconds = 0.5;
constexpr int kTurnMs = 5;

struct Way {
  const char* action;
  uint32_t percent;
};
constexpr Way kWays[] = {
    {"none", 0}, {"mirror", 10}, {"mirror", 100}, {"shadow", 10}, {"shadow", 100}};

bool is_shadow(const Way& way) { return way.action == std::string("shadow"); }

// All flows by one rule to one appliance; a mirror's copies go to one that takes and sends nothing,
// a shadow's to one that answers as the first does.
void configure(Tables& tables, const Way& way) {
  gateway::policy_rule& rule = gateway::fixture::add_mirror(tables, is_shadow(way));
  if (!is_shadow(way))
    gateway::fixture::add_appliance(tables, gateway::fixture::kMirrorTarget,
                                    tunnels::swap_be32(gateway::kLiveTap));
  if (way.percent == 0) rule.mirror = 0;
  if (way.percent == 0) tables.policy_rules[0].mirror = 0;
  if (way.percent % 100 != 0)
    tables.policy_entries[0].share = static_cast<uint32_t>(way.percent / 100.0 * 0xffffffff);
}

// Sends copies until it is gone.
class Copier {
 public:
  static Result<std::unique_ptr<Copier>> start(LiveLab& lab, KernelHost& host) {
    std::unique_ptr<Copier> copier(new Copier);
    SLUICE_TRY_VOID(lab.inside(LiveLab::kGateway, [&]() -> Result<> {
      SLUICE_TRY(auto frames, gateway::FrameSocket::open());
      copier->frames_.emplace(std::move(frames));
      return {};
    }));
    SLUICE_TRY(copier->loop_, gateway::EventLoop::create());
    SLUICE_TRY(copier->lane_, gateway::MirrorLane::open(*copier->loop_, host, *copier->frames_));
    std::promise<Result<>> ready;
    copier->thread_ = std::thread([self = copier.get(), &ready] {
      ready.set_value(LiveLab::move_beside_generator());
      while (!self->stop_) self->loop_->turn(kTurnMs);
    });
    SLUICE_TRY_VOID(ready.get_future().get());
    return copier;
  }
  ~Copier() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  double cpu_seconds() {
    clockid_t clock{};
    timespec now{};
    if (pthread_getcpuclockid(thread_.native_handle(), &clock) != 0) return 0;
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
  }

 private:
  Copier() = default;

  std::optional<gateway::FrameSocket> frames_;
  std::unique_ptr<gateway::EventLoop> loop_;
  std::unique_ptr<gateway::MirrorLane> lane_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct Sums {
  double cost = HUGE_VAL, rate = 0;  // of the cheapest round
  double copier_s = 0, wall_s = 0;
  uint64_t wanted = 0, lost = 0, unsent = 0, sent = 0, arrived = 0;
};

Result<> measure(LiveLab& lab, Entry entry, const Way& way, double seconds, Sums& sums) {
  SLUICE_TRY_VOID(lab.attach(LiveLab::kAppliance, kFarEnd, live_program("echo", entry).c_str()));
  SLUICE_TRY_VOID(lab.attach(LiveLab::kServer, kFarEnd, "live_sink_xdp"));
  SLUICE_TRY(auto host, lab.gateway(entry, [&](Tables& tables) { configure(tables, way); }));
  SLUICE_TRY(auto copier, Copier::start(lab, *host));
  SLUICE_TRY_VOID(lab.send(kFlows, kWarmSeconds));
  const mirror_counters& count = host->tables().mirror_counters[gateway::fixture::kMirrorRule];
  const mirror_counters before = count;
  const uint64_t tapped = lab.tapped();
  const double copier_s = copier->cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  SLUICE_TRY(const LiveLab::Load load, lab.send(kFlows, seconds));
  sums.wall_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  sums.copier_s += copier->cpu_seconds() - copier_s;
  sums.lost += count.lost - before.lost;
  sums.wanted += count.lost - before.lost + count.copied - before.copied;
  sums.unsent += count.unsent - before.unsent;
  sums.sent += count.sent - before.sent;
  sums.arrived += is_shadow(way) ? count.answers - before.answers : lab.tapped() - tapped;
  if (load.cpu_ns / load.packets < sums.cost) {
    sums.cost = load.cpu_ns / load.packets;
    sums.rate = load.packets / load.seconds;
  }
  return {};
}

}  // namespace

Result<std::vector<MirrorCase>> bench_mirrors(const MirrorBenchOptions& options) {
  SLUICE_TRY(auto lab, LiveLab::create());
  SLUICE_TRY_VOID(lab->set_threads(true));
  std::vector<MirrorCase> cases;
  for (const Entry entry : {Entry::kXdp, Entry::kTc}) {
    // Each way once a round, so that what else the machine does meets all of them.
    std::array<Sums, std::size(kWays)> sums;
    for (uint32_t round = 0; round < options.rounds; round++)
      for (size_t i = 0; i < std::size(kWays); i++) {
        const auto measured = measure(*lab, entry, kWays[i], options.seconds, sums[i]);
        lab->detach_all();
        SLUICE_TRY_VOID(measured);
      }
    for (size_t i = 0; i < std::size(kWays); i++) {
      const Sums& s = sums[i];
      cases.push_back({entry_name(entry), kWays[i].action, kWays[i].percent, s.rate, s.cost,
                       sums[0].cost / s.cost, s.wanted, s.lost, s.unsent, s.arrived,
                       static_cast<double>(s.sent) / s.wall_s,
                       s.sent == 0 ? 0 : s.copier_s * 1e6 / static_cast<double>(s.sent)});
    }
  }
  return cases;
}

}  // namespace sluice::testbed
