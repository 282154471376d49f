// SPDX-License-Identifier: Apache-2.0
// The one YAML file as a valid Config, or everything that is wrong with it: each error with file,
// line, column and path. docs/features/configuration.md tells the format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/control/object_change.h"
#include "gateway/control/validate.h"
#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr size_t kTunnelInterfacesMax = 8;

using ConfigResult = Result<Config, std::vector<Error>>;

ConfigResult read_config(const std::string& path);
// `file` is only for the errors.
ConfigResult parse_config(std::string_view text, const std::string& file);

// Adds one object as object_json.h writes it. Only what the store gave back: it is not validated.
Result<> read_object(ObjectKind kind, std::string_view json, Config& into);

}  // namespace sluice::gateway
