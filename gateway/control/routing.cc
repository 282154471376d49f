// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/routing.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "gateway/control/links.h"

namespace sluice::gateway {
namespace {

// What a user can set; the others tell how the kernel got on.
constexpr uint32_t kAddressFlags = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
                                   IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC;
constexpr uint32_t kRouteFlags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;
constexpr uint32_t kTicksPerSecond = 100;  // USER_HZ, in which the kernel tells a route's lifetime

struct Prefix {
  uint8_t family = AF_INET;
  uint8_t length = 0;
  Bytes address;
};

Result<Prefix> parse_prefix(const std::string& text) {
  size_t slash = text.find('/');
  std::string address = text.substr(0, slash);
  Prefix prefix;
  prefix.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  prefix.address.resize(prefix.family == AF_INET ? 4 : 16);
  if (inet_pton(prefix.family, address.c_str(), prefix.address.data()) != 1)
    return fail("not an IP address", text);
  size_t bits = prefix.address.size() * 8;
  unsigned length = static_cast<unsigned>(bits);
  if (slash != std::string::npos) {
    const char* end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data() + slash + 1, end, length);
    if (error != std::errc() || rest != end || length > bits)
      return fail("not a prefix length", text);
  }
  prefix.length = static_cast<uint8_t>(length);
  return prefix;
}

Result<> ask_address(RouteSocket& socket, NetlinkRequest request, const std::string& device,
                     const std::string& text, const std::string& what) {
  SLUICE_TRY(Prefix prefix, parse_prefix(text));
  SLUICE_TRY(Link link, find_link(socket, device));
  ifaddrmsg header = {};
  header.ifa_family = prefix.family;
  header.ifa_prefixlen = prefix.length;
  header.ifa_index = static_cast<uint32_t>(link.index);
  request.header(header).put(IFA_LOCAL, prefix.address).put(IFA_ADDRESS, prefix.address);
  if (prefix.family == AF_INET6) request.put(IFA_FLAGS, static_cast<uint32_t>(IFA_F_NODAD));
  return socket.send(request, what + " " + text + " on " + device);
}

// A request with the record's header as `Header`, after `edit`, and the attributes that `keep`
// accepts.
template <class Header, class Edit, class Keep>
NetlinkRequest again(const NetlinkRecord& record, int type, int flags, Edit edit, Keep keep) {
  NetlinkRequest request(type, flags);
  Header header = record.header<Header>().value_or(Header{});
  edit(header);
  request.header(header);
  for (const NetlinkAttribute& attribute : attributes_of(record.payload, sizeof header))
    if (keep(attribute)) request.put(attribute.type, attribute.data.data(), attribute.data.size());
  return request;
}

bool already_there(const Result<>& result) {
  return !result && result.error().code.value() == EEXIST;
}

Result<> accept_existing(Result<> result) {
  if (already_there(result)) return {};
  return result;
}

uint32_t settable_flags(const NetlinkAttribute& flags) { return flags.u32() & kAddressFlags; }

Bytes little(uint32_t value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Lifetimes without the times of creation and update.
Bytes lifetimes(const NetlinkAttribute& cache_info) {
  return Bytes(cache_info.data.begin(),
               cache_info.data.begin() + std::min<size_t>(8, cache_info.data.size()));
}

// The paths of a multipath route with only those of their flags that a user sets.
Bytes settable_paths(const NetlinkAttribute& multipath) {
  Bytes paths = multipath.bytes();
  for (size_t at = 0; at + sizeof(rtnexthop) <= paths.size();) {
    rtnexthop path;
    std::memcpy(&path, paths.data() + at, sizeof path);
    if (path.rtnh_len < sizeof path) break;
    paths[at + offsetof(rtnexthop, rtnh_flags)] &= kRouteFlags;
    at += RTNH_ALIGN(path.rtnh_len);
  }
  return paths;
}

Bytes stable_value(uint16_t record_type, const NetlinkAttribute& attribute) {
  if (record_type == RTM_NEWADDR && attribute.type == IFA_FLAGS)
    return little(settable_flags(attribute));
  // Finite lifetimes run: that they are finite is all that stays.
  if (record_type == RTM_NEWADDR && attribute.type == IFA_CACHEINFO) {
    Bytes both = lifetimes(attribute);
    for (size_t i = 0; i + 4 <= both.size(); i += 4) {
      bool forever =
          std::all_of(both.begin() + i, both.begin() + i + 4, [](uint8_t b) { return b == 0xff; });
      if (!forever) std::fill(both.begin() + i, both.begin() + i + 4, uint8_t{1});
    }
    return both;
  }
  if (record_type == RTM_NEWROUTE && attribute.type == RTA_MULTIPATH)
    return settable_paths(attribute);
  return attribute.bytes();
}

size_t header_length(uint16_t type) {
  return type == RTM_NEWADDR    ? sizeof(ifaddrmsg)
         : type == RTM_NEWROUTE ? sizeof(rtmsg)
                                : sizeof(ndmsg);
}

bool is_volatile(uint16_t record_type, uint16_t attribute) {
  if (record_type == RTM_NEWROUTE) return attribute == RTA_CACHEINFO;
  if (record_type == RTM_NEWNEIGH) return attribute == NDA_CACHEINFO || attribute == NDA_PROBES;
  return false;
}

Bytes stable_header(const NetlinkRecord& record) {
  Bytes header(record.payload.begin(), record.payload.begin() + std::min(header_length(record.type),
                                                                         record.payload.size()));
  if (header.size() < header_length(record.type)) return header;
  if (record.type == RTM_NEWADDR) header[offsetof(ifaddrmsg, ifa_flags)] &= kAddressFlags & 0xff;
  if (record.type == RTM_NEWROUTE) {
    uint32_t flags = record.header<rtmsg>()->rtm_flags & kRouteFlags;
    std::memcpy(header.data() + offsetof(rtmsg, rtm_flags), &flags, sizeof flags);
  }
  return header;
}

}  // namespace

Result<> add_address(RouteSocket& socket, const std::string& device, const std::string& prefix) {
  return ask_address(socket, NetlinkRequest(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL), device, prefix,
                     "cannot add");
}

Result<> delete_address(RouteSocket& socket, const std::string& device, const std::string& prefix) {
  return ask_address(socket, NetlinkRequest(RTM_DELADDR), device, prefix, "cannot delete");
}

Result<> add_route(RouteSocket& socket, const std::string& to, const std::string& via) {
  SLUICE_TRY(Prefix gateway, parse_prefix(via));
  Prefix target{gateway.family, 0, {}};
  if (to != "default") {
    SLUICE_TRY(target, parse_prefix(to));
  }
  if (target.family != gateway.family)
    return fail("a route and its gateway are of one family", to + " via " + via);
  rtmsg header = {};
  header.rtm_family = target.family;
  header.rtm_dst_len = target.length;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  request.header(header).put(RTA_GATEWAY, gateway.address);
  if (!target.address.empty()) request.put(RTA_DST, target.address);
  return socket.send(request, "cannot add the route " + to + " via " + via);
}

Result<std::vector<NetlinkRecord>> list_addresses(RouteSocket& socket, int device_index) {
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
  request.header(ifaddrmsg{});
  SLUICE_TRY(auto records, socket.exchange(request, "cannot list the addresses"));
  std::erase_if(records, [&](const NetlinkRecord& record) {
    auto header = record.header<ifaddrmsg>();
    return !header || record.type != RTM_NEWADDR ||
           header->ifa_index != static_cast<uint32_t>(device_index);
  });
  return records;
}

Result<std::vector<NetlinkRecord>> list_routes(RouteSocket& socket) {
  std::vector<NetlinkRecord> routes;
  for (uint8_t family : {AF_INET, AF_INET6}) {
    rtmsg header = {};
    header.rtm_family = family;
    NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
    request.header(header);
    SLUICE_TRY(auto records, socket.exchange(request, "cannot list the routes"));
    for (NetlinkRecord& record : records) {
      auto route = record.header<rtmsg>();
      if (!route || record.type != RTM_NEWROUTE || route->rtm_family != family ||
          (route->rtm_flags & RTM_F_CLONED))
        continue;
      routes.push_back(std::move(record));
    }
  }
  return routes;
}

Result<std::vector<NetlinkRecord>> list_neighbours(RouteSocket& socket, int device_index) {
  std::vector<NetlinkRecord> neighbours;
  for (uint8_t flags : {0, NTF_PROXY}) {
    ndmsg header = {};
    header.ndm_flags = flags;
    NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP);
    request.header(header);
    SLUICE_TRY(auto records, socket.exchange(request, "cannot list the neighbours"));
    for (NetlinkRecord& record : records) {
      auto found = record.header<ndmsg>();
      if (!found || record.type != RTM_NEWNEIGH || found->ndm_ifindex != device_index) continue;
      if (found->ndm_family != AF_INET && found->ndm_family != AF_INET6) continue;
      if (flags == NTF_PROXY || (found->ndm_state & NUD_PERMANENT))
        neighbours.push_back(std::move(record));
    }
  }
  return neighbours;
}

