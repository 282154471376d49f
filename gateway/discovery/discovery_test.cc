// SPDX-License-Identifier: Apache-2.0
// Groups that follow a file or a DNS name: the sources are real bytes over real sockets, the
// control plane and its process host are whole.
#include "gateway/control/changes.h"
#include "gateway/control/validate.h"
#include "gateway/discovery/discovery_fixture.h"
#include "gateway/discovery/target_list.h"
#include "gateway/store/store.h"

namespace sluice::gateway {
namespace {

TEST_F(DiscoveryTest, FollowsAFile) {
  write("10.9.0.21\n10.9.0.22\n");
  set("ids", {{"sluice.discover.file", folder + "/ids"}});
  EXPECT_TRUE(becomes("ids", "10.9.0.21:6081 10.9.0.22:6081"));
  EXPECT_EQ(plane.store().history(1)->at(0).author, "discovery:ids");
  const uint64_t generation = plane.generation();

  write("10.9.0.21\nnonsense\n");  // what is wrong changes nothing, and is said with its line
  EXPECT_TRUE(eventually([&] { return known("ids").failures > 0; }));
  EXPECT_EQ(targets("ids"), "10.9.0.21:6081 10.9.0.22:6081");
  EXPECT_EQ(told.back(), "target group ids follows file:" + folder + "/ids: " + folder +
                             "/ids:2: no IP address; the targets stay as they are");
  write("10.9.0.22\n10.9.0.21\n");  // the same in another order: no generation
  EXPECT_TRUE(eventually([&] { return known("ids").trouble.empty(); }));
  EXPECT_EQ(plane.generation(), generation);

  std::filesystem::remove(folder + "/ids");
  EXPECT_TRUE(eventually([&] { return !known("ids").trouble.empty(); }));
  EXPECT_EQ(targets("ids"), "10.9.0.21:6081 10.9.0.22:6081");
  std::ofstream(folder + "/ids") << "10.9.0.23\n";  // written in place
  EXPECT_TRUE(becomes("ids", "10.9.0.23:6081"));
  write("[]\n");
  EXPECT_TRUE(becomes("ids", ""));
  write("10.9.0.24\n");
  EXPECT_TRUE(becomes("ids", "10.9.0.24:6081"));
  EXPECT_TRUE(target_is_in_the_table("10.9.0.24"));
}

TEST_F(DiscoveryTest, AFileMayComeLateAndBehindALink) {
  const std::string deep = folder + "/later/data";
  set("ids", {{"sluice.discover.file", folder + "/later/ids"}});
  EXPECT_TRUE(eventually([&] { return known("ids").failures > 0; }));
  std::filesystem::create_directories(deep + "1");
  std::filesystem::create_directories(deep + "2");
  std::ofstream(deep + "1/ids") << "10.9.0.31\n";
  std::ofstream(deep + "2/ids") << "10.9.0.32\n";
  std::filesystem::create_symlink(deep + "1", deep);
  std::filesystem::create_symlink("data/ids", folder + "/later/ids");
  EXPECT_TRUE(becomes("ids", "10.9.0.31:6081"));
  std::filesystem::create_symlink(deep + "2", deep + ".new");
  std::filesystem::rename(deep + ".new", deep);  // as a ConfigMap is changed
  EXPECT_TRUE(becomes("ids", "10.9.0.32:6081"));
  std::filesystem::rename(folder + "/later", folder + "/gone");
  EXPECT_TRUE(eventually([&] { return !known("ids").trouble.empty(); }));
  EXPECT_EQ(targets("ids"), "10.9.0.32:6081");
  std::filesystem::create_directory(folder + "/later");
  std::ofstream(folder + "/later/ids") << "10.9.0.33\n";
  EXPECT_TRUE(becomes("ids", "10.9.0.33:6081"));
}

TEST_F(DiscoveryTest, FollowsANameAndItsTtl) {
  dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.0.41"}, {"10.9.0.42"}, {"127.0.0.1"}};
  set("ids", {{"sluice.discover.dns.name", "ids.example."},
              {"sluice.discover.dns.servers", dns.address()}});
  EXPECT_TRUE(becomes("ids", "10.9.0.41:6081 10.9.0.42:6081"));
  // An address that no packet can be sent to is left out, and that is said once.
  EXPECT_TRUE(eventually([&] { return known("ids").unusable > 2; }));
  const auto about = [](const std::string& text) { return text.find("127.0.0.1") != text.npos; };
  EXPECT_EQ(std::ranges::count_if(told, about), 1);

  dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.0.42"}};
  EXPECT_TRUE(becomes("ids", "10.9.0.42:6081"));
  // Servers that fail, and names that are not there any more, take nothing away.
  dns.fails = true;
  EXPECT_TRUE(eventually([&] { return known("ids").failures > 1; }));
  EXPECT_NE(known("ids").trouble.find("DNS"), std::string::npos) << known("ids").trouble;
  dns.fails = false;
  dns.records.clear();
  const uint64_t failures = known("ids").failures;
  EXPECT_TRUE(eventually([&] { return known("ids").failures > failures + 1; }));
  EXPECT_EQ(known("ids").trouble, "the name has no such records");
  EXPECT_EQ(targets("ids"), "10.9.0.42:6081");
  dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.0.43"}};
  EXPECT_TRUE(becomes("ids", "10.9.0.43:6081"));
}

TEST_F(DiscoveryTest, ALongTtlIsObeyed) {
  // 100 of the test's seconds: far more than the floor, and less than the ceiling.
  dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.0.41", 0, 100}};
  set("ids", {{"sluice.discover.dns.name", "ids.example"},
              {"sluice.discover.dns.servers", dns.address()}});
  EXPECT_TRUE(becomes("ids", "10.9.0.41:6081"));
  const uint64_t asked_ms = loop->now_ms();
  const int questions = dns.questions;
  EXPECT_TRUE(eventually([&] { return dns.questions > questions; }));
  // The answer came a little before it took effect.
  EXPECT_GE(loop->now_ms() - asked_ms, 100 * kSecondMs - 2 * kCollectMs);
}

TEST_F(DiscoveryTest, FollowsServicesWithTheirPorts) {
  dns.records[{"_web._tcp.example", kDnsTypeSrv}] = {{"a.example", 8001}, {"b.example", 8002}};
  dns.records[{"a.example", kDnsTypeA}] = {{"10.1.0.31"}};
  dns.records[{"b.example", kDnsTypeA}] = {{"10.1.0.32"}, {"10.1.0.33"}};
  set("echo", {{"sluice.discover.dns.name", "_web._tcp.example"},
               {"sluice.discover.dns.record", "SRV"},
               {"sluice.discover.dns.servers", dns.address()}});
  EXPECT_TRUE(becomes("echo", "10.1.0.31:8001 10.1.0.32:8002 10.1.0.33:8002"));
  dns.records.erase({"b.example", kDnsTypeA});  // a host without an address is left out
  EXPECT_TRUE(becomes("echo", "10.1.0.31:8001"));
  EXPECT_TRUE(std::ranges::any_of(
      told, [](const auto& text) { return text.ends_with("b.example has no address"); }));
}

TEST_F(DiscoveryTest, NobodyElseSetsWhatIsFound) {
  write("10.9.0.21\n");
  set("ids", {{"sluice.discover.file", folder + "/ids"}});
  EXPECT_TRUE(becomes("ids", "10.9.0.21:6081"));
  const auto by_hand = plane.commit("test", [](Config& next) {
    return register_target(next, "ids", {*parse_ip_address("10.9.0.50"), 0});
  });
  ASSERT_FALSE(by_hand);
  EXPECT_NE(by_hand.error()[0].what.find("are found by file:"), std::string::npos);

  // A state of the past has the targets of the past, and then those of today again.
  const auto back = plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups[0].targets = {{*parse_ip_address("10.9.0.11"), 6081}};
    return {};
  });
  ASSERT_TRUE(back);
  EXPECT_EQ(targets("ids"), "10.9.0.11:6081");
  EXPECT_TRUE(becomes("ids", "10.9.0.21:6081"));

