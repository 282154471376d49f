// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/network.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gateway/control/links.h"
#include "gateway/control/namespaces.h"
#include "gateway/control/offloads.h"
#include "gateway/control/routing.h"

namespace sluice::testbed {
namespace {

using gateway::Namespace;
using gateway::NamespaceScope;
using gateway::Offload;
using gateway::RouteSocket;

constexpr char kBridge[] = "bridge";
constexpr size_t kInterfaceNameMax = 15;  // letters

// A namespace of the lab with a socket that acts in it.
struct Place {
  Namespace where;
  RouteSocket socket;
};

Result<Place> open_place(const std::string& lab, const std::string& name) {
  SLUICE_TRY(Namespace where, Namespace::open(namespace_name(lab, name)));
  SLUICE_TRY(RouteSocket socket, RouteSocket::open(where));
  return Place{std::move(where), std::move(socket)};
}

Result<> write_setting(const Namespace& where, const std::string& name, const std::string& value) {
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  std::ofstream file("/proc/sys/net/" + name);
  file << value << std::flush;
  if (!file && std::filesystem::exists("/proc/sys/net/" + name))
    return fail_errno("cannot set", name);
  return {};
}

Result<> create_switch(const std::string& lab, const Switch& made) {
  SLUICE_TRY(Place place, open_place(lab, made.name));
  // The bridge itself takes no part: without an address of its own it sends nothing.
  SLUICE_TRY_VOID(write_setting(place.where, "ipv6/conf/default/disable_ipv6", "1"));
  SLUICE_TRY_VOID(write_setting(place.where, "ipv6/conf/all/disable_ipv6", "1"));
  SLUICE_TRY_VOID(create_bridge(place.socket, kBridge, made.mtu));
  return set_up(place.socket, kBridge, true);
}

uint32_t mtu_of(const Topology& topology, const Interface& interface) {
  if (interface.mtu != 0) return interface.mtu;
  for (const Switch& made : topology.switches)
    if (made.name == interface.switch_name) return made.mtu;
  return 1500;
}

// Ready to receive XDP redirects into its peer, checksums as asked.
Result<> prepare_end(const Place& place, const std::string& name, bool transmit_checksum) {
  SLUICE_TRY_VOID(write_offload(place.where, name, Offload::kReceiveMerging, true));
  return write_offload(place.where, name, Offload::kTransmitChecksum, transmit_checksum);
}

// A switch's port is named after what it leads to or, when that is too long, by the number of the
// interface in the lab, which no other port has.
std::string port_name(const std::string& owner, const std::string& interface, size_t number) {
  std::string name = owner + "." + interface;
  return name.size() <= kInterfaceNameMax ? name : "port" + std::to_string(number);
}

Result<> create_interface(const Topology& topology, Place& place, const std::string& owner,
                          const Interface& interface, size_t number) {
  bool wired = interface.switch_name.empty();
  SLUICE_TRY(Place far,
             open_place(topology.name, wired ? interface.peer_namespace : interface.switch_name));
  std::string far_name = wired ? interface.peer_name : port_name(owner, interface.name, number);
  uint32_t mtu = mtu_of(topology, interface);
  SLUICE_TRY_VOID(create_veth(place.socket, {interface.name, 0, mtu, {}, nullptr},
                              {far_name, 0, mtu, {}, &far.where}));
  if (!wired) SLUICE_TRY_VOID(set_master(far.socket, far_name, kBridge));
  for (const std::string& address : interface.addresses)
    SLUICE_TRY_VOID(add_address(place.socket, interface.name, address));
  // Both before either goes up: a veth looks then whether its peer can receive redirects, and never
  // again.
  SLUICE_TRY_VOID(prepare_end(far, far_name, !wired || interface.transmit_checksum));
  SLUICE_TRY_VOID(prepare_end(place, interface.name, interface.transmit_checksum));
  SLUICE_TRY_VOID(set_up(far.socket, far_name, true));
  return set_up(place.socket, interface.name, true);
}

}  // namespace

std::vector<std::string> namespace_names(const Topology& topology) {
  std::vector<std::string> names;
  for (const Switch& made : topology.switches)
    names.push_back(namespace_name(topology.name, made.name));
  for (const LabNamespace& made : topology.namespaces)
    names.push_back(namespace_name(topology.name, made.name));
  return names;
}

Result<> create_network(const Topology& topology) {
  for (const std::string& name : namespace_names(topology))
    SLUICE_TRY_VOID(gateway::create_namespace(name));
  for (const LabNamespace& made : topology.namespaces) {
    SLUICE_TRY(Place place, open_place(topology.name, made.name));
    // Addresses are usable at once: nobody else has them, so there is nothing to ask the wire
    // about.
    SLUICE_TRY_VOID(write_setting(place.where, "ipv6/conf/default/accept_dad", "0"));
    SLUICE_TRY_VOID(set_up(place.socket, "lo", true));
  }
  for (const Switch& made : topology.switches) SLUICE_TRY_VOID(create_switch(topology.name, made));
  size_t number = 0;
  for (const LabNamespace& made : topology.namespaces) {
    SLUICE_TRY(Place place, open_place(topology.name, made.name));
    for (const Interface& interface : made.interfaces)
      SLUICE_TRY_VOID(create_interface(topology, place, made.name, interface, number++));
  }
  for (const LabNamespace& made : topology.namespaces) {
    SLUICE_TRY(Place place, open_place(topology.name, made.name));
    for (const Route& route : made.routes)
      SLUICE_TRY_VOID(add_route(place.socket, route.to, route.via));
  }
  return {};
}

Result<> delete_network(const std::vector<std::string>& names) {
  std::vector<std::string> existing = gateway::list_namespaces();
  Result<> result;
  for (const std::string& name : names) {
    if (std::find(existing.begin(), existing.end(), name) == existing.end()) continue;
    if (Result<> deleted = gateway::delete_namespace(name); !deleted) result = deleted;
  }
  return result;
}

}  // namespace sluice::testbed
