// SPDX-License-Identifier: Apache-2.0
// The settings about limits: how much is inspected and kept, how long it may take, and what becomes
// of packets beyond.
#pragma once

#include <string>
#include <string_view>

#include "appliances/ids/ids_appliance.h"
#include "appliances/ids/setting_value.h"

namespace sluice::ids {

Applied apply_limit(std::string_view name, std::string_view value, IdsOptions& options);

// "midstream=reject": what becomes of packets that cannot be inspected as they should be.
Result<> choose_policy(const std::string& assignment, IdsOptions& options);

}  // namespace sluice::ids
