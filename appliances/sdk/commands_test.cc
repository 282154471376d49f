// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace sluice::sdk {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

class Numbered : public Appliance {
 public:
  explicit Numbered(int number) : number_(number) {}
  Answer handle(Packet&, Injector&) override { return Answer::kReturn; }
  int number() const { return number_; }
  void set(int number) { number_ = number; }

 private:
  int number_;
};

// Two workers' threads that do nothing but errands.
class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    for (int i = 0; i < 2; i++)
      threads_.emplace_back([this, i] {
        while (!stop_) {
          errands_[i].run(appliances_[i]);
          std::this_thread::yield();
        }
      });
  }
  ~CommandsTest() override {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }

  Commands commands(Controls controls) {
    return {std::move(controls),
            Workers({&errands_[0], &errands_[1]}, 60'000),
            {&counters_[0], &counters_[1]}};
  }

  Controls numbers() {
    Controls controls;
    controls.commands.push_back(
        {"numbers", "the number of each worker",
         [](const json&, const Workers& workers) { return numbers_of(workers); }});
    controls.reload = [this](const Workers& workers) -> Result<ordered_json> {
      if (next_ == 0) return fail("zero is refused", "numbers.yaml");
      SLUICE_TRY_VOID(workers.each([next = next_](size_t worker, Appliance& appliance) {
        static_cast<Numbered&>(appliance).set(next + static_cast<int>(worker));
      }));
      return ordered_json{{"first", next_}};
    };
    controls.metrics = [](const Workers& workers, tunnels::MetricsPage& page) -> Result<> {
      SLUICE_TRY(const ordered_json numbers, numbers_of(workers));
      auto family = page.gauge("test_number", "A number.");
      for (const int number : numbers["numbers"]) family.sample(number, {{"worker", "any"}});
      return {};
    };
    controls.stats = [](const Workers& workers, ordered_json& stats) -> Result<> {
      SLUICE_TRY(stats["mine"], numbers_of(workers));
      return {};
    };
    return controls;
  }

  static Result<ordered_json> numbers_of(const Workers& workers) {
    SLUICE_TRY(const auto numbers, workers.ask<int>([](Appliance& appliance) {
      return static_cast<Numbered&>(appliance).number();
    }));
    return ordered_json{{"numbers", numbers}};
  }

  std::atomic<bool> stop_{false};
  Errands errands_[2];
  Numbered appliances_[2] = {Numbered(7), Numbered(8)};
  Counters counters_[2];
  std::vector<std::thread> threads_;
  int next_ = 20;
};

TEST_F(CommandsTest, EveryWorkerAnswersOnItsThread) {
  Commands c = commands(numbers());
  EXPECT_EQ(c.answer(R"({"command":"numbers"})"), R"({"ok":true,"numbers":[7,8]})");
}

TEST_F(CommandsTest, ReloadReachesEveryWorkerOrNone) {
  Commands c = commands(numbers());
  EXPECT_EQ(c.answer(R"({"command":"reload"})"), R"({"ok":true,"first":20})");
  EXPECT_EQ(c.answer(R"({"command":"numbers"})"), R"({"ok":true,"numbers":[20,21]})");
  next_ = 0;
  EXPECT_EQ(c.answer(R"({"command":"reload"})"),
            R"({"ok":false,"error":"numbers.yaml: zero is refused"})");
  EXPECT_EQ(c.answer(R"({"command":"numbers"})"), R"({"ok":true,"numbers":[20,21]})");
}

TEST_F(CommandsTest, StatsAndMetricsHaveBothParts) {
  Commands c = commands(numbers());
  counters_[1].received.add(5);
  const json stats = json::parse(c.stats());
  EXPECT_EQ(stats["received"], 5);
  EXPECT_EQ(stats["mine"]["numbers"], (json{7, 8}));
  EXPECT_EQ(json::parse(c.answer(R"({"command":"stats"})"))["received"], 5);
  const auto page = c.metrics();
  ASSERT_TRUE(page) << page.error().text();
  EXPECT_NE(page->find("sluice_appliance_events_total{event=\"received\"} 5\n"), std::string::npos);
  EXPECT_NE(page->find("# TYPE test_number gauge\n"), std::string::npos);
  EXPECT_EQ(json::parse(c.answer(R"({"command":"metrics"})"))["text"], *page);
}

