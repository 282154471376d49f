// SPDX-License-Identifier: Apache-2.0
// IP packets in memory, one behind the other, as a capture has them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

class Corpus {
 public:
  struct Packet {
    size_t begin;
    uint32_t length;
    int64_t time_us;
  };
  void add(std::span<const uint8_t> ip, int64_t time_us) {
    packets_.push_back({bytes_.size(), static_cast<uint32_t>(ip.size()), time_us});
    bytes_.insert(bytes_.end(), ip.begin(), ip.end());
  }
  std::span<const uint8_t> ip(const Packet& packet) const {
    return {&bytes_[packet.begin], packet.length};
  }
  const std::vector<Packet>& packets() const { return packets_; }
  size_t bytes() const { return bytes_.size(); }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<Packet> packets_;
};

// The IP packets of pcap and pcapng files; an error if there are none.
Result<Corpus> load_captures(const std::vector<std::string>& files);

}  // namespace sluice::testbed
