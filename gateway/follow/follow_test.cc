// SPDX-License-Identifier: Apache-2.0
// The daemon's and the proxy's side against each other, and each against whatever else may come.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "gateway/control/changes.h"
#include "gateway/control/gateway_for_test.h"
#include "gateway/follow/follower.h"
#include "gateway/follow/publisher.h"

namespace sluice::gateway {
namespace {

constexpr const char* kYaml = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
network:
  vpcs: [{id: vpc-lab, cidr: 10.0.0.0/8}]
  subnets: [{id: subnet-a, vpc: vpc-lab, zone: zone-a, cidr: 10.1.0.0/24}]
  instances: [{id: i-one, address: 10.1.0.11, subnet: subnet-a}]
  security_groups: [{id: sg-1, vpc: vpc-lab}]
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: shop
    type: application
    security_groups: [sg-1]
    subnet_mappings: [{subnet: subnet-a, address: 10.1.0.80}]
    tags: {secret: tag}
    listeners: [{protocol: HTTP, port: 80, default_actions: [{type: forward, target_group: web}]}]
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - name: web
    protocol: HTTP
    port: 8080
    vpc_id: vpc-lab
    attributes: {deregistration_delay.timeout_seconds: 7}
    discover: {file: /etc/sluice/web.targets}
    targets: [{id: 10.1.0.11}]
)";

const TargetName kWebOne{"web", {*parse_ip_address("10.1.0.11"), 8080}};

class FollowTest : public testing::Test, protected GatewayForTest {
 protected:
  FollowTest() {
    char name[] = "/tmp/follow_test.XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/proxies.sock";
    start(kYaml);
    publish();
  }
  ~FollowTest() override {
    follower.reset();
    publisher.reset();
    std::filesystem::remove_all(folder);
  }

  void publish() {
    auto made = Publisher::create(*loop, plane, controller.applications(), events, path, "nobody");
    ASSERT_TRUE(made) << made.error().text();
    publisher = std::move(*made);
  }
  void follow() {
    follower = std::make_unique<Follower>(
        *loop, path,
        Follower::World{
            [this](const Config& state, uint64_t generation) -> Result<> {
              if (!refusal.empty()) return fail(refusal);
              taken = state;
              taken_generation = generation;
              return {};
            },
            [this](const TargetName& name) {
              const auto at = health.find(name);
              return at == health.end() ? TargetHealth{HealthState::kUnused, "", ""} : at->second;
            },
            [this] {
              std::set<TargetName> names;
              for (const auto& [name, state] : health) names.insert(name);
              return names;
            },
            [this] { return listeners; },
            [this](const std::string& text) { said.push_back(text); }});
    follower->start();
  }
  // Turns the loop until it holds.
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 3000; i++) {
      if (condition()) return true;
      loop->turn(10);
    }
    return false;
  }
  HealthState told() const {
    const TargetGroup& group = *plane.config().target_group("web");
    return controller.target_health(group, group.targets[0]).state;
  }
  CommitResult add_group(const std::string& name) {
    return plane.commit("test", [&](Config& next) -> Result<> {
      TargetGroup group = *next.target_group("web");
      group.name = name;
      group.id.clear();
      next.target_groups.push_back(group);
      return {};
    });
  }
  // Somebody who is no proxy says this and listens until the daemon hangs up.
  bool is_hung_up_on(const std::string& said_by_them) {
    auto fd = connect_unix(path);
    EXPECT_TRUE(fd);
    bool ended = false;
    auto socket = LineSocket::create(
        *loop, std::move(*fd), {kStateLineMax, 256 << 20},
        [](std::string_view) -> Result<> { return {}; }, [&](const std::string&) { ended = true; });
    EXPECT_TRUE(socket);
    EXPECT_TRUE((*socket)->write(said_by_them));
    (void)(*socket)->flush();
    return eventually([&] { return ended; });
  }

  std::string folder, path;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Follower> follower;
  Config taken;
  uint64_t taken_generation = 0;
  std::string refusal;
  std::map<TargetName, TargetHealth> health;
  std::map<std::string, ServedListeners> listeners;
  std::vector<std::string> said;
};

