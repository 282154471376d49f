// SPDX-License-Identifier: Apache-2.0
// What an offline replay found, for a person and for a program.
#pragma once

#include <string>

#include "testbed/replay/offline.h"

namespace sluice::testbed {

// One line per flow, then the totals and every counter that is not zero.
std::string report_text(const OfflineReplay& replay);
// The same as one JSON object, indented, with a newline at its end.
std::string report_json(const OfflineReplay& replay);

}  // namespace sluice::testbed
