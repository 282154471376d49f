// SPDX-License-Identifier: Apache-2.0
// Which side of the gateway a captured packet is sent from, where the capture's user knows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/address.h"
#include "tunnels/packet.h"
#include "tunnels/result.h"

namespace sluice::testbed {

enum class Side : uint8_t { kOutside = 0, kInside = 1 };

inline Side opposite(Side side) { return side == Side::kOutside ? Side::kInside : Side::kOutside; }

struct Prefix {
  gateway::IpAddress address;
  uint8_t length = 0;

  bool holds(const uint32_t (&words)[4], uint8_t version) const;
};

// "10.1.0.0/16", "fd00::/8"; an address alone is all of its bits.
Result<Prefix> parse_prefix(const std::string& text);

struct Sides {
  std::vector<Prefix> outside;
  std::vector<Prefix> inside;

  // By the packet's source, or else as the opposite of its destination; nothing when neither is
  // known.
  std::optional<Side> of(const tunnels::tuple& tuple) const;
};

}  // namespace sluice::testbed
