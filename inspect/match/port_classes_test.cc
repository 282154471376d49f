// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/port_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sluice::inspect {
namespace {

class Rules {
 public:
  explicit Rules(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) lists_.push_back(*parse_ports(text, {}));
    std::vector<PortRule> rules;
    for (uint32_t i = 0; i < lists_.size(); i++) rules.push_back({i, &lists_[i]});
    classes_ = classify_ports(rules);
  }

  const PortClasses& classes() const { return classes_; }
  const PortList& list(size_t i) const { return lists_[i]; }
  std::vector<uint32_t> at(uint16_t port) const {
    std::vector<uint32_t> out = classes_.any;
    if (!classes_.class_of.empty()) {
      const auto& named = classes_.named[classes_.class_of[port]];
      out.insert(out.end(), named.begin(), named.end());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::vector<PortList> lists_;
  PortClasses classes_;
};

using Numbers = std::vector<uint32_t>;

TEST(PortClasses, EveryPortHasTheRulesThatNameIt) {
  const Rules rules({"any", "80", "[80,443]", "1000:2000", "!80", "[1:100,!80]",
                     "1024:", "[80,!80]", "![1:65535]", "[1500:1600,[443,!443]]"});
  for (const uint16_t port : {0, 1, 79, 80, 81, 100, 101, 443, 999, 1000, 1023, 1024, 1499, 1500,
                              1600, 1601, 2000, 2001, 65535}) {
    const Numbers here = rules.at(port);
    for (uint32_t i = 0; i < 10; i++) {
      const bool named = rules.list(i).any() || rules.list(i).contains(port);
      const bool there = std::find(here.begin(), here.end(), i) != here.end();
      EXPECT_TRUE(there || !named) << "rule " << i << " port " << port;
    }
  }
  // Only those that name most ports cost something elsewhere.
  EXPECT_EQ(rules.classes().any, (Numbers{0, 4, 6}));
  EXPECT_EQ(rules.at(9), (Numbers{0, 4, 5, 6}));
  EXPECT_EQ(rules.at(80), (Numbers{0, 1, 2, 4, 6}));
}

TEST(PortClasses, TooManySetsOfPortsLeaveTheNarrowRules) {
  std::vector<std::string> texts;
  // Each begins elsewhere: a class for each.
  for (uint32_t i = 0; i < 2 * kPortClassesMax; i++)
    texts.push_back(std::to_string(1000 + i) + ":" + std::to_string(9000 + i));
  texts.push_back("445");
  const Rules rules(texts);
  EXPECT_LE(rules.classes().named.size(), kPortClassesMax);
  EXPECT_EQ(rules.classes().any.size(), 2 * kPortClassesMax);
  EXPECT_EQ(rules.classes().named[rules.classes().class_of[445]],
            Numbers{static_cast<uint32_t>(2 * kPortClassesMax)});
  EXPECT_EQ(rules.at(445).size(), texts.size());
}

TEST(PortClasses, MorePortsThanClasses) {
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < 2 * kPortClassesMax; i++) texts.push_back(std::to_string(1000 + i));
  const Rules rules(texts);
  EXPECT_EQ(rules.classes().any.size(), texts.size());
  EXPECT_TRUE(rules.classes().named.empty());
}

}  // namespace
}  // namespace sluice::inspect
