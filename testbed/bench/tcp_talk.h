// SPDX-License-Identifier: Apache-2.0
// A made-up TCP connection, packet by packet, with the sequence numbers that belong to it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "inspect/stream/test_packets.h"

namespace sluice::testbed {

class TcpTalk {
 public:
  using Bytes = inspect::testing::Bytes;

  // Begins with the three packets of the handshake.
  explicit TcpTalk(inspect::testing::Ends ends) : ends_(std::move(ends)) {
    up(tunnels::kTcpSyn);
    down(tunnels::kTcpSyn | tunnels::kTcpAck);
    up(tunnels::kTcpAck);
  }
  void up(uint8_t flags, const std::string& payload = {}) {
    packets_.push_back(inspect::testing::tcp(ends_, flags, client_, server_, payload));
    client_ += taken(flags, payload);
  }
  void down(uint8_t flags, const std::string& payload = {}) {
    packets_.push_back(inspect::testing::tcp(ends_.turned(), flags, server_, client_, payload));
    server_ += taken(flags, payload);
  }
  size_t size() const { return packets_.size(); }
  std::vector<Bytes> take() { return std::move(packets_); }

 private:
  static uint32_t taken(uint8_t flags, const std::string& payload) {
    return static_cast<uint32_t>(payload.size()) +
           ((flags & (tunnels::kTcpSyn | tunnels::kTcpFin)) != 0);
  }

  inspect::testing::Ends ends_;
  uint32_t client_ = 1000;
  uint32_t server_ = 5000;
  std::vector<Bytes> packets_;
};

// The address of a client: 10.0.0.0/8 has 2^24.
inline std::string client_address(uint32_t number) {
  return "10." + std::to_string(number >> 16 & 255) + "." + std::to_string(number >> 8 & 255) +
         "." + std::to_string(number & 255);
}

}  // namespace sluice::testbed
