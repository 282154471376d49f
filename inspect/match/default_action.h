// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet about which no rule decides.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "inspect/match/flow_state.h"

namespace sluice::inspect {

enum class DefaultAction : uint8_t {
  kPass,
  kDrop,             // a firewall: what no rule passes is dropped
  kDropEstablished,  // ... but what rules need to decide passes: see is_undecided()
};

// A connection that has carried more than this, headers included, is decided.
inline constexpr uint64_t kUndecidedBytesMax = 16 * 1024;

// "pass", "drop", "drop-established".
std::optional<DefaultAction> find_default_action(std::string_view name);

// Whether a rule may pass the connection yet: it is not established, or its protocol is not known,
// or its first request (or handshake) is not whole.
bool is_undecided(const Current& current);

}  // namespace sluice::inspect
