// SPDX-License-Identifier: Apache-2.0
// The cost of the packet path itself: no driver, no interrupt, one CPU, 64-byte IPv4 TCP packets.
//
// Every case walks its flows in an order that no prefetcher follows. What the harness costs
// (choosing and restoring the frame) is measured by the same loop without the path, right before,
// and taken off.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

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

constexpr uint32_t kTableFlows = 1 << 21;  // flows_max: half full with 1M flows

// One of the two hosts under the harness.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual const char* name() const = 0;
  virtual Tables& tables() = 0;
  virtual bench_frame* frames() = 0;
  virtual bench_state& state() = 0;
  // Mean ns of `repetitions` runs from the current state.
  virtual Result<double> run(bool with_path, uint32_t repetitions) = 0;
  // One frame through the path outside the measured loop; the buffer as it leaves.
  virtual Result<Bytes> once(const Bytes& in, uint32_t interface_index) = 0;
};

class KernelSubject final : public Subject {
 public:
  static Result<std::unique_ptr<Subject>> create() {
    size_t size = 0;
    const void* bytes = path_bench__elf_bytes(&size);
    auto subject = std::make_unique<KernelSubject>();
    SLUICE_TRY(subject->host_, KernelHost::create({.flows_max = kTableFlows},
                                                  {static_cast<const uint8_t*>(bytes), size}));
    SLUICE_TRY(void* frames, subject->host_->map_memory("bench_frames"));
    SLUICE_TRY(void* state, subject->host_->map_memory("bench_state"));
    subject->frames_ = static_cast<bench_frame*>(frames);
    subject->state_ = static_cast<bench_state*>(state);
    return std::unique_ptr<Subject>(std::move(subject));
  }
  const char* name() const override { return "kernel"; }
  Tables& tables() override { return host_->tables(); }
  bench_frame* frames() override { return frames_; }
  bench_state& state() override { return *state_; }
  Result<double> run(bool with_path, uint32_t repetitions) override {
    SLUICE_TRY(auto result,
               host_->test_run(start_, with_path ? "bench_path" : "bench_restore", repetitions));
    if (result.action != 2 /* XDP_PASS */) return fail("the benchmark's program gave up");
    return static_cast<double>(result.duration.count());
  }
  Result<Bytes> once(const Bytes& in, uint32_t interface_index) override {
    const bench_state saved = *state_;
    const bench_frame first = frames_[0];
    state_->frame_mask = 0;
    state_->interface = interface_index;
    state_->new_flows = 0;
    set_frame(frames_[0], in);
    auto result = host_->test_run(start_, "bench_path");
    *state_ = saved;
    frames_[0] = first;
    if (!result) return tl::make_unexpected(result.error());
    return result->bytes;
  }
  static void set_frame(bench_frame& frame_entry, const Bytes& bytes) {
    frame_entry.length = static_cast<uint32_t>(bytes.size());
    std::memcpy(frame_entry.bytes, bytes.data(), bytes.size());
  }

 private:
  const Bytes start_ = Bytes(64, 0);
  std::unique_ptr<KernelHost> host_;
  bench_frame* frames_ = nullptr;
  bench_state* state_ = nullptr;
};

class ProcessSubject final : public Subject {
 public:
  static Result<std::unique_ptr<Subject>> create() {
    auto subject = std::make_unique<ProcessSubject>();
    SLUICE_TRY(subject->host_, ProcessHost::create({.flows_max = kTableFlows}));
    subject->host_->set_now_ms(1'000'000);
    subject->frames_ = std::make_unique<bench_frame[]>(kBenchFramesMax);
    subject->buffer_.assign(Bytes(kBenchFrameLength, 0));
    return std::unique_ptr<Subject>(std::move(subject));
  }
  const char* name() const override { return "process"; }
  Tables& tables() override { return host_->tables(); }
  bench_frame* frames() override { return frames_.get(); }
  bench_state& state() override { return state_; }
  Result<double> run(bool with_path, uint32_t repetitions) override {
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < repetitions; i++) {
      restore();
      if (with_path) host_->run(buffer_, state_.interface);
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    return spent.count() / repetitions;
  }
  Result<Bytes> once(const Bytes& in, uint32_t interface_index) override {
    FrameBuffer buffer;
    buffer.assign(in);
    host_->run(buffer, interface_index);
    return Bytes(buffer.bytes().begin(), buffer.bytes().end());
  }

