// SPDX-License-Identifier: Apache-2.0
// The packet path for what the packet path cannot do: to wait, and to make several packets of one.
//
// The host hands over IP fragments that came before the first one of their datagram, and that first
// one when it comes. This process then runs the same path on the same tables for them: the first
// one, then those that have waited for it, in the order in which they came.
//
// It also hands over IPv4 packets without DF that do not fit the way to their target. They are cut,
// and the fragments take the path.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "gateway/datapath/process_host.h"

namespace sluice::gateway {

class SlowPath {
 public:
  static constexpr size_t kWaitingMax = 256;
  static constexpr size_t kWaitingBytesMax = 1 << 20;

  // Told what became of each frame, in the end; unless it was dropped, `bytes` leave by
  // outcome.interface. False: they could not, which is counted (slow_path_unsent). Calls nothing
  // here.
  using Done = std::function<bool(const Outcome& outcome, std::span<const uint8_t> bytes)>;

  // The tables of a host, which outlives it.
  SlowPath(const Tables& tables, Done done) : tables_(tables), done_(std::move(done)) {}

  // A frame that the host has handed over, which came in at `interface_index`: to be cut for `mtu`,
  // or, with 0, to wait. Time is the host's.
  void take(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> bytes,
            uint64_t now_ms);
  // Drops, as fragment_early, what has waited for 2 s.
  void expire(uint64_t now_ms);
  // When expire() is next needed; nothing if nothing waits.
  std::optional<uint64_t> next_ms() const;

  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    uint64_t datagram;
    uint64_t since_ms;
    uint32_t interface;
    std::vector<uint8_t> bytes;
  };

  // Whether the frame is through: it does not wait.
  bool run(uint32_t interface_index, std::span<const uint8_t> bytes, uint64_t now_ms);
  void cut(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> bytes, uint64_t now_ms);
  void drop(DropReason reason, std::span<const uint8_t> bytes);
  void end(const Outcome& outcome, std::span<const uint8_t> bytes);
  // The name of the datagram that the frame is a fragment of.
  uint64_t datagram_of(uint32_t interface_index, std::span<const uint8_t> bytes);
  void wait(Waiting waiting);
  void give_up_oldest(DropReason reason);

  const Tables& tables_;
  Done done_;
  FrameBuffer buffer_;
  std::deque<Waiting> waiting_;  // the oldest first
  size_t bytes_ = 0;             // of their frames
};

}  // namespace sluice::gateway
