// SPDX-License-Identifier: Apache-2.0
// Settings by Suricata's names, from a suricata.yaml (-c) or one by one (--set NAME=VALUE).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliances/ids/ids_appliance.h"
#include "tunnels/result.h"

namespace sluice::ids {

// One value of the file with its path: {"outputs.0.eve-log.community-id", "true", 12}.
struct Setting {
  std::string name;
  std::string value;
  int line = 0;  // 0: of no file
};

struct Settings {
  std::string file;
  std::vector<Setting> all;  // in the order of the file
};

Result<Settings> read_settings(const std::string& file);
// The same of a file's text; `name` stands for the file in messages.
Result<Settings> settings_of(std::string_view text, const std::string& name);

// Takes over what is understood and says of the rest, part by part, why it has no effect. An error,
// with file and line: what cannot be honoured and should be.
Result<std::vector<std::string>> apply_settings(const Settings& settings, IdsOptions& options);

// One setting, which must be understood.
Result<> apply_setting(const std::string& assignment, IdsOptions& options);

// "alert,drop", "all", "none".
Result<> choose_events(const std::string& list, IdsOptions& options);

}  // namespace sluice::ids
