// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/neighbours.h"

#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sys/epoll.h>

#include <algorithm>
#include <map>

#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {
namespace {

constexpr size_t kNeighboursMax = 65536;
constexpr size_t kRoutesMax = 65536;
constexpr uint32_t kSettleMs = 10;  // changes come in bursts

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using RouteConnection = std::unique_ptr<nl_sock, Freer<nl_socket_free>>;
using Route = std::unique_ptr<rtnl_route, Freer<rtnl_route_put>>;
using Link = std::unique_ptr<rtnl_link, Freer<rtnl_link_put>>;
using Neighbour = std::unique_ptr<rtnl_neigh, Freer<rtnl_neigh_put>>;
using Address = std::unique_ptr<nl_addr, Freer<nl_addr_put>>;
using Cache = std::unique_ptr<nl_cache, Freer<nl_cache_free>>;

Failure fail_netlink(const char* what, int error) {
  return fail(std::string(what) + ": " + nl_geterror(error));
}

std::optional<IpAddress> ip_of(nl_addr* address) {
  if (address == nullptr) return {};
  const unsigned length = nl_addr_get_len(address);
  if (length != 4 && length != 16) return {};
  IpAddress out;
  out.version = length == 4 ? 4 : 6;
  std::memcpy(out.words, nl_addr_get_binary_addr(address), length);
  return out;
}

std::optional<MacAddress> mac_of(nl_addr* address) {
  MacAddress out{};
  if (address == nullptr || nl_addr_get_len(address) != out.size()) return {};
  std::memcpy(out.data(), nl_addr_get_binary_addr(address), out.size());
  if (out == MacAddress{}) return {};
  return out;
}

Result<RouteConnection> connect_route() {
  RouteConnection socket(nl_socket_alloc());
  if (!socket) return fail("out of memory for a netlink socket");
  const int error = nl_connect(socket.get(), NETLINK_ROUTE);
  if (error < 0) return fail_netlink("cannot connect to netlink", error);
  return socket;
}

}  // namespace

struct KernelNextHops::State {
  State(EventLoop& event_loop, std::function<void()> on_change)
      : loop(event_loop), settle(event_loop, std::move(on_change)) {}

  EventLoop& loop;
  RouteConnection requests;  // asks and waits for the answer
  RouteConnection events;    // is told
  std::map<std::pair<uint32_t, IpAddress>, MacAddress> known;
  // By target, what the kernel said last: two requests each, which tens of thousands of targets
  // cannot repeat every time. Until a route or a link changes.
  struct Way {
    NextHop hop;    // without the MAC address
    IpAddress via;  // whose that is
  };
  std::map<IpAddress, Way> ways;
  Timer settle;
  Watch watch;

  Result<> dump();
  // By its number, or by its name and 0.
  Result<Link> link_of(uint32_t index, const char* name);
  Result<Way> ask(const IpAddress& target);
  void learn(rtnl_neigh* neighbour);
  void receive();
  static int on_message(nl_msg* message, void* state);
  void changed() {
    if (!settle.armed()) settle.set_after(kSettleMs);
  }
};

void KernelNextHops::State::learn(rtnl_neigh* neighbour) {
  constexpr int kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
  if ((rtnl_neigh_get_state(neighbour) & kUsable) == 0) return;
  const auto address = ip_of(rtnl_neigh_get_dst(neighbour));
  const auto mac = mac_of(rtnl_neigh_get_lladdr(neighbour));
  if (!address || !mac) return;
  if (known.size() >= kNeighboursMax) known.clear();
  MacAddress& place = known[{static_cast<uint32_t>(rtnl_neigh_get_ifindex(neighbour)), *address}];
  if (place == *mac) return;
  place = *mac;
  changed();
}

Result<> KernelNextHops::State::dump() {
  nl_cache* all = nullptr;
  const int error = rtnl_neigh_alloc_cache(requests.get(), &all);
  if (error < 0) return fail_netlink("cannot list neighbours", error);
  const Cache owner(all);
  for (nl_object* at = nl_cache_get_first(all); at != nullptr; at = nl_cache_get_next(at))
    learn(reinterpret_cast<rtnl_neigh*>(at));
  return {};
}

int KernelNextHops::State::on_message(nl_msg* message, void* state) {
  auto* self = static_cast<State*>(state);
  nlmsghdr* header = nlmsg_hdr(message);
  if (header->nlmsg_type == RTM_NEWNEIGH) {
    rtnl_neigh* raw = nullptr;
    if (rtnl_neigh_parse(header, &raw) == 0) self->learn(Neighbour(raw).get());
  } else if (header->nlmsg_type != RTM_DELNEIGH) {
    self->ways.clear();  // a route or a link
    self->changed();
  }
  return NL_OK;
}

