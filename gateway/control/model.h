// SPDX-License-Identifier: Apache-2.0
// What a gateway is told to be, in the words of AWS's Elastic Load Balancing v2: one value that the
// file, the API and the store share, and whose copies share what they have in common. config.h
// reads it, validate.h judges it as a whole, and control_plane.h is the only way to change the one
// that runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/address.h"
#include "gateway/control/health_check.h"
#include "gateway/control/object_list.h"
#include "gateway/control/policy.h"
#include "gateway/control/rule_parts.h"
#include "tunnels/flow_key.h"

namespace sluice::gateway {

enum class HostKind { kKernel, kProcess };
// Where an attachment's packets are taken (Entry in gateway/datapath/host.h). kAuto: at XDP, or, if
// one of the interfaces has no native XDP, at TC.
enum class EntryChoice { kAuto, kXdp, kTc };
enum class LoadBalancerType { kGateway, kNetwork, kApplication };
enum class Protocol { kGeneve, kTcp, kUdp, kHttp };
enum class TargetType { kIp, kInstance };
enum class Scheme { kInternal, kInternetFacing };
// Who made an object. A file that is applied takes away only what a file brought.
enum class Origin { kFile, kApi };

std::string_view protocol_name(Protocol protocol);  // "GENEVE"
std::string_view type_name(LoadBalancerType type);  // "gateway"

using Attributes = std::map<std::string, std::string, std::less<>>;  // only those that were set
using Tags = std::map<std::string, std::string, std::less<>>;

// What every object of the API has. The control plane fills what is empty before it commits.
struct Resource {
  std::string id;           // 16 hexadecimal digits: the end of its ARN
  uint64_t created_ms = 0;  // Unix time
  Tags tags;
  bool operator==(const Resource&) const = default;
};

// What the number means that an appliance may return with an approved packet (docs/wire/geneve.md).
struct Hint {
  uint16_t number = 0;       // unique
  std::string target_group;  // the flow moves to it; empty: the rest of the flow is not inspected
  bool operator==(const Hint&) const = default;
};

// How long flows of a protocol, or of a port of it, may be silent.
struct IdleTimeout {
  uint8_t protocol = 0;  // TCP only with a port: a listener has the rest (tcp.idle_timeout.seconds)
  uint16_t port = 0;     // of either end; 0: any
  uint32_t seconds = 0;
  bool operator==(const IdleTimeout&) const = default;
};

// Signs requests of the AWS APIs.
struct AccessKey {
  std::string id;
  std::string secret;
  bool may_write = false;
  bool operator==(const AccessKey&) const = default;
};

// Where the HTTP APIs are served, and to whom.
struct ApiAccess {
  std::string address;  // TCP; empty: none
  uint16_t port = 0;
  std::vector<AccessKey> keys;
  bool keyless = false;  // nobody needs a key; on loopback only
  std::string socket;    // path of a unix socket; empty: none
  bool operator==(const ApiAccess&) const = default;
};

enum class LogFormat { kText, kJson };
enum class LogLevel { kDebug, kInfo, kWarning, kError };

enum class FlowLogFormat { kJson, kVpc };

// gateway.flow_log: lines about flows in a file.
struct FlowLogSettings {
  std::string file;  // absolute path; empty: none
  FlowLogFormat format = FlowLogFormat::kJson;
  uint32_t interval_s = 600;            // how often of a flow that lives; 0: only when it has ended
  uint64_t rotate_bytes = 100'000'000;  // a larger file is kept as FILE.1; 0: it just grows
  uint32_t rotate_keep = 5;             // how many of those
  bool operator==(const FlowLogSettings&) const = default;
};

struct Gateway {
  std::string name;            // [a-z0-9-], at most 15 characters
  tunnels::siphash_key key{};  // 128 bits: flow hash and cookies; gateways that share it agree
  std::string socket;          // of the API; /run/sluice/NAME.sock
  HostKind host = HostKind::kKernel;
  uint32_t flows_max = 1 << 20;                // flow_table.flows_max: 96 bytes each
  std::vector<std::string> tunnel_interfaces;  // face the appliances
  // Where their packets are taken. kXdp: what leaves by them is whole packets with their checksums.
  // kTc: that is left to the interface, or to appliances in the kernel.
  EntryChoice tunnel_entry = EntryChoice::kXdp;
  IpAddress tunnel_address;  // outer source address, IPv4; health checks come from it too
  // The same for appliances with IPv6 addresses; all zero: there can be none.
  IpAddress tunnel_address6{{}, 6};
  const IpAddress& tunnel_address_of(uint8_t version) const {
    return version == 6 ? tunnel_address6 : tunnel_address;
  }
  bool pinned = false;     // the packet path outlives sluiced
  bool mss_clamp = false;  // lower the MSS of TCP handshakes to what the tunnel carries
  std::vector<Hint> hints;
  std::vector<IdleTimeout> idle_timeouts;  // the first that fits a flow is its own
  std::vector<PolicyRule> policy;
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;
  FlowLogSettings flow_log;
  std::string nlb_interface;            // gets the addresses of NLB listeners; empty without one
  std::string proxies_socket;           // where sluice-proxy follows; /run/sluice/NAME-proxies.sock
  std::string proxies_user = "nobody";  // who may, besides root
  std::string store;  // path of the database; empty: state lives as long as the daemon
  std::string region = "xx-lab-1";       // in ARNs
  std::string account = "000000000000";  // in ARNs
  ApiAccess api;
  bool operator==(const Gateway& other) const;
};

struct Target {
  IpAddress address;  // `id`
  uint16_t port = 0;  // the target group's port unless given; never 0 after reading
  auto operator<=>(const Target&) const = default;
  std::string text() const;  // "10.0.0.1:80"
};

inline constexpr uint16_t kTargetWeightMax = 999;

struct TargetGroup : Resource {
  std::string name;
  Origin origin = Origin::kFile;
  Protocol protocol = Protocol::kGeneve;
  uint16_t port = 6081;
  TargetType target_type = TargetType::kIp;
  uint8_t ip_version = 0;  // ip_address_type: of its targets, 4 or 6; 0: either
  std::string vpc;         // of `network`; may be empty
  HealthCheck health_check;
  Attributes attributes;
  std::vector<Target> targets;
  std::map<Target, uint16_t> weights;  // `weight` of those of its targets that have one but 1
  bool operator==(const TargetGroup&) const = default;
};

// The lowest priority whose conditions all hold decides; without one the listener's default action.
struct Rule : Resource {
  uint32_t priority = 0;  // 1-50000, unique in its listener
  std::vector<Condition> conditions;
  Action action;
  bool operator==(const Rule&) const = default;
};

struct Listener : Resource {
  // Network and application load balancers; a gateway's listener takes every packet.
  Protocol protocol = Protocol::kGeneve;
  IpAddress address;  // all zero: every address of the load balancer's subnet mappings
  uint16_t port = 0;
  Action default_action;
  std::vector<Rule> rules;  // application
  Attributes attributes;
  bool operator==(const Listener&) const = default;
};

// Where a load balancer stands. A gateway's has no address.
struct SubnetMapping {
  std::string subnet;  // of `network`
  IpAddress address;   // all zero: none
  bool operator==(const SubnetMapping&) const = default;
};

struct LoadBalancer : Resource {
  std::string name;
  Origin origin = Origin::kFile;
  LoadBalancerType type = LoadBalancerType::kGateway;
  Scheme scheme = Scheme::kInternal;
  std::vector<SubnetMapping> subnet_mappings;
  std::vector<std::string> security_groups;  // of `network`; each allows all
  Attributes attributes;
  std::vector<Listener> listeners;  // a gateway has at most one
  bool operator==(const LoadBalancer&) const = default;
};

// A GWLB endpoint: a pair of interfaces spliced into a path.
struct Attachment : Resource {
  std::string name;
  Origin origin = Origin::kFile;
  uint64_t endpoint_id = 0;    // in every GENEVE header; unique
  uint64_t attachment_id = 0;  // in every GENEVE header; some appliances insist on 0
  std::string outside;         // interface towards the clients
  std::string inside;          // interface towards the applications
  EntryChoice entry = EntryChoice::kAuto;
  std::string load_balancer;  // type gateway
  std::string subnet;         // of `network`, for an endpoint made over the EC2 API; may be empty
  std::string service;        // the endpoint service that it was made through; may be empty
  bool operator==(const Attachment&) const = default;
};

// Offers a gateway load balancer to endpoints (EC2: a VPC endpoint service).
struct EndpointService : Resource {
  std::string name;  // "vpce-svc-..." or a word of the file
  Origin origin = Origin::kFile;
  std::string load_balancer;  // type gateway
  bool operator==(const EndpointService&) const = default;
};

// The topology around the gateway as the file tells it: what the EC2 API shows and names refer to.
struct Vpc {
  std::string id;
  std::string cidr;
  bool operator==(const Vpc&) const = default;
};

struct Subnet {
  std::string id;
  std::string vpc;
  std::string zone;
  std::string cidr;  // IPv4: where addresses of load balancers come from
  // The pair of interfaces of an endpoint that is made in this subnet; empty: none can be.
  std::string outside;
  std::string inside;
  bool operator==(const Subnet&) const = default;
};

// A name for an address: targets can be registered by it.
struct Instance {
  std::string id;
  IpAddress address;
  std::string subnet;
  bool operator==(const Instance&) const = default;
};

struct SecurityGroup {
  std::string id;
  std::string vpc;
  bool operator==(const SecurityGroup&) const = default;
};

struct Network {
  ObjectList<Vpc> vpcs;
  ObjectList<Subnet> subnets;
  ObjectList<Instance> instances;
  ObjectList<SecurityGroup> security_groups;
  bool operator==(const Network&) const = default;
  // The very same objects, which is quicker to see.
  bool same_objects(const Network& other) const;
};

struct Config {
  std::string file;
  std::string digest;  // of the file's text
  Gateway gateway;
  Network network;
  ObjectList<LoadBalancer> load_balancers;
  ObjectList<Attachment> attachments;
  ObjectList<EndpointService> endpoint_services;
  ObjectList<TargetGroup> target_groups;

  const LoadBalancer* load_balancer(std::string_view name) const {
    return load_balancers.find(name);
  }
  const TargetGroup* target_group(std::string_view name) const { return target_groups.find(name); }
};

inline bool is_set(const IpAddress& address) {
  return !(address == IpAddress{{}, address.version});
}

// A target's part of the group's new flows, beside the parts of the others.
uint16_t weight_of(const TargetGroup& group, const Target& target);

// The addresses that a listener of a network or application load balancer has.
std::vector<IpAddress> addresses_of(const LoadBalancer& owner, const Listener& listener);

// Whether a listener or rule of the balancer forwards to the group.
bool uses(const LoadBalancer& balancer, std::string_view group);

}  // namespace sluice::gateway
