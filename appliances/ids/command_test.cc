// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/command.h"

#include <gtest/gtest.h>

#include <fstream>

namespace sluice::ids {
namespace {

Result<IdsCommand> parse(std::vector<std::string> arguments) { return parse_arguments(arguments); }

TEST(IdsCommand, ReadsEveryOption) {
  const auto command = parse({"--rules",       "a.rules",   "-S",          "b.rules",
                              "--eve",         "e.json",    "--var",       "HOME_NET=10.0.0.0/8",
                              "--var",         "X=[1:5]",   "--flows-max", "1000",
                              "--listen",      "10.9.0.11", "--port",      "6082",
                              "--health-port", "81",        "--workers",   "2",
                              "--events",      "alert,http"});
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_EQ(command->ids.rules.rule_files, (std::vector<std::string>{"a.rules", "b.rules"}));
  EXPECT_EQ(command->ids.rules.variables.at("HOME_NET"), "10.0.0.0/8");
  EXPECT_EQ(command->ids.rules.variables.at("X"), "[1:5]");
  EXPECT_EQ(command->ids.inspection.flows.flows_max, 1000u);
  EXPECT_EQ(command->eve().path, "e.json");
  EXPECT_EQ(command->runner.listen, "10.9.0.11");
  EXPECT_EQ(command->runner.port, 6082);
  EXPECT_EQ(command->runner.workers, 2u);
  EXPECT_TRUE(command->ids.inspection.events.types.has("http"));
  EXPECT_FALSE(command->ids.inspection.events.types.has("fileinfo"));
  EXPECT_FALSE(command->list_rules);
}

TEST(IdsCommand, OrderAndDefaults) {
  const auto command =
      parse({"--rule-order", "strict", "--default-action", "drop-established", "--threshold-file",
             "t.config", "--data-dir", "/data", "--reputation-categories", "c", "--reputation", "a",
             "--reputation", "b", "--latency-max", "500"});
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_TRUE(command->ids.rules.order.strict);
  EXPECT_EQ(command->ids.inspection.default_action, inspect::DefaultAction::kDropEstablished);
  EXPECT_EQ(command->ids.rules.threshold_file, "t.config");
  EXPECT_EQ(command->ids.rules.data_directory, "/data");
  EXPECT_EQ(command->ids.rules.reputation.categories_file, "c");
  EXPECT_EQ(command->ids.rules.reputation.files, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(command->ids.inspection.latency.max_us, 500u);
  EXPECT_EQ(parse({})->ids.inspection.latency.max_us, 0u);
}

TEST(IdsCommand, RulesSubcommandAndDirectory) {
  const auto list = parse({"rules", "--failed", "-S", "a.rules"});
  ASSERT_TRUE(list) << list.error().text();
  EXPECT_TRUE(list->list_rules && list->only_failed);
  EXPECT_EQ(list->ids.rules.rule_files, std::vector<std::string>{"a.rules"});
  EXPECT_EQ(parse({"rules", "--profile", "x.pcap"})->profile_capture, "x.pcap");
  EXPECT_EQ(parse({"-r", "x.pcap", "-l", "/tmp"})->eve().path, "/tmp/eve.json");
}

TEST(IdsCommand, RulesOfTheCommandLineTakeThePlaceOfTheConfigurations) {
  const std::string directory = ::testing::TempDir();
  const std::string rules = directory + "/command_test.rules";
  const std::string config = directory + "/command_test.yaml";
  std::ofstream(rules) << "#\n";
  std::ofstream(config) << "rule-files: [" << rules << "]\n";
  EXPECT_EQ(parse({"-c", config})->ids.rules.rule_files, std::vector<std::string>{rules});
  EXPECT_EQ(parse({"rules", "-c", config})->ids.rules.rule_files, std::vector<std::string>{rules});
  EXPECT_EQ(parse({"-S", "b.rules", "-c", config})->ids.rules.rule_files,
            std::vector<std::string>{"b.rules"});
}

// Wherever it stands, it is a line of the configuration; what has an option of its own wins.
TEST(IdsCommand, OneSettingIsPartOfTheConfiguration) {
  const std::string directory = ::testing::TempDir();
  const std::string config = directory + "/command_test_set.yaml";
  const std::string rules = directory + "/command_test_set.rules";
  std::ofstream(rules) << "#\n";
  std::ofstream(config) << "rule-files: [none.rules]\noutputs: [{eve-log: {types: [alert]}}]\n";
  const std::string set = "default-rule-path=" + directory;
  const std::string file = "rule-files.0=command_test_set.rules";
  using Files = std::vector<std::string>;
  const auto command =
      parse({"--set", set, "-c", config, "--set", file, "--set", "outputs.0.eve-log.types.1=dns"});
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_EQ(command->ids.rules.rule_files, Files{directory + "/command_test_set.rules"});
  EXPECT_TRUE(command->ids.inspection.events.types.has("alert"));
  EXPECT_TRUE(command->ids.inspection.events.types.has("dns"));
  EXPECT_TRUE(command->without_effect.empty());
  EXPECT_EQ(parse({"rules", "--set", set, "--set", file})->ids.rules.rule_files.size(), 1u);
  EXPECT_EQ(parse({"--set", set, "--set", file, "-S", "b.rules"})->ids.rules.rule_files,
            Files{"b.rules"});
  EXPECT_EQ(parse({"-c", config, "--set", "x=1"}).error().text(),
            "sluice-ids: --set: 'x=1' is not supported");
}

TEST(IdsCommand, RulesBesideTheConfigurations) {
  const std::string directory = ::testing::TempDir();
  const std::string names[] = {directory + "/command_test_1.rules",
                               directory + "/command_test_2.rules",
                               directory + "/command_test_[x].rules"};
  for (const std::string& name : names) std::ofstream(name) << "#\n";
  const std::string config = directory + "/command_test_beside.yaml";
  std::ofstream(config) << "rule-files: [" << names[0] << "]\n";
  using Files = std::vector<std::string>;
  EXPECT_EQ(parse({"-c", config, "-s", names[1]})->ids.rules.rule_files,
            (Files{names[0], names[1]}));
  EXPECT_EQ(parse({"rules", "-s", names[1], "-c", config})->ids.rules.rule_files,
            (Files{names[0], names[1]}));
  const std::string pattern = directory + "/command_test_[12].rules";
  EXPECT_EQ(parse({"-c", config, "-S", pattern, "-S", names[2]})->ids.rules.rule_files,
            (Files{names[0], names[1], names[2]}));
  EXPECT_FALSE(parse({"-s", names[0], "-S", names[1]}));
}

TEST(IdsCommand, ATestOfTheConfigurationIsNotLive) {
  const auto test = parse({"-T", "-S", "a.rules", "-l", "/logs"});
  ASSERT_TRUE(test) << test.error().text();
  EXPECT_TRUE(test->test);
  EXPECT_FALSE(test->is_live());
  EXPECT_FALSE(parse({"-T", "-r", "x.pcap"}));
}

// A name below the directory, unless it is a whole path; without a directory it has no effect.
TEST(IdsCommand, WhereEventsGo) {
  const std::string setting = "outputs.0.eve-log.filename=";
  EXPECT_EQ(parse({"-l", "/logs", "--set", setting + "e-%H.json"})->eve().path, "/logs/e-%H.json");
  EXPECT_EQ(parse({"-l", "/logs", "--set", setting + "/a/e.json"})->eve().path, "/a/e.json");
  auto named = *parse({"--eve", "/b/e.json", "--set", setting + "e-%H.json"});
  EXPECT_EQ(named.eve().path, "/b/e.json");
  prepare(named);
  EXPECT_EQ(
      named.without_effect,
      std::vector<std::string>{"outputs.eve-log.filename: it is one in a directory: say -l DIR"});
  EXPECT_FALSE(parse({"-l", "/logs", "--eve", "/b/e.json"})) << "one would have no effect";
  auto plain = *parse({"-l", "/logs"});
  prepare(plain);
  EXPECT_TRUE(plain.without_effect.empty());
}

TEST(IdsCommand, RotationAndTheSensor) {
  const std::string setting = "outputs.0.eve-log.rotate-interval=1d";
  EXPECT_FALSE(parse({})->eve().rotation.is_wanted());
  EXPECT_EQ(parse({"--set", setting})->eve().rotation.end_of_file(0), 86'400);
  const auto both = parse({"--rotate-interval", "2h", "--set", setting, "--sensor-name", "dmz"});
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_EQ(both->ids.inspection.events.sensor_name, "dmz");
  EXPECT_FALSE(parse({"--rotate-interval", "never"}));
}

TEST(IdsCommand, ACaptureIsTheSameEachTimeAndTheNetworkIsNot) {
  const auto key = [](const IdsCommand& command) {
    const auto& of = command.ids.inspection.flows.key;
    return std::pair(of.k0, of.k1);
  };
  auto capture = *parse({"-r", "x.pcap", "--latency-max", "500"});
  auto live = *parse({"--latency-max", "500"}), other = *parse({});
  const auto constant = key(capture);
  for (IdsCommand* command : {&capture, &live, &other}) prepare(*command);
  EXPECT_EQ(key(capture), constant);
  EXPECT_NE(key(live), constant);
  EXPECT_NE(key(live), key(other));
  EXPECT_EQ(capture.ids.inspection.latency.max_us, 0u);
  EXPECT_EQ(live.ids.inspection.latency.max_us, 500u);
  EXPECT_TRUE(live.runner.stamps);
  EXPECT_FALSE(capture.runner.stamps);
  auto rules = *parse({"rules"});
  prepare(rules);
  EXPECT_FALSE(rules.is_live());
}

TEST(IdsCommand, Checksums) {
  EXPECT_TRUE(parse({})->ids.inspection.verify_checksums);
  EXPECT_TRUE(parse({"-k", "all"})->ids.inspection.verify_checksums);
  EXPECT_FALSE(parse({"-k", "none"})->ids.inspection.verify_checksums);
  EXPECT_FALSE(parse({"-k", "some"}));
}

TEST(IdsCommand, RefusesWhatItDoesNotKnow) {
  for (const auto& bad : {std::vector<std::string>{"--bogus"},
                          {"--var", "HOME_NET"},
                          {"--var", "A=$NONE"},
                          {"--workers", "-1"},
                          {"--events", "alert,none"},
                          {"--rule-order", "pass,drop"},
                          {"--default-action", "alert"},
                          {"--latency-max", "-1"},
                          {"extra"}})
    EXPECT_FALSE(parse(bad)) << bad.front();
}

}  // namespace
}  // namespace sluice::ids
