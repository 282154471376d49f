// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/config.h"

#include <gtest/gtest.h>

#include "gateway/control/attributes.h"
#include "gateway/control/validate.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {
namespace {

const char kSmall[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - name: inspect
    type: gateway
    listeners: [{default_actions: [{type: forward, target_group: ids}]}]
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
  - name: alb
    type: application
    listeners:
      - protocol: HTTP
        address: 10.1.0.80
        port: 80
        default_actions: [{type: forward, target_group: web}]
        rules:
          - {priority: 10, conditions: [{field: path-pattern, values: ["/a"]}], actions: [{type: forward, target_group: web}]}
attachments:
  - {name: front, endpoint_id: 0x2b8ee1d4db0c51c4, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21}]}
  - {name: web, protocol: HTTP, port: 80, targets: [{id: 10.1.0.11}]}
)";

std::string errors_of(const std::string& yaml) {
  auto config = parse_config(yaml, "f");
  std::string text;
  if (!config)
    for (const Error& error : config.error()) text += error.text() + "\n";
  return text;
}

std::string with(const std::string& before, const std::string& after) {
  std::string yaml = kSmall;
  const size_t at = yaml.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  return yaml.replace(at, before.size(), after);
}

TEST(Config, EntriesExampleIsValid) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/entries.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  EXPECT_EQ(config->attachments[0].entry, EntryChoice::kTc);
  EXPECT_EQ(config->attachments[1].entry, EntryChoice::kAuto);
  EXPECT_EQ(config->gateway.tunnel_entry, EntryChoice::kXdp);
  EXPECT_NE(errors_of(with("inside: in0", "inside: in0, entry: native")).find("auto, xdp, tc"),
            std::string::npos)
      << errors_of(with("inside: in0", "inside: in0, entry: native"));
}

TEST(Config, SilencesOfProtocolsAndPorts) {
  const auto read = [](const std::string& list) {
    return parse_config(with("  nlb: {interface: mgmt0}\n",
                             "  nlb: {interface: mgmt0}\n  idle_timeouts: [" + list + "]\n"),
                        "f");
  };
  auto config = read("{protocol: udp, port: 53, seconds: 10}, {protocol: 47, seconds: 86400}");
  ASSERT_TRUE(config) << config.error()[0].text();
  EXPECT_EQ(config->gateway.idle_timeouts,
            (std::vector<IdleTimeout>{{17, 53, 10}, {47, 0, 86400}}));
  const std::pair<const char*, const char*> bad[] = {
      {"{protocol: tcp, seconds: 10}", "tcp needs a port here"},
      {"{protocol: 47, port: 1, seconds: 10}", "only tcp and udp have ports"},
      {"{protocol: sctp, seconds: 10}", "sctp"},
      {"{protocol: udp, seconds: 0}", "0"},
      {"{protocol: udp, seconds: 86401}", "86401"},
      {"{protocol: 256, seconds: 1}", "256"},
  };
  for (const auto& [list, what] : bad) {
    auto refused = read(list);
    ASSERT_FALSE(refused) << list;
    EXPECT_NE(refused.error()[0].text().find(what), std::string::npos) << refused.error()[0].text();
  }
}

TEST(Config, ReadsTheExampleOfFloods) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/floods.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  EXPECT_EQ(new_flows_per_second(config->load_balancers[0].listeners[0]), 20'000u);
  for (const char* bad : {"0", "2000001", "-1", "many", ""})
    EXPECT_FALSE(check_attribute(AttributeScope::kListener, LoadBalancerType::kGateway,
                                 "sluice.new_flows_per_second", bad))
        << bad;
}

TEST(Config, FailoverAttributesMustFitTogether) {
  auto config = *read_config(SLUICE_SOURCE_DIR "/docs/features/examples/failover.yaml");
  const auto errors = [&](Attributes attributes) {
    config.target_groups[0].attributes = std::move(attributes);
    std::string out;
    for (const Error& error : validate(config)) out += error.text() + "\n";
    return out;
  };
  EXPECT_EQ(errors({}), "");
  EXPECT_EQ(errors({{"target_failover.on_unhealthy", "rebalance"}}),
            "target_groups[0].attributes.target_failover.on_unhealthy: "
            "target_failover.on_deregistration and target_failover.on_unhealthy must be equal\n");
  EXPECT_EQ(
      errors({{"send_tcp_reset.on_unhealthy.enabled", "true"}, {"stickiness.enabled", "true"}}),
      "target_groups[0].attributes.send_tcp_reset.on_unhealthy.enabled: needs 5-tuple "
      "stickiness: stickiness.enabled must be false\n");
}

