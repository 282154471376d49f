// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/sides.h"

#include <gtest/gtest.h>

namespace sluice::testbed {
namespace {

tunnels::tuple tuple_of(const char* source, const char* destination) {
  const auto from = *gateway::parse_ip_address(source);
  const auto to = *gateway::parse_ip_address(destination);
  tunnels::tuple t{};
  std::memcpy(t.source, from.words, sizeof(t.source));
  std::memcpy(t.destination, to.words, sizeof(t.destination));
  t.version = from.version;
  return t;
}

TEST(Sides, PrefixHoldsItsAddresses) {
  struct Case {
    const char* prefix;
    const char* address;
    bool holds;
  };
  const Case cases[] = {
      {"10.1.0.0/16", "10.1.255.255", true},
      {"10.1.0.0/16", "10.2.0.0", false},
      {"10.1.0.2", "10.1.0.2", true},
      {"10.1.0.2", "10.1.0.3", false},
      {"0.0.0.0/0", "192.0.2.1", true},
      {"0.0.0.0/0", "fd00::1", false},
      {"10.1.0.128/25", "10.1.0.127", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe80::1", false},
      {"fd00::8:0:0/93", "fd00::f:0:1", true},
      {"fd00::8:0:0/93", "fd00::10:0:1", false},
      {"fd00::1", "fd00::1", true},
  };
  for (const Case& c : cases) {
    const auto prefix = parse_prefix(c.prefix);
    ASSERT_TRUE(prefix) << c.prefix;
    const auto address = *gateway::parse_ip_address(c.address);
    EXPECT_EQ(prefix->holds(address.words, address.version), c.holds)
        << c.prefix << " " << c.address;
  }
}

TEST(Sides, WhatIsNoPrefixIsRefused) {
  for (const char* text : {"", "/", "10.1.0.0/", "10.1.0.0/33", "10.1.0.0/-1", "10.1.0.0/1x",
                           "fd00::/129", "10.1/16", "host", "10.1.0.0/99999999999"})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

TEST(Sides, SourceDecidesThenDestination) {
  const Sides sides{{*parse_prefix("10.1.0.0/16")}, {*parse_prefix("10.2.0.0/16")}};
  EXPECT_EQ(sides.of(tuple_of("10.1.0.1", "10.2.0.1")), Side::kOutside);
  EXPECT_EQ(sides.of(tuple_of("10.2.0.1", "10.1.0.1")), Side::kInside);
  EXPECT_EQ(sides.of(tuple_of("192.0.2.1", "10.2.0.1")), Side::kOutside);
  EXPECT_EQ(sides.of(tuple_of("192.0.2.1", "10.1.0.1")), Side::kInside);
  EXPECT_EQ(sides.of(tuple_of("192.0.2.1", "192.0.2.2")), std::nullopt);
  EXPECT_EQ(Sides{}.of(tuple_of("10.1.0.1", "10.2.0.1")), std::nullopt);
}

}  // namespace
}  // namespace sluice::testbed
