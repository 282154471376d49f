// SPDX-License-Identifier: Apache-2.0
// The kernel host: the packet path as an XDP program in the drivers, its tables as maps that this
// process has in its memory. Needs root (CAP_BPF, CAP_NET_ADMIN) and a kernel of 6.1 or later.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "gateway/datapath/host.h"

struct kernel_path_bpf;

namespace sluice::gateway {

class KernelHost final : public DataPathHost {
 public:
  static Result<std::unique_ptr<KernelHost>> create(const HostOptions& options);
  ~KernelHost() override;
  KernelHost(const KernelHost&) = delete;
  KernelHost& operator=(const KernelHost&) = delete;

  Tables& tables() override { return tables_; }
  uint64_t now_ms() const override;

  // Native XDP on the interface; an interface that cannot do it, or has another program, is an
  // error.
  Result<> attach(uint32_t interface_index) override;
  Result<> detach(uint32_t interface_index) override;

  // A test run (BPF_PROG_TEST_RUN) of the attached program, or of one that does nothing.
  struct TestRun {
    int action = 0;  // XDP_PASS, XDP_DROP, XDP_REDIRECT
    std::vector<uint8_t> bytes;
    std::chrono::nanoseconds duration{};  // mean of one repetition
  };
  enum class Program { kPath, kEmpty };
  Result<TestRun> test_run(std::span<const uint8_t> bytes, Program program = Program::kPath,
                           uint32_t repeat = 1);
  int program_descriptor(Program program) const;

 private:
  KernelHost() = default;

  Tables tables_;
  kernel_path_bpf* skeleton_ = nullptr;
  std::vector<std::pair<void*, size_t>> regions_;
  std::map<uint32_t, int> links_;  // descriptors by interface; closing one detaches
};

}  // namespace sluice::gateway
