// SPDX-License-Identifier: Apache-2.0
// The running state as a configuration file: reading it back and applying it changes nothing.
#pragma once

#include <string>

#include "gateway/control/model.h"

namespace sluice::gateway {

// With the gateway's key: whoever may ask for it may do everything anyway.
std::string export_yaml(const Config& config);

}  // namespace sluice::gateway
