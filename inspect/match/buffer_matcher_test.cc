// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/buffer_matcher.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "inspect/rules/parser.h"

namespace sluice::inspect {
namespace {

Names& names() {
  static Names all;
  return all;
}

Rule rule_of(const std::string& options) {
  auto rule = parse_rule("alert tcp any any -> any any (" + options + " sid:1;)", {}, {}, names());
  EXPECT_TRUE(rule) << options << ": " << rule.error().what;
  return std::move(*rule);
}

bool matches(const Rule& rule, std::string_view text, uint64_t start = 0) {
  BufferMatcher matcher;
  matcher.begin_rule();
  return matcher.matches(BufferPlan(rule.payload()->matches),
                         {{reinterpret_cast<const uint8_t*>(text.data()), text.size()}, start});
}

uint64_t end_min(const Rule& rule) { return BufferPlan(rule.payload()->matches).end_min(); }

struct Row {
  const char* options;
  const char* payload;
  bool expected;
};

TEST(BufferMatcher, TruthTable) {
  const Row kTable[] = {
      {"content:\"abc\";", "xxabcxx", true},
      {"content:\"abc\";", "xxABCxx", false},
      {"content:\"aBc\"; nocase;", "xxAbCxx", true},
      {"content:!\"abc\";", "xxabxx", true},
      {"content:!\"abc\";", "xxabcxx", false},
      {"content:\"abc\"; offset:2;", "abcxx", false},
      {"content:\"abc\"; offset:2;", "xxabc", true},
      {"content:\"abc\"; depth:3;", "abcxx", true},
      {"content:\"abc\"; depth:3;", "xabcx", false},
      {"content:\"abc\"; offset:1; depth:4;", "xxabc", true},
      {"content:\"abc\"; offset:1; depth:4;", "xxxabc", false},
      {"content:\"abc\"; startswith;", "abcabc", true},
      {"content:\"abc\"; startswith;", "xabc", false},
      {"content:\"abc\"; endswith;", "abcabc", true},
      {"content:\"abc\"; endswith;", "abcx", false},
      {"content:\"abc\"; startswith; endswith;", "abc", true},
      {"content:\"abc\"; startswith; endswith;", "abcabc", false},
      {"content:\"a\"; content:\"b\"; distance:0;", "ab", true},
      {"content:\"a\"; content:\"b\"; distance:0;", "ba", false},
      {"content:\"a\"; content:\"b\";", "ba", true},
      {"content:\"a\"; content:\"b\"; distance:2;", "axb", false},
      {"content:\"a\"; content:\"b\"; distance:2;", "axxb", true},
      {"content:\"a\"; content:\"b\"; within:2;", "axb", true},
      {"content:\"a\"; content:\"b\"; within:2;", "axxb", false},
      {"content:\"a\"; content:\"b\"; distance:1; within:2;", "axxb", true},
      {"content:\"a\"; content:\"b\"; distance:1; within:2;", "axxxb", false},
      {"content:\"b\"; content:\"a\"; distance:-3;", "axb", true},
      {"content:\"a\"; content:!\"b\"; within:3;", "axxxb", true},
      {"content:\"a\"; content:!\"b\"; within:3;", "axxb", false},
      {"content:\"a\"; content:\"b\"; within:1;", "a-ab", true},
      {"content:\"a\"; content:\"b\"; within:1; content:\"c\"; within:1;", "abxabc", true},
      {"content:\"a\"; content:!\"b\"; within:1;", "abac", true},
      {"content:\"a\"; content:!\"zz\"; content:\"b\"; within:1;", "a-ab", true},
      {"content:\"a\"; content:!\"zz\"; content:\"b\"; within:1;", "a-abzz", false},
      {"content:\"b\"; distance:2;", "xxb", true},
      {"content:\"b\"; distance:2;", "xbx", false},
      {"pcre:\"/a\\d+b/\";", "xa12b", true},
      {"pcre:!\"/a\\d+b/\";", "xa12b", false},
      {"content:\"a\"; pcre:\"/^b/R\";", "xab", true},
      {"content:\"a\"; pcre:\"/^b/R\";", "xaxb", false},
      {"content:\"a\"; pcre:\"/^b/R\";", "axab", true},
      {"content:\"a\"; pcre:!\"/^b/R\";", "abac", true},
      {"pcre:\"/a./\"; content:\"c\"; within:1;", "abdaxc", true},
      {"pcre:\"/a./\"; content:\"c\"; within:1;", "abdaxd", false},
      {"content:\"|00 ff|\";", "x", false},
  };
  for (const Row& row : kTable)
    EXPECT_EQ(matches(rule_of(row.options), row.payload), row.expected)
        << row.options << " on " << row.payload;
}

TEST(BufferMatcher, NumbersInBytes) {
  const Row kTable[] = {
      {"byte_test:2,>,256,0;", "\x01\x01", true},
      {"byte_test:2,>,257,0;", "\x01\x01", false},
      {"byte_test:2,!>,257,0;", "\x01\x01", true},
      {"byte_test:2,=,513,0,little;", "\x01\x02", true},
      {"byte_test:1,&,4,1;", "a\x06", true},
      {"byte_test:1,&,1,1;", "a\x06", false},
      {"byte_test:4,=,1234,1,string,dec;", "x1234", true},
      {"byte_test:4,=,0x1234,1,string,hex;", "x1234", true},
      {"byte_test:4,=,12,0;", "abc", false},
      {"byte_test:1,=,3,0,bitmask 0x0c;", "\x0d", true},
      {"content:\"len\"; byte_test:1,=,5,0,relative;", "xlen\x05", true},
      {"content:\"len\"; byte_test:1,=,5,0,relative;", "xlen\x04len\x05", true},
      {"byte_jump:1,0; content:\"b\"; within:1;", "\x02xxb", true},
      {"byte_jump:1,0; content:\"b\"; within:1;", "\x01xxb", false},
      {"byte_jump:1,0,multiplier 2; content:\"b\"; within:1;", "\x01xxb", true},
      {"byte_jump:1,0,align; content:\"b\"; within:1;", "\x01xxxxb", true},
      {"byte_jump:1,0,from_beginning; content:\"b\"; within:1;", "\x03xxb", true},
      {"byte_jump:1,0,from_end; content:\"b\"; within:1;", "\x01xxb", false},
      {"byte_jump:1,0,from_end,post_offset -2; content:\"b\"; within:1;", "\x01xxb", true},
      {"byte_jump:0,0,from_end,post_offset -1; content:\"b\"; within:1;", "\x01xxb", true},
      {"byte_jump:1,0,post_offset -1; content:\"b\"; within:1;", "\x03xxb", true},
      {"byte_jump:1,0;", "\xffxxb", false},
      {"content:\"b\"; byte_jump:0,0,relative,post_offset -9; content:\"a\"; distance:0;", "axb",
       true},
      {"content:\"b\"; byte_jump:0,0,relative,post_offset -2; content:\"a\"; distance:0;", "axb",
       false},
      {"byte_jump:1,0,from_end,post_offset -9; content:\"x\"; distance:1; within:1;", "\x01xxb",
       true},
      {"byte_extract:1,0,n; content:\"b\"; offset:n;", "\x03xxb", true},
      {"byte_extract:1,0,n; content:\"b\"; offset:n;", "\x04xxb", false},
      {"byte_extract:1,0,n; content:\"b\"; distance:n; within:1;", "\x02xxb", true},
      {"byte_extract:1,0,n; byte_test:1,=,n,1;", "\x05\x05", true},
      {"byte_math:bytes 1, offset 0, oper *, rvalue 3, result n; isdataat:!n;", "\x01xx", true},
      {"byte_math:bytes 1, offset 0, oper -, rvalue 1, result n; byte_test:1,=,n,1;", "\x05\x04",
       true},
      {"isdataat:2;", "abc", true},
      {"isdataat:3;", "abc", false},
      {"isdataat:!3;", "abc", true},
      {"content:\"a\"; isdataat:2,relative;", "abc", true},
      {"content:\"a\"; isdataat:3,relative;", "abc", false},
      {"content:\"a\"; isdataat:!1,relative;", "ba", true},
      {"base64_decode:offset 1; base64_data; content:\"attack\";", " YXR0YWNr", true},
      {"base64_decode; base64_data; content:\"attack\";", "YXR0", false},
      {"content:\"=\"; base64_decode:bytes 8,relative; base64_data; content:\"attack\"; endswith;",
       "x=YXR0YWNrYQ", true},
  };
  for (const Row& row : kTable)
    EXPECT_EQ(matches(rule_of(row.options), row.payload), row.expected)
        << row.options << " on " << row.payload;
}

TEST(BufferMatcher, PositionsCountFromTheStartOfTheStream) {
  EXPECT_TRUE(matches(rule_of("content:\"abc\"; offset:102; depth:3;"), "xxabc", 100));
  EXPECT_FALSE(matches(rule_of("content:\"abc\"; offset:2; depth:3;"), "xxabc", 100));
  EXPECT_FALSE(matches(rule_of("pcre:\"/^xx/\";"), "xxabc", 100));
  EXPECT_TRUE(matches(rule_of("content:\"x\"; pcre:\"/^x/R\";"), "xxabc", 100));
}

TEST(BufferMatcher, EndlessSearchesStopAtTheLimit) {
  const Rule rule = rule_of(
      "content:\"a\"; content:\"a\"; distance:0; within:9000; content:\"a\"; distance:0; "
      "within:9000; "
      "content:\"b\"; distance:5; within:1;");
  const std::string text(8000, 'a');
  BufferMatcher matcher;
  EXPECT_FALSE(matcher.matches(BufferPlan(rule.payload()->matches),
                               {{reinterpret_cast<const uint8_t*>(text.data()), text.size()}, 0}));
  EXPECT_EQ(matcher.cost_limit_hits(), 1u);
}

TEST(BufferMatcher, ManyPlacesOfTheFirstContentAreNoProblem) {
  const std::string text = std::string(60000, 'a') + "b";
  EXPECT_TRUE(matches(rule_of("content:\"a\"; content:\"b\"; within:1;"), text));
  EXPECT_FALSE(matches(rule_of("content:\"a\"; content:\"c\"; distance:0;"), text));
}

// Of all places of the first content the second one has no others than of its first place.
TEST(BufferMatcher, PlacesAreTriedOnce) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += "first";
  for (int i = 0; i < 5000; i++) text += "then";
  const std::span bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  for (const char* rest : {"content:\"x\"; within:1;", "content:\"th\"; within:2; distance:1;",
                           "isdataat:50000,relative;", "byte_test:1,=,0,0,relative;"}) {
    const Rule rule =
        rule_of(std::string("content:\"first\"; content:\"then\"; distance:0; ") + rest);
    BufferMatcher matcher;
    matcher.begin_rule();
    EXPECT_FALSE(matcher.matches(BufferPlan(rule.payload()->matches), {bytes, 0})) << rest;
    EXPECT_LT(matcher.cost(), 20'000u) << rest;
  }
  // Here what the first one says is part of what follows the second.
  text += "first5..then5";
  EXPECT_TRUE(matches(rule_of("content:\"first\"; byte_extract:1,0,n,relative; content:\"then\"; "
                              "distance:0; byte_test:1,=,n,0,relative;"),
                      text));
}

TEST(BufferMatcher, KnowsWhenMoreBytesMayHelp) {
  const auto may = [](const char* options, std::string_view text, size_t searched) {
    const Rule rule = rule_of(options);
    return BufferPlan(rule.payload()->matches)
        .may_come_to_hold({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, searched);
  };
  const char* const two = "content:\"abc\"; content:\"xyz\"; distance:0;";
  EXPECT_FALSE(may(two, "xyzabc....", 6));
  EXPECT_TRUE(may(two, "xyzabcxyz", 6));
  EXPECT_TRUE(may(two, "xyzabcxyz", 8)) << "the end of what straddles";
  EXPECT_FALSE(may(two, "xyzabcxyz", 9));
  for (const char* other :
       {"content:!\"q\";", "isdataat:9,relative;", "pcre:\"/q/\";", "byte_test:1,=,1,0,relative;"})
    EXPECT_TRUE(may((std::string(two) + other).c_str(), "xyzabc....", 6)) << other;
}

// --- against the definition, by trying every place of every content ---

bool equal_at(const Content& content, std::string_view text, size_t at) {
  for (size_t i = 0; i < content.bytes.size(); i++) {
    const char c = content.nocase ? static_cast<char>(std::tolower(text[at + i])) : text[at + i];
    if (c != content.bytes[i]) return false;
  }
  return true;
}

bool allowed(const Content& content, std::string_view text, size_t at, int64_t previous) {
  const auto begin = static_cast<int64_t>(at);
  const auto end = begin + static_cast<int64_t>(content.bytes.size());
  if (content.relative) {
    if (begin < previous + content.distance.value) return false;
    if (content.within && end > previous + content.distance.value + content.within->value)
      return false;
  } else {
    if (begin < content.offset.value) return false;
    if (content.depth && end > content.offset.value + content.depth->value) return false;
  }
  return !content.ends || end == static_cast<int64_t>(text.size());
}

bool by_definition(const Rule& rule, size_t step, std::string_view text, int64_t previous) {
  if (step == rule.payload()->matches.size()) return true;
  const Content& content = std::get<Content>(rule.payload()->matches[step]);
  bool anywhere = false;
  for (size_t at = 0; at + content.bytes.size() <= text.size(); at++) {
    if (!equal_at(content, text, at) || !allowed(content, text, at, previous)) continue;
    anywhere = true;
    if (!content.negated &&
        by_definition(rule, step + 1, text, static_cast<int64_t>(at + content.bytes.size())))
      return true;
  }
  return content.negated && !anywhere && by_definition(rule, step + 1, text, previous);
}

std::string random_option(std::mt19937& random) {
  std::string bytes(1 + random() % 3, 'a');
  for (char& c : bytes) c = "abAB"[random() % 4];
  const auto number = [&](unsigned limit) { return std::to_string(random() % limit); };
  std::string out =
      std::string("content:") + (random() % 5 == 0 ? "!" : "") + "\"" + bytes + "\"; ";
  if (random() % 3 == 0) out += "nocase; ";
  if (random() % 6 == 0) out += "endswith; ";
  const std::string size = std::to_string(bytes.size() + random() % 6);
  switch (random() % 7) {
    case 0:
      return out + "offset:" + number(8) + "; ";
    case 1:
      return out + "depth:" + size + "; ";
    case 2:
      return out + "offset:" + number(8) + "; depth:" + size + "; ";
    case 3:
      return out + "distance:" + std::to_string(static_cast<int>(random() % 7) - 3) + "; ";
    case 4:
      return out + "within:" + size + "; ";
    case 5:
      return out + "distance:" + std::to_string(static_cast<int>(random() % 7) - 3) +
             "; within:" + size + "; ";
    default:
      return out;
  }
}

// Each place in a buffer, and what differs from a letter in one bit.
TEST(BufferMatcher, FindsAnyCaseAnywhere) {
  const Rule rule = rule_of("content:\"aB`z\"; nocase;");
  const Rule one = rule_of("content:\"k\"; nocase;");
  for (size_t length = 0; length < 40; length++) {
    EXPECT_FALSE(matches(rule, std::string(length, 'a'))) << length;
    for (size_t at = 0; at <= length; at++) {
      std::string text(length, 'a');
      for (const char* wanted : {"ab`z", "AB`Z", "aB`z"})
        EXPECT_TRUE(matches(rule, std::string(text).insert(at, wanted))) << at << " of " << length;
      for (const char* other : {"ab@z", "Ab`:", "ab`\xda", "!b`z", "ab`"})
        EXPECT_FALSE(matches(rule, std::string(text).insert(at, other))) << other;
      EXPECT_TRUE(matches(one, std::string(text).insert(at, "K")));
      EXPECT_FALSE(matches(one, std::string(text).insert(at, "\x0b\x8b\xcb")));
    }
  }
}

TEST(BufferMatcher, KnowsWhatIsTooShort) {
  EXPECT_EQ(end_min(rule_of("content:\"abc\"; offset:2; content:\"de\"; distance:4;")), 5u);
  EXPECT_EQ(end_min(rule_of("content:\"a\"; content:\"bcde\"; distance:-2;")), 4u);
  EXPECT_EQ(end_min(rule_of("content:!\"abc\"; pcre:\"/long/\";")), 0u);
  EXPECT_EQ(end_min(rule_of("byte_extract:1,0,place; content:\"ab\"; offset:place; isdataat:!9;")),
            2u);
}

TEST(BufferMatcher, AgreesWithTheDefinitionOnRandomRules) {
  std::mt19937 random(3);
  int matched = 0;
  for (int i = 0; i < 4000; i++) {
    std::string options;
    for (size_t count = 1 + random() % 4; count > 0; count--) options += random_option(random);
    const Rule rule = rule_of(options);
    for (int j = 0; j < 10; j++) {
      std::string text(random() % 20, 'a');
      for (char& c : text) c = "abABx"[random() % 5];
      const bool expected = by_definition(rule, 0, text, 0);
      ASSERT_EQ(matches(rule, text), expected) << options << "on " << text;
      ASSERT_TRUE(!expected || text.size() >= end_min(rule)) << options << "on " << text;
      matched += expected;
    }
  }
  EXPECT_GT(matched, 4000);
}

}  // namespace
}  // namespace sluice::inspect
