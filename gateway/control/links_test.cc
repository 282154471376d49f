// SPDX-License-Identifier: Apache-2.0
// Runs in namespaces of its own; skips where they cannot be made.
#include "gateway/control/links.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

#include <set>

#include "gateway/control/offloads.h"
#include "gateway/control/routing.h"
#include "gateway/control/xdp_features.h"

namespace sluice::gateway {
namespace {

class Links : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIP: needs root";
    Result<> created = create_namespace(a_name_);
    if (!created) GTEST_SKIP() << "SKIP: " << created.error().text();
    ASSERT_TRUE(create_namespace(b_name_));
  }
  void TearDown() override {
    (void)delete_namespace(a_name_);
    (void)delete_namespace(b_name_);
  }
  std::string a_name_ = "lab-links-a-" + std::to_string(getpid());
  std::string b_name_ = "lab-links-b-" + std::to_string(getpid());
};

std::set<Bytes> identities(const std::vector<NetlinkRecord>& records) {
  std::set<Bytes> all;
  for (const NetlinkRecord& record : records) all.insert(identity(record));
  return all;
}

std::set<Bytes> routes_of(RouteSocket& socket, int index) {
  auto routes = list_routes(socket);
  std::erase_if(*routes, [&](const NetlinkRecord& route) {
    return !route_uses(route, index) || only_kernel_makes(route);
  });
  return identities(*routes);
}

#define ASSERT_OK(expression)                                   \
  do {                                                          \
    const auto& result_ = (expression);                         \
    ASSERT_TRUE(result_.has_value()) << result_.error().text(); \
  } while (0)

TEST_F(Links, ANamespaceIsEnteredAndLeft) {
  auto before = Namespace::current();
  auto a = Namespace::open(a_name_);
  ASSERT_OK(a);
  {
    auto scope = NamespaceScope::enter(*a);
    ASSERT_OK(scope);
    EXPECT_EQ(Namespace::current()->inode(), a->inode());
  }
  EXPECT_EQ(Namespace::current()->inode(), before->inode());
  auto found =
      find_namespace([&](const Namespace& candidate) { return candidate.inode() == a->inode(); });
  ASSERT_OK(found);
  EXPECT_EQ(found->name(), a_name_);
}

TEST_F(Links, NamesAreChecked) {
  EXPECT_EQ(create_namespace(a_name_).error().text(),
            a_name_ + ": a network namespace of this name exists");
  EXPECT_EQ(Namespace::open("lab-links-none").error().text(),
            "lab-links-none: no such network namespace");
  EXPECT_FALSE(create_namespace("..").has_value());
  EXPECT_FALSE(delete_namespace("../x").has_value());
  EXPECT_FALSE(valid_link_name("sixteen-letters-"));
  EXPECT_FALSE(valid_link_name("a/b"));
}

