// SPDX-License-Identifier: Apache-2.0
// What HAProxy's `show stat` prints, of this gateway: one line per listener, target and target
// group, so that tools which read that table read this one. Columns without a meaning here are
// empty.
#pragma once

#include <string>
#include <string_view>

namespace sluice::gateway {

class Controller;

// One field, quoted when it has to be.
std::string csv_field(std::string_view text);

std::string stat_csv(const Controller& controller);

}  // namespace sluice::gateway
