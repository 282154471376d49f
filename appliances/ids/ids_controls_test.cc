// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_controls.h"

#include <gtest/gtest.h>
#include <hs.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "appliances/sdk/two_workers_for_test.h"
#include "inspect/stream/test_packets.h"

namespace sluice::ids {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using inspect::testing::tcp;
using nlohmann::json;
using sdk::Answer;

constexpr const char* kDropBad =
    "drop tcp any any -> any any (msg:\"bad\"; content:\"badword\"; sid:1;)\n";

struct Nowhere : sdk::Injector {
  void inject(std::span<const uint8_t>) override {}
};

// Two workers' appliances; a thread does their errands while a command is answered.
class IdsControlsTest : public testing::Test {
 protected:
  void start(const std::string& text) {
    write(text);
    IdsOptions options;
    options.rules.rule_files = {file_};
    auto engine = load_rules(options);
    ASSERT_TRUE(engine) << engine.error().text();
    for (auto& appliance : two_.appliances)
      appliance = std::move(*make_ids(*engine, options, eve_));
    rules_ = std::make_shared<RunningRules>(options.rules, std::move(*engine));
    commands_ = std::make_unique<sdk::Commands>(ids_controls(rules_), two_.workers(),
                                                std::vector<const sdk::Counters*>{});
  }
  void TearDown() override { std::remove(file_.c_str()); }

  void write(const std::string& text) const { std::ofstream(file_) << text; }

  json ask(const std::string& request) { return two_.ask(*commands_, request); }

  bool show(int worker, Bytes ip) {
    sdk::Packet packet{ip, 1, 2, time_us_ += 1000};
    Nowhere nowhere;
    return two_.appliances[worker]->handle(packet, nowhere) == Answer::kReturn;
  }
  void connect(int worker, const Ends& c) {
    show(worker, tcp(c, tunnels::kTcpSyn, 100, 0));
    show(worker, tcp(c.turned(), tunnels::kTcpSyn | tunnels::kTcpAck, 500, 101));
    show(worker, tcp(c, tunnels::kTcpAck, 101, 501));
  }
  bool data(int worker, const Ends& c, uint32_t offset, std::string_view text) {
    return show(worker, tcp(c, tunnels::kTcpAck, 101 + offset, 501, text));
  }

