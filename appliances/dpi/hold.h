// SPDX-License-Identifier: Apache-2.0
// The first packets of flows that are not known yet, kept back until they are. Bounded per flow (by
// the policy), per worker and in packets.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "appliances/sdk/appliance.h"
#include "tunnels/packet.h"

namespace sluice::dpi {

// Of one worker.
inline constexpr size_t kHoldPoolBytesMax = 16 << 20;
inline constexpr size_t kHoldFlowsMax = 1u << 16;
// Of one flow: what can be sent on while one packet is handled, with two resets to spare.
inline constexpr size_t kHoldPacketsMax = sdk::kInjectionsMax - 2;

// Of one flow, in the order in which they came.
class HeldPackets {
 public:
  bool empty() const { return lengths_.empty(); }
  size_t bytes() const { return bytes_.size(); }
  size_t count() const { return lengths_.size(); }
  int64_t since_us() const { return since_us_; }
  std::span<const uint8_t> first() const { return std::span(bytes_).first(lengths_.front()); }

  sdk::Origin origin;  // of the first

 private:
  friend class HoldPool;
  std::vector<uint8_t> bytes_;
  std::vector<uint16_t> lengths_;
  int64_t since_us_ = 0;
};

// Whether a packet has something that could make its flow known. What is no whole TCP or UDP packet
// is never held.
bool has_payload(std::span<const uint8_t> ip, const tunnels::packet& packet);

class HoldPool {
 public:
  explicit HoldPool(size_t bytes_max = kHoldPoolBytesMax) : bytes_max_(bytes_max) {}

  // Keeps a copy; false, and nothing is kept, if the flow would hold more than `flow_bytes_max`, or
  // kHoldPacketsMax, or all flows together more than the pool.
  bool keep(HeldPackets& held, std::span<const uint8_t> ip, size_t flow_bytes_max, int64_t now_us);
  // Hands out the packets in order, which may be changed, and forgets them.
  void release(HeldPackets& held, const std::function<void(std::span<uint8_t> ip)>& visit);
  void discard(HeldPackets& held);

  size_t bytes() const { return bytes_; }

 private:
  const size_t bytes_max_;
  size_t bytes_ = 0;
};

}  // namespace sluice::dpi