Bytes identity(const NetlinkRecord& record) {
  std::vector<NetlinkAttribute> attributes =
      attributes_of(record.payload, header_length(record.type));
  std::stable_sort(attributes.begin(), attributes.end(),
                   [](auto& a, auto& b) { return a.type < b.type; });
  Bytes all = stable_header(record);
  for (const NetlinkAttribute& attribute : attributes) {
    if (is_volatile(record.type, attribute.type)) continue;
    Bytes value = stable_value(record.type, attribute);
    all.push_back(static_cast<uint8_t>(attribute.type));
    Bytes length = little(static_cast<uint32_t>(value.size()));
    all.insert(all.end(), length.begin(), length.end());
    all.insert(all.end(), value.begin(), value.end());
  }
  return all;
}

Result<> put_address(RouteSocket& socket, const NetlinkRecord& record) {
  auto request = again<ifaddrmsg>(
      record, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
      [](ifaddrmsg& h) { h.ifa_flags &= kAddressFlags & 0xff; },
      [](const NetlinkAttribute& a) { return a.type != IFA_FLAGS; });
  if (auto flags = find_attribute(attributes_of(record.payload, sizeof(ifaddrmsg)), IFA_FLAGS))
    request.put(IFA_FLAGS, settable_flags(*flags));
  return accept_existing(socket.send(request, "cannot put back an address"));
}

