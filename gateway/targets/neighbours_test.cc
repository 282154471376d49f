// SPDX-License-Identifier: Apache-2.0
// In a network namespace of its own: a veth pair whose other end is not answered by anybody, so
// that neighbours are exactly those that the test sets.
#include "gateway/targets/neighbours.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>

#include <cstdlib>
#include <thread>

#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {
namespace {

bool run(const char* command) { return std::system(command) == 0; }  // NOLINT: fixed strings

TEST(Neighbours, FollowTheKernel) {
  if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root to make a network namespace";
  if (!run("ip link add v0 address 02:00:00:00:00:01 mtu 1600 type veth peer name v1 && "
           "ip link set v0 up && ip link set v1 up && ip link set lo up && "
           "ip addr add 10.9.0.1/24 dev v0 && ip route add 10.8.0.0/16 via 10.9.0.254 && "
           "ip neigh add 10.9.0.11 lladdr 02:00:00:00:00:11 dev v0"))
    GTEST_SKIP() << "cannot make a veth pair";
  auto loop = std::move(*EventLoop::create());
  int changes = 0;
  auto made = KernelNextHops::create(*loop, [&] { changes++; });
  ASSERT_TRUE(made) << made.error().text();
  KernelNextHops& hops = **made;
  const auto wait_for = [&](const auto& condition) {
    const uint64_t end = loop->now_ms() + 20'000;
    while (!condition() && loop->now_ms() < end) loop->turn(20);
    return condition();
  };
  const auto becomes = [&](const IpAddress& target, MacAddress wanted) {
    return wait_for([&] { return hops.find(target)->to == wanted; });
  };

  auto direct = hops.find(*parse_ip_address("10.9.0.11"));
  ASSERT_TRUE(direct) << direct.error().text();
  EXPECT_EQ(direct->interface, if_nametoindex("v0"));
  EXPECT_EQ(direct->mtu, 1600);
  EXPECT_EQ(direct->from, (MacAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(direct->to, (MacAddress{2, 0, 0, 0, 0, 0x11}));

  // Through a router whose address is not known yet, then is, then changes, then goes.
  const IpAddress far = *parse_ip_address("10.8.7.6");
  EXPECT_FALSE(hops.find(far)->to);
  ASSERT_TRUE(run("ip neigh add 10.9.0.254 lladdr 02:00:00:00:00:fe dev v0"));
  EXPECT_TRUE(becomes(far, MacAddress{2, 0, 0, 0, 0, 0xfe}));
  ASSERT_TRUE(run("ip neigh replace 10.9.0.254 lladdr 02:00:00:00:00:fd dev v0"));
  EXPECT_TRUE(becomes(far, MacAddress{2, 0, 0, 0, 0, 0xfd}));
  EXPECT_TRUE(wait_for([&] { return changes > 0; }));
  ASSERT_TRUE(run("ip neigh del 10.9.0.254 dev v0"));
  loop->turn(50);
  EXPECT_TRUE(hops.find(far)->to);

  // What was learnt of a link or a route ends with it.
  ASSERT_TRUE(run("ip link set v0 mtu 1500"));
  EXPECT_TRUE(wait_for([&] { return hops.find(far)->mtu == 1500; }));
  ASSERT_TRUE(run("ip route replace 10.8.0.0/16 via 10.9.0.11"));
  EXPECT_TRUE(wait_for([&] { return hops.find(far)->to == direct->to; }));

  // A route may say less than its interface.
  ASSERT_TRUE(run("ip route replace 10.8.0.0/16 via 10.9.0.11 mtu 1400"));
  EXPECT_TRUE(wait_for([&] { return hops.find(far)->mtu == 1400; }));
  EXPECT_EQ(hops.find(*parse_ip_address("10.9.0.11"))->mtu, 1500);
  EXPECT_EQ(hops.interface_mtu("v0").value_or(0), 1500u);
  EXPECT_EQ(hops.interface_mtu("v9").error().where, "interface v9");

  EXPECT_FALSE(hops.find(*parse_ip_address("10.9.0.1")));
  EXPECT_FALSE(hops.find(*parse_ip_address("192.0.2.1")));
  EXPECT_FALSE(hops.find(*parse_ip_address("fd00::1")));
}

}  // namespace
}  // namespace sluice::gateway
