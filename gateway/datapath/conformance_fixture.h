// SPDX-License-Identifier: Apache-2.0
// For the conformance list (docs/conformance.md): the packet path in either host, one frame at a
// time, and time that passes when a test says so.
#pragma once

#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/slow_path.h"
#include "gateway/datapath/sum_counters.h"

namespace sluice::gateway::fixture {

enum class HostKind { kProcess, kKernel };

// What time is to the path is how long ago things were: makes all of them older.
inline void make_older(Tables& tables, uint32_t ms) {
  const settings& s = tables.settings[0];
  for (uint32_t i = 0; i < tables.flow_buckets_count * kFlowWays; i++) {
    flow_record& record = *table_flow_records(&tables, i);
    __u64& entry = tables.flow_buckets[i / kFlowWays].entry[i % kFlowWays];
    if (entry == 0) continue;
    record.last_seen_ms -= ms;
    table_flow_usages(&tables, i)->created_ms -= ms;
    entry = (entry & ~__u64{kFlowEpochMask}) | flow_epoch(&s, record.last_seen_ms);
  }
  for (uint32_t i = 0; i < kTrailBuckets; i++)
    for (fragment_trail& trail : tables.trail_buckets[i].trail) trail.last_seen_ms -= ms;
  for (uint32_t i = 0; i < kLayer2Max; i++) tables.layer2s[i].last_seen_ms -= ms;
  for (uint32_t i = 0; i < kApplianceRows; i++) tables.rows[i].since_s -= ms / 1000;
}

// Every case runs in both hosts. A frame ends in one verdict, which is counted once, and so is the
// reason of a drop: run() sees to that.
class Conformance : public testing::TestWithParam<HostKind> {
 protected:
  void SetUp() override {
    const HostOptions options{.flows_max = 1 << 12, .pins = ""};
    if (GetParam() == HostKind::kProcess) {
      process_ = std::move(*ProcessHost::create(options));
      process_->set_now_ms(1'000'000);
    } else {
      if (geteuid() != 0) GTEST_SKIP() << "the kernel host needs root";
      if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1)
        GTEST_SKIP() << "this kernel has no XDP";
      auto created = KernelHost::create(options);
      ASSERT_TRUE(created) << created.error().text();
      kernel_ = std::move(*created);
      auto rings = kernel_->handed_over([this](uint32_t, uint32_t mtu, auto bytes) {
        handed_mtu_ = mtu;
        handed_.assign(bytes.begin(), bytes.end());
      });
      ASSERT_TRUE(rings) << rings.error().text();
      rings_ = std::move(*rings);
    }
    configure(tables());
    slow_ = std::make_unique<SlowPath>(tables(), [this](const Outcome& outcome, auto bytes) {
      left_.push_back({outcome, Bytes(bytes.begin(), bytes.end())});
      return true;
    });
  }

  Tables& tables() { return kernel_ ? kernel_->tables() : process_->tables(); }
  uint64_t now_ms() { return kernel_ ? kernel_->now_ms() : process_->now_ms(); }
  void pass_seconds(uint32_t seconds) {
    if (kernel_)
      make_older(tables(), seconds * 1000);
    else
      process_->set_now_ms(process_->now_ms() + seconds * 1000);
  }
  uint64_t drops(DropReason reason) { return sum_counters(tables()).drop[reason]; }
  uint64_t events(PathEvent event) { return sum_counters(tables()).event[event]; }

  // What becomes of a frame.
  Step run(const Bytes& in, uint32_t interface_index) {
    const counters before = sum_counters(tables());
    const Step step =
        kernel_ ? run_in_kernel(in, interface_index) : run_in_process(in, interface_index);
    const counters after = sum_counters(tables());
    Step out = step;
    int verdicts = 0, reasons = 0;
    for (int i = 0; i < kVerdictCount; i++)
      for (uint64_t n = before.verdict[i]; n < after.verdict[i]; n++) {
        verdicts++;
        out.outcome.verdict = static_cast<Verdict>(i);
      }
    for (int i = 0; i < kDropReasonCount; i++)
      for (uint64_t n = before.drop[i]; n < after.drop[i]; n++) {
        reasons++;
        out.outcome.reason = static_cast<DropReason>(i);
      }
    EXPECT_EQ(verdicts, 1);
    EXPECT_EQ(
        reasons,
        out.outcome.verdict == kVerdictDrop || out.outcome.verdict == kVerdictAnswered ? 1 : 0);
    if (process_) {
      EXPECT_EQ(out.outcome.verdict, step.outcome.verdict);
      EXPECT_EQ(out.outcome.reason, step.outcome.reason);
    }
    return out;
  }
  Step from_outside(const Bytes& in) { return run(in, kOutside); }
  Step from_inside(const Bytes& in) { return run(in, kInside); }
  Step from_tunnel(const Bytes& in) { return run(in, kTunnel); }

