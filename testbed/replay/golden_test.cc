// SPDX-License-Identifier: Apache-2.0
// Each folder of golden/ is a case: replaying in.pcap with config.yaml must give expect.json and
// expect.pcap, byte for byte, twice. With SLUICE_ACCEPT=1 in the environment the results are
// written there instead.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/control/config.h"
#include "testbed/replay/offline.h"
#include "testbed/replay/report.h"

namespace sluice::testbed {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> cases() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(SLUICE_SOURCE_DIR "/testbed/replay/golden"))
    if (fs::exists(entry.path() / "config.yaml")) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  void replay(const fs::path& folder, std::string& json, std::string& pcap) {
    const auto config = gateway::read_config((folder / "config.yaml").string());
    ASSERT_TRUE(config) << config.error().front().text();
    OfflineOptions options;
    options.capture = (folder / "in.pcap").string();
    options.out = testing::TempDir() + "golden_" + GetParam() + ".pcap";
    const auto result = replay_offline(*config, options);
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_FALSE(result->capture_error) << result->capture_error->text();
    json = report_json(*result);
    pcap = read_file(options.out);
    fs::remove(options.out);
  }
};

TEST_P(GoldenTest, GivesTheExpectedBytes) {
  const fs::path folder = fs::path(SLUICE_SOURCE_DIR "/testbed/replay/golden") / GetParam();
  std::string json, pcap, json_again, pcap_again;
  replay(folder, json, pcap);
  replay(folder, json_again, pcap_again);
  EXPECT_EQ(json, json_again);
  EXPECT_TRUE(pcap == pcap_again);
  if (std::getenv("SLUICE_ACCEPT") != nullptr) {
    std::ofstream(folder / "expect.json", std::ios::binary) << json;
    std::ofstream(folder / "expect.pcap", std::ios::binary) << pcap;
    GTEST_SKIP() << "expectations written";
  }
  EXPECT_EQ(json, read_file(folder / "expect.json"));
  EXPECT_TRUE(pcap == read_file(folder / "expect.pcap")) << "delivered frames differ";
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenTest, testing::ValuesIn(cases()),
                         [](const auto& at) { return at.param; });

}  // namespace
}  // namespace sluice::testbed
