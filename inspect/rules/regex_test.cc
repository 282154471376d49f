// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/regex.h"

#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

std::optional<Regex::Match> find(std::string_view pattern, const Regex::Options& options,
                                 std::string_view subject, size_t start = 0,
                                 bool not_begin = false) {
  RegexScratch scratch;
  const auto regex = Regex::compile(pattern, options);
  EXPECT_TRUE(regex);
  return regex->find({reinterpret_cast<const uint8_t*>(subject.data()), subject.size()}, start,
                     not_begin, scratch);
}

TEST(Regex, OptionsMeanWhatTheirLettersSay) {
  EXPECT_FALSE(find("abc", {}, "xABC"));
  EXPECT_TRUE(find("abc", {.caseless = true}, "xABC"));
  EXPECT_FALSE(find("a.b", {}, "a\nb"));
  EXPECT_TRUE(find("a.b", {.dot_all = true}, "a\nb"));
  EXPECT_FALSE(find("^b", {}, "a\nb"));
  EXPECT_TRUE(find("^b", {.multi_line = true}, "a\nb"));
  EXPECT_TRUE(find("a b", {.extended = true}, "ab"));
  EXPECT_FALSE(find("b", {.anchored = true}, "ab"));
  EXPECT_TRUE(find("a$", {}, "a\n"));
  EXPECT_FALSE(find("a$", {.dollar_end = true}, "a\n"));
  EXPECT_EQ(find("a+", {.ungreedy = true}, "aaa")->end, 1u);
}

TEST(Regex, StartsWhereItIsTold) {
  EXPECT_EQ(find("a", {}, "abca", 1)->begin, 3u);
  EXPECT_FALSE(find("a", {}, "abc", 4));
  EXPECT_TRUE(find("^a", {}, "abc"));
  EXPECT_FALSE(find("^a", {}, "abc", 0, true));
  EXPECT_TRUE(find("a*", {}, ""));
}

TEST(Regex, RunawayPatternsStopAtTheLimit) {
  RegexScratch scratch;
  const auto regex = Regex::compile("(a+)+$", {});
  const std::string subject(40, 'a');
  const std::string hostile = subject + "b";
  EXPECT_FALSE(regex->find({reinterpret_cast<const uint8_t*>(hostile.data()), hostile.size()}, 0,
                           false, scratch));
  EXPECT_EQ(scratch.limit_hits, 1u);
}

TEST(Regex, SaysWhatIsWrong) {
  const auto bad = Regex::compile("a[", {});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().what.find("at offset 2"), std::string::npos);
  EXPECT_FALSE(Regex::compile(std::string(kRegexLengthMax + 1, 'a'), {}));
}

}  // namespace
}  // namespace sluice::inspect
