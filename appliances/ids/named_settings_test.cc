// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/named_settings.h"

#include "appliances/ids/settings_for_test.h"

namespace sluice::ids {
namespace {

using NamedSettingsTest = SettingsTest;

// As if the file said it: what else it says of the same list or path still counts.
TEST_F(NamedSettingsTest, OneOfTheCommandLineTakesThePlaceOfTheFiles) {
  std::filesystem::create_directories(file("other"));
  for (const char* name : {"a.rules", "other/a.rules", "other/b.rules"})
    std::ofstream(file(name)) << "#\n";
  const auto with = [&](std::vector<std::string> assignments) -> Result<std::vector<std::string>> {
    auto settings = read(
        "vars: {address-groups: {HOME_NET: 10.0.0.0/8}}\n"
        "default-rule-path: " +
        file("") +
        "\nrule-files: [a.rules]\n"
        "outputs:\n  - fast: {enabled: no}\n"
        "  - eve-log: {types: [alert, {files: {force-hash: [md5]}}]}\n");
    for (const auto& assignment : assignments) SLUICE_TRY_VOID(settings->set(assignment));
    options_ = {};
    return apply_settings(*settings, options_);
  };
  const inspect::EventTypes& types = options_.inspection.events.types;
  const std::vector<std::string>& rules = options_.rules.rule_files;
  using Files = std::vector<std::string>;

  ASSERT_TRUE(with({"outputs.1.eve-log.types.2=http"}));
  EXPECT_TRUE(types.has("alert") && types.has("fileinfo") && types.has("http"));
  EXPECT_FALSE(types.has("flow"));
  ASSERT_TRUE(with({"outputs.1.eve-log.types.1=dns"}));
  EXPECT_TRUE(types.has("alert") && types.has("dns"));
  EXPECT_FALSE(types.has("fileinfo"));
  EXPECT_FALSE(options_.inspection.file_hashes[0]) << "it was below what is replaced";
  ASSERT_TRUE(with({"default-rule-path = " + file("other")}));
  EXPECT_EQ(rules, Files{file("other") + "/a.rules"});
  ASSERT_TRUE(with({"rule-files.0=other/b.rules"}));
  EXPECT_EQ(rules, Files{file("") + "/other/b.rules"});
  ASSERT_TRUE(with({"rule-files.1=other/b.rules", "rule-files.1=other/a.rules"}));
  EXPECT_EQ(rules, (Files{file("") + "/a.rules", file("") + "/other/a.rules"}));
  ASSERT_TRUE(with({"vars.address-groups.HOME_NET=[192.168.0.0/16]"}));
  EXPECT_EQ(options_.rules.variables.at("HOME_NET"), "[192.168.0.0/16]");

  EXPECT_TRUE(with({"app-layer.protocols.tls.ja3-fingerprints=yes"})) << "they are there anyway";
  EXPECT_FALSE(with({"app-layer.protocols.tls.ja4-fingerprints=no"}));
  EXPECT_EQ(with({"rule-files.1=none"}).error().text(),
            "--set: rule-files.1: there is no " + file("") + "/none; -S names other rules");
  EXPECT_EQ(with({"vars.address-groups.A=10.0.0.0/33"}).error().text(),
            "--set: 'A=10.0.0.0/33' is not supported: neither an address list (not a prefix "
            "length: '10.0.0.0/33') nor a port list (not a port or range: '10.0.0.0/33')");
  EXPECT_EQ(with({"outputs.0.fast.append=yes"}).error().text(),
            "--set: 'outputs.0.fast.append=yes' is not supported");
  EXPECT_EQ(with({"vlan.use-for-tracking=no"}).error().text().substr(0, 6), "--set:");
}

// Rules read them when all are known.
TEST_F(NamedSettingsTest, AVariableMayNameOneThatStandsBehindIt) {
  const auto with = [&](const std::string& home) -> Result<std::vector<std::string>> {
    auto settings = read(
        "vars:\n  address-groups:\n    EXT: '!$HOME_NET'\n    HOME_NET: '$DMZ'\n"
        "    DMZ: 10.2.0.0/16\n");
    if (!home.empty()) SLUICE_TRY_VOID(settings->set("vars.address-groups.HOME_NET=" + home));
    options_ = {};
    return apply_settings(*settings, options_);
  };
  ASSERT_TRUE(with(""));
  EXPECT_EQ(options_.rules.variables.at("EXT"), "!$HOME_NET");
  ASSERT_TRUE(with("[$DMZ,10.9.0.0/16]"));
  EXPECT_EQ(options_.rules.variables.at("HOME_NET"), "[$DMZ,10.9.0.0/16]");
  EXPECT_TRUE(with("$NONE").error().text().starts_with("--set: 'HOME_NET=$NONE'"))
      << with("$NONE").error().text();
  EXPECT_FALSE(with("$EXT")) << "each by the other";
}

}  // namespace
}  // namespace sluice::ids
