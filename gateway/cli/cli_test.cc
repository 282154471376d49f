// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "gateway/api/server.h"
#include "gateway/cli/client.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/print.h"
#include "gateway/cli/table.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

TEST(Endpoint, AddressesWithAndWithoutPorts) {
  EXPECT_EQ(parse_endpoint("10.0.0.1:80")->port, 80);
  EXPECT_EQ(parse_endpoint("10.0.0.1")->port, 0);
  EXPECT_EQ(parse_endpoint("[fd00::1]:443")->port, 443);
  EXPECT_EQ(parse_endpoint("[fd00::1]")->address.text(), "fd00::1");
  EXPECT_EQ(parse_endpoint("fd00::1")->address.text(), "fd00::1");
  for (const char* bad : {"", "x", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:8x",
                          "[fd00::1", "[fd00::1]80", "[fd00::1]:", "10.0.0.1:80:90"})
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
}

TEST(Table, AlignsColumns) {
  EXPECT_EQ(format_table({"A", "NUMBER"}, {{"long", "5"}, {"b", "10"}}),
            "A     NUMBER\nlong       5\nb         10\n");
  EXPECT_EQ(format_table({"A", "B"}, {}), "A  B\n");
}

TEST(Print, ShowsWhatTheDaemonSays) {
  const json flows{{"matched", 2},
                   {"flows",
                    {{{"protocol", "tcp"},
                      {"source", "fd00::2"},
                      {"source_port", 4242},
                      {"destination", "fd00::5"},
                      {"destination_port", 443},
                      {"attachment", "front"},
                      {"appliance", "10.9.0.11"},
                      {"state", "established"},
                      {"age_ms", 1500},
                      {"idle_ms", 200},
                      {"packets_forward", 3},
                      {"packets_back", 4},
                      {"bytes_forward", 300},
                      {"bytes_back", 400}}}}};
  const std::string text = print_flows(flows);
  EXPECT_NE(text.find("[fd00::2]:4242"), std::string::npos);
  EXPECT_NE(text.find("1 of 2 flows"), std::string::npos);
  const json counters{{"verdicts", {{"drop", 2}}},
                      {"events", {{"flow_created", 0}}},
                      {"drops", {{"no_target", 2}}}};
  EXPECT_EQ(print_counters(counters, false),
            "KIND      NAME       COUNT\nverdicts  drop           2\ndrops     no_target      2\n");
  EXPECT_NE(print_counters(counters, true).find("flow_created"), std::string::npos);
  EXPECT_EQ(print_targets({{"targets", json::array()}}), "no targets are registered\n");
  EXPECT_EQ(print_explanation({{"story", {"a", "b"}}}), "1. a\n2. b\n");
}

int run(const std::vector<std::string>& words, std::string* out, std::string* error) {
  CLI::App app;
  add_gateway_commands(app);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  int status = 0;
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& e) {
    status = e.get_exit_code();
  }
  *out = testing::internal::GetCapturedStdout();
  *error = testing::internal::GetCapturedStderr();
  return status;
}

TEST(Commands, AskTheDaemonAndSayWhyNot) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("sluice_cli_" + std::to_string(::getpid()));
  std::string out, error;
  EXPECT_EQ(run({"counters", "--socket", path}, &out, &error), 1);
  EXPECT_EQ(error, "sluice: " + path +
                       ": no gateway answers here; is sluiced running? (sluiced --config FILE)\n");

  std::string asked;
  auto loop = std::move(*EventLoop::create());
  auto server =
      std::move(*ApiServer::create(*loop, path, [&](std::string_view request) -> std::string {
        asked = request;
        if (asked.find("explain") != std::string::npos) return R"({"ok":true,"story":["it goes"]})";
        if (asked.find("deregister") != std::string::npos)
          return R"({"ok":false,"error":"no such target"})";
        return asked.find("register") != std::string::npos ? R"({"ok":true})" : "garbage";
      }));
  std::atomic<bool> done = false;
  std::thread thread([&] {
    while (!done) loop->turn(10);
  });
  EXPECT_EQ(
      run({"explain", "tcp", "10.0.0.1:4242", "10.0.1.5:443", "--socket", path}, &out, &error), 0);
  EXPECT_EQ(out, "1. it goes\n");
  EXPECT_EQ(run({"targets", "register", "ids", "10.9.0.13", "--socket", path}, &out, &error), 0);
  EXPECT_EQ(json::parse(asked),
            json({{"command", "register"}, {"target_group", "ids"}, {"id", "10.9.0.13"}}));
  EXPECT_EQ(run({"targets", "deregister", "ids", "10.9.0.13:6081", "--socket", path}, &out, &error),
            1);
  EXPECT_EQ(error, "sluice: no such target\n");
  EXPECT_EQ(run({"counters", "--json", "--socket", path}, &out, &error), 1);
  EXPECT_EQ(error, "sluice: " + path + ": the answer is no reply of a gateway\n");
  done = true;
  thread.join();
}

// Nobody takes the connection: the request waits in the socket.
TEST(Commands, ADaemonThatIsBusyIsNotSaidToHaveRefused) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("sluice_busy_" + std::to_string(::getpid()));
  auto loop = std::move(*EventLoop::create());
  const auto server =
      std::move(*ApiServer::create(*loop, path, [](std::string_view) { return std::string(); }));
  const auto reply = ask_daemon(path, {{"command", "apply"}}, 1);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().text(),
            "no answer within 1 s; if it was a change, it may have taken effect: look with "
            "`sluice history`");
}

TEST(Commands, Validate) {
  std::string out, error;
  const std::string example = SLUICE_SOURCE_DIR "/docs/features/examples/gateway.yaml";
  EXPECT_EQ(run({"validate", example}, &out, &error), 0);
  EXPECT_EQ(out, example + ": valid\n");
  EXPECT_EQ(run({"validate", "/nowhere.yaml"}, &out, &error), 1);
  EXPECT_EQ(error, "/nowhere.yaml: cannot open: No such file or directory\n");
  EXPECT_NE(run({"explain", "tcp"}, &out, &error), 0);
}

}  // namespace
}  // namespace sluice::gateway
