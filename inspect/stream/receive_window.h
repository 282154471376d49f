// SPDX-License-Identifier: Apache-2.0
// How far the receiver of one direction of a TCP connection has let its sender go. Nobody takes
// what is beyond, so that who sends it there talks to the inspection only.
//
// In doubt it is larger: a window that was given is never taken back (a sender may have used it),
// and nothing is known of a receiver whose SYN was not seen, because that says how windows are
// scaled.
#pragma once

#include <cstdint>

#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

class ReceiveWindow {
 public:
  // A segment of the receiver.
  void note(const PacketView& segment);

  // Bytes that end there are beyond it. One may be: it asks whether there is room again.
  bool is_exceeded_by(uint32_t end) const {
    return is_known_ && static_cast<int32_t>(end - end_) > 1;
  }

 private:
  uint32_t end_ = 0;
  uint8_t scale_ = 0;  // bits to shift by, or kUnlimited
  bool syn_seen_ = false;
  bool is_known_ = false;
};

}  // namespace sluice::inspect