  // The same through the slow path, if that is where the frame goes: all that leaves because of it.
  std::vector<Step> all_of(const Bytes& in, uint32_t interface_index) {
    left_.clear();
    const Step step = run(in, interface_index);
    if (step.outcome.verdict != kVerdictSlowPath) return {step};
    slow_->take(interface_index, step.outcome.mtu, step.bytes, now_ms());
    return std::exchange(left_, {});
  }

  // There, through the appliance, and out at the other side.
  void expect_delivered(const Bytes& in, uint32_t interface_index) {
    const Step out = run(in, interface_index);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    expect_return(returned(out.bytes),
                  interface_index == kOutside ? kVerdictInside : kVerdictOutside, in);
  }
  void expect_return(const Bytes& datagram, Verdict verdict, const Bytes& delivered) {
    const Step step = from_tunnel(datagram);
    EXPECT_EQ(step.outcome.verdict, verdict) << drop_reason_name(step.outcome.reason);
    EXPECT_EQ(step.bytes, delivered);
  }
  // What a lying return is dropped as.
  void expect_refused(const Bytes& datagram, DropReason reason) {
    const Step step = from_tunnel(datagram);
    EXPECT_EQ(step.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(drop_reason_name(step.outcome.reason), drop_reason_name(reason));
  }

 private:
  Step run_in_process(const Bytes& in, uint32_t interface_index) {
    FrameBuffer buffer;
    buffer.assign(in);
    const Outcome outcome = process_->run(buffer, interface_index);
    return {outcome, Bytes(buffer.bytes().begin(), buffer.bytes().end())};
  }
  // Test runs come in at the loopback interface.
  Step run_in_kernel(const Bytes& in, uint32_t interface_index) {
    tables().ports[1] = tables().ports[interface_index];
    handed_.clear();
    auto run = kernel_->test_run(in);
    EXPECT_TRUE(run) << run.error().text();
    if (!run) return {};
    rings_->take();
    Step out{{}, std::move(run->bytes)};
    if (!handed_.empty()) {
      out.bytes = handed_;
      out.outcome.mtu = handed_mtu_;
    }
    return out;
  }

  std::unique_ptr<ProcessHost> process_;
  std::unique_ptr<KernelHost> kernel_;
  std::unique_ptr<Rings> rings_;
  std::unique_ptr<SlowPath> slow_;
  std::vector<Step> left_;
  Bytes handed_;
  uint32_t handed_mtu_ = 0;
};

inline std::string host_name(const testing::TestParamInfo<HostKind>& kind) {
  return kind.param == HostKind::kProcess ? "process" : "kernel";
}

inline int appliance(const Step& step) { return step.bytes[33] - 11; }

inline Bytes turned(Bytes in) {
  for (size_t i = 0; i < 6; i++) std::swap(in[i], in[6 + i]);
  return in;
}

inline Bytes ip_of(const Bytes& frame_bytes) {
  return {frame_bytes.begin() + 14, frame_bytes.end()};
}

// A datagram with another option area, and lengths that say so.
inline Bytes with_options(const Bytes& datagram, const Bytes& options) {
  Bytes out = first(datagram, kOuterGeneve + 8);
  append(out, options);
  append(out, inner_of(datagram));
  out[kOuterGeneve] = static_cast<uint8_t>(options.size() / 4);
  store_be16(&out[kOuterIpLength], static_cast<uint16_t>(out.size() - kOuterIp));
  store_be16(&out[kOuterUdpLength], static_cast<uint16_t>(out.size() - kOuterUdp));
  store_u16(&out[kOuterIpChecksum], 0);
  store_u16(&out[kOuterIpChecksum], checksum_fold(checksum_add(0, &out[kOuterIp], 20)));
  return out;
}

}  // namespace sluice::gateway::fixture
