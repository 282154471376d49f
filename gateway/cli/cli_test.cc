// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "gateway/api/server.h"
#include "gateway/cli/client.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/print.h"
#include "gateway/cli/table.h"
#include "tunnels/pcapng.h"

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

TEST(Print, SightingsAreLines) {
  const json line{{"time", "2026-11-21T06:31:01.250112Z"},
                  {"direction", "forward"},
                  {"length", 40},
                  {"tcp_flags", "SYN"},
                  {"stage", "in"},
                  {"what", "from outside of front"}};
  EXPECT_EQ(print_sighting(line),
            "06:31:01.250112  forward  40 bytes SYN        in            from outside of front\n");
  EXPECT_EQ(print_sighting({{"lost", 3}}), "... 3 are lost\n");
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

// Sends these bytes behind its reply; ends when it is asked to, or by itself.
class SourceForTest : public StreamSource {
 public:
  SourceForTest(std::string bytes, bool ends) : bytes_(std::move(bytes)), ends_(ends) {}
  void begin(ApiStream& to) override {
    to_ = &to;
    to.send(bytes_);
    if (ends_) to.finish();
  }
  void client_ended() override {
    to_->send(tunnels::pcapng_statistics({0, 1, 2, 1}));
    to_->finish();
  }

 private:
  std::string bytes_;
  bool ends_;
  ApiStream* to_ = nullptr;
};

class Streams : public testing::Test {
 protected:
  Streams() {
    thread = std::thread([this] {
      while (!done) loop->turn(10);
    });
  }
  ~Streams() override {
    done = true;
    thread.join();
    std::filesystem::remove(file);
  }
  std::string contents() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string path =
      std::filesystem::temp_directory_path() / ("sluice_stream_" + std::to_string(::getpid()));
  const std::string file = path + ".pcapng";
  std::string asked, bytes, refusal, out, error;
  bool ends = true;
  std::unique_ptr<EventLoop> loop = std::move(*EventLoop::create());
  std::unique_ptr<ApiServer> server =
      std::move(*ApiServer::create(*loop, path, [this](std::string_view request) {
        asked = request;
        if (!refusal.empty()) return ApiReply(refusal);
        ApiReply reply(R"({"ok":true})");
        reply.source = std::make_unique<SourceForTest>(bytes, ends);
        return reply;
      }));
  std::atomic<bool> done = false;
  std::thread thread;
};

TEST_F(Streams, ATraceIsPrintedLineByLine) {
  bytes = "{\"lost\":1}\n{\"lost\":2}\n";
  EXPECT_EQ(run({"trace", "udp", "10.0.0.1:1", "[fd00::1]:2", "--count", "9", "--socket", path},
                &out, &error),
            0);
  EXPECT_EQ(out, "... 1 are lost\n... 2 are lost\n");
  EXPECT_EQ(json::parse(asked), json({{"command", "trace"},
                                      {"protocol", "udp"},
                                      {"source", "10.0.0.1"},
                                      {"source_port", 1},
                                      {"destination", "fd00::1"},
                                      {"destination_port", 2},
                                      {"count", 9}}));
  EXPECT_EQ(
      run({"trace", "udp", "10.0.0.1:1", "10.0.0.2:2", "--json", "--socket", path}, &out, &error),
      0);
  EXPECT_EQ(out, bytes);
}

TEST_F(Streams, ACaptureIsAFileOfWholeBlocks) {
  const std::string whole =
      tunnels::pcapng_head("x") + tunnels::pcapng_interface({}) + tunnels::pcapng_packet({});
  bytes = whole + tunnels::pcapng_packet({}).substr(0, 20);
  EXPECT_EQ(run({"capture", "-w", file, "--flow", "tcp", "10.0.0.1:1", "10.0.0.2:2", "--stage",
                 "in", "--stage", "dropped", "--bytes", "96", "--socket", path},
                &out, &error),
            0);
  EXPECT_EQ(contents(), whole);
  EXPECT_EQ(error, "1 packets, 0 lost\n");
  EXPECT_EQ(json::parse(asked), json({{"command", "capture"},
                                      {"protocol", "tcp"},
                                      {"source", "10.0.0.1"},
                                      {"source_port", 1},
                                      {"destination", "10.0.0.2"},
                                      {"destination_port", 2},
                                      {"stages", {"in", "dropped"}},
                                      {"bytes", 96}}));
  bytes = whole;
  EXPECT_EQ(run({"capture", "-w", "-", "--port", "53", "--attachment", "front", "--socket", path},
                &out, &error),
            0);
  EXPECT_EQ(out, whole);
  EXPECT_EQ(json::parse(asked),
            json({{"command", "capture"}, {"port", 53}, {"attachment", "front"}}));
}

// What the daemon has left to say still comes.
TEST_F(Streams, ACaptureEndsByTime) {
  ends = false;
  bytes = tunnels::pcapng_head("x");
  EXPECT_EQ(run({"capture", "-w", file, "--seconds", "1", "--socket", path}, &out, &error), 0);
  EXPECT_EQ(error, "0 packets, 1 lost\n");
  EXPECT_EQ(contents(), bytes + tunnels::pcapng_statistics({0, 1, 2, 1}));
}

TEST_F(Streams, ACaptureEndsByASignal) {
  ends = false;
  bytes = tunnels::pcapng_head("x");
  const pthread_t here = ::pthread_self();
  std::thread other([&] {
    while (contents().size() < bytes.size()) std::this_thread::yield();
    ::pthread_kill(here, SIGINT);
  });
  EXPECT_EQ(run({"capture", "-w", file, "--socket", path}, &out, &error), 0);
  other.join();
  EXPECT_EQ(error, "0 packets, 1 lost\n");
}

TEST_F(Streams, WhatCannotBeIsSaid) {
  refusal = R"({"ok":false,"error":"there is no stage 'x'"})";
  EXPECT_EQ(run({"capture", "-w", file, "--stage", "x", "--socket", path}, &out, &error), 1);
  EXPECT_EQ(error, "sluice: there is no stage 'x'\n");
  EXPECT_FALSE(std::filesystem::exists(file));
  refusal.clear();
  bytes = std::string(100, 'x');
  EXPECT_EQ(run({"capture", "-w", file, "--socket", path}, &out, &error), 1);
  EXPECT_NE(error.find("this is no capture"), std::string::npos);
  EXPECT_EQ(run({"capture", "-w", "/nowhere/x", "--socket", path}, &out, &error), 1);
  EXPECT_EQ(error, "sluice: /nowhere/x: cannot make the file: No such file or directory\n");
  EXPECT_NE(run({"capture", "-w", file, "--port", "1", "--flow", "tcp", "a", "b"}, &out, &error),
            0);
  EXPECT_NE(run({"capture"}, &out, &error), 0);
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