TEST_F(FollowTest, TheWholeAndThenEachChange) {
  follow();
  ASSERT_TRUE(eventually([&] { return taken_generation == plane.generation(); }));
  ASSERT_EQ(taken.load_balancers.size(), 1u);
  EXPECT_EQ(addresses_of(taken.load_balancers[0], taken.load_balancers[0].listeners[0])[0].text(),
            "10.1.0.80");
  EXPECT_TRUE(taken.load_balancers[0].tags.empty());
  ASSERT_EQ(taken.target_groups.size(), 1u);
  EXPECT_EQ(taken.target_groups[0].targets, (std::vector<Target>{kWebOne.target}));
  EXPECT_EQ(taken.target_groups[0].attributes,
            (Attributes{{"deregistration_delay.timeout_seconds", "7"}}));
  EXPECT_EQ(taken.gateway.key.k0, 0u);

  ASSERT_TRUE(add_group("more"));
  ASSERT_TRUE(eventually([&] { return taken.target_groups.size() == 2; }));
  EXPECT_EQ(taken_generation, plane.generation());
  ASSERT_TRUE(plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups.erase_if([](const auto& group) { return group.name == "more"; });
    next.load_balancers[1].listeners[0].default_action = {};
    next.load_balancers[1].listeners[0].default_action.fixed_response = FixedResponse{};
    return {};
  }));
  ASSERT_TRUE(eventually([&] { return taken.target_groups.size() == 1; }));
  EXPECT_TRUE(taken.load_balancers[0].listeners[0].default_action.fixed_response);
  EXPECT_EQ(follower->counters().connections, 1u);
}

TEST_F(FollowTest, WhatDoesNotConcernApplicationsIsNotTold) {
  follow();
  ASSERT_TRUE(eventually([&] { return taken_generation == plane.generation(); }));
  const uint64_t states = follower->counters().states;
  ASSERT_TRUE(plane.commit("test", [](Config& next) {
    return register_target(next, "ids", {*parse_ip_address("10.9.0.12"), 6081});
  }));
  ASSERT_TRUE(add_group("more"));
  ASSERT_TRUE(eventually([&] { return taken.target_groups.size() == 2; }));
  EXPECT_EQ(follower->counters().states, states + 1);
}

TEST_F(FollowTest, WhatTheProxySaysIsWhatIsTold) {
  EXPECT_EQ(told(), HealthState::kUnavailable);  // nobody serves it
  EXPECT_STREQ(state_of(controller.applications(), plane.config().load_balancers[1]).code,
               "provisioning");
  listeners["shop"] = {{"10.1.0.80:80", ""}};
  follow();
  ASSERT_TRUE(eventually([&] { return told() == HealthState::kInitial; }));
  const LoadBalancer& shop = *plane.config().load_balancer("shop");
  EXPECT_STREQ(state_of(controller.applications(), shop).code, "active");

  health[kWebOne] = {HealthState::kUnhealthy, "Target.Timeout", "no answer"};
  follower->target_changed(kWebOne);
  ASSERT_TRUE(eventually([&] { return told() == HealthState::kUnhealthy; }));
  const TargetHealth now =
      controller.target_health(*plane.config().target_group("web"), kWebOne.target);
  EXPECT_EQ(now.reason, "Target.Timeout");
  EXPECT_EQ(now.description, "no answer");
  EXPECT_EQ(events.published(EventKind::kHealth), 1u);

  listeners["shop"] = {{"10.1.0.80:80", "address in use"}};
  follower->listeners_changed();
  EXPECT_TRUE(eventually(
      [&] { return std::string(state_of(controller.applications(), shop).code) == "failed"; }));
  follower.reset();
  EXPECT_TRUE(eventually([&] { return told() == HealthState::kUnavailable; }));
  EXPECT_EQ(publisher->proxies(), 0u);
}