TEST(Config, ReadsTheExampleOfTheManual) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/gateway.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  EXPECT_EQ(config->gateway.key.k0, 0x0011223344556677u);
  EXPECT_EQ(config->gateway.key.k1, 0x8899aabbccddeeffu);
  EXPECT_EQ(config->gateway.tunnel_address.text(), "10.9.0.1");
  EXPECT_EQ(config->attachments[0].endpoint_id, 0x2b8ee1d4db0c51c4u);
  const TargetGroup& ids = *config->target_group("ids");
  EXPECT_EQ(stickiness_of(ids), tunnels::kFlowHash3Tuple);
  EXPECT_EQ(ids.health_check.port, 8080);
  EXPECT_EQ(ids.targets[1].port, 6081);
  const TargetGroup& echo = *config->target_group("echo");
  EXPECT_EQ(echo.targets[0].port, 7001);
  EXPECT_EQ(echo.targets[1].port, 7000);
  EXPECT_EQ(echo.health_check.interval_s, 30);
  const Listener& web = config->load_balancer("web-alb")->listeners[0];
  EXPECT_EQ(web.rules[0].conditions[1].values[1], "*.example.com");
  EXPECT_EQ(web.rules[0].action.target_group, "api");
}

TEST(Config, DefaultsAreElbv2s) {
  auto config = parse_config(kSmall, "f");
  ASSERT_TRUE(config) << errors_of(kSmall);
  const HealthCheck& check = config->target_group("ids")->health_check;
  EXPECT_EQ(check.port, 80);
  EXPECT_EQ(check.interval_s, 10);
  EXPECT_EQ(check.timeout_s, 5);
  EXPECT_EQ(check.healthy_threshold, 5);
  EXPECT_EQ(check.unhealthy_threshold, 2);
  EXPECT_EQ(idle_timeout_s(*config), 350u);
  EXPECT_EQ(config->gateway.socket, "/run/sluice/demo.sock");
}

struct Bad {
  const char* before;
  const char* after;
  const char* error;
};

