// SPDX-License-Identifier: Apache-2.0
// The commands about the state as a whole: apply, export, history, changes, rollback.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tunnels/result.h"

namespace sluice::gateway {

class ControlPlane;
class Fields;

Result<nlohmann::json> apply_state(ControlPlane& plane, Fields& fields);
Result<nlohmann::json> export_state(ControlPlane& plane, Fields& fields);
Result<nlohmann::json> describe_history(ControlPlane& plane, Fields& fields);
Result<nlohmann::json> describe_changes(ControlPlane& plane, Fields& fields);
Result<nlohmann::json> roll_back(ControlPlane& plane, Fields& fields);

}  // namespace sluice::gateway
