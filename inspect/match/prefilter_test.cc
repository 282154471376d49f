// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/prefilter.h"

#include <gtest/gtest.h>

#include <set>

#include "inspect/rules/parser.h"

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
                                             {"zzz", false, 5}},
                                            Prefilter::Mode::kBlock);
  ASSERT_TRUE(prefilter) << prefilter.error().text();
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  Found found;
  prefilter->scan(bytes("xxABCabcabc" + binary), scratch, found);
  EXPECT_EQ(found.rules, (std::multiset<uint32_t>{1, 2, 3, 4}));
}

TEST(Prefilter, FindsPatternsCutAnywhereInAStream) {
  const auto prefilter = Prefilter::compile({{"attack", false, 7}}, Prefilter::Mode::kStream);
  ASSERT_TRUE(prefilter);
  PrefilterScratch scratch;
  ASSERT_TRUE(prefilter->prepare(scratch));
  const std::string_view text = "an attack here";
  for (size_t cut = 0; cut <= text.size(); cut++) {
    PrefilterStream stream;
    Found found;
    prefilter->scan_stream(stream, bytes(text.substr(0, cut)), scratch, found);
    prefilter->scan_stream(stream, bytes(text.substr(cut)), scratch, found);
    EXPECT_EQ(found.rules.count(7), 1u) << cut;
  }
}

std::string chosen(const std::string& options) {
  Names names;
  const auto rule =
      parse_rule("alert tcp any any -> any any (" + options + " sid:1;)", {}, {}, names);
  EXPECT_TRUE(rule) << rule.error().what;
  const Content* content = fast_pattern_of(rule->payload()->matches);
  return content == nullptr ? "none" : fast_pattern_bytes(*content);
}

TEST(FastPattern, MarkedElseRarest) {
  EXPECT_EQ(chosen("content:\"ab\"; content:\"abcd\"; content:\"abc\";"), "abcd");
  EXPECT_EQ(chosen("content:\"ab\"; fast_pattern; content:\"abcd\";"), "ab");
  EXPECT_EQ(chosen("content:\"abcdef\"; fast_pattern:2,3;"), "cde");
  EXPECT_EQ(chosen("content:\"|00 00 00 00 00|\"; content:\"xy\";"), "xy");
  EXPECT_EQ(chosen("content:!\"abcdef\"; pcre:\"/x/\";"), "none");
  EXPECT_EQ(chosen("content:!\"abcdef\"; content:\"x\";"), "x");
  EXPECT_EQ(chosen("content:\"x" + std::string(20, 'A') + "\";"), "x" + std::string(7, 'A'));
  EXPECT_EQ(chosen("content:\"" + std::string(20, 'A') + "\";"), std::string(7, 'A'));
}

}  // namespace
}  // namespace sluice::inspect