TEST_F(CommandsTest, HelpNamesWhatThereIs) {
  const auto names = [](Commands& c) {
    std::string all;
    const json reply = json::parse(c.answer(R"({"command":"help"})"));
    for (const auto& command : reply["commands"])
      all += command["command"].get<std::string>() + " ";
    return all;
  };
  Commands full = commands(numbers());
  EXPECT_EQ(names(full), "help stats metrics reload numbers ");
  Commands bare = commands({});
  EXPECT_EQ(names(bare), "help stats metrics ");
  EXPECT_EQ(bare.answer(R"({"command":"reload"})"),
            R"({"ok":false,"error":"this appliance has nothing to reload"})");
}

TEST_F(CommandsTest, LogFilesAreOpenedAgainWhereThereAreSome) {
  Commands none = commands({});
  EXPECT_TRUE(none.reopen());
  EXPECT_EQ(json::parse(none.answer(R"({"command":"reopen-log-files"})"))["ok"], false);
  int opened = 0;
  Controls controls;
  controls.reopen = [&]() -> Result<> {
    if (opened == 1) return fail("no such directory", "eve.json");
    opened++;
    return {};
  };
  Commands c = commands(std::move(controls));
  EXPECT_NE(c.answer(R"({"command":"help"})").find("\"reopen-log-files\""), std::string::npos);
  EXPECT_EQ(c.answer(R"({"command":"reopen-log-files"})"), R"({"ok":true})");
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(c.answer(R"({"command":"reopen-log-files"})"),
            R"({"ok":false,"error":"eve.json: no such directory"})");
  EXPECT_FALSE(c.reopen());
}

TEST_F(CommandsTest, RefusesWhatIsNoRequest) {
  Controls controls = numbers();
  controls.commands.push_back({"strict",
                               "",
                               [](const json& request, const Workers&) -> Result<ordered_json> {
                                 return ordered_json{{"n", request.at("n").get<int>()}};
                               },
                               {"n"}});
  Commands c = commands(std::move(controls));
  EXPECT_EQ(c.answer(R"({"command":"strict","n":3})"), R"({"ok":true,"n":3})");
  for (const char* bad :
       {"", "{", "[]", "null", "\"stats\"", "{}", R"({"command":7})", R"({"command":"bogus"})",
        R"({"command":"strict"})", R"({"command":"strict","n":"x"})", "\xff\xfe",
        "{\"command\":\"\xff\"}"}) {
    const json reply = json::parse(c.answer(bad));
    EXPECT_EQ(reply["ok"], false) << bad;
    EXPECT_TRUE(reply["error"].is_string()) << bad;
  }
}

// What a request asks for and would not get.
TEST_F(CommandsTest, RefusesMembersThatACommandDoesNotTake) {
  Controls controls = numbers();
  controls.commands.push_back({"limited",
                               "",
                               [](const json& request, const Workers&) -> Result<ordered_json> {
                                 return ordered_json{{"n", request.value("limit", 9)}};
                               },
                               {"limit"}});
  Commands c = commands(std::move(controls));
  EXPECT_EQ(c.answer(R"({"command":"limited"})"), R"({"ok":true,"n":9})");
  EXPECT_EQ(c.answer(R"({"limit":2,"command":"limited"})"), R"({"ok":true,"n":2})");
  EXPECT_EQ(
      c.answer(R"({"command":"limited","arguments":{"limit":1}})"),
      R"({"ok":false,"error":"the command takes no \"arguments\"; `help` says what it takes"})");
  EXPECT_EQ(json::parse(c.answer(R"({"command":"numbers","limit":1})"))["ok"], false);
  EXPECT_EQ(json::parse(c.answer(R"({"command":"stats","limit":1})"))["ok"], false);
  EXPECT_EQ(json::parse(c.answer(R"({"command":"bogus","limit":1})"))["error"],
            "there is no command \"bogus\"; `help` lists them");
}

TEST(WorkersTest, ASilentWorkerIsSaidAndDoesItsErrandLater) {
  Errands errands;
  Numbered appliance(1);
  const Workers workers({&errands}, 1);
  const auto set = [](int number) {
    return [number](size_t, Appliance& a) { static_cast<Numbered&>(a).set(number); };
  };
  const auto late = workers.each(set(2));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().text(), "1 of 1 workers have not answered yet");
  EXPECT_EQ(appliance.number(), 1);
  errands.run(appliance);
  EXPECT_EQ(appliance.number(), 2);

  for (size_t i = 0; i < kErrandsMax; i++) EXPECT_FALSE(workers.each(set(3)));
  const auto refused = workers.each(set(4));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "worker 0: too many requests wait already");
  errands.run(appliance);
  EXPECT_EQ(appliance.number(), 3);
}

}  // namespace
}  // namespace sluice::sdk
