// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/links.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <algorithm>

#ifndef IFLA_NEW_IFINDEX
#define IFLA_NEW_IFINDEX 49
#endif

namespace sluice::gateway {
namespace {

std::string quoted(const std::string& verb, const std::string& name) { return verb + " " + name; }

void read_info(Link& link, std::span<const uint8_t> data) {
  if (auto kind = find_attribute(attributes_of(data, 0), IFLA_INFO_KIND)) link.kind = kind->text();
}

void read_xdp(Link& link, std::span<const uint8_t> data) {
  if (auto program = find_attribute(attributes_of(data, 0), IFLA_XDP_PROG_ID))
    link.xdp_program = program->u32();
}

Link read_link(const NetlinkRecord& record, const ifinfomsg& header) {
  Link link;
  link.index = header.ifi_index;
  link.flags = header.ifi_flags;
  for (const NetlinkAttribute& attribute : attributes_of(record.payload, sizeof header)) {
    switch (attribute.type) {
      case IFLA_IFNAME:
        link.name = attribute.text();
        break;
      case IFLA_ADDRESS:
        link.mac = attribute.bytes();
        break;
      case IFLA_MTU:
        link.mtu = attribute.u32();
        break;
      case IFLA_TXQLEN:
        link.transmit_queue_length = attribute.u32();
        break;
      case IFLA_GROUP:
        link.group = attribute.u32();
        break;
      case IFLA_IFALIAS:
        link.alias = attribute.text();
        break;
      case IFLA_QDISC:
        link.discipline = attribute.text();
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(attribute.u32());
        break;
      case IFLA_LINK:
        link.lower = static_cast<int>(attribute.u32());
        break;
      case IFLA_LINK_NETNSID:
        link.lower_namespace = static_cast<int>(attribute.u32());
        break;
      case IFLA_LINKINFO:
        read_info(link, attribute.data);
        break;
      case IFLA_XDP:
        read_xdp(link, attribute.data);
        break;
      default:
        break;
    }
  }
  return link;
}

std::vector<Link> read_links(const std::vector<NetlinkRecord>& records) {
  std::vector<Link> links;
  for (const NetlinkRecord& record : records) {
    auto header = record.header<ifinfomsg>();
    if (header && record.type == RTM_NEWLINK) links.push_back(read_link(record, *header));
  }
  return links;
}

void put_end(NetlinkRequest& request, const VethEnd& end) {
  request.put(IFLA_IFNAME, end.name);
  if (end.mtu != 0) request.put(IFLA_MTU, end.mtu);
  if (!end.mac.empty()) request.put(IFLA_ADDRESS, end.mac);
  if (end.where != nullptr) request.put(IFLA_NET_NS_FD, static_cast<uint32_t>(end.where->fd()));
}

ifinfomsg numbered(int index) {
  ifinfomsg header = {};
  header.ifi_index = index;
  return header;
}

// A change of the device called `name`, to be completed with attributes.
NetlinkRequest change(const std::string& name) {
  NetlinkRequest request(RTM_SETLINK);
  request.header(ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  return request;
}

Result<int> index_of(RouteSocket& socket, const std::string& name) {
  SLUICE_TRY(Link link, find_link(socket, name));
  return link.index;
}

}  // namespace

bool Link::up() const { return (flags & IFF_UP) != 0; }

bool valid_link_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return c > ' ' && c < 127 && c != '/' && c != ':'; });
}

Result<std::vector<Link>> list_links(RouteSocket& socket) {
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
  request.header(ifinfomsg{});
  SLUICE_TRY(auto records, socket.exchange(request, "cannot list the network devices"));
  return read_links(records);
}

