// SPDX-License-Identifier: Apache-2.0
// The process host: the packet path as a function over frames in memory. No privileges, no network,
// and time is an argument: what unit tests, fuzzers and `sluice replay` run.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "gateway/datapath/host.h"

namespace sluice::gateway {

// A frame with room in front, as a driver would hand it over.
class FrameBuffer {
 public:
  static constexpr size_t kHeadRoom = 256;
  static constexpr size_t kLengthMax = 9216;

  // Copies `bytes` in; longer ones are cut to kLengthMax.
  void assign(std::span<const uint8_t> bytes);
  std::span<const uint8_t> bytes() const { return {frame_.data, frame_.end}; }
  frame* raw() { return &frame_; }

 private:
  std::vector<uint8_t> memory_;
  frame frame_{};
};

// What became of a frame.
struct Outcome {
  Verdict verdict = kVerdictStack;
  DropReason reason = kDropNone;
  uint32_t interface = 0;  // where it leaves, unless dropped or left to the stack
  uint32_t mtu = 0;        // with kVerdictSlowPath: it is to be cut for that; 0: it is to wait
};

// Sends a frame that came in at `interface_index` through the path, in this process. The buffer
// then holds what leaves. `slow`: what the path had handed over (slow_path.h).
Outcome run_path(const Tables& tables, FrameBuffer& buffer, uint32_t interface_index,
                 uint64_t now_ms, SlowFrame slow = kSlowNot);

class ProcessHost final : public DataPathHost {
 public:
  static Result<std::unique_ptr<ProcessHost>> create(const HostOptions& options);
  ~ProcessHost() override;
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;

  Tables& tables() override { return tables_; }
  uint64_t now_ms() const override { return now_ms_; }
  void set_now_ms(uint64_t now_ms) { now_ms_ = now_ms; }

  // This host takes no interface's packets by itself: frames come through run().
  Result<> attach(uint32_t, Entry) override { return {}; }
  Result<> detach(uint32_t) override { return {}; }

  // run_path() at now_ms().
  Outcome run(FrameBuffer& buffer, uint32_t interface_index);

 private:
  ProcessHost() = default;

  Tables tables_;
  std::vector<std::pair<void*, size_t>> regions_;
  uint64_t now_ms_ = 0;
};

}  // namespace sluice::gateway