TEST_F(FollowTest, ADaemonThatComesBackHearsEverythingAgain) {
  listeners["shop"] = {{"10.1.0.80:80", ""}};
  health[kWebOne] = {HealthState::kHealthy, "", "200"};
  follow();
  ASSERT_TRUE(eventually([&] { return told() == HealthState::kHealthy; }));
  publisher.reset();
  ASSERT_TRUE(eventually([&] { return !follower->connected(); }));
  EXPECT_EQ(taken.load_balancers.size(), 1u);  // goes on
  ASSERT_TRUE(add_group("meanwhile"));
  publish();
  ASSERT_TRUE(eventually([&] { return taken.target_groups.size() == 2; }));
  EXPECT_TRUE(eventually([&] { return told() == HealthState::kHealthy; }));
  EXPECT_EQ(said.back(), "sluiced is followed again");
}

TEST_F(FollowTest, ADaemonThatStartsLaterIsFound) {
  publisher.reset();
  follow();
  ASSERT_TRUE(eventually([&] { return !said.empty(); }));
  EXPECT_FALSE(follower->connected());
  publish();
  EXPECT_TRUE(eventually([&] { return taken.load_balancers.size() == 1; }));
}

TEST_F(FollowTest, AStateThatCannotBeServedIsAskedForAgain) {
  refusal = "no";
  follow();
  ASSERT_TRUE(eventually([&] { return follower->counters().refused >= 2; }));
  EXPECT_TRUE(taken.load_balancers.empty());
  refusal.clear();
  EXPECT_TRUE(eventually([&] { return taken.load_balancers.size() == 1; }));
}

