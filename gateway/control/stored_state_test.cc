// SPDX-License-Identifier: Apache-2.0
// States that survive: restarts, rollbacks, and the way through a file.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "gateway/control/control_plane_fixture.h"
#include "gateway/control/export.h"
#include "gateway/control/object_json.h"

namespace sluice::gateway {
namespace {

// A gateway's run over a store that outlives it.
struct GatewayRun : GatewayForTest {
  explicit GatewayRun(const std::string& path)
      : GatewayForTest({}, std::move(*Store::open(path))) {}
};

class StoredStateTest : public testing::Test {
 protected:
  StoredStateTest() {
    char name[] = "/tmp/sluice-state-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/state.db";
  }
  ~StoredStateTest() override { std::filesystem::remove_all(directory); }
  std::string directory, path;
};

Change registering(const char* address) {
  return [=](Config& next) {
    return register_target(next, "ids", {*parse_ip_address(address), 0});
  };
}

TEST_F(StoredStateTest, ARestartContinuesWhereItWas) {
  std::string id;
  {
    GatewayRun run(path);
    run.start(kFixtureYaml);
    ASSERT_TRUE(run.plane.commit("test", registering("10.9.0.30")));
    ASSERT_TRUE(run.plane.commit("test", [](Config& next) -> Result<> {
      TargetGroup group;
      group.name = "made";
      group.origin = Origin::kApi;
      group.tags["a: b"] = "\"quoted\"\n\xc3\xa9";
      next.target_groups.push_back(group);
      return {};
    }));
    id = run.plane.config().target_group("made")->id;
  }
  GatewayRun run(path);
  EXPECT_TRUE(run.start(kFixtureYaml).empty());
  EXPECT_EQ(run.plane.generation(), 3u);
  EXPECT_EQ(run.plane.config().target_group("ids")->targets.size(), 3u);
  const TargetGroup* made = run.plane.config().target_group("made");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->id, id);
  EXPECT_EQ(made->origin, Origin::kApi);
  EXPECT_EQ(made->tags.at("a: b"), "\"quoted\"\n\xc3\xa9");
}

TEST_F(StoredStateTest, AFileThatChangedMeanwhileIsApplied) {
  { GatewayRun(path).start(kFixtureYaml); }
  std::string yaml = kFixtureYaml;
  yaml.replace(yaml.find("10.9.0.12"), 9, "10.9.0.13");
  {
    GatewayRun run(path);
    EXPECT_TRUE(run.start(yaml).empty());
    EXPECT_EQ(run.plane.generation(), 2u);
    EXPECT_EQ(run.plane.config().target_group("ids")->targets[1].address.text(), "10.9.0.13");
  }
  // A comment is no change of the state.
  GatewayRun run(path);
  EXPECT_TRUE(run.start("# comment\n" + yaml).empty());
  EXPECT_EQ(run.plane.generation(), 2u);
}

TEST_F(StoredStateTest, AFileThatCannotBeAppliedLeavesTheStoredState) {
  {
    GatewayRun run(path);
    run.start(kFixtureYaml);
    ASSERT_TRUE(run.plane.commit("test", [](Config& next) -> Result<> {
      next.load_balancers[1].attributes["deletion_protection.enabled"] = "true";
      return {};
    }));
  }
  std::string yaml = kFixtureYaml;
  const size_t begin = yaml.find("  - name: nlb");
  yaml.erase(begin, yaml.find("attachments:") - begin);
  GatewayRun run(path);
  const auto errors = run.start(yaml);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_NE(errors[0].text().find("cannot be deleted"), std::string::npos);
  EXPECT_NE(run.plane.config().load_balancer("nlb"), nullptr);
}

// The fixture's file with a network, and a group that refers to it.
std::string with_network(const std::string& vpc, const std::string& instances,
                         const std::string& targets) {
  return kFixtureYaml +
         ("  - {name: inside, protocol: UDP, port: 7000, target_type: instance, vpc_id: " + vpc +
          ", targets: [" + targets + "]}\n") +
         "network:\n  vpcs: [{id: " + vpc + ", cidr: 10.0.0.0/8}]\n" +
         "  subnets: [{id: s, vpc: " + vpc + ", zone: a, cidr: 10.1.0.0/24}]\n  instances: [" +
         instances + "]\n";
}
const char kFirst[] = "{id: i-1, address: 10.1.0.21, subnet: s}";
const char kBoth[] =
    "{id: i-1, address: 10.1.0.21, subnet: s}, {id: i-2, address: 10.1.0.22, subnet: s}";

// The stored objects do not fit the sections of the new file; the new file's objects do.
TEST_F(StoredStateTest, AFileThatChangedAsAWholeIsApplied) {
  const std::string all = with_network("vpc-1", kBoth, "{id: 10.1.0.21}, {id: 10.1.0.22}");
  std::string hints = with_network("vpc-1", kBoth, "{id: 10.1.0.21}");
  hints.insert(hints.find("load_balancers:"),
               "  hints: [{hint: 1, type: forward, target_group: deep}]\n");
  hints.insert(hints.find("network:"), "  - {name: deep, protocol: GENEVE}\n");
  for (const std::string& edited :
       {with_network("vpc-2", kBoth, "{id: 10.1.0.21}, {id: 10.1.0.22}"),
        with_network("vpc-1", kFirst, "{id: 10.1.0.21}"), hints}) {
    SCOPED_TRACE(edited);
    std::filesystem::remove(path);
    { GatewayRun(path).start(all); }
    {
      GatewayRun run(path);
      EXPECT_TRUE(run.start(edited).empty());
      EXPECT_EQ(run.plane.generation(), 2u);
      Config next = run.plane.config();
      ASSERT_TRUE(apply_file(next, *parse_config(edited, "f")));
      EXPECT_TRUE(next.network == run.plane.config().network);
      EXPECT_TRUE(changes_between(run.plane.config(), next).empty());
    }
    GatewayRun again(path);
    EXPECT_TRUE(again.start(edited).empty());
    EXPECT_EQ(again.plane.generation(), 2u);
  }
}

// Another file brought its own network, which is not stored.
TEST_F(StoredStateTest, AStateThatDoesNotFitTheSameFileIsBroughtBackToIt) {
  const std::string yaml = with_network("vpc-1", kBoth, "{id: 10.1.0.21}");
  {
    GatewayRun run(path);
    run.start(yaml);
    const Config other = *parse_config(with_network("vpc-2", kBoth, "{id: 10.1.0.21}"), "g");
    ASSERT_TRUE(run.plane.commit("apply", [&](Config& next) { return apply_file(next, other); }));
  }
  GatewayRun run(path);
  EXPECT_TRUE(run.start(yaml).empty());
  EXPECT_EQ(run.plane.generation(), 3u);
  EXPECT_EQ(run.plane.config().target_group("inside")->vpc, "vpc-1");
}

// Neither the file's objects nor the stored ones can run: both reasons are told.
TEST_F(StoredStateTest, AStateThatFitsNoFileIsRefusedWithBothReasons) {
  {
    GatewayRun run(path);
    run.start(with_network("vpc-1", kBoth, "{id: 10.1.0.21}"));
    ASSERT_TRUE(run.plane.commit("test", [](Config& next) -> Result<> {
      TargetGroup made = *next.target_group("inside");
      made.name = "made";
      made.id.clear();
      made.origin = Origin::kApi;
      next.target_groups.push_back(made);
      next.load_balancers[1].attributes["deletion_protection.enabled"] = "true";
      return {};
    }));
  }
  std::string yaml = with_network("vpc-2", kBoth, "{id: 10.1.0.21}");
  GatewayRun run(path);
  const auto started = run.plane.start(*parse_config(yaml, "f"));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().text(),
            "f: the file cannot be applied to the state in the store: target_groups[4].vpc_id: "
            "there is no VPC 'vpc-1' in network.vpcs; nor can that state run with the file: "
            "target_groups[2].vpc_id: there is no VPC 'vpc-1' in network.vpcs");
}

