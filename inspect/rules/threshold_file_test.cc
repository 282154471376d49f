// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/threshold_file.h"

#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

RuleSet rules_of(const std::string& text) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  EXPECT_TRUE(loader.load_text(text, "r"));
  return loader.take();
}

constexpr const char* kRules = R"(
alert tcp any any -> any any (sid:1;)
alert tcp any any -> any any (sid:2; threshold:type limit, track by_src, count 1, seconds 9;)
alert tcp any any -> any any (sid:3; detection_filter:track by_src, count 1, seconds 9;)
alert tcp any any -> any any (sid:4; gid:7;)
)";

RuleSet with(const std::string& thresholds, Variables variables = default_variables()) {
  RuleSet set = rules_of(kRules);
  apply_thresholds(parse_thresholds(thresholds, "t", variables), set);
  return set;
}

TEST(ThresholdFile, ReadsEveryKindOfLine) {
  const auto file = parse_thresholds(
      "# a comment\n\n"
      "threshold gen_id 1, sig_id 1, type both, track by_flow, count 5, seconds 60\n"
      "event_filter gen_id 1,sig_id 2,type limit,track by_both,count 1,seconds 2\r\n"
      "  rate_filter gen_id 1, sig_id 3, track by_rule, count 9, seconds 5, \\\n"
      "     new_action reject, timeout 30\n"
      "suppress gen_id 1, sig_id 4, track by_either, ip [10.0.0.0/8,!10.1.1.1,2001:db8::/32]\n"
      "suppress gen_id 0, sig_id 0\n",
      "t", {});
  for (const auto& refused : file.refused) ADD_FAILURE() << refused.text();
  ASSERT_EQ(file.lines.size(), 5u);
  const auto& threshold = std::get<Threshold>(file.lines[0].what);
  EXPECT_EQ(threshold.type, Threshold::Type::kBoth);
  EXPECT_EQ(threshold.track, Track::kByFlow);
  EXPECT_EQ(threshold.count, 5u);
  EXPECT_EQ(threshold.seconds, 60u);
  EXPECT_EQ(std::get<Threshold>(file.lines[1].what).track, Track::kByBoth);
  const auto& rate = std::get<RateFilter>(file.lines[2].what);
  EXPECT_EQ(rate.new_action, Action::kReject);
  EXPECT_EQ(rate.timeout_seconds, 30u);
  EXPECT_EQ(file.lines[2].line, 5);
  const auto& suppression = *std::get<std::shared_ptr<const Suppression>>(file.lines[3].what);
  EXPECT_EQ(suppression.who, Suppression::Who::kEither);
  const auto held_by = [&](const char* source, const char* destination) {
    const Prefix a = *parse_prefix(source), b = *parse_prefix(destination);
    return suppression.holds({a.words, a.version}, {b.words, b.version});
  };
  EXPECT_TRUE(held_by("10.2.0.1", "11.0.0.1"));
  EXPECT_TRUE(held_by("2001:db9::", "2001:db8::7"));
  EXPECT_FALSE(held_by("11.0.0.1", "10.1.1.1"));
  EXPECT_TRUE(std::holds_alternative<Silence>(file.lines[4].what));
}

TEST(ThresholdFile, RefusesByFileAndLine) {
  for (const char* bad : {
           "limit gen_id 1, sig_id 1",
           "threshold gen_id 1, sig_id 1",
           "threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1",
           "threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds -1",
           "threshold gen_id 1, sig_id 1, type limit, track by_either, count 1, seconds 1",
           "threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 1, timeout 2",
           "threshold gen_id 1, sig_id 1, sig_id 2, type limit, track by_src, count 1, seconds 1",
           "threshold gen_id 0, sig_id 1, type limit, track by_src, count 1, seconds 1",
           "threshold sig_id 1, type limit, track by_src, count 1, seconds 1",
           "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action log, "
           "timeout 1",
           "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop",
           "suppress gen_id 1, sig_id 1, track by_rule, ip 10.0.0.1",
           "suppress gen_id 1, sig_id 1, track by_src",
           "suppress gen_id 1, sig_id 1, track by_src, ip $NONE",
           "suppress gen_id 1, sig_id 1, track by_src, ip [10.0.0.1",
           "suppress gen_id 1, sig_id, 1",
       }) {
    const auto file = parse_thresholds(std::string("\n") + bad, "t.config", {});
    ASSERT_EQ(file.refused.size(), 1u) << bad;
    EXPECT_TRUE(file.refused[0].text().starts_with("t.config:2: ")) << file.refused[0].text();
    EXPECT_TRUE(file.lines.empty()) << bad;
  }
  EXPECT_FALSE(read_thresholds("/nonexistent.config", {}));
}

