// SPDX-License-Identifier: Apache-2.0
// Network devices: read, create, move, change. Every call acts in the namespace of its socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/control/netlink.h"
#include "tunnels/result.h"

namespace sluice::gateway {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;        // "veth", "bridge", ...; empty for hardware
  std::string discipline;  // root queueing discipline
  std::string alias;
  Bytes mac;
  uint32_t mtu = 0;
  uint32_t transmit_queue_length = 0;
  uint32_t group = 0;
  uint32_t flags = 0;        // IFF_*
  int master = 0;            // index of the bridge or bond it belongs to; 0: none
  int lower = 0;             // IFLA_LINK: index of its peer (veth) or of what it stands on; 0: none
  int lower_namespace = -1;  // id of the namespace where `lower` counts; -1: this one
  uint32_t xdp_program = 0;  // id; 0: none

  bool up() const;
};

// At most 15 characters, none of them '/', ':' or white space.
bool valid_link_name(const std::string& name);

Result<std::vector<Link>> list_links(RouteSocket& socket);
Result<Link> find_link(RouteSocket& socket, const std::string& name);
bool link_exists(RouteSocket& socket, const std::string& name);

// One end of a veth pair. Zero and empty: the kernel's choice.
struct VethEnd {
  std::string name;
  int index = 0;
  uint32_t mtu = 0;
  Bytes mac;
  const Namespace* where = nullptr;  // nullptr: the namespace of the socket
};

Result<> create_veth(RouteSocket& socket, const VethEnd& end, const VethEnd& peer);
Result<> create_bridge(RouteSocket& socket, const std::string& name, uint32_t mtu);
Result<> delete_link(RouteSocket& socket, const std::string& name);

// Moves to another namespace under a new name. `index`: the number it shall have there; 0: any. The
// device arrives down and without addresses.
Result<> move_link(RouteSocket& socket, const std::string& name, const Namespace& where,
                   const std::string& new_name, int index = 0);
Result<> rename_link(RouteSocket& socket, const std::string& name, const std::string& new_name);

Result<> set_up(RouteSocket& socket, const std::string& name, bool up);
// `bits` of IFF_* within `mask`.
Result<> set_flags(RouteSocket& socket, const std::string& name, uint32_t bits, uint32_t mask);
Result<> set_mtu(RouteSocket& socket, const std::string& name, uint32_t mtu);
Result<> set_mac(RouteSocket& socket, const std::string& name, const Bytes& mac);
// Empty: no master.
Result<> set_master(RouteSocket& socket, const std::string& name, const std::string& master);
// What a user may have given to a device and a move or a twin does not keep: MTU, MAC, transmit
// queue length, group, alias.
Result<> copy_properties(RouteSocket& socket, const std::string& name, const Link& from);

// True if the device has a queueing discipline that somebody chose, or filters on its way in or
// out.
Result<bool> has_traffic_control(RouteSocket& socket, int index);

// The other end of the veth pair that `link` of `where` belongs to.
struct VethPeer {
  Namespace where;
  Link link;
};
Result<VethPeer> find_veth_peer(const Namespace& where, const Link& link);

// The namespace that `socket`'s namespace knows by `id` (Link::lower_namespace).
Result<Namespace> namespace_by_id(RouteSocket& socket, int id);

}  // namespace sluice::gateway