TEST_F(StoredStateTest, AnInterfaceThatIsGoneDoesNotStopARestart) {
  { GatewayRun(path).start(kFixtureYaml); }
  GatewayRun run(path);
  run.hops.interfaces.erase("in0");
  EXPECT_TRUE(run.start(kFixtureYaml).empty());
}

TEST_F(StoredStateTest, RollbackIsAGenerationOfItsOwn) {
  GatewayRun run(path);
  run.start(kFixtureYaml);
  const Config first = run.plane.config();
  ASSERT_TRUE(run.plane.commit("test", registering("10.9.0.30")));
  ASSERT_TRUE(run.plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups.erase_if([](const auto& g) { return g.name == "spare"; });
    return {};
  }));
  const auto back = run.plane.change_to(1);
  ASSERT_TRUE(back);
  const auto done = run.plane.commit("rollback to 1", *back);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->generation, 4u);
  EXPECT_TRUE(changes_between(first, run.plane.config()).empty());
  ASSERT_TRUE(run.plane.commit("rollback to 3", *run.plane.change_to(3)));
  EXPECT_EQ(run.plane.config().target_group("spare"), nullptr);
  EXPECT_EQ(run.plane.config().target_group("ids")->targets.size(), 3u);
  EXPECT_FALSE(run.plane.change_to(9));
  EXPECT_EQ((*run.plane.store().history(9))[1].author, "rollback to 1");
}

