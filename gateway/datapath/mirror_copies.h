// SPDX-License-Identifier: Apache-2.0
// Sends the copies that the packet path hands over for mirrors and shadows, and has compared what
// comes back of them (mirror.h says who hands over what).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "gateway/datapath/comparison.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {

class MirrorCopies {
 public:
  static constexpr size_t kReturnedMax = 1 << 14;  // that wait for the next turn

  // Sends a frame out of an interface. False: it did not leave. Calls nothing here.
  using Send = std::function<bool(uint32_t interface, std::span<const uint8_t> frame)>;

  // The tables of a host, which outlives it.
  MirrorCopies(const Tables& tables, Send send)
      : tables_(tables), send_(std::move(send)), comparison_(tables) {}

  // A frame that the path has handed over. Time is the host's.
  void take(const mirror_head& head, std::span<const uint8_t> bytes, uint64_t now_ms);

  // Compares what had come back by the last turn, and judges what had waited long enough then. What
  // one CPU has returned may be taken before the packet that another has sent: by the next turn
  // both are there.
  void turn(uint64_t now_ms);
  // Whether there is something to do for turn().
  bool has_more_to_do() const {
    return !fresh_.empty() || !earlier_.empty() || comparison_.waiting() != 0;
  }

  const Comparison& comparison() const { return comparison_; }

 private:
  struct Returned {
    Comparison::Digest digest;
    uint8_t rule;
    Comparison::Side side;
  };

  void take_packet(const mirror_head& head, std::span<const uint8_t> packet, uint64_t now_ms);
  bool send_copy(const mirror_head& head, std::span<const uint8_t> packet, uint64_t now_ms);
  bool is_shadow(uint8_t rule) const;

  const Tables& tables_;
  Send send_;
  Comparison comparison_;
  FrameBuffer buffer_;
  std::vector<Returned> fresh_, earlier_;
  uint64_t last_turn_ms_ = 0;
};

}  // namespace sluice::gateway