const Bad kBad[] = {
    {"name: demo", "name: De_mo",
     "f:2:9: gateway.name: a name is 1 to 15 lower case letters, digits and hyphens\n"},
    {"name: demo", "name: Demo",
     "f:2:9: gateway.name: a name is 1 to 15 lower case letters, digits and hyphens\n"},
    {"00112233", "0011223g",
     "f:3:8: gateway.key: expected 32 hexadecimal digits (`openssl rand -hex 16` makes them)\n"},
    {"  key: 00112233445566778899aabbccddeeff\n", "", "f:2:3: gateway: 'key' is missing\n"},
    {"name: demo", "name: demo\n  socket: a",
     "f:3:11: gateway.socket: expected an absolute path of at most 107 bytes\n"},
    {"name: demo", "name: demo\n  host: dpdk",
     "f:3:9: gateway.host: 'dpdk' is not one of: kernel, process\n"},
    {"name: demo", "name: demo\n  flow_table: {flows_max: 5}",
     "f:3:27: gateway.flow_table.flows_max: 5 is not between 1024 and 16777216\n"},
    {"10.9.0.1}", "fd00::1}",
     "f:4:38: gateway.tunnel.address: expected an IPv4 address; ipv6_address is the one over "
     "IPv6\n"},
    {"10.9.0.1}", "10.9.0.1, ipv6_address: fe80::1}",
     "f:4:62: gateway.tunnel.ipv6_address: fe80::1 is no global or unique local IPv6 address of a "
     "single host\n"},
    {"10.9.0.1}", "10.9.0.1, ipv6_address: 10.9.0.2}",
     "f:4:62: gateway.tunnel.ipv6_address: 10.9.0.2 is no global or unique local IPv6 address of a "
     "single host\n"},
    {"10.9.0.1}", "10.9.0.1, ipv6_address: '::ffff:10.9.0.1'}",
     "f:4:62: gateway.tunnel.ipv6_address: ::ffff:10.9.0.1 is no global or unique local IPv6 "
     "address of a single host\n"},
    {"10.9.0.1}", "127.0.0.1}",
     "f:4:38: gateway.tunnel.address: 127.0.0.1 is no address of a single host on a network\n"},
    {"10.9.0.1}", "10.9.0.1/24}",
     "f:4:38: gateway.tunnel.address: '10.9.0.1/24' is no IPv4 or IPv6 address\n"},
    {"interface: gen0", "interface: [gen0, gen0]",
     "f:4:30: gateway.tunnel.interface[1]: interface 'gen0' is used twice\n"},
    {"interface: gen0", "interface: sixteen-letters-",
     "f:4:23: gateway.tunnel.interface: no name of an interface (1 to 15 characters)\n"},
    {"interface: gen0", "interface: []",
     "f:4:23: gateway.tunnel.interface: at least one interface must face the appliances\n"},
    {"  nlb: {interface: mgmt0}\n", "",
     "f:2:3: gateway: 'nlb' is missing: a network load balancer needs nlb: {interface: NAME}, the "
     "interface that gets its addresses\n"},
    {"name: inspect", "name: nlb",
     "f:10:11: load_balancers[1].name: the name 'nlb' is taken\nf:24:95: "
     "attachments[0].load_balancer: there is no load balancer 'inspect'\n"},
    {"type: gateway", "type: classic",
     "f:8:11: load_balancers[0].type: 'classic' is not one of: gateway, network, application\n"},
    {"target_group: ids", "target_group: idx",
     "f:9:66: load_balancers[0].listeners[0].default_actions[0].target_group: there is no target "
     "group 'idx', did you mean 'ids'?\n"},
    {"target_group: ids", "target_group: echo",
     "f:9:66: load_balancers[0].listeners[0].default_actions[0].target_group: target group 'echo' "
     "has protocol UDP; this listener needs GENEVE\n"},
    {"[{default_actions", "[{port: 1, default_actions",
     "f:9:24: load_balancers[0].listeners[0].port: 'port' cannot be set: the listener of a gateway "
     "load balancer takes every packet\n"},
    {"[{default_actions", "[{tcp.idle_timeout.seconds: 5, default_actions",
     "f:9:44: load_balancers[0].listeners[0].tcp.idle_timeout.seconds: 5 is not between 60 and "
     "6000\n"},
    {"[{type: forward, target_group: ids}]", "[]",
     "f:9:35: load_balancers[0].listeners[0].default_actions: expected exactly one action\n"},
    {"{type: forward, target_group: ids}", "{type: authenticate-oidc}",
     "f:9:43: load_balancers[0].listeners[0].default_actions[0].type: 'authenticate-oidc' is not "
     "one of: forward, redirect, fixed-response\n"},
    {"{type: forward, target_group: ids}", "{type: fixed-response, status: 200}",
     "f:9:36: load_balancers[0].listeners[0].default_actions[0]: only an application load balancer "
     "has redirects and fixed responses\n"},
    {"protocol: UDP, address", "protocol: TLS, address",
     "f:13:20: load_balancers[1].listeners[0].protocol: a listener of a network load balancer "
     "speaks TCP or UDP, not TLS\n"},
    {"protocol: HTTP\n", "protocol: HTTPS\n",
     "f:17:19: load_balancers[2].listeners[0].protocol: a listener of an application load balancer "
     "speaks HTTP, not HTTPS\n"},
    {"port: 7000, default", "port: 0, default",
     "f:13:52: load_balancers[1].listeners[0].port: 0 is not between 1 and 65535\n"},
    {"10.1.0.100", "fd01::100",
     "f:13:105: load_balancers[1].listeners[0].default_actions[0].target_group: target 10.1.0.21 "
     "of group 'echo' is not of the IP version of the listener's address\n"},
    {"priority: 10", "priority: 0",
     "f:22:24: load_balancers[2].listeners[0].rules[0].priority: 0 is not between 1 and 50000\n"},
    {"field: path-pattern", "field: cookie",
     "f:22:49: load_balancers[2].listeners[0].rules[0].conditions[0].field: 'cookie' is not one "
     "of: host-header, path-pattern, http-header, http-request-method, query-string, source-ip\n"},
    {"field: path-pattern", "field: source-ip",
     "f:22:69: load_balancers[2].listeners[0].rules[0].conditions[0].values[0]: '/a' is no network "
     "such as 10.0.0.0/16\n"},
    {"values: [\"/a\"]", "values: []",
     "f:22:71: load_balancers[2].listeners[0].rules[0].conditions[0].values: a condition needs at "
     "least one value\n"},
    {"load_balancer: inspect", "load_balancer: nlb",
     "f:24:95: attachments[0].load_balancer: load balancer 'nlb' is not of type gateway\n"},
    {"inside: in0", "inside: out0",
     "f:24:75: attachments[0].inside: interface 'out0' is used twice\n"},
    {"protocol: GENEVE", "protocol: GENEVE, port: 6082",
     "f:26:41: target_groups[0].port: a GENEVE target group has port 6081\n"},
    {"id: 10.9.0.11", "id: fd09::11",
     "f:26:50: target_groups[0].targets[0].id: appliances with IPv6 addresses need "
     "gateway.tunnel.ipv6_address\n"},
    {"{id: 10.9.0.11}", "{id: 10.9.0.11}, {id: 10.9.0.11}",
     "f:26:67: target_groups[0].targets[1].id: this target is in the group already\n"},
    {"{id: 10.9.0.11}", "{id: i-1234}",
     "f:26:50: target_groups[0].targets[0].id: 'i-1234' is no IPv4 or IPv6 address\n"},
    {"{id: 10.9.0.11}", "{id: 10.9.0.11, weight: 0}",
     "f:26:69: target_groups[0].targets[0].weight: 0 is not between 1 and 999\n"},
    {"{id: 10.9.0.11}", "{id: 10.9.0.11, weight: 1000}",
     "f:26:69: target_groups[0].targets[0].weight: 1000 is not between 1 and 999\n"},
    {"{id: 10.1.0.21}", "{id: 10.1.0.21, weight: 2}",
     "f:27:79: target_groups[1].targets[0].weight: only targets of GENEVE groups have weights\n"},
    {"targets: [{id: 10.9.0.11}]",
     "discover: {file: /run/targets}, targets: [{id: 10.9.0.11, weight: 2}]",
     "f:26:101: target_groups[0].targets[0].weight: targets that are found have no weights\n"},
    {"{id: 10.9.0.11}", "{id: 10.9.0.1}",
     "f:26:50: target_groups[0].targets[0].id: 10.9.0.1 is gateway.tunnel.address, the gateway's "
     "own; an appliance has another\n"},
    {"protocol: GENEVE", "protocol: TCP_UDP",
     "f:26:27: target_groups[0].protocol: 'TCP_UDP' is not one of: GENEVE, TCP, UDP, HTTP\n"},
    {"protocol: GENEVE",
     "protocol: GENEVE, health_check: {interval_seconds: 2, timeout_seconds: 3}",
     "f:26:88: target_groups[0].health_check.timeout_seconds: longer than interval_seconds\n"},
    {"protocol: GENEVE", "protocol: GENEVE, health_check: {healthy_threshold_count: 1}",
     "f:26:75: target_groups[0].health_check.healthy_threshold_count: 1 is not between 2 and 10\n"},
    {"  tunnel:", "  log: {format: xml}\n  tunnel:",
     "f:4:17: gateway.log.format: 'xml' is not one of: text, json\n"},
    {"  tunnel:",
     "  flow_log: {file: flows, format: csv, interval_seconds: 90000, rotate_bytes: 10, "
     "rotate_keep: "
     "0, size: 1}\n  tunnel:",
     "f:4:20: gateway.flow_log.file: expected an absolute path\n"
     "f:4:35: gateway.flow_log.format: 'csv' is not one of: json, vpc\n"
     "f:4:58: gateway.flow_log.interval_seconds: 90000 is not between 0 and 86400\n"
     "f:4:79: gateway.flow_log.rotate_bytes: expected 0, or 10000 and more\n"
     "f:4:96: gateway.flow_log.rotate_keep: 0 is not between 1 and 100\n"
     "f:4:105: gateway.flow_log.size: unknown key 'size'\n"},
    {"  tunnel:", "  flow_log: {format: vpc}\n  tunnel:",
     "f:4:13: gateway.flow_log: 'file' is missing\n"},
    {"protocol: GENEVE", "protocol: GENEVE, health_check: {protocol: ICMP}",
     "f:26:60: target_groups[0].health_check.protocol: 'ICMP' is not one of: TCP, HTTP, HTTPS, "
     "GRPC\n"},
    {"protocol: GENEVE", "protocol: GENEVE, health_check: {path: /}",
     "f:26:56: target_groups[0].health_check.path: a TCP health check has no path\n"},
    {"protocol: GENEVE", "protocol: GENEVE, health_check: {protocol: HTTP, path: up}",
     "f:26:72: target_groups[0].health_check.path: expected a path that begins with '/', of at "
     "most 1024 visible characters\n"},
    {"protocol: GENEVE", "protocol: GENEVE, health_check: {protocol: HTTP, matcher: 200-499}",
     "f:26:75: target_groups[0].health_check.matcher: expected codes or ranges of codes between "
     "200 and 399, as in \"200,202-399\"\n"},
    {"protocol: GENEVE", "protocol: GENEVE, stickiness: {type: lb_cookie}",
     "f:26:54: target_groups[0].stickiness.type: 'lb_cookie' is not one of: source_ip_dest_ip, "
     "source_ip_dest_ip_proto\n"},
    {"protocol: UDP, port: 7000, t",
     "protocol: UDP, port: 7000, stickiness: {type: source_ip_dest_ip}, t",
     "f:27:57: target_groups[1].stickiness: stickiness is for GENEVE target groups here\n"},
    {"protocol: UDP, port: 7000, t", "protocol: UDP, t",
     "f:27:5: target_groups[1]: 'port' is missing\n"},
    {"  nlb: {interface: mgmt0}",
     "  nlb: {interface: mgmt0}\n  hints: [{hint: 0, type: bypass}, {hint: 5, type: forward, "
     "target_group: echo}, {hint: 5, type: bypass}, {hint: 6, type: drop}]",
     "f:6:18: gateway.hints[0].hint: 0 is not between 1 and 65535\n"
     "f:6:75: gateway.hints[1].target_group: target group 'echo' has protocol UDP; this listener "
     "needs GENEVE\n"
     "f:6:89: gateway.hints[2].hint: this hint is here already\n"
     "f:6:123: gateway.hints[3].type: 'drop' is not one of: bypass, forward\n"},
    {"attachments:", "attachements:",
     "f:24:3: attachements: unknown key 'attachements', did you mean 'attachments'?\n"},
};