void KernelNextHops::State::receive() {
  constexpr int kBatchesMax = 64;
  for (int i = 0; i < kBatchesMax; i++) {
    const int result = nl_recvmsgs_default(events.get());
    if (result >= 0) continue;
    // Messages were lost to a full buffer: look at everything again.
    if (result == -NLE_NOMEM) {
      (void)dump();
      ways.clear();
      changed();
    }
    return;
  }
}

KernelNextHops::KernelNextHops(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelNextHops::~KernelNextHops() = default;

Result<std::unique_ptr<KernelNextHops>> KernelNextHops::create(EventLoop& loop,
                                                               std::function<void()> changed) {
  auto state = std::make_unique<State>(loop, std::move(changed));
  State* self = state.get();
  SLUICE_TRY(self->requests, connect_route());
  SLUICE_TRY(self->events, connect_route());
  nl_sock* events = self->events.get();
  nl_socket_disable_seq_check(events);
  nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, &State::on_message, self);
  const int error = nl_socket_add_memberships(events, RTNLGRP_NEIGH, RTNLGRP_LINK,
                                              RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NONE);
  if (error < 0) return fail_netlink("cannot watch neighbours", error);
  nl_socket_set_nonblocking(events);
  SLUICE_TRY_VOID(self->dump());
  SLUICE_TRY_VOID(self->watch.start(loop, nl_socket_get_fd(events), EPOLLIN,
                                    [self](uint32_t) { self->receive(); }));
  return std::unique_ptr<KernelNextHops>(new KernelNextHops(std::move(state)));
}

Result<Link> KernelNextHops::State::link_of(uint32_t index, const char* name) {
  rtnl_link* link = nullptr;
  const int error = rtnl_link_get_kernel(requests.get(), static_cast<int>(index), name, &link);
  if (error < 0) return fail_netlink("no interface", error);
  return Link(link);
}

Result<KernelNextHops::State::Way> KernelNextHops::State::ask(const IpAddress& target) {
  const int family = target.version == 4 ? AF_INET : AF_INET6;
  const Address address(nl_addr_build(family, target.words, target.version == 4 ? 4 : 16));
  rtnl_route* raw_route = nullptr;
  int error = rtnl_route_lookup(requests.get(), address.get(), &raw_route);
  if (error < 0) return fail_netlink("no route", error);
  const Route route(raw_route);
  if (rtnl_route_get_type(route.get()) != RTN_UNICAST)
    return fail("the address is this machine's own, or not routable");
  rtnl_nexthop* hop = rtnl_route_nexthop_n(route.get(), 0);
  if (hop == nullptr) return fail("the route has no next hop");

  Way way;
  NextHop& out = way.hop;
  out.interface = static_cast<uint32_t>(rtnl_route_nh_get_ifindex(hop));
  SLUICE_TRY(const Link link, link_of(out.interface, nullptr));
  out.mtu = static_cast<uint16_t>(std::min(rtnl_link_get_mtu(link.get()), 65535u));
  out.from = mac_of(rtnl_link_get_addr(link.get())).value_or(MacAddress{});

  uint32_t of_route = 0;
  if (rtnl_route_get_metric(route.get(), RTAX_MTU, &of_route) == 0 && of_route != 0)
    out.mtu = static_cast<uint16_t>(std::min<uint32_t>(out.mtu, of_route));

  way.via = ip_of(rtnl_route_nh_get_gateway(hop)).value_or(target);
  return way;
}

Result<NextHop> KernelNextHops::find(const IpAddress& target) {
  auto at = state_->ways.find(target);
  if (at == state_->ways.end()) {
    SLUICE_TRY(State::Way way, state_->ask(target));
    if (state_->ways.size() >= kRoutesMax) state_->ways.clear();
    at = state_->ways.emplace(target, std::move(way)).first;
  }
  NextHop out = at->second.hop;
  const auto neighbour = state_->known.find({out.interface, at->second.via});
  if (neighbour != state_->known.end()) out.to = neighbour->second;
  return out;
}

Result<uint32_t> KernelNextHops::interface_index(const std::string& name) {
  const uint32_t index = if_nametoindex(name.c_str());
  if (index == 0) return fail("there is no such interface", "interface " + name);
  return index;
}

Result<uint32_t> KernelNextHops::interface_mtu(const std::string& name) {
  const Result<Link> link = state_->link_of(0, name.c_str());
  if (!link) return fail(link.error().what, "interface " + name);
  return rtnl_link_get_mtu(link->get());
}

}  // namespace sluice::gateway