 private:
  void restore() {
    const uint32_t step = state_.step++;
    const bench_frame& from = frames_[SLUICE_BENCH_FRAME(step, state_.frame_mask)];
    frame* f = buffer_.raw();
    f->data = f->head + FrameBuffer::kHeadRoom;
    f->end = f->data + from.length;
    std::memcpy(f->data, from.bytes, kBenchFrameLength);
    if (!state_.new_flows) return;
    store_be32(f->data + 26, 0x0b000000 + (step >> 8));
    store_be16(f->data + 34, static_cast<uint16_t>(1024 + (step & 0xff)));
  }

  std::unique_ptr<ProcessHost> host_;
  std::unique_ptr<bench_frame[]> frames_;
  bench_state state_{};
  FrameBuffer buffer_;
};

// 64 bytes on the wire with the frame check sequence: 14 Ethernet, 20 IP, 20 TCP, 6 of data.
Bytes flow_frame(uint32_t number) {
  Bytes source(4);
  store_be32(source.data(), 0x0a000000 + (number >> 4));
  return with_checksum(tunnels::frames::ethernet(
      kEtherTypeIpv4, {},
      tunnels::frames::ipv4(kProtocolTcp,
                            tunnels::frames::tcp(static_cast<uint16_t>(1024 + (number & 15)), 443,
                                                 kTcpAck, Bytes(6, 'x')),
                            {.source = source, .destination = {10, 200, 0, 1}})));
}

Result<double> measure(Subject& subject, const BenchOptions& options) {
  std::vector<double> net;
  for (uint32_t round = 0; round < options.rounds; round++) {
    SLUICE_TRY(const double harness, subject.run(false, options.repetitions));
    SLUICE_TRY(const double whole, subject.run(true, options.repetitions));
    net.push_back(whole - harness);
  }
  std::sort(net.begin(), net.end());
  return net[net.size() / 2];
}

void clear_flows(Tables& tables) {
  for (uint32_t i = 0; i < tables.flow_buckets_count; i++) tables.flow_buckets[i] = {};
}

Result<> measure_subject(Subject& subject, const BenchOptions& options,
                         std::vector<BenchCase>& cases) {
  configure(subject.tables());
  auto add = [&](const char* name, uint32_t flows) -> Result<> {
    SLUICE_TRY(const double ns, measure(subject, options));
    cases.push_back({name, subject.name(), flows, ns});
    return {};
  };
  // The flow counts are powers of two so that the walk is a permutation: 100k is 2^17.
  for (const auto& [flows, shown] :
       {std::pair{1u, 1u}, {1u << 17, 100'000u}, {1u << 20, 1'000'000u}}) {
    clear_flows(subject.tables());
    for (uint32_t i = 0; i < flows; i++)
      KernelSubject::set_frame(subject.frames()[i], flow_frame(i));
    subject.state() = {};
    subject.state().frame_mask = flows - 1;
    subject.state().interface = kOutside;
    SLUICE_TRY_VOID(subject.run(true, flows));  // opens every flow
    SLUICE_TRY_VOID(add("encap_hit", shown));

    for (uint32_t i = 0; i < flows; i++) {
      SLUICE_TRY(const Bytes out, subject.once(flow_frame(i), kOutside));
      KernelSubject::set_frame(subject.frames()[i], returned(out));
    }
    subject.state().interface = kTunnel;
    SLUICE_TRY_VOID(add("return_hit", shown));
  }
  clear_flows(subject.tables());
  KernelSubject::set_frame(subject.frames()[0], flow_frame(0));
  subject.state() = {};
  subject.state().interface = kOutside;
  subject.state().new_flows = 1;
  return add("new_flow", 0);
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
  SLUICE_TRY_VOID(measure_subject(*process, options, cases));
  return cases;
}

}  // namespace sluice::testbed
