// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/header.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

bool holds(const std::string& list, const std::string& address, const Variables& variables = {}) {
  const auto parsed = parse_addresses(list, variables);
  EXPECT_TRUE(parsed) << list << ": " << parsed.error().what;
  uint32_t words[4] = {};
  const uint8_t version = address.find(':') == std::string::npos ? 4 : 6;
  inet_pton(version == 4 ? AF_INET : AF_INET6, address.c_str(), words);
  return parsed && parsed->contains(Address{words, version});
}

bool holds_port(const std::string& list, uint16_t port) {
  const auto parsed = parse_ports(list, default_variables());
  EXPECT_TRUE(parsed) << list << ": " << parsed.error().what;
  return parsed && parsed->contains(port);
}

TEST(RuleHeader, Addresses) {
  EXPECT_TRUE(holds("any", "1.2.3.4"));
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "::1"));
  EXPECT_TRUE(holds("0.0.0.0/0", "9.9.9.9"));
  EXPECT_TRUE(holds("10.1.2.129/25", "10.1.2.200"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(holds("!10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(holds("[10.0.0.0/8,!10.1.0.0/16]", "10.2.0.1"));
  EXPECT_FALSE(holds("[10.0.0.0/8,!10.1.0.0/16]", "10.1.0.1"));
  EXPECT_TRUE(holds("[10.0.0.0/8, ![10.1.0.0/16, !10.1.1.1]]", "10.1.1.1"));
  EXPECT_TRUE(holds("![10.0.0.1,10.0.0.2]", "10.0.0.3"));
  EXPECT_FALSE(holds("![10.0.0.1,10.0.0.2]", "10.0.0.2"));
  EXPECT_FALSE(holds("$EXTERNAL", "10.0.0.1", {{"HOME", "10.0.0.0/8"}, {"EXTERNAL", "!$HOME"}}));
  EXPECT_TRUE(holds("$HOME_NET", "192.168.4.4", default_variables()));
}

TEST(RuleHeader, Netmasks) {
  EXPECT_TRUE(holds("10.1.0.0/255.255.0.0", "10.1.255.1"));
  EXPECT_FALSE(holds("10.1.0.0/255.255.0.0", "10.2.0.1"));
  EXPECT_TRUE(holds("0.0.0.0/0.0.0.0", "9.9.9.9"));
  EXPECT_FALSE(holds("10.1.0.1/255.255.255.255", "10.1.0.2"));
}

TEST(RuleHeader, RangesOfAddresses) {
  for (int first = 0; first < 20; first++) {
    for (int last = first; last < 20; last++) {
      const auto address = [](int n) { return "10.0.0." + std::to_string(n); };
      const auto list = parse_addresses(address(first) + "-" + address(last), {});
      ASSERT_TRUE(list) << list.error().what;
      for (int n = 0; n < 24; n++) {
        const uint32_t words[4] = {htonl(0x0a000000u + static_cast<uint32_t>(n))};
        EXPECT_EQ(list->contains(Address{words, 4}), first <= n && n <= last) << first << last << n;
      }
    }
  }
  EXPECT_TRUE(holds("0.0.0.0-255.255.255.255", "255.255.255.255"));
  EXPECT_TRUE(holds("0.0.0.1-255.255.255.254", "128.0.0.0"));
  EXPECT_FALSE(holds("0.0.0.1-255.255.255.254", "255.255.255.255"));
  EXPECT_TRUE(holds("[10.0.0.1 - 10.0.0.9, !10.0.0.5]", "10.0.0.6"));
  EXPECT_FALSE(holds("[10.0.0.1-10.0.0.9, !10.0.0.5]", "10.0.0.5"));
  EXPECT_FALSE(holds("!10.0.0.1-10.0.0.9", "10.0.0.5"));
  EXPECT_TRUE(holds("2001:db8::ffff-2001:db8:0:1::1", "2001:db8:0:1::1"));
  EXPECT_FALSE(holds("2001:db8::ffff-2001:db8:0:1::1", "2001:db8:0:1::2"));
  EXPECT_FALSE(holds("2001:db8::ffff-2001:db8:0:1::1", "2001:db8::fffe"));
  EXPECT_TRUE(holds("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::"));
  EXPECT_FALSE(holds("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"));
}

TEST(RuleHeader, Ports) {
  EXPECT_TRUE(holds_port("any", 0));
  EXPECT_TRUE(holds_port("80", 80));
  EXPECT_TRUE(holds_port("1024:", 65535));
  EXPECT_FALSE(holds_port("1024:", 1023));
  EXPECT_TRUE(holds_port(":1024", 0));
  EXPECT_TRUE(holds_port("[80:90,!85,443]", 84));
  EXPECT_FALSE(holds_port("[80:90,!85,443]", 85));
  EXPECT_TRUE(holds_port("!$HTTP_PORTS", 81));
  EXPECT_TRUE(holds_port("$FILE_DATA_PORTS", 110));
}

TEST(RuleHeader, RefusesWhatItCannotMean) {
  const Variables loop = {{"A", "$B"}, {"B", "$A"}};
  for (const char* bad : {"",
                          "[",
                          "]",
                          "[10.0.0.1",
                          "10.0.0.1]",
                          "[]",
                          "[10.0.0.1,]",
                          "10.0.0",
                          "10.0.0.0/33",
                          "10.0.0.5-10.0.0.1",
                          "10.0.0.1-::1",
                          "10.0.0.1-10.0.0.5/30",
                          "-10.0.0.1",
                          "10.0.0.1-",
                          "10.0.0.0/255.0.255.0",
                          "10.0.0.0/0.0.0.255",
                          "10.0.0.0/255.0.0",
                          "::/255.0.0.0",
                          "::/129",
                          "!any",
                          "$NONE",
                          "$A",
                          "example.com",
                          "!"})
    EXPECT_FALSE(parse_addresses(bad, loop)) << bad;
  for (const char* bad : {"", ":", "65536", "90:80", "80-90", "http", "-1", "[80"})
    EXPECT_FALSE(parse_ports(bad, {})) << bad;
  EXPECT_FALSE(parse_addresses(std::string(100, '[') + "10.0.0.1" + std::string(100, ']'), {}));
}

TEST(RuleVariables, Assignments) {
  Variables variables = default_variables();
  ASSERT_TRUE(set_variable(variables, "HOME_NET=10.9.0.0/16"));
  EXPECT_EQ(variables["HOME_NET"], "10.9.0.0/16");
  ASSERT_TRUE(set_variable(variables, "MY_PORTS=[80,8080]"));
  for (const char* bad : {"HOME_NET", "=x", "A B=any", "X=$NONE", "X=word", "X=$X"})
    EXPECT_FALSE(set_variable(variables, bad)) << bad;
}

}  // namespace
}  // namespace sluice::inspect
