// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/address_index.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

struct Found final : CandidateSink {
  void candidate(uint32_t rule) override { rules.insert(rule); }
  std::set<uint32_t> rules;
};

struct Words {
  explicit Words(const char* text) : version(strchr(text, ':') == nullptr ? 4 : 6) {
    inet_pton(version == 4 ? AF_INET : AF_INET6, text, words);
  }
  Address address() const { return {words, version}; }
  uint32_t words[4] = {};
  uint8_t version;
};

struct Row {
  const char* source;
  const char* destination;
  bool both_ways = false;
};

// What each pair of addresses must name: at least the rules that hold, and no more than `named`.
TEST(AddressIndex, NamesTheRulesOfAnAddress) {
  const Row rules[] = {
      {"[1.2.3.4,5.6.7.8]", "10.0.0.0/8"},
      {"any", "9.9.9.9"},
      {"!1.2.3.4", "any"},
      {"[10.0.0.0/8,!10.1.0.0/16]", "any"},
      {"2001:db8::/32", "any"},
      {"1.2.3.4", "9.9.9.9", true},
      {"[1.2.3.4,[5.0.0.0/8,![5.6.0.0/16]]]", "any"},
      {"any", "[1.1.1.1,any]"},
      {"0.0.0.0/0", "8.8.8.8"},
  };
  AddressIndex index;
  std::vector<Rule> all(std::size(rules));
  for (uint32_t i = 0; i < all.size(); i++) {
    all[i].source = *parse_addresses(rules[i].source, {});
    all[i].destination = *parse_addresses(rules[i].destination, {});
    all[i].both_ways = rules[i].both_ways;
    index.add(all[i], i);
  }
  const struct {
    const char* source;
    const char* destination;
    std::set<uint32_t> named;
  } cases[] = {
      {"1.2.3.4", "10.0.0.1", {0, 2, 5, 6, 7}}, {"5.6.7.8", "11.0.0.1", {0, 2, 5, 6, 7}},
      {"10.2.0.1", "9.9.9.9", {1, 2, 3, 5, 7}}, {"2001:db8:1::1", "::1", {2, 4, 5, 7}},
      {"2001:db9::1", "::1", {2, 5, 7}},        {"7.7.7.7", "8.8.8.8", {2, 5, 7, 8}},
      {"9.9.9.9", "1.2.3.4", {2, 5, 7}},
  };
  for (const auto& c : cases) {
    const Words source(c.source), destination(c.destination);
    Found found;
    index.find(source.address(), destination.address(), found);
    EXPECT_EQ(found.rules, c.named) << c.source << " " << c.destination;
    for (uint32_t i = 0; i < all.size(); i++) {
      const bool holds = all[i].source.contains(source.address()) &&
                         all[i].destination.contains(destination.address());
      EXPECT_TRUE(!holds || found.rules.contains(i)) << i << " " << c.source;
    }
  }
}

// Whether an address begins as a prefix does is asked first: at both ends of what a prefix of any
// length holds, and beside it.
TEST(AddressIndex, KnowsWhereAPrefixBeginsAndEnds) {
  const struct {
    const char* prefix;
    std::vector<const char*> inside, outside;
  } cases[] = {
      {"64.0.0.0/3", {"64.0.0.0", "95.255.255.255"}, {"63.255.255.255", "96.0.0.0", "4000::"}},
      {"10.20.0.0/15", {"10.20.0.0", "10.21.255.255"}, {"10.19.255.255", "10.22.0.0"}},
      {"10.20.0.0/16", {"10.20.0.0", "10.20.255.255"}, {"10.19.255.255", "10.21.0.0"}},
      {"10.20.30.40", {"10.20.30.40"}, {"10.20.30.41", "10.21.30.40"}},
      {"2000::/3", {"2000::", "3fff:ffff::"}, {"1fff::", "4000::", "32.0.0.0"}},
      {"2001:db8::/48", {"2001:db8::1"}, {"2001:db9::", "2002:db8::"}},
  };
  for (const auto& c : cases) {
    AddressIndex index;
    Rule rule;
    rule.source = *parse_addresses(c.prefix, {});
    index.add(rule, 7);
    const auto names = [&](const char* text) {
      const Words words(text);
      Found found;
      index.find(words.address(), words.address(), found);
      return found.rules.contains(7);
    };
    for (const char* text : c.inside) EXPECT_TRUE(names(text)) << c.prefix << " " << text;
    for (const char* text : c.outside) EXPECT_FALSE(names(text)) << c.prefix << " " << text;
  }
}

using namespace testing;  // NOLINT: packets, harness

TEST(AddressRules, RulesAboutTheEndsSpeakOncePerDirection) {
  Harness h(
      "alert ip any any -> any any (sid:1;)\n"
      "alert udp any any -> any 80 (sid:2;)\n"
      "alert udp any any -> any 81 (sid:3;)\n"
      "alert udp any any -> any 80 (dsize:1; sid:4;)\n");
  const Ends c;
  for (int i = 0; i < 3; i++) h.send(udp(c, "x"));
  h.send(udp(c.turned(), "x"));
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 4, 4, 4, 1}));
}

TEST(AddressRules, APassRuleAboutAPortPassesTheFlow) {
  const std::string rules =
      "alert udp any any -> any any (content:\"bad\"; sid:1;)\n"
      "pass udp any any -> any 80 (sid:2;)\n";
  Harness h(rules);
  const Ends web, other{"10.0.0.1", "10.0.0.9", 1234, 81};
  for (const Ends& ends : {web, web.turned(), other, other.turned()}) h.send(udp(ends, "bad"));
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
  EXPECT_EQ(h.inspector().counters().passed_by_flow, 1u);
}

}  // namespace
}  // namespace sluice::inspect
