// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/fast_pattern.h"

#include <gtest/gtest.h>

#include "inspect/match/engine.h"
#include "inspect/rules/parser.h"

namespace sluice::inspect {
namespace {

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

TEST(FastPattern, WhatEveryRequestHasIsNotRare) {
  EXPECT_EQ(chosen("content:\"User-Agent|3a 20|Mozilla\"; content:\"/xyzzy\";"), "/xyzzy");
  EXPECT_EQ(chosen("content:\"teatenant\"; content:\"qzjx8;\";"), "qzjx8;");
  EXPECT_EQ(chosen("content:\"Content-Type: evil\"; content:\"/xyz\";"), "Content-Type: evil");
  EXPECT_LT(rarity_of(std::string(12, '\0')), rarity_of("\x90\x13\x37"));
  EXPECT_LT(rarity_of("aaaaaaaa"), rarity_of("abcd"));
  EXPECT_EQ(rarity_of(""), 0);
}

// How many rules about a packet are searched for; the others are asked about each.
size_t asked_always(const std::string& options, const std::string& protocol = "tcp-pkt") {
  EngineOptions rules;
  rules.rule_texts = {
      {"test", "alert " + protocol + " any any -> any any (" + options + " sid:1;)"}};
  const auto engine = Engine::create(rules);
  EXPECT_TRUE(engine && (*engine)->size() == 1);
  return (*engine)->packet_groups(tunnels::kProtocolTcp, Direction::kToServer).any().always.size();
}

TEST(FastPattern, ShortOnesWhosePlaceIsKnownAreNotSearchedFor) {
  EXPECT_EQ(asked_always("content:\"|16 03|\"; depth:2;"), 1u);
  EXPECT_EQ(asked_always("content:\"abc\"; startswith;"), 1u);
  EXPECT_EQ(asked_always("content:\"abc\"; startswith;", "tcp"), 1u);
  EXPECT_EQ(asked_always("content:\"abc\"; offset:4; depth:8;"), 1u);
  EXPECT_EQ(asked_always("content:\"abcdefgh\"; depth:8; fast_pattern:1,3;"), 1u);
  EXPECT_EQ(asked_always("content:\"abcd\"; startswith;"), 0u);
  EXPECT_EQ(asked_always("content:\"abc\";"), 0u) << "anywhere";
  EXPECT_EQ(asked_always("content:\"abc\"; depth:4000;"), 0u) << "nearly anywhere";
  EXPECT_EQ(asked_always("content:\"abc\"; startswith; content:\"longer\";"), 0u);
}

}  // namespace
}  // namespace sluice::inspect
