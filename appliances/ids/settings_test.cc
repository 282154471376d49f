// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/settings.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace sluice::ids {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "settings-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~SettingsTest() override { std::filesystem::remove_all(directory_); }

  Result<Settings> read(const std::string& text) const {
    const std::string file = directory_ + "/suricata.yaml";
    std::ofstream(file) << text;
    return read_settings(file);
  }

 private:
  std::string directory_;
};

constexpr const char* kExample = R"(%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[10.0.0.0/8]"
    EXTERNAL_NET: "!$HOME_NET"
  port-groups:
    WEB: "[80,8080]"
outputs:
  - fast:
      enabled: no
  - eve-log:
      enabled: yes
      filename: eve.json
      community-id: true
      community-id-seed: 7
      ipv6-compress: yes
      types:
        - alert:
            payload: yes
            payload-printable: yes
            packet: yes
            metadata: no
        - drop:
            flows: all
        - dns:
        - files:
            force-hash: [md5]
        - anomaly
        - flow
packet-alert-max: 3
stream:
  midstream: true
  reassembly:
    depth: 2mb
    memcap: 64 MiB
)";

TEST_F(SettingsTest, TakesWhatItUnderstandsAndNamesTheRest) {
  const auto settings = read(kExample);
  ASSERT_TRUE(settings) << settings.error().text();
  IdsOptions options;
  const auto others = apply_settings(*settings, options);
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_EQ(*others, (std::vector<std::string>{"outputs.0.fast.enabled",
                                               "outputs.1.eve-log.types.0.alert.metadata",
                                               "outputs.1.eve-log.types.4"}));
  EXPECT_EQ(options.rules.variables.at("HOME_NET"), "[10.0.0.0/8]");
  EXPECT_EQ(options.rules.variables.at("WEB"), "[80,8080]");
  const inspect::EventOptions& events = options.inspection.events;
  EXPECT_TRUE(events.community_id && events.short_ipv6 && events.every_drop);
  EXPECT_TRUE(events.payload && events.payload_printable && events.packet);
  EXPECT_EQ(events.community_id_seed, 7);
  for (const char* type : {"alert", "drop", "dns", "fileinfo", "flow"})
    EXPECT_TRUE(events.types.has(type)) << type;
  for (const char* type : {"http", "stats"}) EXPECT_FALSE(events.types.has(type)) << type;
  EXPECT_TRUE(options.inspection.file_hashes[0]);
  EXPECT_FALSE(options.inspection.file_hashes[1]);
  EXPECT_EQ(options.inspection.alerts_per_packet_max, 3u);
  EXPECT_EQ(options.inspection.stream.depth, 2u << 20);
  EXPECT_EQ(options.inspection.stream_memory_max, 64u << 20);
}

TEST_F(SettingsTest, RefusesValuesThatItCannotHonour) {
  for (const char* bad :
       {"stream:\n  midstream: false\n", "packet-alert-max: 0\n", "packet-alert-max: x\n",
        "stream:\n  reassembly:\n    depth: 1 parsec\n",
        "stream:\n  reassembly:\n    memcap: 99999999999999999999\n",
        "vars:\n  address-groups:\n    A: $NONE\n",
        "outputs:\n  - eve-log:\n      community-id: perhaps\n",
        "outputs:\n  - eve-log:\n      types:\n        - files: {force-hash: [crc32]}\n"}) {
    const auto settings = read(bad);
    ASSERT_TRUE(settings) << bad << settings.error().text();
    IdsOptions options;
    EXPECT_FALSE(apply_settings(*settings, options)) << bad;
  }
  EXPECT_FALSE(read("a: [b\n"));
  EXPECT_FALSE(read_settings("/nonexistent.yaml"));
}

