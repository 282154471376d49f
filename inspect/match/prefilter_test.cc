// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/prefilter.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::inspect {
namespace {

struct Found : CandidateSink {
  std::multiset<uint32_t> rules;
  void candidate(uint32_t rule) override { rules.insert(rule); }
};

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(Prefilter, NamesEveryRuleWhosePatternOccurs) {
  const std::string binary("\0|^$\xff", 5);
  const auto prefilter = Prefilter::compile({{"abc", false, 1},
                                             {"abc", false, 2},
                                             {"abc", true, 3},
                                             {binary, false, 4},
                                             {"zzz", false, 5}});
  ASSERT_TRUE(prefilter) << prefilter.error().text();
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  Found found;
  prefilter->scan(bytes("xxABCabcabc" + binary), scratch, found);
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{1, 1, 2, 2, 3, 3, 3, 4})) << "at each place";
}

// A pattern of any length, cut anywhere, is found by the part in which it ends, and by no other.
TEST(Prefilter, FindsPatternsCutAnywhere) {
  const std::string longest(32, 'x');
  const auto prefilter =
      Prefilter::compile({{"attack", false, 7}, {"tac", false, 8}, {longest, false, 9}});
  ASSERT_TRUE(prefilter);
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  const std::string text = "an attack here, tac" + longest;
  for (size_t cut = 0; cut <= text.size(); cut++) {
    Found first, second;
    prefilter->scan_on(bytes(text).first(cut), 0, scratch, first);
    prefilter->scan_on(bytes(text), cut, scratch, second);
    EXPECT_EQ(first.rules.count(7), cut >= 9 ? 1u : 0u) << cut;
    EXPECT_EQ(second.rules.count(7), cut >= 9 ? 0u : 1u) << cut;
    EXPECT_EQ(second.rules.count(8), cut < 8 ? 2u : cut < 19 ? 1u : 0u) << cut;
    EXPECT_EQ(second.rules.count(9), cut < text.size() ? 1u : 0u) << cut;
  }
}

TEST(Prefilter, FindsWhatComesByteByByteOnce) {
  const auto prefilter = Prefilter::compile({{"attack", false, 7}, {"tac", true, 8}});
  ASSERT_TRUE(prefilter);
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  const std::string_view text = "an attack here, a taTAC";
  Found found;
  for (size_t i = 0; i < text.size(); i++)
    prefilter->scan_on(bytes(text.substr(0, i + 1)), i, scratch, found);
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{7, 8, 8}));
}

// One for the databases of two engines in turn, as at a reload.
TEST(Prefilter, ScratchesChangePlaces) {
  PrefilterScratch scratch, other;
  const auto first = Prefilter::compile({{"abcdef", false, 1}});
  const auto second = Prefilter::compile({{"defghi", false, 2}});
  ASSERT_TRUE(first->prepare(scratch));
  ASSERT_TRUE(second->prepare(other));
  EXPECT_GT(first->database_bytes(), 0u);
  Found found;
  first->scan(bytes("abcdefghi"), scratch, found);
  other.swap(scratch);
  EXPECT_GT(scratch.bytes(), 0u);
  second->scan(bytes("abcdefghi"), scratch, found);
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{1, 2}));
}

}  // namespace
}  // namespace sluice::inspect
