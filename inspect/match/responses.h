// SPDX-License-Identifier: Apache-2.0
// The packets that a reject rule sends, at most one to each end.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inspect/rules/rule.h"
#include "inspect/stream/packet_view.h"
#include "inspect/stream/reject.h"

namespace sluice::inspect {

class Responses {
 public:
  void clear() { count_ = 0; }
  size_t count() const { return count_; }
  // IP packets, checksums included.
  std::span<const uint8_t> operator[](size_t i) const { return {packets_[i].data(), lengths_[i]}; }

  void reject(const PacketView& view, RejectWhom whom) {
    if (whom != RejectWhom::kDestination) add(reject_to_sender, view);
    if (whom != RejectWhom::kSource) add(reject_to_receiver, view);
  }

 private:
  template <class Write>
  void add(Write write, const PacketView& view) {
    lengths_[count_] = write(view.ip, view.packet, packets_[count_]);
    if (lengths_[count_] != 0) count_++;
  }

  std::array<std::array<uint8_t, kRejectLengthMax>, 2> packets_;
  std::array<size_t, 2> lengths_{};
  size_t count_ = 0;
};

}  // namespace sluice::inspect