  std::string file_ = testing::TempDir() + "ids_controls_" + std::to_string(getpid()) + ".rules";
  inspect::MemorySink eve_;
  sdk::testing::TwoWorkers two_;
  std::shared_ptr<RunningRules> rules_;
  std::unique_ptr<sdk::Commands> commands_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

TEST_F(IdsControlsTest, AReloadReachesFlowsOfEveryWorker) {
  start("alert tcp any any -> any any (content:\"other\"; sid:9;)");
  const std::weak_ptr<const inspect::Engine> first = rules_->state().engine;
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
  for (int worker = 0; worker < 2; worker++) {
    connect(worker, c);
    EXPECT_TRUE(data(worker, c, 0, "badw"));
  }
  write(kDropBad + std::string("alert gopher any any -> any any (sid:2;)\n"));
  EXPECT_EQ(ask(R"({"command":"reload"})"),
            (json{{"ok", true}, {"loaded", 1}, {"refused", 1}, {"skipped", 0}}));
  EXPECT_TRUE(first.expired());
  for (int worker = 0; worker < 2; worker++) EXPECT_FALSE(data(worker, c, 4, "ord"));
  EXPECT_EQ(ask(R"({"command":"stats"})")["ids"]["ips"]["drop_reason"]["rules"], 2);
}

TEST_F(IdsControlsTest, AFileThatCannotBeReadKeepsTheOldRules) {
  start(kDropBad);
  std::remove(file_.c_str());
  const json refused = ask(R"({"command":"reload"})");
  EXPECT_EQ(refused["ok"], false);
  EXPECT_NE(refused["error"].get<std::string>().find(file_), std::string::npos) << refused;
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
  connect(0, c);
  EXPECT_FALSE(data(0, c, 0, "badword"));
  const json rules = ask(R"({"command":"stats"})")["ids"]["rules"];
  EXPECT_EQ(rules, (json{{"loaded", 1},
                         {"refused", 0},
                         {"skipped", 0},
                         {"reloads", 0},
                         {"reloads_failed", 1},
                         {"datasets", 0},
                         {"datasets_full", 0}}));
}

TEST_F(IdsControlsTest, AFileWithoutARuleKeepsTheOldRules) {
  start(kDropBad);
  const auto error_of = [this](const std::string& text) {
    write(text);
    const json answer = ask(R"({"command":"reload"})");
    EXPECT_EQ(answer["ok"], false) << answer;
    return answer.value("error", "");
  };
  const std::string rest =
      "), so those that run go on: mend the file and reload, or start again without rules";
  EXPECT_EQ(error_of("# to be filled\n"), file_ + ": no rule would be left (0 refused" + rest);
  EXPECT_EQ(error_of("drop tcp any any -> any any (lua:x; sid:1;)\n"),
            file_ + ": no rule would be left (1 refused, the first at " + file_ +
                ":1: keyword 'lua' is not supported" + rest);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
  connect(0, c);
  EXPECT_FALSE(data(0, c, 0, "badword"));
  EXPECT_EQ(ask(R"({"command":"stats"})")["ids"]["rules"]["reloads_failed"], 2);
}

TEST_F(IdsControlsTest, WhoHasNoRulesMayReloadNone) {
  start("");
  EXPECT_EQ(ask(R"({"command":"reload"})"),
            (json{{"ok", true}, {"loaded", 0}, {"refused", 0}, {"skipped", 0}}));
  write(kDropBad);
  EXPECT_EQ(ask(R"({"command":"reload"})"),
            (json{{"ok", true}, {"loaded", 1}, {"refused", 0}, {"skipped", 0}}));
}

// Memory for Hyperscan's scratch, so many times.
int allocations_left = 0;
void* allocate_some(size_t bytes) { return allocations_left-- > 0 ? std::malloc(bytes) : nullptr; }

TEST_F(IdsControlsTest, NoWorkerHasNewRulesIfThereIsNoMemoryForOne) {
  start("alert tcp any any -> any any (content:\"other\"; sid:9;)");
  write(kDropBad);
  bool reloaded = false;
  for (int memory = 0; memory < 64 && !reloaded; memory++) {
    allocations_left = memory;
    ASSERT_EQ(hs_set_scratch_allocator(allocate_some, std::free), HS_SUCCESS);
    reloaded = ask(R"({"command":"reload"})")["ok"];
    ASSERT_EQ(hs_set_scratch_allocator(nullptr, nullptr), HS_SUCCESS);
    for (int worker = 0; worker < 2; worker++) {
      const Ends c{"10.0.0.1", "10.0.0.2", static_cast<uint16_t>(40000 + memory), 81};
      connect(worker, c);
      EXPECT_EQ(data(worker, c, 0, "badword"), !reloaded) << memory;
    }
  }
  EXPECT_TRUE(reloaded);
  EXPECT_GE(rules_->state().reloads_failed, 2u);
}

TEST_F(IdsControlsTest, FailedRulesAreNamed) {
  std::string text = kDropBad;
  for (int i = 0; i < 150; i++)
    text += "alert tcp any any -> any any (lua:x; sid:" + std::to_string(1000 + i) + ";)\n";
  text += "alert tcp any any -> any any (content:\"x\"; sid:1;)\nnonsense\n";
  text += "alert tcp any any -> any any (" + std::string(8000, 'k') + ":1; sid:3;)\n";
  start(text);
  const json first = ask(R"({"command":"failed-rules"})");
  EXPECT_EQ(first["refused"], 153);
  ASSERT_EQ(first["rules"].size(), 100u);
  EXPECT_EQ(
      first["rules"][0],
      (json{
          {"file", file_}, {"line", 2}, {"sid", 1000}, {"why", "keyword 'lua' is not supported"}}));
  const json rest = ask(R"({"command":"failed-rules","limit":1000,"offset":150})")["rules"];
  ASSERT_EQ(rest.size(), 3u);
  EXPECT_EQ(rest[0]["sid"], 0) << rest;
  EXPECT_EQ(rest[1]["why"].get<std::string>().size(), inspect::kRefusedReasonMax);
  EXPECT_EQ(rest[2]["sid"], 1) << "used twice";
  EXPECT_EQ(ask(R"({"command":"failed-rules","offset":9999})")["rules"], json::array());
  for (const char* bad : {R"("limit":0)", R"("limit":1001)", R"("limit":"x")", R"("offset":-1)"})
    EXPECT_EQ(ask(std::string(R"({"command":"failed-rules",)") + bad + "}")["ok"], false) << bad;
  EXPECT_EQ(ask(R"({"command":"failed-rules","limit":"x"})")["error"],
            "limit: must be a number from 1 to 1000");
}

TEST_F(IdsControlsTest, SkippedRulesAreNamed) {
  start(std::string(kDropBad) +
        "drop tcp any any -> any any (lua:x; requires:feature lua; sid:2;)\n");
  EXPECT_EQ(ask(R"({"command":"stats"})")["ids"]["rules"]["skipped"], 1);
  const json answer = ask(R"({"command":"failed-rules"})");
  EXPECT_EQ(answer["refused"], 0);
  EXPECT_EQ(answer["skipped"], 1);
  EXPECT_EQ(answer["skips"], (json{{{"file", file_},
                                    {"line", 2},
                                    {"sid", 2},
                                    {"why", "skipped: it requires feature lua"}}}));
  EXPECT_EQ(ask(R"({"command":"reload"})"),
            (json{{"ok", true}, {"loaded", 1}, {"refused", 0}, {"skipped", 1}}));
}

TEST_F(IdsControlsTest, MemoryIsThatOfAllWorkers) {
  start(kDropBad);
  for (int worker = 0; worker < 2; worker++) {
    const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
    connect(worker, c);
    data(worker, c, 0, "some bytes");
  }
  const json memory = ask(R"({"command":"memory"})");
  EXPECT_EQ(memory["flows"], 2);
  EXPECT_GE(memory["bytes_held"], 20);
  EXPECT_EQ(memory["bytes_held_max"], 2 * inspect::InspectorOptions{}.stream_memory_max);
  EXPECT_EQ(memory["database_bytes"], rules_->state().engine->database_bytes());
  EXPECT_GT(memory["database_bytes"], 0);
  EXPECT_GT(memory["scratch_bytes"], 0);
  EXPECT_GT(memory["app_bytes"], 0);
  EXPECT_EQ(memory["session_bytes"], 2 * sizeof(inspect::TcpInspection));
}

TEST_F(IdsControlsTest, MetricsHaveEveryCounter) {
  start(kDropBad);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
  connect(0, c);
  data(0, c, 0, "badword");
  data(1, c, 0, "badword");  // in the middle of a connection
  ask(R"({"command":"reload"})");
  const std::string page = ask(R"({"command":"metrics"})")["text"];
  for (const char* line :
       {"sluice_ids_decoder_pkts_total 5\n", "sluice_ids_drops_total{reason=\"rules\"} 2\n",
        "sluice_ids_exceptions_total{cause=\"midstream\",policy=\"ignore\"} 1\n",
        "sluice_ids_exceptions_total{cause=\"overload\",policy=\"drop-flow\"} 0\n",
        "sluice_ids_rules_loaded 1\n", "sluice_ids_rules_refused 0\n",
        "sluice_ids_rules_skipped 0\n", "sluice_ids_reloads_total{result=\"ok\"} 1\n",
        "sluice_ids_reloads_total{result=\"failed\"} 0\n", "sluice_ids_flow_active 2\n"})
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  for (const IdsCounter& counter : ids_counters()) {
    std::string path = counter.path;
    const bool reason = path.starts_with("ips.drop_reason.");
    std::ranges::replace(path, '.', '_');
    const std::string name = reason ? "reason=\"" + path.substr(16) + "\"" : "sluice_ids_" + path;
    EXPECT_NE(page.find(name), std::string::npos) << name;
  }
  if (std::system("command -v promtool >/dev/null") != 0) return;
  const std::string path = testing::TempDir() + "ids_page_" + std::to_string(getpid());
  std::ofstream(path) << page;
  EXPECT_EQ(std::system(("promtool check metrics <" + path).c_str()), 0) << page;
  std::remove(path.c_str());
}

// What the `stats` event says is what is counted, under the same names.
TEST_F(IdsControlsTest, TheEventSaysWhatTheSocketSays) {
  start(kDropBad);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 81};
  connect(0, c);
  data(0, c, 0, "badword");
  json asked = ask(R"({"command":"stats"})")["ids"];
  asked.erase("rules");
  asked["flow"].erase("active");
  asked["tcp"].erase("memuse");
  asked["flow"].erase("memuse");  // of a worker that has not told yet, too
  two_.appliances[0]->finish(time_us_);
  json last;
  std::istringstream lines(eve_.text());
  for (std::string line; std::getline(lines, line);) last = json::parse(line);
  ASSERT_EQ(last["event_type"], "stats");
  last["stats"]["flow"].erase("active");
  last["stats"]["tcp"].erase("memuse");
  last["stats"]["flow"].erase("memuse");
  EXPECT_EQ(last["stats"].erase("uptime"), 1u);
  EXPECT_EQ(last["stats"]["detect"].erase("engines"), 1u);
  EXPECT_EQ(last["stats"], asked);
}

TEST_F(IdsControlsTest, SlowRulesAndSets) {
  start("alert udp any any -> any any (ip.src; dataset:set,seen,type ip; sid:1;)\n");
  EXPECT_EQ(ask(R"({"command":"slow-rules"})")["suspended"], json::array());
  EXPECT_EQ(ask(R"({"command":"save-datasets"})")["datasets"], 1);
  const json rules = ask(R"({"command":"stats"})")["ids"]["rules"];
  EXPECT_EQ(rules["datasets"], 1);
  EXPECT_EQ(rules["datasets_full"], 0);
}

}  // namespace
}  // namespace sluice::ids
