// SPDX-License-Identifier: Apache-2.0
// Columns of text for a person.
#pragma once

#include <string>
#include <vector>

namespace sluice::gateway {

// The rows under a heading, columns aligned; numbers to the right.
std::string format_table(const std::vector<std::string>& heading,
                         const std::vector<std::vector<std::string>>& rows);

}  // namespace sluice::gateway
