// SPDX-License-Identifier: Apache-2.0
// A file that lists targets. Its name says how: *.yaml and *.yml are a list as in the
// configuration, `- {id: 10.9.0.11, port: 80}`; any other has one `address[:port]` per line, with
// # before comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr size_t kTargetListBytesMax = 1 << 20;

bool is_yaml_path(std::string_view path);

// All of the list, or what is wrong with it: Error::where has file and line. The text itself is not
// repeated: who may name the file over the API need not be one who may read it. No list at all is
// an error, so that a file that was just emptied takes nothing away; `[]` is a list without
// targets. A target without a port has 0.
Result<std::vector<Target>> parse_target_list(std::string_view text, const std::string& path);

Result<std::vector<Target>> read_target_list(const std::string& path);

}  // namespace sluice::gateway
