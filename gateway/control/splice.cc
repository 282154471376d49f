// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/splice.h"

#include <net/if.h>

#include <algorithm>

#include "gateway/control/links.h"
#include "gateway/control/routing.h"
#include "gateway/control/splice_state.h"

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;

constexpr int kPortNumbersMax = 1024;

// The two namespaces of a splice, each with a socket that acts in it.
struct Places {
  Namespace netns;
  Namespace gateway;
  RouteSocket in_netns;
  RouteSocket in_gateway;
};

Result<Places> open_places(Namespace netns, Namespace gateway) {
  SLUICE_TRY(RouteSocket in_netns, RouteSocket::open(netns));
  SLUICE_TRY(RouteSocket in_gateway, RouteSocket::open(gateway));
  return Places{std::move(netns), std::move(gateway), std::move(in_netns), std::move(in_gateway)};
}

std::string twin_name(const Splice& splice) { return splice.inside.substr(0, IFNAMSIZ - 2) + "~"; }

// A device that moves loses what refers to it from outside of a snapshot: better to refuse than to
// lose it.
Result<> check_can_move(Places& places, const Link& link) {
  std::string name = places.netns.name() + " " + link.name;
  if (places.netns.inode() == places.gateway.inode())
    return fail("this is the gateway's own namespace", name);
  if (link.flags & IFF_LOOPBACK)
    return fail("a loopback device has no path to be inserted into", name);
  SLUICE_TRY(bool bound, is_bound_to_namespace(places.netns, link.name));
  if (bound) return fail("a device of kind '" + link.kind + "' cannot leave its namespace", name);
  if (link.mac.size() != 6) return fail("only Ethernet devices can be inserted into", name);
  if (link.master != 0) return fail("the device is a port of a bridge or a bond", name);
  if (link.xdp_program != 0) return fail("the device has an XDP program already", name);
  SLUICE_TRY(bool controlled, has_traffic_control(places.in_netns, link.index));
  if (controlled)
    return fail("the device has traffic control rules, which a move would lose", name);
  SLUICE_TRY(std::vector<Link> links, list_links(places.in_netns));
  for (const Link& other : links)
    if (other.lower == link.index && other.lower_namespace < 0 && other.kind != "veth")
      return fail("device '" + other.name + "' stands on it and would be lost", name);
  return {};
}

Result<> check_routes(const Snapshot& snapshot, const std::string& netns) {
  for (const NetlinkRecord& route : snapshot.routes)
    if (route_uses_nexthop_object(route) && route_uses(route, snapshot.link.index))
      return fail("a route by it uses a nexthop object, which a move would lose",
                  netns + " " + snapshot.link.name);
  return {};
}

Result<> choose_ports(RouteSocket& gateway, const SpliceOptions& options, Splice& splice) {
  if (options.outside.empty() != options.inside.empty()) return fail("name both ports or none");
  splice.outside = options.outside;
  splice.inside = options.inside;
  for (int i = 0; options.outside.empty() && i < kPortNumbersMax; ++i) {
    splice.outside = "spl" + std::to_string(i) + "-out";
    splice.inside = "spl" + std::to_string(i) + "-in";
    if (!link_exists(gateway, splice.outside) && !link_exists(gateway, splice.inside)) break;
  }
  for (const std::string& port : {splice.outside, splice.inside, twin_name(splice)}) {
    if (!valid_link_name(port)) return fail("not a name for a network device", port);
    if (link_exists(gateway, port))
      return fail("the gateway's namespace has a device of this name", port);
  }
  if (splice.outside == splice.inside) return fail("the ports need two names", splice.outside);
  return {};
}

// Where packets come from that the data path sends out of `outside`, if that is a veth.
Result<> find_peer(Places& places, SpliceState& state) {
  const Link& link = state.snapshot.link;
  if (link.kind != "veth" || link.lower == 0) return {};
  SLUICE_TRY(VethPeer peer, find_veth_peer(places.netns, link));
  state.peer = peer.link.name;
  state.peer_inode = peer.where.inode();
  SLUICE_TRY(state.peer_features, read_features(peer.where, state.peer));
  return {};
}

// Everything that can be known or refused before anything changes.
Result<SpliceState> plan(Places& places, const std::string& netns, const std::string& device,
                         const SpliceOptions& options) {
  SpliceState state;
  state.splice = {netns, device, options.gateway_namespace, {}, {}};
  SLUICE_TRY(state.snapshot, take_snapshot(places.netns, device));
  SLUICE_TRY_VOID(check_can_move(places, state.snapshot.link));
  SLUICE_TRY_VOID(check_routes(state.snapshot, netns));
  SLUICE_TRY_VOID(choose_ports(places.in_gateway, options, state.splice));
  SLUICE_TRY(state.features, read_features(places.netns, device));
  SLUICE_TRY_VOID(find_peer(places, state));
  state.gateway_inode = places.gateway.inode();
  state.netns_inode = places.netns.inode();
  return state;
}

Result<Namespace> find_by_inode(const std::string& name, ino_t inode) {
  Result<Namespace> named = Namespace::open(name);
  if (named && named->inode() == inode) return named;
  return find_namespace([&](const Namespace& candidate) { return candidate.inode() == inode; });
}

// An end whose packets the data path gets, and into which it redirects: merging on lets a veth
// receive redirected frames; checksums are completed by the sender, because a redirected frame
// stays as it is.
Result<> prepare_end(const Namespace& where, const std::string& device) {
  SLUICE_TRY_VOID(write_offload(where, device, Offload::kReceiveMerging, true));
  return write_offload(where, device, Offload::kTransmitChecksum, false);
}

