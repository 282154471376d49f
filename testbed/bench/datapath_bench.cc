// SPDX-License-Identifier: Apache-2.0
// The cost of the packet path itself: no driver, no interrupt, one CPU, 64-byte IPv4 TCP packets.
//
// Every case walks its flows in an order that no prefetcher follows. What the harness costs
// (choosing and restoring the frame) is measured by the same loop without the path and taken off.
// Of each the least of the rounds counts: other guests of a machine can only make a round longer.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/path_fixture.h"
#include "gateway/datapath/process_host.h"
#include "testbed/bench/bench.h"
#include "testbed/bench/path_bench.h"
#include "testbed/bench/path_bench.skel.h"

namespace sluice::testbed {
namespace {

using namespace gateway;           // NOLINT
using namespace gateway::fixture;  // NOLINT

static_assert(sizeof(flow_bucket) == kFlowBytes * kFlowWays);

constexpr uint32_t kTableFlows = 1 << 21;  // flows_max: half full with 1M flows

// One of the two hosts under the harness.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual const char* name() const = 0;
  virtual Tables& tables() = 0;
  virtual bench_state& state() = 0;
  // Mean ns of `repetitions` runs from the current state.
  virtual Result<double> run(bool with_path, uint32_t repetitions) = 0;
};

class KernelSubject final : public Subject {
 public:
  static Result<std::unique_ptr<Subject>> create() {
    size_t size = 0;
    const void* bytes = path_bench__elf_bytes(&size);
    auto subject = std::make_unique<KernelSubject>();
    SLUICE_TRY(subject->host_, KernelHost::create({.flows_max = kTableFlows},
                                                  {static_cast<const uint8_t*>(bytes), size}));
    SLUICE_TRY(void* state, subject->host_->map_memory("bench_state"));
    subject->state_ = static_cast<bench_state*>(state);
    return std::unique_ptr<Subject>(std::move(subject));
  }
  const char* name() const override { return "kernel"; }
  Tables& tables() override { return host_->tables(); }
  bench_state& state() override { return *state_; }
  Result<double> run(bool with_path, uint32_t repetitions) override {
    SLUICE_TRY(auto result,
               host_->test_run(start_, with_path ? "bench_path" : "bench_restore", repetitions));
    if (result.action != 2 /* XDP_PASS */) return fail("the benchmark's program gave up");
    return static_cast<double>(result.duration.count());
  }

 private:
  const Bytes start_ = Bytes(64, 0);
  std::unique_ptr<KernelHost> host_;
  bench_state* state_ = nullptr;
};

class ProcessSubject final : public Subject {
 public:
  static Result<std::unique_ptr<Subject>> create() {
    auto subject = std::make_unique<ProcessSubject>();
    SLUICE_TRY(subject->host_, ProcessHost::create({.flows_max = kTableFlows}));
    subject->host_->set_now_ms(1'000'000);
    subject->buffer_.assign(Bytes(kBenchFrameLength, 0));
    return std::unique_ptr<Subject>(std::move(subject));
  }
  const char* name() const override { return "process"; }
  Tables& tables() override { return host_->tables(); }
  bench_state& state() override { return state_; }
  Result<double> run(bool with_path, uint32_t repetitions) override {
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < repetitions; i++) {
      restore();
      if (with_path) state_.verdicts[host_->run(buffer_, state_.interface).verdict]++;
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    return spent.count() / repetitions;
  }

 private:
  void restore() {
    frame* f = buffer_.raw();
    f->data = f->head + FrameBuffer::kHeadRoom;
    f->end = f->data + state_.length;
    std::memcpy(f->data, state_.frame, kBenchFrameLength);
    bench_stamp(f->data, bench_flow(&state_, state_.step++), host_->tables().settings,
                static_cast<int>(state_.returns));
  }

