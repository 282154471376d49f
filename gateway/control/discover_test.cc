// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/discover.h"

#include <gtest/gtest.h>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

TEST(ParseTarget, TakesAddressesWithAndWithoutPort) {
  struct Case {
    const char* text;
    const char* out;  // empty: refused
  };
  const Case cases[] = {{"10.0.0.1", "10.0.0.1:99"},
                        {"10.0.0.1:80", "10.0.0.1:80"},
                        {"10.0.0.1:65535", "10.0.0.1:65535"},
                        {"10.0.0.1:65536", ""},
                        {"10.0.0.1:0", ""},
                        {"10.0.0.1:", ""},
                        {"10.0.0.1:8x", ""},
                        {"10.0.0.1:-8", ""},
                        {"10.0.0", ""},
                        {"", ""},
                        {":80", ""},
                        {"fd00::1", "[fd00::1]:99"},
                        {"[fd00::1]", "[fd00::1]:99"},
                        {"[fd00::1]:80", "[fd00::1]:80"},
                        {"[10.0.0.1]:80", ""},
                        {"[fd00::1]80", ""},
                        {"[fd00::1", ""},
                        {"[", ""},
                        {"[]", ""},
                        {"]:80", ""},
                        {"ids.example", ""}};
  for (const Case& c : cases) {
    const auto target = parse_target(c.text, 99);
    EXPECT_EQ(target ? target->text() : "", c.out) << c.text;
  }
}

TEST(ParseTarget, NoCutOfItBreaks) {
  const std::string text = "[fd00::1]:8080";
  for (size_t size = 0; size < text.size(); size++) (void)parse_target(text.substr(0, size), 1);
}

TEST(DiscoverForms, AreChecked) {
  struct Case {
    const char* attribute;
    const char* value;
    bool good;
  };
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  const std::string too_long = label + "." + label + "." + label + "." + std::string(62, 'b');
  const std::string long_label = label + "a.example";
  const Case cases[] = {
      {"dns.name", "ids.example", true},
      {"dns.name", "_ids._udp.example.", true},
      {"dns.name", "", true},
      {"dns.name", ".", false},
      {"dns.name", "a..b", false},
      {"dns.name", ".a", false},
      {"dns.name", "a b", false},
      {"dns.name", "a/b", false},
      {"dns.name", longest.c_str(), true},
      {"dns.name", too_long.c_str(), false},
      {"dns.name", long_label.c_str(), false},
      {"dns.record", "SRV", true},
      {"dns.record", "MX", false},
      {"dns.servers", "10.0.0.53,[fd00::53]:5353", true},
      {"dns.servers", "10.0.0.53,", false},
      {"dns.servers", "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4", false},
      {"file", "/etc/sluice/ids", true},
      {"file", "ids", false},
      {"file", "/etc/sluice/", false},
      {"file", "/etc/\n", false},
      {"etcd.endpoints", "http://10.0.0.5:2379,http://10.0.0.6", true},
      {"etcd.endpoints", "https://10.0.0.5:2379", false},
      {"etcd.endpoints", "10.0.0.5:2379", false},
      {"etcd.endpoints", "http://etcd.example:2379", false},
      {"etcd.prefix", "/sluice/ids/", true},
  };
  for (const Case& c : cases) {
    const std::string name = std::string("sluice.discover.") + c.attribute;
    const auto result =
        check_attribute(AttributeScope::kTargetGroup, LoadBalancerType::kGateway, name, c.value);
    EXPECT_EQ(result.has_value(), c.good) << name << " " << c.value;
  }
}

// A file whose one target group has this line.
std::string errors_of(const std::string& group) {
  const auto config = parse_config(
      "gateway:\n  name: d\n  key: 00112233445566778899aabbccddeeff\n"
      "  tunnel: {interface: gen0, address: 10.9.0.1}\n"
      "target_groups:\n  - {name: ids, " +
          group + "}\n",
      "f");
  std::string out;
  if (!config)
    for (const Error& error : config.error()) out += error.text() + "\n";
  return out;
}