TEST_F(SettingsTest, OneByOneEachMustBeUnderstood) {
  IdsOptions options;
  EXPECT_TRUE(apply_setting("outputs.1.eve-log.community-id=yes", options));
  EXPECT_TRUE(options.inspection.events.community_id);
  EXPECT_TRUE(apply_setting("stream.inline=true", options));
  EXPECT_FALSE(apply_setting("stream.inline=no", options));
  EXPECT_FALSE(apply_setting("outputs.0.fast.enabled=no", options));
  EXPECT_FALSE(apply_setting("nonsense", options));
  EXPECT_TRUE(apply_setting("stream.checksum-validation=no", options));
  EXPECT_FALSE(options.inspection.verify_checksums);
  EXPECT_FALSE(apply_setting("stream.checksum-validation=auto", options));
  EXPECT_TRUE(apply_setting("stream.midstream-policy=drop-flow", options));
  EXPECT_FALSE(apply_setting("stream.midstream-policy=drop-packet", options));
  EXPECT_TRUE(apply_setting("outputs.0.eve-log.types.0.dns.version=3", options));
  EXPECT_EQ(options.inspection.events.dns_version, 3);
  EXPECT_FALSE(apply_setting("outputs.0.eve-log.types.0.dns.version=1", options));
  EXPECT_TRUE(apply_setting("outputs.0.eve-log.types.0.alert.verdict=yes", options));
  EXPECT_TRUE(options.inspection.events.verdict);
  EXPECT_TRUE(apply_setting("stream.async-oneside=true", options));
  EXPECT_TRUE(options.inspection.one_sided);
  const std::string layers =
      "app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit=";
  EXPECT_TRUE(apply_setting(layers + "2", options));
  EXPECT_FALSE(apply_setting(layers + "4", options));
  EXPECT_TRUE(options.inspection.events.types.has("http")) << "an option chooses no types";
}

TEST_F(SettingsTest, ExceptionPolicies) {
  using enum inspect::ExceptionCause;
  IdsOptions options;
  EXPECT_TRUE(choose_policy("app-error=drop-flow", options));
  EXPECT_TRUE(choose_policy("midstream=reject", options));
  EXPECT_EQ(options.inspection.exceptions[kAppError], inspect::ExceptionPolicy::kDropFlow);
  EXPECT_EQ(options.inspection.exceptions[kMidstream], inspect::ExceptionPolicy::kReject);
  for (const char* bad : {"", "=", "midstream", "midstream=", "midstream=auto", "flow=ignore",
                          "stream-memcap=ignore", "defrag-memcap=drop-flow"})
    EXPECT_FALSE(choose_policy(bad, options)) << bad;
}

TEST_F(SettingsTest, LimitsOfFragments) {
  const auto settings = read(
      "defrag:\n  memcap: 8mb\n  hash-size: 65536\n  trackers: 100\n  max-frags: 200\n"
      "  prealloc: yes\n  timeout: 90\n");
  ASSERT_TRUE(settings);
  IdsOptions options;
  const auto others = apply_settings(*settings, options);
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_EQ(*others, (std::vector<std::string>{"defrag.hash-size", "defrag.prealloc"}));
  const inspect::DefragLimits& limits = options.inspection.defrag;
  EXPECT_EQ(limits.memory_max, 8u << 20);
  EXPECT_EQ(limits.datagrams_max, 100u);
  EXPECT_EQ(limits.fragments_max, 200u);
  EXPECT_EQ(limits.timeout_us, 90'000'000);
  for (const char* bad :
       {"defrag.memcap=0", "defrag.memcap=1kb", "defrag.memcap=much", "defrag.trackers=0",
        "defrag.trackers=-1", "defrag.trackers=99999999999", "defrag.max-frags=0",
        "defrag.max-frags=", "defrag.timeout=0", "defrag.timeout=60s", "defrag.timeout=100000"})
    EXPECT_FALSE(apply_setting(bad, options)) << bad;
}

TEST_F(SettingsTest, OrderThresholdsAndReputation) {
  const auto settings = read(
      "threshold-file: /etc/threshold.config\n"
      "action-order: [drop, pass, reject, alert]\n"
      "reputation-categories-file: /etc/categories.txt\n"
      "reputation-files: [hosts.list, /other.list]\n"
      "default-reputation-path: /etc/iprep\n");
  ASSERT_TRUE(settings);
  IdsOptions options;
  const auto others = apply_settings(*settings, options);
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_TRUE(others->empty());
  EXPECT_EQ(options.rules.threshold_file, "/etc/threshold.config");
  EXPECT_EQ(options.rules.order.rank(inspect::Action::kDrop), 0u);
  EXPECT_EQ(options.rules.reputation.categories_file, "/etc/categories.txt");
  EXPECT_EQ(options.rules.reputation.files,
            (std::vector<std::string>{"/etc/iprep/hosts.list", "/other.list"}));
  EXPECT_TRUE(apply_setting("threshold-file=x", options));
  EXPECT_EQ(options.rules.threshold_file, "x");
  EXPECT_FALSE(apply_setting("action-order.0=pass", options));
}

}  // namespace
}  // namespace sluice::ids
