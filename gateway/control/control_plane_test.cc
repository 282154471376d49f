// SPDX-License-Identifier: Apache-2.0
// Commits over a real controller with the process host and a made-up network.
#include "gateway/control/control_plane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gateway/control/config.h"
#include "gateway/control/control_plane_fixture.h"
#include "gateway/control/controller.h"

namespace sluice::gateway {
namespace {

using ControlPlaneTest = ControlPlaneFixture;

Change file(const std::string& yaml) {
  return [yaml](Config& next) { return apply_file(next, *parse_config(yaml, "f")); };
}

std::string errors_of(const CommitResult& result) {
  std::string out;
  if (!result)
    for (const Error& error : result.error()) out += error.text() + "\n";
  return out;
}

TEST_F(ControlPlaneTest, AChangeTakesEffectAsAWhole) {
  const auto done = plane.commit("test", [](Config& next) -> Result<> {
    TargetGroup group;
    group.name = "made";
    group.origin = Origin::kApi;
    group.targets = {{*parse_ip_address("10.9.0.20"), 6081}};
    group.tags["owner"] = "me";
    next.target_groups.push_back(group);
    next.load_balancers[0].listeners[0].default_action.target_group = "made";
    return {};
  });
  ASSERT_TRUE(done) << errors_of(done);
  EXPECT_EQ(done->generation, 2u);
  ASSERT_EQ(done->changes.size(), 2u);
  EXPECT_EQ(done->changes[0].name, "inspect");
  EXPECT_EQ(done->changes[1].before, "");
  EXPECT_NE(done->changes[1].after.find("\"tags\":{\"owner\":\"me\"}"), std::string::npos);
  const TargetGroup& made = *plane.config().target_group("made");
  EXPECT_EQ(made.id.size(), 16u);
  EXPECT_NE(made.created_ms, 0u);
  EXPECT_TRUE(target_is_in_the_table("10.9.0.20"));
}

TEST_F(ControlPlaneTest, NothingChangesWhenAnythingIsWrong) {
  const Config before = plane.config();
  const auto refused = plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups[0].targets.push_back({*parse_ip_address("fd00::1"), 6081});
    next.target_groups[0].attributes["stickiness.type"] = "x";
    next.load_balancers[0].listeners[0].default_action.target_group = "idx";
    return {};
  });
  EXPECT_EQ(errors_of(refused),
            "target_groups[0].attributes.stickiness.type: 'x' is no value of 'stickiness.type'; "
            "expected source_ip_dest_ip or source_ip_dest_ip_proto\n"
            "target_groups[0].targets[2].id: appliances with IPv6 addresses need "
            "gateway.tunnel.ipv6_address\n"
            "load_balancers[0].listeners[0].default_actions[0].target_group: there is no target "
            "group 'idx', did you mean 'ids'?\n");
  EXPECT_EQ(plane.generation(), 1u);
  EXPECT_TRUE(changes_between(before, plane.config()).empty());
}

TEST_F(ControlPlaneTest, TheErrorOfAChangeIsGivenBackAsItIs) {
  const auto refused = plane.commit("test", [](Config&) -> Result<> { return fail("no", "here"); });
  EXPECT_EQ(errors_of(refused), "here: no\n");
}

TEST_F(ControlPlaneTest, ADryRunTellsAndChangesNothing) {
  const auto change = [](Config& next) -> Result<> {
    next.target_groups[0].targets.clear();
    return {};
  };
  const auto told = plane.dry_run(change);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->changes.size(), 1u);
  EXPECT_EQ(plane.config().target_groups[0].targets.size(), 2u);
  EXPECT_EQ(plane.generation(), 1u);
}

TEST_F(ControlPlaneTest, ADryRunRefusesWhatACommitWould) {
  const std::pair<const char*, const char*> edits[] = {
      {"key: 00112233445566778899aabbccddeeff", "key: 10112233445566778899aabbccddeeff"},
      {"address: 10.9.0.1}", "address: 10.9.0.2}"},
      {"outside: out0", "outside: out1"},
      {"interface: gen0", "interface: gen1"},
      {"interface: mgmt0", "interface: mgmt1"}};
  for (const auto& [from, to] : edits) {
    SCOPED_TRACE(to);
    std::string yaml = kFixtureYaml;
    yaml.replace(yaml.find(from), std::string(from).size(), to);
    const std::string told = errors_of(plane.dry_run(file(yaml)));
    EXPECT_NE(told, "");
    EXPECT_EQ(told, errors_of(plane.commit("file", file(yaml))));
  }
}

TEST_F(ControlPlaneTest, TheSameFileAgainIsNoChange) {
  const auto done = plane.commit("file", file(kFixtureYaml));
  ASSERT_TRUE(done) << errors_of(done);
  EXPECT_TRUE(done->changes.empty());
  EXPECT_EQ(done->generation, 1u);
}