TEST(Export, EveryExampleReadsBackToNoChange) {
  for (const auto& entry :
       std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/docs/features/examples")) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path());
    auto config = read_config(entry.path());
    if (!config) continue;  // another program's
    Config running = *config;
    complete(running, 1);
    const std::string yaml = export_yaml(running);
    auto again = parse_config(yaml, "export");
    ASSERT_TRUE(again) << again.error().front().text() << "\n" << yaml;
    Config next = running;
    ASSERT_TRUE(apply_file(next, *again));
    complete(next, 2);
    const auto changes = changes_between(running, next);
    EXPECT_TRUE(changes.empty()) << changes[0].before << "\n" << changes[0].after;
    EXPECT_TRUE(next.gateway == running.gateway);
    EXPECT_TRUE(next.network == running.network);
  }
}

TEST(Export, WhatAnApiMadeStaysItsOwn) {
  Config running = *parse_config(kFixtureYaml, "f");
  TargetGroup group = running.target_groups[0];
  group.name = "made";
  group.origin = Origin::kApi;
  running.target_groups.push_back(group);
  Attachment attachment = running.attachments[0];
  attachment.name = "made";
  attachment.endpoint_id = 2;
  attachment.outside = "a";
  attachment.inside = "b";
  attachment.origin = Origin::kApi;
  running.attachments.push_back(attachment);
  complete(running, 1);

  Config next = running;
  ASSERT_TRUE(apply_file(next, *parse_config(export_yaml(running), "export")));
  EXPECT_TRUE(changes_between(running, next).empty());
  ASSERT_TRUE(apply_file(next, *parse_config(kFixtureYaml, "f")));
  EXPECT_TRUE(changes_between(running, next).empty());

  // A file that says something else about it takes it over.
  std::string yaml = export_yaml(running);
  yaml.replace(yaml.rfind("10.9.0.12"), 9, "10.9.0.13");
  ASSERT_TRUE(apply_file(next, *parse_config(yaml, "f")));
  EXPECT_EQ(next.target_group("made")->origin, Origin::kFile);
  EXPECT_EQ(next.target_group("made")->id, running.target_group("made")->id);
}

