// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/discover.h"

#include <algorithm>
#include <charconv>

namespace sluice::gateway {
namespace {

constexpr std::string_view kDnsName = "sluice.discover.dns.name";
constexpr std::string_view kDnsRecord = "sluice.discover.dns.record";
constexpr std::string_view kDnsServers = "sluice.discover.dns.servers";
constexpr std::string_view kFile = "sluice.discover.file";
constexpr std::string_view kEndpoints = "sluice.discover.etcd.endpoints";
constexpr std::string_view kPrefix = "sluice.discover.etcd.prefix";
constexpr uint16_t kDnsPort = 53;
constexpr uint16_t kEtcdPort = 2379;
constexpr std::string_view kHttp = "http://";

std::string_view value_of(const TargetGroup& group, std::string_view name) {
  const auto at = group.attributes.find(name);
  return at == group.attributes.end() ? std::string_view() : std::string_view(at->second);
}

// Labels of letters, digits, hyphens and underscores; a last dot may stand behind them.
Result<> check_dns_name(std::string_view name) {
  constexpr size_t kNameMax = 253, kLabelMax = 63;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kNameMax) return fail("longer than 253 characters");
  size_t label = 0;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' ? label == 0 : !letter || ++label > kLabelMax) return fail("no DNS name");
    if (c == '.') label = 0;
  }
  return label == 0 ? Result<>(fail("no DNS name")) : Result<>();
}

Result<> check_path(std::string_view path) {
  const bool printable = std::ranges::all_of(path, [](char c) { return c >= ' ' && c != 127; });
  if (!path.starts_with('/') || path.ends_with('/') || !printable) return fail("no absolute path");
  return {};
}

// `scheme`, then address and port, for each; commas between them.
Result<std::vector<Target>> parse_places(std::string_view text, std::string_view scheme,
                                         uint16_t port, size_t max) {
  std::vector<Target> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string_view one = text.substr(begin, end - begin);
    begin = end + 1;
    if (!one.starts_with(scheme)) return fail("not " + std::string(scheme) + "ADDRESS:PORT");
    one.remove_prefix(scheme.size());
    SLUICE_TRY(const Target place, parse_target(one, port));
    out.push_back(place);
  }
  if (out.size() > max) return fail("more than " + std::to_string(max));
  return out;
}

template <class T>
Result<> without_value(const Result<T>& result) {
  return result ? Result<>() : Result<>(tl::make_unexpected(result.error()));
}

}  // namespace

std::optional<Result<>> check_discover_form(std::string_view form, std::string_view value) {
  const bool known = !readable_discover_form(form).empty();
  if (!known) return std::nullopt;
  if (value.empty()) return Result<>();  // taken away
  if (value.size() > kDiscoverTextMax) return fail("too long");
  if (form == "DNS name") return check_dns_name(value);
  if (form == "path") return check_path(value);
  if (form == "DNS servers")
    return without_value(parse_places(value, "", kDnsPort, kDiscoverServersMax));
  if (form == "etcd endpoints")
    return without_value(parse_places(value, kHttp, kEtcdPort, kDiscoverEndpointsMax));
  return Result<>();  // a prefix of keys is any text
}

std::string_view readable_discover_form(std::string_view form) {
  if (form == "DNS name") return "a DNS name";
  if (form == "DNS servers") return "ADDRESS[:PORT] of up to 3 servers, commas between them";
  if (form == "path") return "the absolute path of a file";
  if (form == "etcd endpoints")
    return "http://ADDRESS[:PORT] of up to 5 endpoints, commas between them";
  return form == "etcd prefix" ? "the first characters of keys" : "";
}

Result<Target> parse_target(std::string_view text, uint16_t port) {
  std::string_view address = text, digits;
  const bool bracket = text.starts_with('[');
  const size_t colon = text.rfind(':');
  if (bracket) {
    const size_t close = std::min(text.find(']'), text.size() - 1);
    address = text.substr(1, close - 1);
    digits = text.substr(close + 1);
    const bool ends = text[close] == ']' && (digits.empty() || digits.starts_with(':'));
    if (!ends) return fail("no address and port such as [fd00::1]:80");
  } else if (colon != std::string_view::npos && text.find(':') == colon) {
    address = text.substr(0, colon);
    digits = text.substr(colon);
  }
  Target out{{}, port};
  auto parsed = parse_ip_address(std::string(address));
  if (!parsed || (bracket && parsed->version != 6)) return fail("no IP address");
  out.address = *parsed;
  if (digits.empty()) return out;
  digits.remove_prefix(1);
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc() || stop != digits.data() + digits.size() || out.port == 0)
    return fail("the port is not between 1 and 65535");
  return out;
}

