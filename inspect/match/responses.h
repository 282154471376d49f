// SPDX-License-Identifier: Apache-2.0
// The packets that `reject` sends: TCP resets to both ends, ICMP "port unreachable" to the sender
// of others.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inspect/match/packet_view.h"

namespace sluice::inspect {

// Room for the largest: ICMPv6 with kQuoteMax bytes of the rejected packet.
inline constexpr size_t kResponseLengthMax = 256;
inline constexpr size_t kQuoteMax = 128;

class Responses {
 public:
  static constexpr size_t kMax = 2;

  void clear() { count_ = 0; }
  size_t count() const { return count_; }
  // IP packets, checksums included.
  std::span<const uint8_t> operator[](size_t i) const { return {packets_[i].data(), lengths_[i]}; }

  // Answers a rejected packet. Nothing answers a reset, an ICMP error, a fragment, or a packet to
  // or from a group or an unspecified address (RFC 9293 section 3.10.7.1, RFC 1122 section 3.2.2,
  // RFC 4443 section 2.4).
  void reject(const PacketView& view);

 private:
  void add_reset(const PacketView& view, bool to_sender);
  void add_unreachable(const PacketView& view);

  std::array<std::array<uint8_t, kResponseLengthMax>, kMax> packets_;
  std::array<size_t, kMax> lengths_{};
  size_t count_ = 0;
};

}  // namespace sluice::inspect
