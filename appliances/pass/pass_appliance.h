// SPDX-License-Identifier: Apache-2.0
// The appliance that approves everything: for tests, for measurements, and as the smallest example.
#pragma once

#include <memory>

#include "appliances/sdk/appliance.h"

namespace sluice::pass {

std::unique_ptr<sdk::Appliance> make_pass();

}  // namespace sluice::pass
