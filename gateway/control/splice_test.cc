// SPDX-License-Identifier: Apache-2.0
// host ---- (eth0) app: the gateway is spliced into eth0 of `app`. A bridge between the ports
// stands for the data path, so that packets cross. All in namespaces of its own; skips where they
// cannot be made.
#include "gateway/control/splice.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "gateway/control/links.h"
#include "gateway/control/namespaces.h"
#include "gateway/control/offloads.h"

namespace sluice::gateway {
namespace {

using Json = nlohmann::json;

constexpr int kSteps = 7;

std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 4096> buffer;
  while (pipe && fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) text += buffer.data();
  return text;
}

class SpliceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIP: needs root";
    if (Result<> created = create_namespace(host_); !created)
      GTEST_SKIP() << "SKIP: " << created.error().text();
    ASSERT_TRUE(create_namespace(app_) && create_namespace(gateway_));
    options_.gateway_namespace = gateway_;
    options_.state_directory = state_;
    run("ip -n " + host_ + " link add to-app mtu 1450 type veth peer name eth0 mtu 1450 netns " +
        app_);
    in_host("addr add 10.1.0.1/16 dev to-app");
    in_host("addr add fd01::1/64 dev to-app nodad");
    in_host("link set to-app up");
    run("ip netns exec " + app_ + " sh -c '" + kSettings + "'");
    for (const char* command : kCommands) in_app(command);
    // Duplicate address detection of the link-local address takes a second or two.
    for (int i = 0;
         i < 400 && !output_of("ip -n " + app_ + " addr show dev eth0 tentative").empty(); ++i)
      usleep(10'000);
    usleep(50'000);
  }

  void TearDown() override {
    for (const std::string& name : {host_, app_, gateway_}) (void)delete_namespace(name);
    std::error_code ignored;
    std::filesystem::remove_all(state_, ignored);
  }

  void run(const std::string& command) { ASSERT_EQ(output_of(command + " 2>&1"), "") << command; }
  void in_host(const std::string& command) { run("ip -n " + host_ + " " + command); }
  void in_app(const std::string& command) { run("ip -n " + app_ + " " + command); }

  // All that `ip` can tell of the namespace, without what changes by itself.
  Json everything() {
    Json all;
    for (const char* what :
         {"-d addr", "-d link", "-4 route show table all", "-6 route show table all",
          "neigh show nud permanent", "neigh show proxy"})
      all[what] = Json::parse(output_of("ip -n " + app_ + " -j " + what), nullptr, false);
    all["settings"] = output_of(
        "ip netns exec " + app_ +
        " sh -c 'grep -r . /proc/sys/net/ipv[46]/conf/eth0 /proc/sys/net/ipv[46]/neigh/eth0 "
        "2>/dev/null | grep -v stable_secret | sort'");
    all["features"] = output_of("ip netns exec " + app_ + " ethtool -k eth0");
    all["peer features"] = output_of("ip netns exec " + host_ + " ethtool -k to-app");
    return all;
  }

  // Of a twin: the same but for what shows that it is another device.
  Json as_seen_by_programs() {
    Json all = everything();
    all.erase("features");
    all.erase("peer features");
    for (const char* what : {"-d addr", "-d link"})
      for (Json& link : all[what])
        for (const char* key : {"link_index", "link_netnsid", "link", "min_mtu", "max_mtu"})
          link.erase(key);
    return all;
  }

  // A datagram from the host comes to the application and its answer back.
  bool answers(const std::string& address, int attempts = 15) {
    int server = open_udp(app_, 7000, ""), client = open_udp(host_, 0, address);
    bool good = server >= 0 && client >= 0;
    for (int attempt = 0; good && attempt < attempts; ++attempt) {
      char byte = 'x';
      sockaddr_storage from = {};
      socklen_t length = sizeof from;
      if (send(client, &byte, 1, 0) != 1 || !readable(server)) continue;
      if (recvfrom(server, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length) != 1) continue;
      if (sendto(server, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), length) != 1) continue;
      if (readable(client)) {
        close(server);
        close(client);
        return true;
      }
    }
    close(server);
    close(client);
    return false;
  }

