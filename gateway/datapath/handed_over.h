// SPDX-License-Identifier: Apache-2.0
// What the kernel host hands over to this process: frames in a ring for each CPU, each 256 KiB. A
// frame that finds no room was dropped by the path, as slow_path_full.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "tunnels/result.h"

struct perf_buffer;

namespace sluice::gateway {

class HandedOver {
 public:
  // A frame that came in at `interface_index`, to be cut for `mtu` or, with 0, to wait.
  using Taker =
      std::function<void(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> frame)>;

  static Result<std::unique_ptr<HandedOver>> open(int map, Taker taker);
  ~HandedOver();
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;

  // Readable when there is something to take.
  int fd() const;
  // Gives the taker all that is there.
  void take();

 private:
  explicit HandedOver(Taker taker) : taker_(std::move(taker)) {}
  static void sample(void* self, int cpu, void* data, uint32_t size);

  Taker taker_;
  perf_buffer* rings_ = nullptr;
};

}  // namespace sluice::gateway
