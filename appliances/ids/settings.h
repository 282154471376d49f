// SPDX-License-Identifier: Apache-2.0
// Settings by Suricata's names, from a suricata.yaml (-c) or one by one (--set NAME=VALUE).
#pragma once

#include <string>
#include <vector>

#include "appliances/ids/ids_appliance.h"
#include "appliances/ids/named_settings.h"
#include "tunnels/result.h"

namespace sluice::ids {

// Takes over what is understood and says of the rest, part by part, why it has no effect. An error,
// with file and line: what cannot be honoured and should be, and of no file what has no effect.
Result<std::vector<std::string>> apply_settings(const Settings& settings, IdsOptions& options);

// "alert,drop", "all", "none".
Result<> choose_events(const std::string& list, IdsOptions& options);

}  // namespace sluice::ids
