// SPDX-License-Identifier: Apache-2.0
// Sends whole frames out of interfaces, by number. The packet path sees only what comes in, so
// these pass it by.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// What sends a frame; a fake stands here in tests. False: it was not sent.
using SendFrame = std::function<bool(uint32_t interface, std::span<const uint8_t> frame)>;

class FrameSocket {
 public:
  static Result<FrameSocket> open();
  // Never waits: a full queue loses the frame.
  bool send(uint32_t interface, std::span<const uint8_t> frame) const;

 private:
  explicit FrameSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace sluice::gateway
