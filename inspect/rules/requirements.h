// SPDX-License-Identifier: Apache-2.0
// What a rule requires of the program that loads it (`requires`). One that is for others is
// skipped: unlike one that cannot be honoured, its author meant it so.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

// The version of Suricata whose rules are taken: major, minor, patch.
inline constexpr std::array<uint8_t, 3> kSuricataVersion = {8, 0, 0};

// "version >= 7.0.3 < 8 | >= 8.0.3, feature NAME, keyword NAME": which of them is not met; empty:
// all are. What else may be required some day is not met.
Result<std::string> unmet_requirement(std::string_view requirements);

}  // namespace sluice::inspect