  // A file that is applied again keeps what was found.
  std::string yaml = kFixtureYaml;
  const std::string plain = "{name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}";
  yaml.replace(yaml.find(plain), plain.size(),
               "{name: ids, protocol: GENEVE, discover: {file: " + folder +
                   "/ids}, targets: [{id: 10.9.0.11}");
  const auto applied = plane.commit(
      "file", [&](Config& next) { return apply_file(next, *parse_config(yaml, "f")); }, "digest");
  ASSERT_TRUE(applied) << applied.error()[0].text();
  EXPECT_EQ(targets("ids"), "10.9.0.21:6081");

  set("ids", {});  // nobody is followed any more: the targets stay, and can be registered
  EXPECT_TRUE(eventually([&] { return discovery.groups().empty(); }));
  EXPECT_TRUE(plane.commit("test", [](Config& next) {
    return register_target(next, "ids", {*parse_ip_address("10.9.0.50"), 0});
  }));
}

TEST_F(DiscoveryTest, AFlappingNameMakesFewGenerations) {
  dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.0.41"}};
  set("ids", {{"sluice.discover.dns.name", "ids.example"},
              {"sluice.discover.dns.servers", dns.address()}});
  EXPECT_TRUE(becomes("ids", "10.9.0.41:6081"));
  // Another answer for every question, until the quick changes are used up and more.
  const uint64_t before = plane.generation();
  int seen = dns.questions, answers = 0;
  EXPECT_TRUE(eventually([&] {
    if (dns.questions != seen) {
      seen = dns.questions;
      answers++;
      dns.records[{"ids.example", kDnsTypeA}] = {{"10.9.1." + std::to_string(1 + answers % 250)}};
    }
    return known("ids").changes > kQuickChangesMax + 2;
  }));
  EXPECT_EQ(plane.generation() - before, known("ids").changes - 1);
  // Beyond the quick ones each waited for its minute, and there were more answers meanwhile: in a
  // minute, one for each time that the floor of the TTL passes.
  EXPECT_GT(static_cast<uint64_t>(answers), known("ids").changes);
}