TEST_F(FollowTest, WhoeverTalksNonsenseIsHungUpOn) {
  const std::string bad[] = {
      "garbage",
      "[]",
      "{}",
      "\xff\xfe",
      R"({"targets":[1]})",
      R"({"targets":[{"target_group":"web","id":"x","port":80,"state":"healthy"}]})",
      R"({"targets":[{"target_group":"web","id":"10.1.0.11","port":0,"state":"healthy"}]})",
      R"({"targets":[{"target_group":"web","id":"10.1.0.11","port":80,"state":"splendid"}]})",
      R"({"load_balancers":["shop"]})",
      std::string(kReportLineMax + 1, ' '),
      std::string(100'000, '['),
  };
  uint64_t dropped = 0;
  for (const std::string& one : bad) {
    EXPECT_TRUE(is_hung_up_on(one)) << one.substr(0, 80);
    EXPECT_GE(publisher->dropped() + (one.size() > kReportLineMax), dropped);
    dropped = publisher->dropped();
  }
  EXPECT_EQ(dropped, std::size(bad) - 1);  // a line that is too long is nobody's words
  EXPECT_EQ(publisher->proxies(), 0u);
  EXPECT_EQ(told(), HealthState::kUnavailable);
}

TEST_F(FollowTest, OfStrangeTargetsNothingIsKept) {
  std::vector<TargetReport> reports;
  for (uint16_t port = 1; port <= kReportTargetsMax; port++)
    reports.push_back({{"web", {*parse_ip_address("10.9.9.9"), port}},
                       {HealthState::kHealthy, "", std::string(10'000, 'x')}});
  auto parsed = parse_report(targets_line(reports));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->targets[0].health.description.size(), 512u);
  listeners["shop"] = {};
  for (const auto& report : reports) health[report.name] = report.health;
  follow();
  ASSERT_TRUE(eventually([&] { return told() == HealthState::kInitial; }));
  EXPECT_EQ(controller.applications().targets(1), 0u);
}

TEST_F(FollowTest, ProxiesAreBounded) {
  std::vector<UniqueFd> many;
  for (size_t i = 0; i < Publisher::kProxiesMax + 3; i++) {
    auto fd = connect_unix(path);
    if (fd) many.push_back(std::move(*fd));
    loop->turn(0);
  }
  EXPECT_TRUE(eventually([&] { return publisher->proxies() == Publisher::kProxiesMax; }));
  EXPECT_TRUE(eventually([&] { return publisher->refused() >= 1; }));
}

// ---- what a proxy may hear ----

std::string whole_state() {
  auto config = parse_config(kYaml, "f");
  EXPECT_TRUE(config);
  std::string text = begin_line(true) + "\n";
  for (const ObjectChange& change : changes_between({}, application_part(*config)))
    text += object_line(change) + "\n";
  return text + end_line(7) + "\n";
}

// How many states were taken before a line was refused.
struct Heard {
  size_t states = 0;
  bool refused = false;
  Config last;
};
Heard hear(std::string_view text) {
  Heard heard;
  StateReader reader([&](const Config& state, uint64_t) -> Result<> {
    ++heard.states;
    heard.last = state;
    return {};
  });
  while (!text.empty() && !heard.refused) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end == text.size()) break;  // a line without its end is no line
    heard.refused = !reader.take_line(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return heard;
}

TEST(StateReader, CutAnywhereNothingIsTaken) {
  const std::string text = whole_state();
  EXPECT_EQ(hear(text).states, 1u);
  for (size_t cut = 0; cut < text.size(); cut++)
    EXPECT_EQ(hear(text.substr(0, cut)).states, 0u) << cut;
}

TEST(StateReader, OneByteAnotherAndItIsStillValidOrRefused) {
  const std::string text = whole_state();
  for (size_t at = 0; at < text.size(); at++) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 0x15);
    const Heard heard = hear(changed);
    EXPECT_TRUE(heard.states == 0 || validate(heard.last).empty()) << at;
  }
}

TEST(StateReader, WhatIsNoStateIsRefused) {
  const std::string group =
      R"({"kind":"target_group","name":"web","object":{"name":"web","protocol":"HTTP","port":80,"targets":[]}})";
  const std::string texts[] = {
      "garbage\n",
      "{\"end\":1}\n",
      group + "\n",
      begin_line(true) + "\n" + begin_line(true) + "\n",
      "{\"begin\":\"maybe\"}\n",
      begin_line(true) + "\n{\"kind\":\"attachment\",\"name\":\"a\"}\n",
      begin_line(true) + "\n{\"kind\":\"target_group\",\"name\":\"a\",\"object\":7}\n",
      begin_line(true) + "\n{\"kind\":\"target_group\",\"name\":\"other\"" + group.substr(36) +
          "\n",
      begin_line(true) + "\n{\"end\":-1}\n",
      begin_line(true) +
          "\n{\"kind\":\"load_balancer\",\"name\":\"x\",\"object\":{\"name\":\"x\",\"type\":"
          "\"gateway\",\"listeners\":[]}}\n{\"end\":1}\n",
      // A group that is not there.
      begin_line(true) +
          "\n{\"kind\":\"load_balancer\",\"name\":\"x\",\"object\":{\"name\":\"x\",\"type\":"
          "\"application\",\"listeners\":[{\"protocol\":\"HTTP\",\"address\":\"10.0.0.1\",\"port\":"
          "80,"
          "\"default_actions\":[{\"type\":\"forward\",\"target_group\":\"gone\"}]}]}}\n{\"end\":1}"
          "\n",
  };
  for (const std::string& text : texts) {
    const Heard heard = hear(text);
    EXPECT_TRUE(heard.refused) << text;
    EXPECT_EQ(heard.states, 0u) << text;
  }
  std::string many = begin_line(true) + "\n";
  for (size_t i = 0; i <= kStateObjectsMax; i++)
    many += "{\"kind\":\"target_group\",\"name\":\"g" + std::to_string(i) + "\"}\n";
  EXPECT_TRUE(hear(many).refused);
}

}  // namespace
}  // namespace sluice::gateway