Result<> create_twin(Places& places, const SpliceState& state) {
  const Link& link = state.snapshot.link;
  std::string twin = twin_name(state.splice);
  SLUICE_TRY_VOID(create_veth(places.in_gateway, {state.splice.inside, 0, link.mtu},
                              {twin, 0, link.mtu, link.mac}));
  SLUICE_TRY_VOID(silence(places.gateway, state.splice.inside));
  SLUICE_TRY_VOID(silence(places.gateway, twin));
  return prepare_end(places.gateway, twin);
}

Result<> prepare_peer(const SpliceState& state) {
  if (state.peer.empty()) return {};
  SLUICE_TRY(Namespace where, find_by_inode({}, state.peer_inode));
  return prepare_end(where, state.peer);
}

Result<> move_out(Places& places, const SpliceState& state) {
  SLUICE_TRY_VOID(
      move_link(places.in_netns, state.splice.device, places.gateway, state.splice.outside));
  return silence(places.gateway, state.splice.outside);
}

Result<> move_twin_in(Places& places, const SpliceState& state) {
  return move_link(places.in_gateway, twin_name(state.splice), places.netns, state.splice.device,
                   state.snapshot.link.index);
}

Result<> raise_ports(Places& places, const SpliceState& state) {
  SLUICE_TRY_VOID(set_up(places.in_gateway, state.splice.outside, true));
  return set_up(places.in_gateway, state.splice.inside, true);
}

// The steps of inserting. `crashed` is set when the caller's after_step() says to stop right there.
Result<> carry_out(Places& places, const SpliceState& state, const fs::path& file,
                   const SpliceOptions& options, bool& crashed) {
  const std::function<Result<>()> steps[] = {
      [&] { return save_state(state, file); },
      [&] { return create_twin(places, state); },
      [&] { return prepare_peer(state); },
      [&] { return move_out(places, state); },
      [&] { return move_twin_in(places, state); },
      [&] { return raise_ports(places, state); },
      [&] { return apply_snapshot(places.netns, state.snapshot); },
  };
  int number = 0;
  for (const auto& step : steps) {
    SLUICE_TRY_VOID(step());
    crashed = options.after_step && !options.after_step(++number);
    if (crashed) return fail("stopped after step " + std::to_string(number));
  }
  return {};
}

// From any state between "nothing done" and "all done".
Result<> undo(Places& places, const SpliceState& state) {
  const Splice& splice = state.splice;
  if (link_exists(places.in_gateway, splice.inside))
    SLUICE_TRY_VOID(delete_link(places.in_gateway, splice.inside));
  if (link_exists(places.in_gateway, splice.outside))
    SLUICE_TRY_VOID(move_link(places.in_gateway, splice.outside, places.netns, splice.device,
                              state.snapshot.link.index));
  SLUICE_TRY_VOID(apply_snapshot(places.netns, state.snapshot));
  SLUICE_TRY_VOID(write_features(places.netns, splice.device, state.features));
  if (state.peer.empty()) return {};
  SLUICE_TRY(Namespace peer, find_by_inode({}, state.peer_inode));
  return write_features(peer, state.peer, state.peer_features);
}

Failure roll_back(Places& places, const SpliceState& state, const fs::path& file,
                  const Error& reason) {
  Result<> undone = undo(places, state);
  std::error_code ignored;
  if (undone) fs::remove(file, ignored);
  if (undone) return Failure(reason);
  return fail(reason.text() + "; and it could not be undone: " + undone.error().text() +
              "; `sluice remove` tries again");
}

}  // namespace

Result<Splice> insert_splice(const std::string& netns, const std::string& device,
                             const SpliceOptions& options) {
  fs::path file = state_file(options.state_directory, netns, device);
  std::error_code ignored;
  if (fs::exists(file, ignored))
    return fail("the gateway is inserted here already", netns + " " + device);
  if (netns.empty()) return fail("which network namespace?");
  SLUICE_TRY(Namespace where, Namespace::open(netns));
  SLUICE_TRY(Namespace gateway, Namespace::open(options.gateway_namespace));
  SLUICE_TRY(Places places, open_places(std::move(where), std::move(gateway)));
  SLUICE_TRY(SpliceState state, plan(places, netns, device, options));
  bool crashed = false;
  Result<> done = carry_out(places, state, file, options, crashed);
  if (done) return state.splice;
  if (crashed) return ::tl::make_unexpected(done.error());
  return roll_back(places, state, file, done.error());
}

Result<> remove_splice(const std::string& netns, const std::string& device,
                       const fs::path& state_directory) {
  fs::path file = state_file(state_directory, netns, device);
  std::error_code error;
  if (!fs::exists(file, error))
    return fail("the gateway is not inserted here", netns + " " + device);
  SLUICE_TRY(SpliceState state, load_state(file));
  Result<Namespace> where = find_by_inode(netns, state.netns_inode);
  Result<Namespace> gateway = find_by_inode(state.splice.gateway_namespace, state.gateway_inode);
  if (!where || !gateway) {
    fs::remove(file, error);
    std::string gone = where ? "the gateway's namespace" : "the namespace";
    return fail(gone + " is gone: there is nothing to put back, and the record of it is deleted",
                netns + " " + device);
  }
  SLUICE_TRY(Places places, open_places(std::move(*where), std::move(*gateway)));
  SLUICE_TRY_VOID(undo(places, state));
  if (!fs::remove(file, error)) return fail_errno("cannot delete", file.string(), error.value());
  return {};
}

Result<std::vector<Splice>> list_splices(const fs::path& state_directory) {
  std::vector<Splice> splices;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(state_directory, error)) {
    if (entry.path().extension() != ".json") continue;
    SLUICE_TRY(SpliceState state, load_state(entry.path()));
    splices.push_back(state.splice);
  }
  return splices;
}

}  // namespace sluice::gateway
