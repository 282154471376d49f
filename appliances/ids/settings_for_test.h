// SPDX-License-Identifier: Apache-2.0
// Settings of files that a test writes.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "appliances/ids/settings.h"

namespace sluice::ids {

// One by --set.
inline Result<> apply_setting(std::string_view assignment, IdsOptions& options) {
  Settings settings;
  SLUICE_TRY_VOID(settings.set(assignment));
  SLUICE_TRY([[maybe_unused]] const auto none, apply_settings(settings, options));
  return {};
}

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "settings-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~SettingsTest() override { std::filesystem::remove_all(directory_); }

  Result<Settings> read(const std::string& text) const {
    std::ofstream(config()) << text;
    return read_settings(config());
  }
  // Takes a text over into options_; what of it has no effect.
  std::vector<std::string> apply(const std::string& text) {
    const auto settings = read(text);
    EXPECT_TRUE(settings) << text << settings.error().text();
    return settings ? apply(*settings) : std::vector<std::string>{};
  }
  std::vector<std::string> apply(const Settings& settings) {
    auto unfollowed = apply_settings(settings, options_);
    EXPECT_TRUE(unfollowed) << unfollowed.error().text();
    return unfollowed ? *unfollowed : std::vector<std::string>{};
  }
  // An example of the documentation, of which all has an effect.
  void apply_example(const std::string& name) {
    const auto settings = read_settings(SLUICE_SOURCE_DIR "/docs/features/examples/" + name);
    ASSERT_TRUE(settings) << settings.error().text();
    EXPECT_EQ(apply(*settings), None{});
  }
  // Why the text is refused.
  std::string refusal(const std::string& text) {
    const auto settings = read(text);
    EXPECT_TRUE(settings) << text << settings.error().text();
    IdsOptions untouched;
    const auto applied = apply_settings(*settings, untouched);
    EXPECT_FALSE(applied) << text;
    return applied ? "" : applied.error().text();
  }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::string config() const { return file("suricata.yaml"); }

  using None = std::vector<std::string>;
  IdsOptions options_;

 private:
  std::string directory_;
};

}  // namespace sluice::ids