DiscoverSettings discover_settings(const TargetGroup& group) {
  DiscoverSettings out;
  if (group.attributes.empty()) return out;
  if (const auto name = value_of(group, kDnsName); !name.empty()) {
    out.source = DiscoverSource::kDns;
    out.name = name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
    const auto record = value_of(group, kDnsRecord);
    out.record = record == "SRV"    ? DnsRecord::kSrv
                 : record == "AAAA" ? DnsRecord::kAaaa
                                    : DnsRecord::kA;
    out.srv_ipv6 = group.ip_version == 6;
    if (const auto servers = value_of(group, kDnsServers); !servers.empty())
      out.servers =
          parse_places(servers, "", kDnsPort, kDiscoverServersMax).value_or(std::vector<Target>());
  } else if (const auto file = value_of(group, kFile); !file.empty()) {
    out.source = DiscoverSource::kFile;
    out.file = file;
  } else if (const auto endpoints = value_of(group, kEndpoints); !endpoints.empty()) {
    out.source = DiscoverSource::kEtcd;
    out.endpoints = parse_places(endpoints, kHttp, kEtcdPort, kDiscoverEndpointsMax)
                        .value_or(std::vector<Target>());
    out.prefix = value_of(group, kPrefix);
  }
  return out;
}

std::string DiscoverSettings::text() const {
  switch (source) {
    case DiscoverSource::kNone:
      return "";
    case DiscoverSource::kDns:
      return "dns:" + name;
    case DiscoverSource::kFile:
      return "file:" + file;
    case DiscoverSource::kEtcd:
      return "etcd:" + prefix;
  }
  return "";
}

bool is_followed(const TargetGroup& group) {
  return discover_settings(group).source != DiscoverSource::kNone;
}

std::string followed(const TargetGroup& group) {
  return "the targets of '" + group.name + "' are found by " + discover_settings(group).text() +
         "; they are not registered or deregistered by hand";
}

std::optional<DiscoverConflict> discover_conflict(const TargetGroup& group) {
  const auto set = [&](std::string_view name) { return !value_of(group, name).empty(); };
  const int sources = set(kDnsName) + set(kFile) + (set(kEndpoints) || set(kPrefix));
  const std::string_view first = set(kDnsName) ? kDnsName : set(kFile) ? kFile : kEndpoints;
  if (sources > 1) return {{first, "a target group follows one source: dns, file or etcd"}};
  for (const std::string_view of_name : {kDnsServers, kDnsRecord})
    if (set(of_name) && !set(kDnsName)) return {{of_name, "sluice.discover.dns.name is missing"}};
  if (set(kEndpoints) != set(kPrefix))
    return {{set(kPrefix) ? kPrefix : kEndpoints,
             "endpoints and prefix of sluice.discover.etcd are given together"}};
  if (sources == 0) return std::nullopt;
  if (group.target_type == TargetType::kInstance)
    return {{first, "targets of target_type instance are registered, not found"}};
  const bool six = value_of(group, kDnsRecord) == "AAAA";
  if (six && group.ip_version == 4)
    return {{kDnsRecord, "the group's targets have IPv4 addresses"}};
  if (set(kDnsName) && !six && value_of(group, kDnsRecord) != "SRV" && group.ip_version == 6)
    return {{kDnsName, "the group's targets have IPv6 addresses; the record is AAAA"}};
  return std::nullopt;
}

Result<> check_found(const Gateway& gateway, const TargetGroup& group, const Target& target) {
  constexpr uint16_t kGenevePortNumber = 6081;
  const bool appliance = group.protocol == Protocol::kGeneve;
  if (!is_host_address(target.address))
    return fail(target.address.text() + " is no address of a single host on a network", "id");
  if (appliance && target.address.version == 6 && !is_set(gateway.tunnel_address6))
    return fail(std::string(kNoTunnelOverIpv6), "id");
  if (appliance && target.address.version == 6 && !is_tunnel_address6(target.address))
    return fail(target.address.text() + " is no global or unique local IPv6 address", "id");
  if (appliance && target.address == gateway.tunnel_address_of(target.address.version))
    return fail(target.address.text() + " is gateway.tunnel." +
                    (target.address.version == 4 ? "address" : "ipv6_address") +
                    ", the gateway's own; an appliance has another",
                "id");
  if (group.ip_version != 0 && target.address.version != group.ip_version)
    return fail("the group's ip_address_type is another", "id");
  if (appliance && target.port != kGenevePortNumber && target.port != group.port)
    return fail("GENEVE targets have port 6081", "port");
  if (target.port == 0) return fail("a target needs a port", "port");
  return {};
}

}  // namespace sluice::gateway
