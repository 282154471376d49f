// SPDX-License-Identifier: Apache-2.0
// Settings of files that a test writes.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "appliances/ids/settings.h"

namespace sluice::ids {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "settings-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~SettingsTest() override { std::filesystem::remove_all(directory_); }

  Result<Settings> read(const std::string& text) const {
    std::ofstream(file("suricata.yaml")) << text;
    return read_settings(file("suricata.yaml"));
  }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }

 private:
  std::string directory_;
};

}  // namespace sluice::ids
