// SPDX-License-Identifier: Apache-2.0
// Packets that are seen, as a pcapng file: an interface for each port, and with each packet why it
// went where it went.
#pragma once

#include <map>

#include "gateway/api/watch_source.h"

namespace sluice::gateway {

class CaptureSource final : public WatchSource {
 public:
  // `bytes`: of each frame, at most.
  CaptureSource(ControlPlane& plane, uint64_t count, uint32_t bytes)
      : WatchSource(plane, count), bytes_(bytes) {}

 private:
  struct Interface {
    uint32_t number;  // in the file
    uint64_t packets;
  };
  std::string head() override;
  std::string text(const sighting& seen, std::span<const uint8_t> bytes, uint64_t lost) override;
  std::string tail(uint64_t lost) override;
  void sent() override;
  std::string interface(uint32_t index) const;

  uint32_t bytes_;
  std::map<uint32_t, Interface> interfaces_;  // those that the file describes, by index
  uint32_t last_ = 0;                         // that of the latest text
};

}  // namespace sluice::gateway