std::string many_targets(int network, size_t count = kTargetsPerGroupMax) {
  std::string out;
  for (size_t i = 0; i < count; i++)
    out += "10." + std::to_string(network) + "." + std::to_string(i / 250) + "." +
           std::to_string(1 + i % 250) + "\n";
  return out;
}

TEST_F(DiscoveryTest, OneThatCannotTakeEffectHoldsNobodyBack) {
  // Groups that leave places for one full group, and a few more.
  const auto filled = plane.commit("test", [](Config& next) -> Result<> {
    for (size_t i = 0; i + 1 < kRegisteredTargetsMax / kTargetsPerGroupMax; i++) {
      TargetGroup group;
      group.name = "full" + std::to_string(i);
      group.protocol = Protocol::kHttp;
      group.port = 80;
      group.health_check =
          default_health_check(group.protocol, default_health_protocol(group.protocol));
      group.targets = *parse_target_list(
          many_targets(static_cast<int>(100 + i), kTargetsPerGroupMax - 10), "f");
      for (Target& target : group.targets) target.port = group.port;
      next.target_groups.push_back(group);
    }
    return {};
  });
  ASSERT_TRUE(filled) << filled.error()[0].text();
  write(many_targets(99));
  std::ofstream(folder + "/echo") << "10.1.0.77:7000\n";
  std::ofstream(folder + "/spare") << many_targets(98);
  const auto follow = plane.commit("test", [&](Config& next) -> Result<> {
    for (const std::string name : {"ids", "echo", "spare"})
      next.target_groups.edit(name)->attributes["sluice.discover.file"] = folder + "/" + name;
    return {};
  });
  ASSERT_TRUE(follow) << follow.error()[0].text();
  EXPECT_TRUE(becomes("echo", "10.1.0.77:7000"));
  // One of the two full ones has found a place; the other says why it has none, once.
  const auto refused = [&] { return known("ids").refused + known("spare").refused; };
  EXPECT_TRUE(eventually([&] { return !refused().empty(); }));
  EXPECT_NE(refused().find("are possible"), std::string::npos) << refused();
  const auto about = [](const auto& text) { return text.find("take effect") != text.npos; };
  EXPECT_EQ(std::ranges::count_if(told, about), 1);
  const std::string waiting = known("ids").refused.empty() ? "spare" : "ids";
  std::ofstream(folder + "/" + waiting) << "10.9.0.99\n";
  EXPECT_TRUE(eventually([&] { return known(waiting).refused.empty(); }));
  EXPECT_EQ(targets(waiting).substr(0, 10), "10.9.0.99:");
}

}  // namespace
}  // namespace sluice::gateway
