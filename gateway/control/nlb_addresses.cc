// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/nlb_addresses.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>

#include <filesystem>
#include <fstream>

namespace sluice::gateway {
namespace {

struct SocketFreer {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
struct AddressFreer {
  void operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
};

Result<> change(uint32_t interface_index, const IpAddress& address, bool add) {
  const std::unique_ptr<nl_sock, SocketFreer> socket(nl_socket_alloc());
  const std::unique_ptr<rtnl_addr, AddressFreer> entry(rtnl_addr_alloc());
  if (!socket || !entry) return fail("out of memory");
  int error = nl_connect(socket.get(), NETLINK_ROUTE);
  const bool four = address.version == 4;
  nl_addr* local = nl_addr_build(four ? AF_INET : AF_INET6, address.words, four ? 4 : 16);
  rtnl_addr_set_ifindex(entry.get(), static_cast<int>(interface_index));
  rtnl_addr_set_local(entry.get(), local);
  rtnl_addr_set_prefixlen(entry.get(), four ? 32 : 128);
  nl_addr_put(local);
  // Duplicate address detection would keep it silent for a second.
  if (!four) rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
  if (error >= 0)
    error = add ? rtnl_addr_add(socket.get(), entry.get(), 0)
                : rtnl_addr_delete(socket.get(), entry.get(), 0);
  if (error >= 0 || (add && error == -NLE_EXIST)) return {};
  return fail(
      std::string(add ? "cannot add" : "cannot remove") + " the address: " + nl_geterror(error),
      address.text());
}

}  // namespace

std::set<IpAddress> nlb_addresses_of(const Config& config) {
  std::set<IpAddress> out;
  for (const LoadBalancer& lb : config.load_balancers)
    if (lb.type == LoadBalancerType::kNetwork)
      for (const Listener& listener : lb.listeners)
        for (const IpAddress& address : addresses_of(lb, listener)) out.insert(address);
  return out;
}

NlbAddresses::~NlbAddresses() {
  for (const IpAddress& address : present_) (void)change(interface_index_, address, false);
  std::error_code ignored;
  if (!file_.empty()) std::filesystem::remove(file_, ignored);
}

// The interface, then an address per line.
void NlbAddresses::remember_in(std::string file) {
  file_ = std::move(file);
  std::ifstream in(file_);
  std::string interface;
  if (!std::getline(in, interface)) return;
  interface_index_ = if_nametoindex(interface.c_str());
  if (interface_index_ == 0) return;  // they went with it
  for (std::string line; std::getline(in, line);)
    if (const auto address = parse_ip_address(line)) present_.insert(*address);
  left_at_ = interface;
  left_ = present_;
}

void NlbAddresses::go_back() {
  (void)set(left_at_, left_);
  if (!left_.empty()) keep();
}

Result<> NlbAddresses::write(const std::string& interface,
                             const std::set<IpAddress>& addresses) const {
  if (file_.empty()) return {};
  const std::string next = file_ + ".new";
  std::ofstream out(next);
  out << interface << '\n';
  for (const IpAddress& address : addresses) out << address.text() << '\n';
  out.close();
  if (!out || ::rename(next.c_str(), file_.c_str()) != 0)
    return fail_errno("cannot write the list of NLB addresses", file_);
  return {};
}

Result<> NlbAddresses::set(const std::string& interface, const std::set<IpAddress>& wanted) {
  const uint32_t index = interface.empty() ? 0 : if_nametoindex(interface.c_str());
  if (index == 0 && !wanted.empty())
    return fail("there is no such interface", "interface " + interface);
  if (index == interface_index_ && present_ == wanted) return {};
  // Before any is there, so that none is forgotten by whoever is killed in between.
  if (index == interface_index_) {
    std::set<IpAddress> all = present_;
    all.insert(wanted.begin(), wanted.end());
    SLUICE_TRY_VOID(write(interface, all));
  }
  for (auto at = present_.begin(); at != present_.end();) {
    if (index == interface_index_ && wanted.contains(*at)) {
      ++at;
      continue;
    }
    (void)change(interface_index_, *at, false);
    at = present_.erase(at);
  }
  if (index != interface_index_) SLUICE_TRY_VOID(write(interface, wanted));
  interface_index_ = index;
  for (const IpAddress& address : wanted) {
    if (present_.contains(address)) continue;
    SLUICE_TRY_VOID(change(index, address, true));
    present_.insert(address);
  }
  return write(interface, present_);
}

}  // namespace sluice::gateway
