// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/settings_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace sluice::ids {
namespace {

std::string in_directory(const std::string& directory, const std::string& file) {
  const bool alone = directory.empty() || file.starts_with('/');
  return alone ? file : directory + "/" + file;
}

bool exists(const std::string& file) {
  std::error_code error;
  return std::filesystem::exists(file, error);
}

Result<> leave_out(const Setting& setting, std::string why, SettingNotes& notes) {
  if (setting.line == 0) return fail(setting.name + ": " + why, std::string(kSetOption));
  notes.add(setting, std::move(why));
  return {};
}

}  // namespace

std::vector<std::string> files_of(const std::string& pattern) {
  if (exists(pattern)) return {pattern};
  glob_t found{};
  std::vector<std::string> out;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    out.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return out;
}

bool NamedFiles::take(const Setting& setting) {
  const std::string& name = setting.name;
  if (name == "default-rule-path") {
    rule_path_ = setting.value;
  } else if (name.starts_with("rule-files.")) {
    rules_.push_back(setting);
  } else if (name == "classification-file") {
    classes_ = setting;
  } else if (name == "threshold-file") {
    thresholds_ = setting.value;
  } else if (name == "reputation-categories-file") {
    reputation_categories_ = setting.value;
  } else if (name == "default-reputation-path") {
    reputation_path_ = setting.value;
  } else if (name.starts_with("reputation-files.")) {
    reputation_.push_back(setting.value);
  } else {
    return false;
  }
  return true;
}

Result<> NamedFiles::apply(inspect::EngineOptions& rules, SettingNotes& notes) const {
  SLUICE_TRY_VOID(apply_rules(rules, notes));
  if (!thresholds_.empty()) rules.threshold_file = thresholds_;
  if (!reputation_categories_.empty()) rules.reputation.categories_file = reputation_categories_;
  for (const std::string& file : reputation_)
    rules.reputation.files.push_back(in_directory(reputation_path_, file));
  if (classes_.value.empty()) return {};
  if (!exists(classes_.value))
    return leave_out(classes_,
                     "there is no " + classes_.value + ", so the built-in classes are all", notes);
  rules.classification_file = classes_.value;
  return {};
}

Result<> NamedFiles::apply_rules(inspect::EngineOptions& rules, SettingNotes& notes) const {
  for (const Setting& setting : rules_) {
    const std::string pattern = in_directory(rule_path_, setting.value);
    const std::vector<std::string> files = files_of(pattern);
    if (files.empty()) {
      SLUICE_TRY_VOID(
          leave_out(setting, "there is no " + pattern + "; -S names other rules", notes));
    }
    std::ranges::copy(files, std::back_inserter(rules.rule_files));
  }
  return {};
}

}  // namespace sluice::ids
