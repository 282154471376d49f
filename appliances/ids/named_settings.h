// SPDX-License-Identifier: Apache-2.0
// What a suricata.yaml and --set say, setting by setting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::ids {

// Where a setting of the command line stands, for messages.
inline constexpr std::string_view kSetOption = "--set";

// One value of the file with its path: {"outputs.0.eve-log.community-id", "true", 12}.
struct Setting {
  std::string name;
  std::string value;
  int line = 0;  // 0: of no file, but of --set: it must be understood
};

struct Settings {
  // NAME=VALUE of the command line: in the place of what the file says of that name and of names
  // below it, or behind everything.
  Result<> set(std::string_view assignment);

  std::string file;
  std::vector<Setting> all;  // in the order of the file
};

Result<Settings> read_settings(const std::string& file);
// The same of a file's text; `name` stands for the file in messages.
Result<Settings> settings_of(std::string_view text, const std::string& name);

}  // namespace sluice::ids