  static bool readable(int fd) {
    pollfd waiting = {fd, POLLIN, 0};
    return poll(&waiting, 1, 300) == 1 && (waiting.revents & POLLIN);
  }

  static int open_udp(const std::string& where, uint16_t port, const std::string& to) {
    auto opened = Namespace::open(where);
    auto scope = NamespaceScope::enter(*opened);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(to.empty() ? port : 7000);
    if (to.empty())
      return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
    std::string text = to.find(':') == std::string::npos ? "::ffff:" + to : to;
    inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
    return connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
  }

  // A TCP connection from the host to the application: its two ends.
  std::pair<int, int> connect_tcp() {
    int listener = open_tcp(app_, ""), client = open_tcp(host_, "10.1.0.11");
    int server = accept(listener, nullptr, nullptr);
    close(listener);
    return {client, server};
  }

  static int open_tcp(const std::string& where, const std::string& to) {
    auto opened = Namespace::open(where);
    auto scope = NamespaceScope::enter(*opened);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(7001);
    if (!to.empty()) inet_pton(AF_INET, to.c_str(), &address.sin_addr);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (!to.empty()) return connect(fd, any, sizeof address) == 0 ? fd : -1;
    return bind(fd, any, sizeof address) == 0 && listen(fd, 1) == 0 ? fd : -1;
  }