TEST(Config, NamesEachErrorWithLineAndColumn) {
  for (const Bad& bad : kBad) EXPECT_EQ(errors_of(with(bad.before, bad.after)), bad.error);
}

TEST(Config, ReportsAllErrorsAtOnce) {
  std::string yaml = with("name: demo", "name: demo\n  host: x");
  yaml.replace(yaml.find("type: gateway"), 13, "type: classic");
  yaml.replace(yaml.find("id: 10.9.0.11"), 13, "id: nowhere");
  EXPECT_EQ(parse_config(yaml, "f").error().size(), 3u);
}

TEST(Config, TwoIdleTimeoutsOrFrontendsDoNotFit) {
  const std::string gateway2 =
      "  - {name: two, type: gateway, listeners: [{tcp.idle_timeout.seconds: 99, default_actions: "
      "[{type: forward, target_group: ids}]}]}\n";
  std::string yaml =
      with("listeners: [{default", "listeners: [{tcp.idle_timeout.seconds: 98, default");
  yaml.insert(yaml.find("attachments:"), gateway2);
  EXPECT_NE(errors_of(yaml).find("they share one"), std::string::npos) << errors_of(yaml);
  EXPECT_NE(
      errors_of(with("  - name: alb",
                     "  - name: nlb2\n    type: network\n    listeners:\n      - {protocol: UDP, "
                     "address: 10.1.0.100, port: 7000, default_actions: [{type: forward, "
                     "target_group: echo}]}\n  - name: alb"))
          .find("another listener has UDP 10.1.0.100 port 7000"),
      std::string::npos);
}

