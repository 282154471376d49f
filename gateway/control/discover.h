// SPDX-License-Identifier: Apache-2.0
// Where the targets of a group are found when nobody registers them: the attributes
// sluice.discover.* (in the file: the section `discover`), read in one place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Of the attributes' names.
inline constexpr std::string_view kDiscoverPrefix = "sluice.discover.";
inline constexpr size_t kDiscoverServersMax = 3;    // DNS servers of a group
inline constexpr size_t kDiscoverEndpointsMax = 5;  // of an etcd cluster
inline constexpr size_t kDiscoverTextMax = 256;     // characters of one attribute

enum class DiscoverSource { kNone, kDns, kFile, kEtcd };
enum class DnsRecord { kA, kAaaa, kSrv };

struct DiscoverSettings {
  DiscoverSource source = DiscoverSource::kNone;
  std::string name;  // dns: absolute, without the last dot
  DnsRecord record = DnsRecord::kA;
  bool srv_ipv6 = false;        // the names of SRV records are looked up as AAAA, not A
  std::vector<Target> servers;  // dns: empty: those of /etc/resolv.conf
  std::string file;
  std::vector<Target> endpoints;  // etcd, asked in turn
  std::string prefix;             // etcd: of the keys
  bool operator==(const DiscoverSettings&) const = default;
  std::string text() const;  // "dns:ids.example"; empty without a source
};

// Of a group whose attributes are valid one by one and together.
DiscoverSettings discover_settings(const TargetGroup& group);
bool is_followed(const TargetGroup& group);      // its targets are found, nobody else sets them
std::string followed(const TargetGroup& group);  // why a target cannot be registered by hand

// What attributes contradict each other, by the name of one of them; the group's other values too.
struct DiscoverConflict {
  std::string_view attribute;
  std::string what;
};
std::optional<DiscoverConflict> discover_conflict(const TargetGroup& group);

// "10.0.0.1", "10.0.0.1:80", "fd00::1" or "[fd00::1]:80". Without a port it is `port`.
Result<Target> parse_target(std::string_view text, uint16_t port);

// The forms of the attributes' values (attributes.h). Nothing for a word that is no such form.
std::optional<Result<>> check_discover_form(std::string_view form, std::string_view value);
std::string_view readable_discover_form(std::string_view form);  // what is expected; may be empty

inline constexpr std::string_view kNoTunnelOverIpv6 =
    "appliances with IPv6 addresses need gateway.tunnel.ipv6_address";

// Whether a target may stand in the group. Error::where is "id" or "port".
Result<> check_found(const Gateway& gateway, const TargetGroup& group, const Target& target);

}  // namespace sluice::gateway