Result<Link> find_link(RouteSocket& socket, const std::string& name) {
  if (!valid_link_name(name)) return fail("not a name of a network device", name);
  NetlinkRequest request(RTM_GETLINK);
  request.header(ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  auto records = socket.exchange(request, "cannot read the network device");
  if (!records && records.error().code.value() == ENODEV)
    return fail("no such network device", name);
  if (!records) return ::tl::make_unexpected(std::move(records).error());
  std::vector<Link> links = read_links(*records);
  if (links.empty()) return fail("no such network device", name);
  return links.front();
}

bool link_exists(RouteSocket& socket, const std::string& name) {
  return find_link(socket, name).has_value();
}

Result<> create_veth(RouteSocket& socket, const VethEnd& end, const VethEnd& peer) {
  if (!valid_link_name(end.name)) return fail("not a name for a network device", end.name);
  if (!valid_link_name(peer.name)) return fail("not a name for a network device", peer.name);
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.header(numbered(end.index));
  put_end(request, end);
  request.begin(IFLA_LINKINFO).put(IFLA_INFO_KIND, std::string("veth"));
  request.begin(IFLA_INFO_DATA).begin(VETH_INFO_PEER).header(numbered(peer.index));
  put_end(request, peer);
  request.end().end().end();
  return socket.send(request, quoted("cannot create the veth pair", end.name + ", " + peer.name));
}

Result<> create_bridge(RouteSocket& socket, const std::string& name, uint32_t mtu) {
  if (!valid_link_name(name)) return fail("not a name for a network device", name);
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.header(ifinfomsg{}).put(IFLA_IFNAME, name);
  if (mtu != 0) request.put(IFLA_MTU, mtu);
  request.begin(IFLA_LINKINFO).put(IFLA_INFO_KIND, std::string("bridge")).end();
  return socket.send(request, quoted("cannot create the bridge", name));
}

Result<> delete_link(RouteSocket& socket, const std::string& name) {
  NetlinkRequest request(RTM_DELLINK);
  request.header(ifinfomsg{}).put(IFLA_IFNAME, name);
  return socket.send(request, quoted("cannot delete", name));
}

Result<> move_link(RouteSocket& socket, const std::string& name, const Namespace& where,
                   const std::string& new_name, int index) {
  SLUICE_TRY(int now, index_of(socket, name));
  NetlinkRequest request(RTM_SETLINK);
  request.header(numbered(now))
      .put(IFLA_NET_NS_FD, static_cast<uint32_t>(where.fd()))
      .put(IFLA_IFNAME, new_name);
  if (index != 0) request.put(IFLA_NEW_IFINDEX, static_cast<uint32_t>(index));
  return socket.send(request,
                     quoted("cannot move", name + " to " + where.name() + " as " + new_name));
}

Result<> rename_link(RouteSocket& socket, const std::string& name, const std::string& new_name) {
  if (!valid_link_name(new_name)) return fail("not a name for a network device", new_name);
  SLUICE_TRY(int now, index_of(socket, name));
  NetlinkRequest request(RTM_SETLINK);
  request.header(numbered(now)).put(IFLA_IFNAME, new_name);
  return socket.send(request, quoted("cannot rename", name + " to " + new_name));
}

Result<> set_flags(RouteSocket& socket, const std::string& name, uint32_t bits, uint32_t mask) {
  ifinfomsg header = {};
  header.ifi_flags = bits & mask;
  header.ifi_change = mask;
  NetlinkRequest request(RTM_SETLINK);
  request.header(header).put(IFLA_IFNAME, name);
  return socket.send(request, quoted("cannot change the flags of", name));
}

Result<> set_up(RouteSocket& socket, const std::string& name, bool up) {
  return set_flags(socket, name, up ? IFF_UP : 0, IFF_UP);
}

Result<> set_mtu(RouteSocket& socket, const std::string& name, uint32_t mtu) {
  return socket.send(change(name).put(IFLA_MTU, mtu), quoted("cannot set the MTU of", name));
}

Result<> set_mac(RouteSocket& socket, const std::string& name, const Bytes& mac) {
  return socket.send(change(name).put(IFLA_ADDRESS, mac),
                     quoted("cannot set the MAC address of", name));
}

Result<> set_master(RouteSocket& socket, const std::string& name, const std::string& master) {
  uint32_t index = 0;
  if (!master.empty()) {
    SLUICE_TRY(int found, index_of(socket, master));
    index = static_cast<uint32_t>(found);
  }
  return socket.send(change(name).put(IFLA_MASTER, index),
                     quoted("cannot set the master of", name));
}

Result<> copy_properties(RouteSocket& socket, const std::string& name, const Link& from) {
  NetlinkRequest request = change(name);
  request.put(IFLA_MTU, from.mtu)
      .put(IFLA_TXQLEN, from.transmit_queue_length)
      .put(IFLA_GROUP, from.group);
  request.put(IFLA_ADDRESS, from.mac);
  request.put(IFLA_IFALIAS, from.alias.data(), from.alias.size());
  return socket.send(request, quoted("cannot set the properties of", name));
}

Result<bool> has_traffic_control(RouteSocket& socket, int index) {
  NetlinkRequest request(RTM_GETQDISC, NLM_F_DUMP);
  request.header(tcmsg{});
  SLUICE_TRY(auto records, socket.exchange(request, "cannot list the queueing disciplines"));
  for (const NetlinkRecord& record : records) {
    auto header = record.header<tcmsg>();
    if (!header || header->tcm_ifindex != index) continue;
    auto kind = find_attribute(attributes_of(record.payload, sizeof *header), TCA_KIND);
    // The kernel's own choice has handle 0.
    if (kind && header->tcm_handle != 0) return true;
  }
  return false;
}

Result<Namespace> namespace_by_id(RouteSocket& socket, int id) {
  auto has_id = [&](const Namespace& candidate) {
    NetlinkRequest request(RTM_GETNSID);
    request.header(rtgenmsg{}).put(NETNSA_FD, static_cast<uint32_t>(candidate.fd()));
    auto records = socket.exchange(request, "cannot ask for the id of a namespace");
    if (!records || records->empty()) return false;
    auto found =
        find_attribute(attributes_of(records->front().payload, sizeof(rtgenmsg)), NETNSA_NSID);
    return found && static_cast<int>(found->u32()) == id;
  };
  return find_namespace(has_id);
}

Result<VethPeer> find_veth_peer(const Namespace& where, const Link& link) {
  SLUICE_TRY(RouteSocket here, RouteSocket::open(where));
  SLUICE_TRY(NamespaceScope scope, NamespaceScope::enter(where));
  Result<Namespace> there =
      link.lower_namespace < 0 ? Namespace::current() : namespace_by_id(here, link.lower_namespace);
  if (!there)
    return fail("the namespace of the other end of the veth pair is not to be found", link.name);
  SLUICE_TRY(RouteSocket socket, RouteSocket::open(*there));
  SLUICE_TRY(std::vector<Link> links, list_links(socket));
  for (Link& each : links)
    if (each.index == link.lower) return VethPeer{std::move(*there), std::move(each)};
  return fail("the other end of the veth pair is not to be found", link.name);
}

}  // namespace sluice::gateway
