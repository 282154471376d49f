// SPDX-License-Identifier: Apache-2.0
// Examples of docs/features: each says what its page says that it does.
#include <gtest/gtest.h>

#include <string>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

Config example(const std::string& name) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/" + name);
  EXPECT_TRUE(config) << (config ? "" : config.error()[0].text());
  return config ? *config : Config();
}

TEST(Examples, Lifetime) {
  const Config config = example("lifetime.yaml");
  EXPECT_EQ(config.gateway.idle_timeouts,
            (std::vector<IdleTimeout>{{6, 22, 86400}, {17, 53, 10}, {1, 0, 30}}));
  ASSERT_EQ(config.load_balancers.size(), 1u);
  const Listener& listener = config.load_balancers[0].listeners[0];
  EXPECT_TRUE(resets_when_idle(listener));
  EXPECT_TRUE(drops_unknown_tcp(listener));
}

TEST(Examples, Steering) {
  const Config config = example("steering.yaml");
  ASSERT_NE(config.target_group("ftp"), nullptr);
  EXPECT_EQ(stickiness_of(*config.target_group("firewalls")), tunnels::kFlowHash5Tuple);
  EXPECT_EQ(stickiness_of(*config.target_group("ftp")), tunnels::kFlowHash3Tuple);
  ASSERT_EQ(config.gateway.policy.size(), 1u);
}

TEST(Examples, Mtu) {
  const Config config = example("mtu.yaml");
  EXPECT_TRUE(config.gateway.mss_clamp);
  EXPECT_EQ(config.gateway.tunnel_entry, EntryChoice::kTc);
  ASSERT_EQ(config.attachments.size(), 1u);
  EXPECT_EQ(config.attachments[0].entry, EntryChoice::kAuto);
}

TEST(Examples, NeverDown) {
  const Config config = example("never-down.yaml");
  EXPECT_TRUE(config.gateway.pinned);
  EXPECT_FALSE(config.gateway.store.empty());
}

}  // namespace
}  // namespace sluice::gateway
