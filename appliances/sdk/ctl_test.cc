// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/ctl.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "appliances/sdk/control_server.h"

namespace sluice::sdk {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

TEST(Ctl, FieldsBecomeARequest) {
  const std::vector<std::string> fields = {"limit=5", "name=TLS.YouTube", "all=true", "x==", "y="};
  const auto request = make_request("top", fields);
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(*request, (json{{"command", "top"},
                            {"limit", 5},
                            {"name", "TLS.YouTube"},
                            {"all", true},
                            {"x", "="},
                            {"y", ""}}));
  for (const char* bad : {"limit", "=5", ""}) {
    const std::vector<std::string> one = {bad};
    EXPECT_FALSE(make_request("top", one)) << bad;
  }
}

TEST(Ctl, RepliesAreReadable) {
  const ordered_json reply = ordered_json::parse(
      R"({"flows":3,"dpi":{"blocked":1,"why":"policy"},"hosts":[{"address":"10.0.0.1","bytes":7},)"
      R"({"address":"10.0.0.22","bytes":1000}],"none":[],"odd":[1,2]})");
  EXPECT_EQ(readable(reply),
            "flows: 3\ndpi.blocked: 1\ndpi.why: policy\n"
            "\naddress    bytes\n10.0.0.1       7\n10.0.0.22   1000\n"
            "none: []\nodd: [1,2]\n");
  EXPECT_EQ(readable({{"text", "a b\n"}}), "a b\n");
}

TEST(Ctl, AsksAndSaysWhyNot) {
  const std::string path = testing::TempDir() + "ctl_" + std::to_string(getpid()) + ".sock";
  const auto nobody = ask_appliance(path, {{"command", "stats"}});
  ASSERT_FALSE(nobody);
  EXPECT_NE(nobody.error().text().find("no appliance answers here"), std::string::npos);

  std::string said;
  auto server = ControlServer::create(path, [&](std::string_view) { return said; });
  ASSERT_TRUE(server) << server.error().text();
  const auto ask = [&](const std::string& answer) {
    said = answer;
    std::atomic<bool> done{false};
    std::thread serving([&] {
      while (!done) server->poll_once(5);
    });
    auto reply = ask_appliance(path, {{"command", "stats"}});
    done = true;
    serving.join();
    return reply ? readable(*reply) : "error " + reply.error().text();
  };
  EXPECT_EQ(ask(R"({"ok":true,"received":3})"), "received: 3\n");
  EXPECT_EQ(ask(R"({"ok":false,"error":"no"})"), "error no");
  EXPECT_EQ(ask(R"({"ok":false,"error":7})"), "error refused without a reason");
  EXPECT_EQ(ask("rubbish"), "error " + path + ": the answer is no reply of an appliance");
}

}  // namespace
}  // namespace sluice::sdk