TEST(DiscoverSection, IsReadStrictly) {
  struct Case {
    const char* group;
    const char* error;  // a part of what is said; empty: accepted
  };
  const Case cases[] = {
      {"protocol: GENEVE, discover: {dns: {name: ids.example}}", ""},
      {"protocol: GENEVE, discover: {dns: {name: i.example, record: SRV, servers: [10.0.0.53]}}",
       ""},
      {"protocol: GENEVE, discover: {file: /etc/ids}, targets: [{id: 10.9.0.11}]", ""},
      {"protocol: TCP, port: 80, discover: {etcd: {endpoints: ['http://10.0.0.5:2379', "
       "'http://10.0.0.6:2379'], prefix: /ids/}}",
       ""},
      {"protocol: GENEVE, discover: {}", "one source"},
      {"protocol: GENEVE, discover: {file: /a, dns: {name: b}}", "one source"},
      {"protocol: GENEVE, discover: {consul: b}", "unknown key"},
      {"protocol: GENEVE, discover: {dns: {nam: b}}", "did you mean 'name'"},
      {"protocol: GENEVE, discover: {dns: {record: A}}", "'name' is missing"},
      {"protocol: GENEVE, discover: {etcd: {endpoints: 'http://10.0.0.5'}}", "'prefix' is missing"},
      {"protocol: GENEVE, discover: {file: ids}", "discover.file: 'ids' is no value"},
      {"protocol: TCP, port: 80, ip_address_type: ipv4, discover: {dns: {name: b, record: AAAA}}",
       "IPv4"},
      {"protocol: TCP, port: 80, ip_address_type: ipv6, discover: {dns: {name: b}}", "is AAAA"},
      {"protocol: TCP, port: 80, target_type: instance, discover: {file: /a}", "not found"},
      {"protocol: HTTP, port: 80, discover: {file: /a}", ""},
      {"protocol: HTTP, port: 80, target_type: instance, discover: {file: /a}", "not found"},
      {"protocol: GENEVE, discover: {file: /a}, attributes: {sluice.discover.dns.name: b}",
       "one source"},
      {"protocol: GENEVE, attributes: {sluice.discover.dns.servers: 10.0.0.1}", "name is missing"},
      {"protocol: GENEVE, attributes: {sluice.discover.dns.record: SRV}", "name is missing"},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(c.group);
    if (*c.error == 0)
      EXPECT_EQ(errors, "") << c.group;
    else
      EXPECT_NE(errors.find(c.error), std::string::npos) << c.group << "\n" << errors;
  }
}

TEST(DiscoverSection, TheExampleIsValid) {
  const auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/discover.yaml");
  ASSERT_TRUE(config) << config.error()[0].text();
  EXPECT_EQ(discover_settings(*config->target_group("ids")).endpoints.size(), 2u);
  EXPECT_EQ(discover_settings(*config->target_group("web")).record, DnsRecord::kSrv);
  EXPECT_EQ(discover_settings(*config->target_group("names")).text(),
            "file:/etc/sluice/names.targets");
}

TEST(DiscoverSettings, ComeFromTheAttributes) {
  TargetGroup group;
  EXPECT_FALSE(is_followed(group));
  group.attributes = {{"sluice.discover.dns.name", "_ids._udp.example."},
                      {"sluice.discover.dns.record", "SRV"},
                      {"sluice.discover.dns.servers", "10.0.0.53"}};
  const DiscoverSettings dns = discover_settings(group);
  EXPECT_EQ(dns.text(), "dns:_ids._udp.example");
  EXPECT_EQ(dns.record, DnsRecord::kSrv);
  EXPECT_EQ(dns.servers.at(0).text(), "10.0.0.53:53");
  group.attributes = {{"sluice.discover.etcd.endpoints", "http://10.0.0.5,http://10.0.0.6:1"},
                      {"sluice.discover.etcd.prefix", "/ids/"}};
  const DiscoverSettings etcd = discover_settings(group);
  EXPECT_EQ(etcd.text(), "etcd:/ids/");
  EXPECT_EQ(etcd.endpoints.at(0).text(), "10.0.0.5:2379");
  EXPECT_EQ(etcd.endpoints.at(1).text(), "10.0.0.6:1");
}

TEST(DiscoverAttributes, AreShownOnlyWhereTheyAreSet) {
  TargetGroup group;
  EXPECT_FALSE(all_attributes(group).contains("sluice.discover.file"));
  group.attributes["sluice.discover.file"] = "/etc/ids";
  EXPECT_TRUE(all_attributes(group).contains("sluice.discover.file"));
}

}  // namespace
}  // namespace sluice::gateway
