// SPDX-License-Identifier: Apache-2.0
// What runs here, for -V and --build-info.
#pragma once

#include <string>
#include <string_view>

namespace sluice::ids {

// "sluice-ids 1.2.3"
std::string_view version();
// The same with a line for each library that decides what is found.
std::string build_info();

}  // namespace sluice::ids
