// SPDX-License-Identifier: Apache-2.0
// The files that a suricata.yaml names: rules, classes, thresholds, reputation.
#pragma once

#include <string>
#include <vector>

#include "appliances/ids/settings_notes.h"
#include "inspect/match/engine.h"

namespace sluice::ids {

// Those that a pattern fits (`rules/*.rules`), in the order of their names; one that is there fits
// itself, whatever is in its name.
std::vector<std::string> files_of(const std::string& pattern);

class NamedFiles {
 public:
  // Whether the setting is one of these.
  bool take(const Setting& setting);
  // Rules and classes that are not there are left out with a note, as in Suricata; the other files
  // must be there, and so must what --set names.
  Result<> apply(inspect::EngineOptions& rules, SettingNotes& notes) const;

 private:
  Result<> apply_rules(inspect::EngineOptions& rules, SettingNotes& notes) const;

  std::string rule_path_;
  std::vector<Setting> rules_;
  Setting classes_;
  std::string thresholds_;
  std::string reputation_path_;
  std::string reputation_categories_;
  std::vector<std::string> reputation_;
};

}  // namespace sluice::ids
