// SPDX-License-Identifier: Apache-2.0
// What IPv6 addresses of appliances mean for the configuration and the tables.
#include "gateway/control/reconciler_fixture.h"
#include "gateway/control/validate.h"
#include "gateway/datapath/encapsulate.h"
#include "gateway/targets/header.h"

namespace sluice::gateway {
namespace {

std::string errors_of(const Config& config) {
  std::string out;
  for (const Error& error : validate(config)) out += error.text() + "\n";
  return out;
}

IpAddress address(const char* text) { return *parse_ip_address(text); }

TEST(OuterIpv6Config, NeedsAnAddressOfTheGateway) {
  auto read = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/outer-ipv6.yaml");
  ASSERT_TRUE(read) << read.error()[0].text();
  Config config = std::move(*read);
  EXPECT_EQ(errors_of(config), "");
  config.gateway.tunnel_address6 = {{}, 6};
  constexpr const char* kWhy = "appliances with IPv6 addresses need gateway.tunnel.ipv6_address\n";
  EXPECT_EQ(errors_of(config), std::string("target_groups[0].ip_address_type: ") + kWhy +
                                   "target_groups[0].targets[0].id: " + kWhy +
                                   "target_groups[0].targets[1].id: " + kWhy);
}

TEST(OuterIpv6Config, RefusesAddressesThatReachNobody) {
  auto read = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/outer-ipv6.yaml");
  ASSERT_TRUE(read) << read.error()[0].text();
  Config config = std::move(*read);
  for (const char* bad : {"fe80::11", "febf::1", "::ffff:10.9.0.11", "::1"}) {
    config.target_groups[0].targets[1].address = address(bad);
    EXPECT_EQ(errors_of(config), "target_groups[0].targets[1].id: " + address(bad).text() +
                                     " is no global or unique local IPv6 address\n");
  }
  for (const char* good : {"2001:db8::1", "fd00::1", "fec0::1"}) {
    config.target_groups[0].targets[1].address = address(good);
    EXPECT_EQ(errors_of(config), "") << good;
  }
  config.target_groups[0].targets[1].address = address("10.9.0.12");
  EXPECT_EQ(errors_of(config),
            "target_groups[0].targets[1].id: the group's ip_address_type is another\n");
}

class ReconcilerOuterIpv6 : public ReconcilerTest {
 protected:
  ReconcilerOuterIpv6() {
    config.gateway.tunnel_address6 = address("fd09::1");
    ids().targets[0].address = address("fd09::11");
    ids().targets[1].address = address("fd09::12");
  }
  // As an appliance's datagram is read.
  uint32_t source_of(const char* text) {
    uint8_t ip[40] = {};
    std::memcpy(ip + 8, address(text).words, 16);
    return source6_target(&tables, ip);
  }
  const target& place(const char* text) { return tables.targets[index_of(text)]; }
};

TEST_F(ReconcilerOuterIpv6, TargetsGetHeadersOverIpv6) {
  reconcile();
  EXPECT_EQ(std::memcmp(tables.settings[0].tunnel_address6, address("fd09::1").words, 16), 0);
  const target& six = place("fd09::11");
  EXPECT_EQ(six.version, 6);
  EXPECT_EQ(six.mtu, 1600 - 88);
  EXPECT_EQ(six.flags & kTargetProfiled, kTargetProfiled);
  uint8_t expected[kTargetHeaderLength];
  const auto hop = *world.next_hop(address("fd09::11"));
  build_target_header6(expected, hop.from, *hop.to, address("fd09::1").words,
                       address("fd09::11").words);
  EXPECT_EQ(std::memcmp(six.header, expected, sizeof(expected)), 0);
  EXPECT_EQ(source_of("fd09::11"), index_of("fd09::11"));
  EXPECT_EQ(source_of("fd09::12"), index_of("fd09::12"));
  EXPECT_EQ(source_of("fd09::13"), uint32_t{kNone16});
  // The other one is as ever.
  EXPECT_EQ(place("10.9.0.13").mtu, 1600 - 68);
  EXPECT_EQ(place("10.9.0.13").flags & kTargetProfiled, 0);
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.13")), index_of("10.9.0.13"));
  EXPECT_EQ(source_target(&tables, address("fd09::11").words[0]), uint32_t{kNone16});
  const std::string before = written(tables);
  reconcile();
  EXPECT_EQ(written(tables), before);
}

TEST_F(ReconcilerOuterIpv6, InTheProfileOfTheGroup) {
  ids().attributes["sluice.profile"] = "plain";
  reconcile();
  EXPECT_EQ(place("fd09::11").mtu, 1600 - 56);
  EXPECT_EQ(source_of("fd09::11"), index_of("fd09::11") | kProfilePlain << kSourceProfile);
}

TEST_F(ReconcilerOuterIpv6, GoneTargetsAreNoSources) {
  ids().attributes = {{"target_failover.on_unhealthy", "rebalance"},
                      {"target_failover.on_deregistration", "rebalance"}};
  reconcile();
  const uint16_t gone = index_of("fd09::11");
  ids().targets.erase(ids().targets.begin());
  reconcile();
  EXPECT_EQ(source_of("fd09::11"), gone) << "it drains";
  host->set_now_ms(host->now_ms() + kDelayMs);
  reconcile();
  EXPECT_EQ(source_of("fd09::11"), uint32_t{kNone16});
  EXPECT_EQ(source_of("fd09::12"), index_of("fd09::12"));
}

// Many in a row: each is found.
TEST_F(ReconcilerOuterIpv6, ManySources) {
  ids().targets.clear();
  for (uint32_t i = 0; i < 2000; i++) {
    IpAddress one = address("2001:db8::");
    one.words[3] = htonl(i + 1);
    ids().targets.push_back({one, 6081});
  }
  reconcile();
  for (const Target& target : ids().targets)
    ASSERT_EQ(source_of(target.address.text().c_str()),
              *reconciler.target_index(Protocol::kGeneve, target));
}

// Killed between two writes.
TEST_F(ReconcilerOuterIpv6, ALaterProcessMendsWhatWasHalfWritten) {
  reconcile();
  const IpAddress stray = address("fd09::77"), lost = address("fd09::12");
  uint32_t at = source6_home(stray.words);
  while (tables.sources6[at].in_use) at = (at + 1) % kSourcesMax;
  std::memcpy(tables.sources6[at].address, stray.words, 16);
  tables.sources6[at].target = index_of("fd09::11");
  tables.sources6[at].in_use = 1;
  for (uint32_t i = 0; i < kSourcesMax; i++)
    if (std::memcmp(tables.sources6[i].address, lost.words, 16) == 0) tables.sources6[i] = {};
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(source_of("fd09::77"), uint32_t{kNone16});
  EXPECT_EQ(source_of("fd09::12"), index_of("fd09::12"));
  EXPECT_EQ(source_of("fd09::11"), index_of("fd09::11"));
}

}  // namespace
}  // namespace sluice::gateway
