// SPDX-License-Identifier: Apache-2.0
// `sluice-ids rules --profile CAPTURE`: what the rules cost over a capture.
#pragma once

#include <string>

#include "appliances/ids/ids_appliance.h"

namespace sluice::ids {

// Rules in the table.
inline constexpr size_t kProfiledMax = 50;

// A table of the rules that were tried, the dearest first.
Result<std::string> profile_rules(const std::shared_ptr<const inspect::Engine>& engine,
                                  const IdsOptions& options, const std::string& capture);

}  // namespace sluice::ids
