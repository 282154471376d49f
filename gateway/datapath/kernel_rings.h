// SPDX-License-Identifier: Apache-2.0
// What the kernel host leaves for this process: a ring for each CPU. What finds no room there, the
// path has counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "gateway/datapath/host.h"

struct perf_buffer;

namespace sluice::gateway {

class KernelRings final : public Rings {
 public:
  // The ring pads what it holds.
  using Taker = std::function<void(std::span<const uint8_t> padded)>;

  // `pages` of one CPU: a power of two.
  static Result<std::unique_ptr<Rings>> open(int map, size_t pages, Taker taker);
  ~KernelRings() override;
  KernelRings(const KernelRings&) = delete;
  KernelRings& operator=(const KernelRings&) = delete;

  int fd() const override;
  void take() override;

 private:
  explicit KernelRings(Taker taker) : taker_(std::move(taker)) {}
  static void sample(void* self, int cpu, void* data, uint32_t size);

  Taker taker_;
  perf_buffer* rings_ = nullptr;
};

}  // namespace sluice::gateway