TEST(Config, CountsAreBounded) {
  std::string many = "target_groups:\n";
  for (int i = 0; i < 129; i++)
    many += "  - {name: g" + std::to_string(i) + ", protocol: GENEVE}\n";
  std::string yaml = kSmall;
  yaml.replace(yaml.find("target_groups:\n"), 15, many);
  EXPECT_NE(errors_of(yaml).find("GENEVE target groups; at most 128 are possible"),
            std::string::npos);
  std::string targets = "targets: [";
  for (int i = 0; i <= 1024; i++)
    targets += "{id: 10.8." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + "},";
  EXPECT_NE(errors_of(with("targets: [{id: 10.9.0.11}", targets)).find("at most 1024"),
            std::string::npos);
}

TEST(Config, CutAnywhereItIsRefusedOrValid) {
  const std::string whole = kSmall;
  for (size_t length = 0; length < whole.size(); length++)
    (void)parse_config(std::string_view(whole).substr(0, length), "f");
}

TEST(Config, FilesThatCannotBeRead) {
  EXPECT_EQ(read_config("/nowhere/x.yaml").error()[0].text(),
            "/nowhere/x.yaml: cannot open: No such file or directory");
  EXPECT_FALSE(read_config("/"));
}

}  // namespace
}  // namespace sluice::gateway
