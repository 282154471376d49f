// SPDX-License-Identifier: Apache-2.0
// Capture files in the pcapng format (draft-ietf-opsawg-pcapng), block by block: what libpcap
// reads, but cannot write. Ethernet frames, nanoseconds, little endian.
//
//   file << pcapng_head("sluice") << pcapng_interface({"eth0", "the outside", 0})
//        << pcapng_packet({.interface = 0, .time_ns = now, .length = 60, .bytes = frame});
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::tunnels {

constexpr size_t kPcapngTextMax = 1024;  // bytes of a name or a comment; what is more is cut off
constexpr size_t kPcapngBlockMax = 256 << 10;  // a longer one is not read

struct PcapngInterface {
  std::string name, description;
  uint32_t snap_length = 0;  // no frame has more bytes; 0: not said
};

struct PcapngPacket {
  uint32_t interface = 0;          // in the order in which they were described, from 0 on
  int64_t time_ns = 0;             // since 1970
  uint32_t length = 0;             // on the wire
  std::span<const uint8_t> bytes;  // at most 64 KiB
  bool outbound = false;
  uint64_t lost = 0;  // packets between this one and the one before
  std::string comment;
};

struct PcapngStatistics {
  uint32_t interface = 0;
  int64_t time_ns = 0;
  uint64_t received = 0;  // the lost ones, too
  uint64_t lost = 0;
};

std::string pcapng_head(std::string_view program);
std::string pcapng_interface(const PcapngInterface& interface);
std::string pcapng_packet(const PcapngPacket& packet);
std::string pcapng_statistics(const PcapngStatistics& statistics);

// Finds the blocks in a stream of bytes, and counts packets.
class PcapngBlocks {
 public:
  // Gives each block to `take` when it is whole. An error: this is not a capture as above.
  Result<> read(std::string_view bytes, const std::function<void(std::string_view)>& take);

  uint64_t packets() const { return packets_; }
  uint64_t lost() const { return lost_; }  // as the statistics say

 private:
  void count(std::string_view block);

  std::string rest_;
  uint64_t packets_ = 0, lost_ = 0;
};

}  // namespace sluice::tunnels