TEST(ThresholdFile, MergesWithRules) {
  const RuleSet one = with(
      "threshold gen_id 1, sig_id 2, type both, track by_dst, count 7, seconds 8\n"
      "threshold gen_id 1, sig_id 3, type both, track by_dst, count 7, seconds 8\n"
      "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop, "
      "timeout 1\n");
  EXPECT_TRUE(one.refused.empty());
  EXPECT_TRUE(one.rules[0].rate_filter);
  EXPECT_EQ(one.rules[1].threshold->count, 7u);
  EXPECT_EQ(one.rules[2].threshold->count, 7u);
  EXPECT_FALSE(one.rules[2].detection_filter);

  const RuleSet all =
      with("threshold gen_id 0, sig_id 0, type limit, track by_rule, count 7, seconds 8");
  EXPECT_EQ(all.rules[0].threshold->count, 7u);
  EXPECT_EQ(all.rules[1].threshold->count, 1u);
  EXPECT_FALSE(all.rules[2].threshold);
  EXPECT_EQ(all.rules[3].threshold->count, 7u);

  const RuleSet group = with("suppress gen_id 7, sig_id 0, track by_dst, ip $HOME_NET");
  EXPECT_TRUE(group.rules[0].suppressions.empty());
  EXPECT_EQ(group.rules[3].suppressions.size(), 1u);
}

TEST(ThresholdFile, SaysWhatCannotBeApplied) {
  const RuleSet set = with(
      "suppress gen_id 1, sig_id 99\n"
      "rate_filter gen_id 1, sig_id 2, track by_src, count 1, seconds 1, new_action drop, "
      "timeout 1\n"
      "nonsense\n");
  ASSERT_EQ(set.refused.size(), 3u);
  EXPECT_EQ(set.refused[0].text(),
            "t:3: 'nonsense' is none of threshold, event_filter, rate_filter, suppress");
  EXPECT_EQ(set.refused[1].text(), "t:1: there is no rule with sid 99 and gid 1");
  EXPECT_EQ(set.refused[2].text(), "t:2: the rule has a threshold already, which goes on to hold");
  EXPECT_EQ(set.refused[2].sid, 2u);
}

TEST(ThresholdFile, IsBounded) {
  std::string many;
  for (size_t i = 0; i <= kSuppressionsMax; i++)
    many += "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n";
  const RuleSet one = with(many);
  EXPECT_EQ(one.rules[0].suppressions.size(), kSuppressionsMax);
  ASSERT_EQ(one.refused.size(), 1u);
  many.clear();
  for (size_t i = 0; i <= kThresholdsForManyMax; i++) many += "suppress gen_id 1, sig_id 0\n";
  EXPECT_EQ(parse_thresholds(many, "t", {}).refused.size(), 1u);
  const std::string line = "suppress gen_id 1, sig_id 1\n";
  many.clear();
  for (size_t i = 0; i <= kThresholdLinesMax; i++) many += line;
  EXPECT_EQ(parse_thresholds(many, "t", {}).refused.size(), 1u);
  EXPECT_EQ(
      parse_thresholds("suppress " + std::string(kThresholdLengthMax, 'x'), "t", {}).refused.size(),
      1u);
}

TEST(ThresholdFile, IsTakenOrRefusedWhereverItEnds) {
  const std::string line =
      "rate_filter gen_id 1, sig_id 1, track by_src, count 12, seconds 34, new_action drop, "
      "timeout 56";
  for (size_t length = 1; length < line.size(); length++) {
    const auto file = parse_thresholds(line.substr(0, length), "t", {});
    EXPECT_EQ(file.refused.size(), length < line.size() - 1 ? 1u : 0u) << length;
  }
}

TEST(RuleOrder, IsReadFromText) {
  EXPECT_TRUE(parse_rule_order("strict")->strict);
  EXPECT_FALSE(parse_rule_order("action")->strict);
  const auto order = parse_rule_order("drop, pass, reject, alert");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->rank(Action::kDrop), 0u);
  EXPECT_EQ(order->rank(Action::kAlert), 3u);
  for (const char* bad : {"", "pass", "drop,pass,reject", "drop,drop,reject,alert",
                          "drop,pass,reject,log", "drop,pass,reject,alert,pass"})
    EXPECT_FALSE(parse_rule_order(bad)) << bad;
}

TEST(RuleOrder, SortsTheRules) {
  constexpr const char* kText =
      "alert tcp any any -> any any (sid:1; priority:1;)\n"
      "pass tcp any any -> any any (sid:2; priority:2;)\n"
      "drop tcp any any -> any any (sid:3; priority:1;)\n"
      "reject tcp any any -> any any (sid:4; priority:3;)\n";
  const auto sorted = [&](std::string_view order) {
    Names names;
    RuleLoader loader(default_variables(), default_classification(), names);
    EXPECT_TRUE(loader.load_text(kText, "r"));
    std::vector<uint32_t> sids;
    for (const Rule& rule : loader.take(*parse_rule_order(order)).rules) sids.push_back(rule.sid);
    return sids;
  };
  using Sids = std::vector<uint32_t>;
  EXPECT_EQ(sorted("action"), (Sids{2, 3, 4, 1}));
  EXPECT_EQ(sorted("strict"), (Sids{1, 3, 2, 4}));
  EXPECT_EQ(sorted("alert,reject,drop,pass"), (Sids{1, 4, 3, 2}));
}

}  // namespace
}  // namespace sluice::inspect