TEST(ObjectJson, ReadsBackAsItWas) {
  LoadBalancer lb;
  lb.name = "a";
  lb.id = "0123456789abcdef";
  lb.created_ms = 1'700'000'000'000;
  lb.origin = Origin::kApi;
  lb.type = LoadBalancerType::kApplication;
  lb.scheme = Scheme::kInternetFacing;
  lb.subnet_mappings = {{"subnet-1", *parse_ip_address("10.0.0.5")}, {"subnet-2", {}}};
  lb.security_groups = {"sg-1"};
  lb.attributes = {{"deletion_protection.enabled", "true"}};
  lb.tags = {{"k", "v"}};
  Listener& listener = lb.listeners.emplace_back();
  listener.protocol = Protocol::kHttp;
  listener.port = 80;
  listener.default_action.target_group = "g";
  Rule& rule = listener.rules.emplace_back();
  rule.priority = 7;
  rule.id = "fedcba9876543210";
  rule.conditions = {{ConditionField::kHostHeader, {"a.example", "*.b"}},
                     {ConditionField::kHttpHeader, {"*1*"}, "X-V"},
                     {ConditionField::kHttpRequestMethod, {"GET"}},
                     {ConditionField::kQueryString, {}, "", {{"k", "v"}, {"", "w"}}},
                     {ConditionField::kSourceIp, {"10.0.0.0/8"}}};
  rule.action.weighted = {{"g", 3}, {"h", 0}};
  listener.rules.push_back({{}, 8, {{ConditionField::kPathPattern, {"/"}}}, {}});
  listener.rules.back().action.redirect = Redirect{.protocol = "HTTPS", .port = "443"};
  listener.rules.push_back({{}, 9, {{ConditionField::kPathPattern, {"/"}}}, {}});
  listener.rules.back().action.fixed_response = FixedResponse{404, "text/html", "<b>\"no\"</b>\n"};
  TargetGroup group;
  group.name = "g";
  group.protocol = Protocol::kHttp;
  group.port = 80;
  group.target_type = TargetType::kInstance;
  group.ip_version = 6;
  group.vpc = "vpc-1";
  group.health_check = default_health_check(group.protocol, HealthProtocol::kGrpc);
  group.health_check.interval_s = 5;
  group.health_check.timeout_s = 2;
  group.health_check.matcher = "0-5";
  group.targets = {{*parse_ip_address("fd00::1"), 80}, {*parse_ip_address("fd00::2"), 81}};
  Attachment attachment;
  attachment.name = "e";
  attachment.endpoint_id = UINT64_MAX;
  attachment.attachment_id = 3;
  attachment.outside = "o";
  attachment.inside = "i";
  attachment.load_balancer = "a";
  attachment.subnet = "subnet-1";
  attachment.service = "s";
  EndpointService service;
  service.name = "s";
  service.load_balancer = "a";

  Config into;
  const auto read = [&](ObjectKind kind, const auto& object) {
    auto result = read_object(kind, to_json(object).dump(), into);
    EXPECT_TRUE(result) << result.error().text();
  };
  read(ObjectKind::kLoadBalancer, lb);
  read(ObjectKind::kTargetGroup, group);
  read(ObjectKind::kAttachment, attachment);
  read(ObjectKind::kEndpointService, service);
  EXPECT_TRUE(into.load_balancers[0] == lb) << to_json(into.load_balancers[0]).dump();
  EXPECT_TRUE(into.target_groups[0] == group) << to_json(into.target_groups[0]).dump();
  EXPECT_TRUE(into.attachments[0] == attachment);
  EXPECT_TRUE(into.endpoint_services[0] == service);
  EXPECT_FALSE(read_object(ObjectKind::kTargetGroup, "{\"name\": 1, \"x\": 2}", into));
  EXPECT_FALSE(read_object(ObjectKind::kTargetGroup, "garbage", into));
}

}  // namespace
}  // namespace sluice::gateway
