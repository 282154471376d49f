// SPDX-License-Identifier: Apache-2.0
// RST for flows whose target is lost (kTargetResets), at both ends, without waiting for them to
// speak.
//
// The packet path answers by RST what an end sends, with the numbers of that very packet, so it is
// always in the window. This makes both ends send something: each TCP flow of a target that is
// newly marked gets a segment without data from either end, which is outside of any window, and
// what TCP does with that is to tell its own numbers (RFC 9293 section 3.10.7.4).
#pragma once

#include <set>
#include <vector>

#include "gateway/datapath/host.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/frame_socket.h"

namespace sluice::gateway {

class Nudger {
 public:
  static constexpr uint32_t kBucketsPerSliceMax = 4096;  // looked at in one go
  static constexpr uint32_t kFramesPerSliceMax = 512;    // sent in one go
  static constexpr uint32_t kSliceMs = 2;                // between two goes

  Nudger(EventLoop& loop, DataPathHost& host, SendFrame send);

  // Targets may have been marked since the last time: begins to nudge the flows of those that were.
  void look();
  bool busy() const { return timer_.armed(); }
  uint64_t sent() const { return sent_; }

 private:
  void slice();
  uint32_t nudge_bucket(uint32_t index);
  bool nudge(const flow_record& record, uint32_t direction);

  DataPathHost& host_;
  SendFrame send_;
  Timer timer_;
  std::set<uint16_t> marked_;   // as the tables had them at the last look
  std::set<uint16_t> waiting_;  // marked while others' flows are being looked for
  std::set<uint16_t> now_;      // whose flows are being looked for
  uint32_t next_bucket_ = 0;
  uint64_t sent_ = 0;
};

// The segment that goes to the end that direction leads to, or nothing when the way there is not
// known any more.
std::vector<uint8_t> make_nudge(const Tables& tables, const flow_record& record,
                                uint32_t direction);

}  // namespace sluice::gateway