  // Both ways; a packet that was lost meanwhile is sent again in its time.
  static bool still_talk(std::pair<int, int> ends) {
    char byte = 'x';
    for (auto [from, to] : {ends, std::pair(ends.second, ends.first)}) {
      if (send(from, &byte, 1, MSG_NOSIGNAL) != 1) return false;
      pollfd waiting = {to, POLLIN, 0};
      if (poll(&waiting, 1, 10'000) != 1 || recv(to, &byte, 1, 0) != 1) return false;
    }
    return true;
  }

  // In place of the data path. The outside port gives up its MAC, which a bridge would take as its
  // own.
  void bridge_ports(const Splice& splice) {
    auto socket = RouteSocket::open(*Namespace::open(gateway_));
    ASSERT_TRUE(create_bridge(*socket, "br0", 1450));
    ASSERT_TRUE(set_mac(*socket, splice.outside, {2, 0, 0, 0, 0, 9}));
    ASSERT_TRUE(set_master(*socket, splice.outside, "br0"));
    ASSERT_TRUE(set_master(*socket, splice.inside, "br0"));
    ASSERT_TRUE(set_up(*socket, "br0", true));
  }

  static constexpr char kSettings[] =
      "echo 1 > /proc/sys/net/ipv4/conf/eth0/forwarding; echo 2 > "
      "/proc/sys/net/ipv4/conf/eth0/rp_filter;"
      "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_ra; echo 1400 > "
      "/proc/sys/net/ipv6/conf/eth0/mtu;"
      "echo 12345 > /proc/sys/net/ipv4/neigh/eth0/base_reachable_time_ms";
  static constexpr const char* kCommands[] = {
      "link set lo up",
      "link set eth0 address 02:11:22:33:44:55 txqueuelen 77 alias uplink up",
      "addr add 10.1.0.11/16 dev eth0",
      "addr add 10.1.0.12/16 dev eth0 label eth0:two",
      "addr add 10.5.0.1/24 brd 10.5.0.255 scope link dev eth0",
      "addr add 10.6.0.1/24 dev eth0 valid_lft 3000 preferred_lft 2000",
      "addr add 10.7.0.1/24 dev eth0 noprefixroute",
      "addr add fd01::11/64 dev eth0 nodad",
      "addr add fd02::11/64 dev eth0 nodad noprefixroute",
      "route add default via 10.1.0.1 dev eth0 src 10.1.0.11 metric 50",
      "route add 10.20.0.0/16 via 10.1.0.1 mtu 1300 advmss 1200",
      "route add 10.21.0.0/16 nexthop via 10.1.0.1 weight 3 nexthop via 10.1.0.2 weight 1",
      "route add 10.22.0.0/16 dev eth0 scope link table 100",
      "route add 10.23.0.1 dev lo src 10.1.0.12",
      "route add blackhole 10.24.0.0/16",
      "route del 10.5.0.0/24 dev eth0",
      "-6 route add default via fd01::1 metric 77",
      "-6 route add fd05::/64 nexthop via fd01::1 nexthop via fd01::2",
      "-6 route add fd06::/64 dev eth0 table 200 src fd01::11",
      "neigh add 10.1.0.99 lladdr 02:00:00:00:00:99 dev eth0",
      "neigh add fd01::99 lladdr 02:00:00:00:00:99 dev eth0",
      "neigh add proxy 10.1.0.77 dev eth0",
  };

  std::string host_ = "lab-sp-host-" + std::to_string(getpid());
  std::string app_ = "lab-sp-app-" + std::to_string(getpid());
  std::string gateway_ = "lab-sp-gw-" + std::to_string(getpid());
  std::filesystem::path state_ = "/tmp/lab-splice-test-" + std::to_string(getpid());
  SpliceOptions options_;
};

// Lifetimes run down between two looks.
Json without_clocks(Json json) {
  if (json.is_object())
    for (const char* key : {"valid_life_time", "preferred_life_time", "expires"}) json.erase(key);
  if (json.is_structured())
    for (Json& each : json) each = without_clocks(each);
  return json;
}

#define EXPECT_SAME(a, b)                                              \
  do {                                                                 \
    Json before_ = without_clocks(a), after_ = without_clocks(b);      \
    EXPECT_EQ(before_, after_) << Json::diff(before_, after_).dump(1); \
  } while (0)

TEST_F(SpliceTest, InsertedAndRemovedNothingIsDifferent) {
  Json before = everything(), seen_before = as_seen_by_programs();
  ASSERT_TRUE(answers("10.1.0.11"));
  auto connection = connect_tcp();
  ASSERT_TRUE(still_talk(connection));
  auto splice = insert_splice(app_, "eth0", options_);
  ASSERT_TRUE(splice) << splice.error().text();
  EXPECT_EQ(splice->outside, "spl0-out");
  EXPECT_EQ(splice->inside, "spl0-in");
  EXPECT_SAME(seen_before, as_seen_by_programs());
  EXPECT_FALSE(answers("10.1.0.11", 2));  // nothing crosses before somebody moves the packets
  bridge_ports(*splice);
  EXPECT_TRUE(answers("10.1.0.11"));
  EXPECT_TRUE(answers("fd01::11"));
  EXPECT_TRUE(still_talk(connection));
  auto listed = list_splices(state_);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_EQ(listed->front().device, "eth0");

  Result<> removed = remove_splice(app_, "eth0", state_);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_SAME(before, everything());
  EXPECT_TRUE(answers("10.1.0.11"));
  EXPECT_TRUE(answers("fd01::11"));
  EXPECT_TRUE(still_talk(connection));
  EXPECT_TRUE(list_splices(state_)->empty());
  close(connection.first);
  close(connection.second);
}

TEST_F(SpliceTest, PortsCarryNothingOfTheGateway) {
  auto splice = insert_splice(app_, "eth0", options_);
  ASSERT_TRUE(splice) << splice.error().text();
  Json links = Json::parse(output_of("ip -n " + gateway_ + " -j addr"));
  for (const Json& link : links) {
    if (link.at("ifname") == "lo") continue;
    EXPECT_TRUE(link.at("addr_info").empty()) << link.dump();
    EXPECT_NE(link.dump().find("\"UP\""), std::string::npos);
  }
  EXPECT_TRUE(*read_offload(*Namespace::open(app_), "eth0", Offload::kReceiveMerging));
  EXPECT_FALSE(*read_offload(*Namespace::open(app_), "eth0", Offload::kTransmitChecksum));
  EXPECT_TRUE(*read_offload(*Namespace::open(host_), "to-app", Offload::kReceiveMerging));
  EXPECT_FALSE(*read_offload(*Namespace::open(host_), "to-app", Offload::kTransmitChecksum));
}

TEST_F(SpliceTest, ACrashAfterAnyStepIsUndoneByRemove) {
  Json before = everything();
  for (int last = 1; last <= kSteps; ++last) {
    options_.after_step = [&](int step) { return step < last; };
    auto splice = insert_splice(app_, "eth0", options_);
    ASSERT_FALSE(splice.has_value());
    EXPECT_EQ(splice.error().what, "stopped after step " + std::to_string(last));
    EXPECT_NE(insert_splice(app_, "eth0", options_).error().text().find("inserted here already"),
              std::string::npos);
    Result<> removed = remove_splice(app_, "eth0", state_);
    ASSERT_TRUE(removed) << last << ": " << removed.error().text();
    EXPECT_SAME(before, everything());
    EXPECT_TRUE(answers("10.1.0.11")) << last;
  }
}

TEST_F(SpliceTest, AnInsertThatFailsHalfWayPutsEverythingBack) {
  Json before = everything();
  // In the way of step five: somebody else takes the name that the device has just given up.
  options_.after_step = [&](int step) {
    if (step == 4) output_of("ip -n " + app_ + " link add eth0 type veth peer name in-the-way");
    if (step == 4)
      output_of("ip -n " + app_ + " link set eth0 name in-the-way2; ip -n " + gateway_ +
                " link del spl0-in");
    return true;
  };
  auto splice = insert_splice(app_, "eth0", options_);
  ASSERT_FALSE(splice.has_value());
  EXPECT_EQ(splice.error().text(), "spl0-in~: no such network device");
  in_app("link del in-the-way");
  EXPECT_SAME(before, everything());
  EXPECT_FALSE(remove_splice(app_, "eth0", state_).has_value());
}

TEST_F(SpliceTest, RefusesWithAReason) {
  auto refusal = [&](const std::string& netns, const std::string& device) {
    auto splice = insert_splice(netns, device, options_);
    return splice ? "inserted" : splice.error().what;
  };
  EXPECT_EQ(refusal("lab-sp-none", "eth0"), "no such network namespace");
  EXPECT_EQ(refusal(app_, "eth7"), "no such network device");
  EXPECT_EQ(refusal(app_, "lo"), "a loopback device has no path to be inserted into");
  EXPECT_EQ(refusal(gateway_, "lo"), "this is the gateway's own namespace");
  in_app("link add br0 type bridge");
  EXPECT_NE(refusal(app_, "br0"), "inserted");
  in_app("link add left type veth peer name right");
  in_app("link set left master br0");
  EXPECT_EQ(refusal(app_, "left"), "the device is a port of a bridge or a bond");
  options_.outside = "a/b";
  options_.inside = "in";
  EXPECT_EQ(refusal(app_, "eth0"), "not a name for a network device");
  options_.outside = "out";
  ASSERT_EQ(refusal(app_, "eth0"), "inserted");
  EXPECT_EQ(refusal(app_, "eth0"), "the gateway is inserted here already");
  EXPECT_EQ(refusal(app_, "right"), "the gateway's namespace has a device of this name");
}

TEST_F(SpliceTest, ADeviceThatIsDownStaysDown) {
  in_app("link set eth0 down");
  // The kernel gives a device its queueing discipline when it first goes up.
  auto without_discipline = [](Json all) {
    for (const char* what : {"-d addr", "-d link"})
      for (Json& link : all[what]) link.erase("qdisc");
    return all;
  };
  Json before = without_discipline(everything());
  ASSERT_TRUE(insert_splice(app_, "eth0", options_));
  EXPECT_EQ(output_of("ip -n " + app_ + " link show eth0").find(",UP"), std::string::npos);
  ASSERT_TRUE(remove_splice(app_, "eth0", state_));
  EXPECT_SAME(before, without_discipline(everything()));
}

TEST_F(SpliceTest, ALostNamespaceIsSaid) {
  ASSERT_TRUE(insert_splice(app_, "eth0", options_));
  ASSERT_TRUE(delete_namespace(app_));
  Result<> removed = remove_splice(app_, "eth0", state_);
  ASSERT_FALSE(removed.has_value());
  EXPECT_NE(removed.error().text().find("is gone"), std::string::npos);
  EXPECT_TRUE(list_splices(state_)->empty());
}

}  // namespace
}  // namespace sluice::gateway