  std::unique_ptr<ProcessHost> host_;
  bench_state state_{};
  FrameBuffer buffer_;
};

// 64 bytes on the wire with the frame check sequence: 14 Ethernet, 20 IP, 20 TCP, 6 of data.
Bytes client_frame(uint8_t tcp_flags = kTcpAck) {
  using namespace tunnels::frames;  // NOLINT
  return with_checksum(ethernet(kEtherTypeIpv4, {},
                                ipv4(kProtocolTcp, tcp(1024, 443, tcp_flags, Bytes(6, 'x')),
                                     {.source = {10, 0, 0, 0}, .destination = {10, 200, 0, 1}})));
}

// The same as an appliance returns it, but for the cookie, which bench_stamp() writes.
Result<Bytes> returned_frame(Tables& tables) {
  SLUICE_TRY(auto host, ProcessHost::create({.flows_max = kFlowsMaxLeast}));
  configure(host->tables());
  host->tables().settings[0].hash_key = tables.settings[0].hash_key;
  FrameBuffer buffer;
  buffer.assign(client_frame());
  if (host->run(buffer, kOutside).verdict != kVerdictTarget)
    return fail("the template was not encapsulated");
  return returned(Bytes(buffer.bytes().begin(), buffer.bytes().end()));
}

void start_case(Subject& subject, const Bytes& frame_bytes, uint32_t flows,
                uint32_t interface_index) {
  bench_state& state = subject.state();
  state = {};
  state.flow_mask = flows - 1;
  state.interface = interface_index;
  state.returns = interface_index == kTunnel;
  state.length = static_cast<uint32_t>(frame_bytes.size());
  std::memcpy(state.frame, frame_bytes.data(), frame_bytes.size());
}

Result<double> measure(Subject& subject, const BenchOptions& options) {
  double harness = 1e9, whole = 1e9;  // ns
  for (uint32_t round = 0; round < options.rounds; round++) {
    SLUICE_TRY(const double without, subject.run(false, options.repetitions));
    SLUICE_TRY(const double with, subject.run(true, options.repetitions));
    harness = std::min(harness, without);
    whole = std::min(whole, with);
  }
  return whole - harness;
}

void clear_flows(Tables& tables) {
  for (uint32_t i = 0; i < tables.flow_buckets_count; i++) tables.flow_buckets[i] = {};
}

// Measures, and checks that the packets had the verdict that the case is about. With 1M flows in a
// table of 2M places some buckets overflow (Poisson: 2 % of the flows), hence not all.
Result<> add_case(Subject& subject, const BenchOptions& options, const char* name, uint64_t flows,
                  Verdict expected, std::vector<BenchCase>& cases) {
  SLUICE_TRY(const double ns, measure(subject, options));
  const auto& seen = subject.state().verdicts;
  uint64_t all = 0;
  for (int verdict = 0; verdict < kVerdictCount; verdict++) all += seen[verdict];
  if (seen[expected] < all / 100 * 95)
    return fail(std::to_string(all - seen[expected]) + " of " + std::to_string(all) +
                    " packets had another verdict than the case is about",
                name);
  cases.push_back({name, subject.name(), flows, ns});
  return {};
}

// What a gateway may have beside the least that it needs: a policy whose last rule fits, idle
// timeouts by protocol and port, and the MSS clamp.
void use_all(Tables& tables) {
  configure(tables);
  settings& s = tables.settings[0];
  s.mss_clamp = 1;
  s.idle_rule[kIdleRules] = {swap_be16(53), kProtocolUdp, kIdleRules};
  s.idle_rule[kIdleRules + 1] = {swap_be16(22), kProtocolTcp, kIdleRules};
  constexpr uint8_t kRules = 4;
  for (uint8_t place = 1; place <= kRules; place++) {
    policy_rule& rule = tables.policy_rules[place];
    rule.in_use = 1;
    rule.hops = 1;
    rule.hop[0].groups = 1;
    rule.hop[0].upto[0] = 0xffffffff;
    tables.policy_entries[place - 1] = entry_for_all(place);
  }
  tables.policy_entries[0].protocol = kProtocolUdp;
  tables.policy_entries[1].port_first = tables.policy_entries[1].port_last = 22;
  tables.policy_entries[2].version = 6;
  s.policy = kRules;
  tables.attachments[0].flags |= kAttachmentPolicy;
}

Result<> measure_subject(Subject& subject, const BenchOptions& options,
                         std::vector<BenchCase>& cases) {
  use_all(subject.tables());
  SLUICE_TRY(const Bytes from_target, returned_frame(subject.tables()));
  // The flow counts are powers of two so that the walk is a permutation: 100k is 2^17.
  for (const auto& [flows, shown] :
       {std::pair{1u, 1u}, {1u << 17, 100'000u}, {1u << 20, 1'000'000u}}) {
    clear_flows(subject.tables());
    start_case(subject, client_frame(), flows, kOutside);
    SLUICE_TRY_VOID(subject.run(true, flows));  // opens every flow
    SLUICE_TRY_VOID(add_case(subject, options, "encap_hit", shown, kVerdictTarget, cases));
    start_case(subject, from_target, flows, kTunnel);
    SLUICE_TRY_VOID(add_case(subject, options, "return_hit", shown, kVerdictInside, cases));
  }
  for (const auto& [name, tcp_flags] : {std::pair{"new_flow", kTcpSyn}, {"mid_flow", kTcpAck}}) {
    clear_flows(subject.tables());
    start_case(subject, client_frame(tcp_flags), 1, kOutside);
    subject.state().new_flows = 1;
    SLUICE_TRY_VOID(add_case(subject, options, name, 0, kVerdictTarget, cases));
  }
  return {};
}

}  // namespace

Result<std::vector<BenchCase>> bench_datapath(const BenchOptions& options) {
  std::vector<BenchCase> cases;
  if (geteuid() == 0) {
    SLUICE_TRY(auto kernel, KernelSubject::create());
    SLUICE_TRY_VOID(measure_subject(*kernel, options, cases));
  } else {
    std::fprintf(stderr, "kernel host left out: it needs root\n");
  }
  SLUICE_TRY(auto process, ProcessSubject::create());
  const size_t kernel_cases = cases.size();
  SLUICE_TRY_VOID(measure_subject(*process, options, cases));
  for (size_t i = 0; i < kernel_cases; i++)
    cases[kernel_cases + i].of_kernel = cases[kernel_cases + i].ns / cases[i].ns;
  return cases;
}

}  // namespace sluice::testbed