// Appended, so that routes to one prefix keep their order and nobody else's route is replaced. Only
// an IPv6 multipath route replaces: the kernel keeps its other paths when the device of one goes
// away.
Result<> put_route(RouteSocket& socket, const NetlinkRecord& record) {
  std::vector<NetlinkAttribute> attributes = attributes_of(record.payload, sizeof(rtmsg));
  auto multipath = find_attribute(attributes, RTA_MULTIPATH);
  if (only_kernel_makes(record)) return {};
  bool replace = multipath && record.header<rtmsg>()->rtm_family == AF_INET6;
  auto request = again<rtmsg>(
      record, RTM_NEWROUTE, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_APPEND),
      [](rtmsg& h) { h.rtm_flags &= kRouteFlags; },
      [](const NetlinkAttribute& a) { return a.type != RTA_CACHEINFO && a.type != RTA_MULTIPATH; });
  if (multipath) request.put(RTA_MULTIPATH, settable_paths(*multipath));
  if (auto cache = find_attribute(attributes, RTA_CACHEINFO);
      cache && cache->data.size() >= sizeof(rta_cacheinfo)) {
    rta_cacheinfo info;
    std::memcpy(&info, cache->data.data(), sizeof info);
    if (info.rta_expires > 0)
      request.put(RTA_EXPIRES, static_cast<uint32_t>(info.rta_expires) / kTicksPerSecond);
  }
  return accept_existing(socket.send(request, "cannot put back a route"));
}

Result<> put_neighbour(RouteSocket& socket, const NetlinkRecord& record) {
  auto request = again<ndmsg>(
      record, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, [](ndmsg&) {},
      [](const NetlinkAttribute& a) { return !is_volatile(RTM_NEWNEIGH, a.type); });
  return socket.send(request, "cannot put back a neighbour");
}

Result<> delete_record(RouteSocket& socket, const NetlinkRecord& record) {
  if (record.type == RTM_NEWADDR)
    return socket.send(again<ifaddrmsg>(
                           record, RTM_DELADDR, 0, [](ifaddrmsg&) {},
                           [](auto& a) {
                             return a.type == IFA_LOCAL || a.type == IFA_ADDRESS ||
                                    a.type == IFA_LABEL;
                           }),
                       "cannot delete an address");
  if (record.type == RTM_NEWROUTE)
    return socket.send(
        again<rtmsg>(
            record, RTM_DELROUTE, 0, [](rtmsg& h) { h.rtm_flags = 0; },
            [](auto& a) { return a.type != RTA_CACHEINFO && a.type != RTA_METRICS; }),
        "cannot delete a route");
  return socket.send(
      again<ndmsg>(
          record, RTM_DELNEIGH, 0, [](ndmsg&) {}, [](auto& a) { return a.type == NDA_DST; }),
      "cannot delete a neighbour");
}

bool only_kernel_makes(const NetlinkRecord& route) {
  auto header = route.header<rtmsg>();
  if (!header || header->rtm_family != AF_INET6) return false;
  auto priority = find_attribute(attributes_of(route.payload, sizeof(rtmsg)), RTA_PRIORITY);
  return !priority || priority->u32() == 0;
}

bool route_uses(const NetlinkRecord& route, int device_index) {
  for (const NetlinkAttribute& attribute : attributes_of(route.payload, sizeof(rtmsg))) {
    if (attribute.type == RTA_OIF && attribute.u32() == static_cast<uint32_t>(device_index))
      return true;
    if (attribute.type != RTA_MULTIPATH) continue;
    for (size_t at = 0; at + sizeof(rtnexthop) <= attribute.data.size();) {
      rtnexthop path;
      std::memcpy(&path, attribute.data.data() + at, sizeof path);
      if (path.rtnh_ifindex == device_index) return true;
      if (path.rtnh_len < sizeof path) break;
      at += RTNH_ALIGN(path.rtnh_len);
    }
  }
  return false;
}

bool route_uses_nexthop_object(const NetlinkRecord& route) {
  return find_attribute(attributes_of(route.payload, sizeof(rtmsg)), RTA_NH_ID).has_value();
}

}  // namespace sluice::gateway
