// SPDX-License-Identifier: Apache-2.0
// A gateway that is killed 200 times while it commits. What a start finds is the state of the last
// commit that was acknowledged, or of the one in flight; and the tables are those of that state.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "gateway/control/gateway_for_test.h"

namespace sluice::gateway {
namespace {

constexpr int kKills = 200;

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
target_groups:
  - {name: echo, protocol: UDP, port: 7000}
  - {name: spare, protocol: UDP, port: 7000}
)";

// What the commit that makes generation `n` does: one object changed, one that comes and goes.
Result<> change(Config& next, uint64_t n) {
  next.load_balancers[0].listeners[0].port = static_cast<uint16_t>(1000 + n % 5000);
  // The store gives objects back in the order of their names.
  TargetGroup& spare = *next.target_groups.edit("spare");
  spare.tags["generation"] = std::to_string(n);
  spare.targets.assign(n % 50, {});
  for (size_t i = 0; i < spare.targets.size(); i++)
    spare.targets[i] = {*parse_ip_address("10.2.0." + std::to_string(i + 1)), 80};
  const std::string name = "g" + std::to_string(n % 3);
  const auto removed =
      next.target_groups.erase_if([&](const TargetGroup& g) { return g.name == name; });
  if (removed != 0) return {};
  TargetGroup group;
  group.name = name;
  group.origin = Origin::kApi;
  next.target_groups.push_back(group);
  return {};
}

// Commits until it is killed, and says each generation that was acknowledged.
[[noreturn]] void commit_forever(const std::string& path, int acknowledged) {
  auto store = Store::open(path);
  if (!store) _exit(2);
  GatewayForTest run({}, std::move(*store));
  if (!run.plane.start(*parse_config(kYaml, "f"))) _exit(3);
  while (true) {
    const uint64_t generation = run.plane.generation();
    if (::write(acknowledged, &generation, sizeof(generation)) != sizeof(generation)) _exit(4);
    const auto done =
        run.plane.commit("test", [&](Config& next) { return change(next, generation + 1); });
    if (!done || done->generation != generation + 1) _exit(5);
  }
}

// Kills a run after a random number of acknowledgements and a random moment; returns the last one.
uint64_t kill_one(const std::string& path, std::minstd_rand& random) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    commit_forever(path, ends[1]);
  }
  ::close(ends[1]);
  uint64_t last = 0;
  for (uint64_t left = 1 + random() % 5; left != 0; left--)
    if (::read(ends[0], &last, sizeof(last)) != sizeof(last)) break;
  ::usleep(random() % 2000);
  ::kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the run ended by itself with " << WEXITSTATUS(status);
  while (::read(ends[0], &last, sizeof(last)) == sizeof(last)) continue;
  ::close(ends[0]);
  return last;
}

// The state of any generation that is not older than the last one asked for.
class Expected {
 public:
  const Config& at(uint64_t generation) {
    while (generation_ < generation) EXPECT_TRUE(change(state_, ++generation_));
    return state_;
  }

 private:
  Config state_ = *parse_config(kYaml, "f");
  uint64_t generation_ = 1;
};

void expect_same(const Config& now, const Config& expected) {
  EXPECT_EQ(now.load_balancers[0].listeners[0].port, expected.load_balancers[0].listeners[0].port);
  ASSERT_EQ(now.target_groups.size(), expected.target_groups.size());
  for (const TargetGroup& group : expected.target_groups) {
    const TargetGroup* found = now.target_group(group.name);
    ASSERT_NE(found, nullptr) << group.name;
    EXPECT_EQ(found->tags, group.tags);
    EXPECT_EQ(found->targets, group.targets);
  }
}

TEST(Kill, AtAnyInstantLosesNothingThatWasAcknowledged) {
  char name[] = "/tmp/sluice-kill-XXXXXX";
  const std::string directory = mkdtemp(name), path = directory + "/state.db";
  std::minstd_rand random(std::random_device{}());
  Expected states;
  uint64_t most = 0;
  for (int i = 0; i < kKills && !testing::Test::HasFailure(); i++) {
    SCOPED_TRACE("kill " + std::to_string(i));
    const uint64_t acknowledged = kill_one(path, random);
    ASSERT_GE(acknowledged, most);
    auto store = Store::open(path);
    ASSERT_TRUE(store) << store.error().text();
    most = (*store)->generation();
    ASSERT_TRUE(most == acknowledged || most == acknowledged + 1)
        << most << " after " << acknowledged;
    if (most == 0) continue;  // killed before the first state
    GatewayForTest run({}, std::move(*store));
    ASSERT_TRUE(run.plane.start(*parse_config(kYaml, "f")));
    const Config& expected = states.at(most);
    expect_same(run.plane.config(), expected);
    GatewayForTest fresh;
    ASSERT_TRUE(fresh.plane.start(expected));
    const Tables &a = run.host->tables(), &b = fresh.host->tables();
    EXPECT_EQ(std::memcmp(a.listeners, b.listeners, sizeof(listener) * kListenersMax), 0);
    EXPECT_EQ(std::memcmp(a.groups, b.groups, sizeof(group) * kGroupsMax), 0);
    EXPECT_EQ(std::memcmp(a.settings, b.settings, sizeof(settings)), 0);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sluice::gateway
