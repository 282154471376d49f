// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/snapshot.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "gateway/control/routing.h"

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr char kRoot[] = "/proc/sys/net";
constexpr const char* kFamilies[] = {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"};
constexpr size_t kSettingsMax = 1024;
// Flags that a user sets; the others follow from them.
constexpr uint32_t kFlags = IFF_UP | IFF_NOARP | IFF_MULTICAST | IFF_ALLMULTI | IFF_PROMISC;
// The kernel adds and removes some routes a moment after the address or the link.
constexpr auto kSettleTime = 3s;
constexpr auto kPause = 10ms;
constexpr char kAcceptDad[] = "/accept_dad";

std::string read_value(const std::string& name) {
  std::ifstream file(std::string(kRoot) + "/" + name);
  std::string value;
  std::getline(file, value);
  return value;
}

// In the calling thread's namespace. A kernel without IPv6 has no such file: then there is nothing
// to set.
Result<> write_value(const std::string& name, const std::string& value) {
  std::string path = std::string(kRoot) + "/" + name;
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  std::ofstream file(path);
  file << value << std::flush;
  if (!file) return fail_errno("cannot set to " + value, path);
  return {};
}

// Unset values (stable_secret) are read as an error, hence empty, and are left out.
std::vector<Setting> read_settings(const std::string& device) {
  std::vector<Setting> settings;
  for (const std::string family : kFamilies) {
    std::error_code error;
    fs::path directory = fs::path(kRoot) / family / device;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      const std::string name = (fs::path(family) / device / entry.path().filename()).string();
      std::string value = read_value(name);
      if (!value.empty() && settings.size() < kSettingsMax) settings.push_back({name, value});
    }
  }
  std::sort(settings.begin(), settings.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return settings;
}

// Duplicate address detection is off while the addresses come back: they were unique a moment ago,
// and an address under test is not usable for a second or two.
Result<> apply_settings(const Snapshot& snapshot, bool with_detection) {
  for (const Setting& setting : snapshot.settings) {
    bool detection = setting.name.starts_with("ipv6/conf") && setting.name.ends_with(kAcceptDad);
    std::string value = detection && !with_detection ? "0" : setting.value;
    if (read_value(setting.name) != value) SLUICE_TRY_VOID(write_value(setting.name, value));
  }
  return {};
}

using Lister = std::function<Result<std::vector<NetlinkRecord>>()>;
using Changer = Result<> (*)(RouteSocket&, const NetlinkRecord&);

std::set<Bytes> identities(const std::vector<NetlinkRecord>& records) {
  std::set<Bytes> all;
  for (const NetlinkRecord& record : records) all.insert(identity(record));
  return all;
}

// One pass towards `wanted`: true when there was nothing to do. Errors of single changes are kept
// for the caller: a route may have to wait for another.
Result<bool> approach(RouteSocket& socket, const std::vector<NetlinkRecord>& wanted,
                      const Lister& list, Changer put, Result<>& problem) {
  SLUICE_TRY(std::vector<NetlinkRecord> present, list());
  std::set<Bytes> have = identities(present), want = identities(wanted);
  bool done = true;
  for (const NetlinkRecord& record : present) {
    if (want.contains(identity(record))) continue;
    done = false;
    if (Result<> deleted = delete_record(socket, record); !deleted) problem = deleted;
  }
  for (const NetlinkRecord& record : wanted) {
    if (have.contains(identity(record))) continue;
    done = false;
    if (Result<> made = put(socket, record); !made) problem = made;
  }
  return done;
}

// Until what `list` says is what is wanted.
Result<> restore(RouteSocket& socket, const std::vector<NetlinkRecord>& wanted, const Lister& list,
                 Changer put, const std::string& what) {
  auto deadline = std::chrono::steady_clock::now() + kSettleTime;
  for (;;) {
    Result<> problem;
    SLUICE_TRY(bool done, approach(socket, wanted, list, put, problem));
    if (done) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return problem ? fail("the " + what + " did not come back as they were") : problem;
    std::this_thread::sleep_for(kPause);
  }
}

// Those that can be put back, which leaves out what the kernel makes along with addresses.
std::vector<NetlinkRecord> settable(std::vector<NetlinkRecord> routes) {
  std::erase_if(routes, only_kernel_makes);
  return routes;
}

// Of all routes, those by the device, and those that others may have lost with it.
Result<std::vector<NetlinkRecord>> list_concerned(RouteSocket& socket, const Snapshot& snapshot) {
  SLUICE_TRY(std::vector<NetlinkRecord> routes, list_routes(socket));
  std::set<Bytes> wanted = identities(snapshot.routes);
  std::erase_if(routes, [&](const NetlinkRecord& route) {
    return !route_uses(route, snapshot.link.index) && !wanted.contains(identity(route));
  });
  return settable(std::move(routes));
}

Result<> restore_properties(RouteSocket& socket, const Link& wanted) {
  SLUICE_TRY(Link now, find_link(socket, wanted.name));
  bool same = now.mtu == wanted.mtu && now.mac == wanted.mac && now.group == wanted.group &&
              now.alias == wanted.alias &&
              now.transmit_queue_length == wanted.transmit_queue_length;
  if (!same) SLUICE_TRY_VOID(copy_properties(socket, wanted.name, wanted));
  return set_flags(socket, wanted.name, wanted.flags, kFlags);
}

// The kernel notices a carrier in its own time, and then makes IPv6 addresses and routes. A carrier
// that does not come is the network's matter, not ours.
Result<> wait_for_carrier(RouteSocket& socket, const Link& wanted) {
  auto deadline = std::chrono::steady_clock::now() + kSettleTime;
  while ((wanted.flags & IFF_RUNNING) && std::chrono::steady_clock::now() < deadline) {
    SLUICE_TRY(Link now, find_link(socket, wanted.name));
    if (now.flags & IFF_RUNNING) break;
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

// The kernel lists IPv4 addresses in the order they came, and those of IPv6 of one scope newest
// first.
std::vector<NetlinkRecord> in_order_of_coming(std::vector<NetlinkRecord> addresses) {
  auto is_v4 = [](const NetlinkRecord& record) {
    return record.header<ifaddrmsg>()->ifa_family == AF_INET;
  };
  std::reverse(std::stable_partition(addresses.begin(), addresses.end(), is_v4), addresses.end());
  return addresses;
}

Result<> restore_routing(RouteSocket& socket, const Snapshot& snapshot) {
  int index = snapshot.link.index;
  SLUICE_TRY_VOID(restore(
      socket, in_order_of_coming(snapshot.addresses), [&] { return list_addresses(socket, index); },
      put_address, "addresses"));
  SLUICE_TRY_VOID(restore(
      socket, settable(snapshot.routes), [&] { return list_concerned(socket, snapshot); },
      put_route, "routes"));
  return restore(
      socket, snapshot.neighbours, [&] { return list_neighbours(socket, index); }, put_neighbour,
      "neighbours");
}

}  // namespace

Result<Snapshot> take_snapshot(const Namespace& where, const std::string& device) {
  SLUICE_TRY(RouteSocket socket, RouteSocket::open(where));
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  Snapshot snapshot;
  SLUICE_TRY(snapshot.link, find_link(socket, device));
  snapshot.settings = read_settings(device);
  SLUICE_TRY(snapshot.addresses, list_addresses(socket, snapshot.link.index));
  SLUICE_TRY(snapshot.routes, list_routes(socket));
  SLUICE_TRY(snapshot.neighbours, list_neighbours(socket, snapshot.link.index));
  return snapshot;
}

Result<> apply_snapshot(const Namespace& where, const Snapshot& snapshot) {
  SLUICE_TRY(RouteSocket socket, RouteSocket::open(where));
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  SLUICE_TRY_VOID(apply_settings(snapshot, false));
  SLUICE_TRY_VOID(restore_properties(socket, snapshot.link));
  SLUICE_TRY_VOID(wait_for_carrier(socket, snapshot.link));
  SLUICE_TRY_VOID(restore_routing(socket, snapshot));
  return apply_settings(snapshot, true);  // again: some are reset when a device goes up
}

Result<> silence(const Namespace& where, const std::string& device) {
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  SLUICE_TRY_VOID(write_value("ipv6/conf/" + device + "/disable_ipv6", "1"));
  SLUICE_TRY_VOID(write_value("ipv4/conf/" + device + "/forwarding", "0"));
  return write_value("ipv4/conf/" + device + "/arp_ignore", "8");
}

}  // namespace sluice::gateway