TEST_F(Links, AVethPairJoinsTwoNamespaces) {
  auto a = Namespace::open(a_name_), b = Namespace::open(b_name_);
  auto in_a = RouteSocket::open(*a), in_b = RouteSocket::open(*b);
  ASSERT_OK(
      create_veth(*in_a, {"left", 55, 1600, {2, 0, 0, 0, 0, 1}}, {"right", 77, 1600, {}, &*b}));
  ASSERT_OK(set_up(*in_a, "left", true));
  ASSERT_OK(set_up(*in_b, "right", true));
  auto left = find_link(*in_a, "left"), right = find_link(*in_b, "right");
  ASSERT_OK(left);
  ASSERT_OK(right);
  EXPECT_EQ(left->mtu, 1600u);
  EXPECT_EQ(left->mac, (Bytes{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(left->kind, "veth");
  EXPECT_TRUE(left->up());
  EXPECT_EQ(right->index, 77);
  EXPECT_EQ(left->lower, 77);
  auto peer = namespace_by_id(*in_a, left->lower_namespace);
  ASSERT_OK(peer);
  EXPECT_EQ(peer->inode(), b->inode());
  EXPECT_EQ(find_link(*in_a, "nobody").error().text(), "nobody: no such network device");
}

TEST_F(Links, ADeviceMovesWithNumberAndName) {
  auto a = Namespace::open(a_name_), b = Namespace::open(b_name_);
  auto in_a = RouteSocket::open(*a), in_b = RouteSocket::open(*b);
  ASSERT_OK(create_veth(*in_a, {"left"}, {"right"}));
  ASSERT_OK(move_link(*in_a, "right", *b, "moved", 1234));
  EXPECT_FALSE(link_exists(*in_a, "right"));
  EXPECT_EQ(find_link(*in_b, "moved")->index, 1234);
  ASSERT_OK(rename_link(*in_b, "moved", "again"));
  ASSERT_OK(delete_link(*in_b, "again"));
  EXPECT_FALSE(link_exists(*in_a, "left"));
}

TEST_F(Links, ABridgeTakesPorts) {
  auto in_a = RouteSocket::open(*Namespace::open(a_name_));
  ASSERT_OK(create_bridge(*in_a, "br0", 1600));
  ASSERT_OK(create_veth(*in_a, {"left", 0, 1600}, {"right", 0, 1600}));
  ASSERT_OK(set_master(*in_a, "left", "br0"));
  EXPECT_EQ(find_link(*in_a, "left")->master, find_link(*in_a, "br0")->index);
  ASSERT_OK(set_master(*in_a, "left", ""));
  EXPECT_EQ(find_link(*in_a, "left")->master, 0);
}

TEST_F(Links, AddressesAndRoutesComeBackAsTheyWere) {
  auto in_a = RouteSocket::open(*Namespace::open(a_name_));
  ASSERT_OK(create_veth(*in_a, {"left"}, {"right"}));
  ASSERT_OK(set_up(*in_a, "left", true));
  ASSERT_OK(set_up(*in_a, "right", true));
  ASSERT_OK(add_address(*in_a, "left", "10.1.0.2/16"));
  ASSERT_OK(add_address(*in_a, "left", "fd01::2/64"));
  ASSERT_OK(add_route(*in_a, "10.9.0.0/24", "10.1.0.1"));
  ASSERT_OK(add_route(*in_a, "default", "fd01::1"));
  EXPECT_FALSE(add_address(*in_a, "left", "10.1.0.2/33").has_value());
  EXPECT_FALSE(add_address(*in_a, "left", "10.1.0").has_value());
  EXPECT_FALSE(add_route(*in_a, "10.0.0.0/8", "fd01::1").has_value());
  int index = find_link(*in_a, "left")->index;
  auto addresses = list_addresses(*in_a, index);
  auto routes = list_routes(*in_a);
  ASSERT_EQ(addresses->size(), 3u);  // and the link-local one
  std::erase_if(*routes, [&](const NetlinkRecord& route) {
    return !route_uses(route, index) || only_kernel_makes(route);
  });
  EXPECT_GE(routes->size(), 6u);
  for (const NetlinkRecord& address : *addresses) ASSERT_OK(delete_record(*in_a, address));
  EXPECT_TRUE(list_addresses(*in_a, index)->empty());
  for (const NetlinkRecord& address : *addresses) ASSERT_OK(put_address(*in_a, address));
  for (const NetlinkRecord& route : *routes) ASSERT_OK(put_route(*in_a, route));
  EXPECT_EQ(routes_of(*in_a, index), identities(*routes));
  ASSERT_OK(delete_address(*in_a, "left", "10.1.0.2/16"));
  EXPECT_EQ(list_addresses(*in_a, index)->size(), 2u);
}

TEST_F(Links, OffloadsAreReadAndPutBack) {
  auto a = Namespace::open(a_name_);
  auto in_a = RouteSocket::open(*a);
  ASSERT_OK(create_veth(*in_a, {"left"}, {"right"}));
  auto before = read_features(*a, "left");
  ASSERT_OK(before);
  ASSERT_OK(write_offload(*a, "left", Offload::kReceiveMerging, true));
  ASSERT_OK(write_offload(*a, "left", Offload::kTransmitChecksum, false));
  EXPECT_TRUE(*read_offload(*a, "left", Offload::kReceiveMerging));
  EXPECT_FALSE(*read_offload(*a, "left", Offload::kTransmitChecksum));
  ASSERT_OK(write_features(*a, "left", *before));
  EXPECT_TRUE(*read_offload(*a, "left", Offload::kTransmitChecksum));
  EXPECT_EQ(read_features(*a, "left")->requested, before->requested);
  auto bound = is_bound_to_namespace(*a, "left");
  ASSERT_OK(bound);
  EXPECT_FALSE(*bound);
}

TEST_F(Links, AVethWhosePeerDoesNotMergeIsNamed) {
  auto a = Namespace::open(a_name_), b = Namespace::open(b_name_);
  auto in_a = RouteSocket::open(*a);
  ASSERT_OK(in_a);
  ASSERT_OK(create_veth(*in_a, {"left"}, {"right", 0, 0, {}, &*b}));
  ASSERT_OK(write_offload(*b, "right", Offload::kReceiveMerging, false));
  const std::string trouble = redirect_trouble(*a, "left");
  EXPECT_NE(trouble.find("interface left"), std::string::npos) << trouble;
  EXPECT_NE(trouble.find("ethtool -K right gro on"), std::string::npos) << trouble;
  ASSERT_OK(write_offload(*b, "right", Offload::kReceiveMerging, true));
  EXPECT_EQ(redirect_trouble(*a, "left"), "");
  EXPECT_EQ(redirect_trouble(*a, "lo"), "");
  EXPECT_EQ(redirect_trouble(*a, "absent"), "");
}

TEST_F(Links, ADeviceThatTakesNothingOfXdpIsNamed) {
  auto a = Namespace::open(a_name_);
  auto in_a = RouteSocket::open(*a);
  ASSERT_OK(in_a);
  ASSERT_OK(create_veth(*in_a, {"left"}, {"right"}));
  EXPECT_TRUE(check_redirects(*a, "left"));
  EXPECT_FALSE(check_redirects(*a, "absent"));
  ASSERT_OK(create_bridge(*in_a, "apps", 1500));
  const auto refused = check_redirects(*a, "apps");
  if (refused) GTEST_SKIP() << "SKIP: the kernel does not tell (it needs Linux 6.3)";
  const std::string text = refused.error().text();
  for (const char* part : {"interface apps", "ndo_xdp_xmit", "gateway.tunnel.entry: tc"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Records, AShortOneIsNoHeader) {
  NetlinkRecord record{RTM_NEWROUTE, Bytes(5)};
  EXPECT_FALSE(record.header<rtmsg>().has_value());
  EXPECT_FALSE(route_uses(record, 1));
  EXPECT_FALSE(route_uses_nexthop_object(record));
  (void)identity(record);
}

TEST(Records, AttributesStopAtTheFirstThatDoesNotFit) {
  Bytes bytes = {8, 0, 1, 0, 1, 2, 3, 4, 6, 0, 2, 0, 9, 9, 0, 0};
  for (size_t length = 0; length <= bytes.size(); ++length) {
    Bytes cut(bytes.begin(), bytes.begin() + static_cast<long>(length));
    EXPECT_EQ(attributes_of(cut, 0).size(), length < 8 ? 0u : length < 14 ? 1u : 2u) << length;
  }
}

}  // namespace
}  // namespace sluice::gateway