TEST_F(ControlPlaneTest, AFileTakesAwayOnlyWhatAFileBrought) {
  ASSERT_TRUE(plane.commit("api", [](Config& next) -> Result<> {
    TargetGroup group;
    group.name = "mine";
    group.origin = Origin::kApi;
    next.target_groups.push_back(group);
    return {};
  }));
  const std::string id = plane.config().target_group("ids")->id;
  std::string yaml = kFixtureYaml;
  yaml.erase(yaml.find("  - {name: spare"));
  const auto done = plane.commit("file", file(yaml));
  ASSERT_TRUE(done) << errors_of(done);
  ASSERT_EQ(done->changes.size(), 1u);
  EXPECT_EQ(done->changes[0].name, "spare");
  EXPECT_EQ(done->changes[0].after, "");
  EXPECT_NE(plane.config().target_group("mine"), nullptr);
  EXPECT_EQ(plane.config().target_group("ids")->id, id);
}

TEST_F(ControlPlaneTest, ProtectedLoadBalancersStay) {
  ASSERT_TRUE(plane.commit("api", [](Config& next) -> Result<> {
    next.load_balancers[1].attributes["deletion_protection.enabled"] = "true";
    return {};
  }));
  const auto remove = [](Config& next) -> Result<> {
    next.load_balancers.erase_if([](const LoadBalancer& lb) { return lb.name == "nlb"; });
    return {};
  };
  EXPECT_EQ(errors_of(plane.commit("api", remove)),
            "load_balancers: load balancer 'nlb' cannot be deleted while "
            "deletion_protection.enabled is true\n");
  EXPECT_NE(plane.config().load_balancer("nlb"), nullptr);
  // Another type under the same name is another load balancer.
  std::string yaml = kFixtureYaml;
  const size_t begin = yaml.find("    type: network");
  yaml.replace(begin, yaml.find("attachments:") - begin,
               "    type: gateway\n    listeners: "
               "[{default_actions: [{type: forward, target_group: ids}]}]\n");
  EXPECT_EQ(errors_of(plane.commit("file", file(yaml))),
            "load_balancers: load balancer 'nlb' cannot become one of type gateway, which would "
            "delete it, while deletion_protection.enabled is true\n");
}

TEST_F(ControlPlaneTest, AFailureOutsideTheDataPathTakesEverythingBack) {
  also_fails = true;
  const auto change = [](Config& next) -> Result<> {
    next.load_balancers[1].listeners[0].port = 7001;
    return {};
  };
  EXPECT_EQ(errors_of(plane.commit("test", change)), "mgmt0: no address\n");
  EXPECT_EQ(plane.config().load_balancers[1].listeners[0].port, 7000);
  EXPECT_EQ(addresses_for.back(), 7000);
  also_fails = false;
  EXPECT_TRUE(plane.commit("test", change));
  EXPECT_EQ(addresses_for.back(), 7001);
}

TEST_F(ControlPlaneTest, AFailureOfTheDataPathTakesEverythingBack) {
  hops.interfaces["out1"] = 7;
  const auto attach = [](Config& next) -> Result<> {
    Attachment attachment = next.attachments[0];
    attachment.id.clear();
    attachment.name = "second";
    attachment.endpoint_id = 2;
    attachment.outside = "out1";
    attachment.inside = "in1";
    next.attachments.push_back(attachment);
    next.load_balancers[1].listeners[0].port = 7001;
    return {};
  };
  EXPECT_EQ(errors_of(plane.commit("test", attach)), "interface in1: there is no such interface\n");
  EXPECT_EQ(plane.config().attachments.size(), 1u);
  EXPECT_EQ(addresses_for.back(), 7000);
  hops.interfaces["in1"] = 5000;
  EXPECT_EQ(errors_of(plane.commit("test", attach)),
            "interface in1: its index 5000 is not below 4096\n");
  EXPECT_EQ(std::ranges::count(addresses_for, 7001), 0) << "it is refused before anything is done";
  hops.interfaces["in1"] = 8;
  EXPECT_TRUE(plane.commit("test", attach));
}

TEST_F(ControlPlaneTest, AnInterfaceThatWentAwayStopsNothingElse) {
  hops.interfaces.erase("in0");
  const auto done = plane.commit("test", [](Config& next) {
    return register_target(next, "ids", {*parse_ip_address("10.9.0.40"), 0});
  });
  ASSERT_TRUE(done) << errors_of(done);
  EXPECT_TRUE(target_is_in_the_table("10.9.0.40"));
}

TEST_F(ControlPlaneTest, IdsOfAFileAreTheSameOnEveryStart) {
  Config again = *parse_config(kFixtureYaml, "f");
  complete(again, 1);
  EXPECT_EQ(again.load_balancers[1].listeners[0].id,
            plane.config().load_balancers[1].listeners[0].id);
  std::set<std::string> ids;
  for (const LoadBalancer& lb : again.load_balancers) {
    ids.insert(lb.id);
    for (const Listener& listener : lb.listeners) ids.insert(listener.id);
  }
  for (const TargetGroup& group : again.target_groups) ids.insert(group.id);
  EXPECT_EQ(ids.size(), 7u);
}

}  // namespace
}  // namespace sluice::gateway
