// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/requirements.h"

#include <gtest/gtest.h>

#include "inspect/rules/loader.h"

namespace sluice::inspect {
namespace {

// What is not met, or why it cannot be told.
std::string unmet(std::string_view requirements) {
  const auto out = unmet_requirement(requirements);
  return out ? *out : "error: " + out.error().text();
}

TEST(Requirements, VersionsAreRangesOfWhichOneHolds) {
  for (const char* met :
       {"version >= 8", "version >=8.0.0", "version > 7.255", "version <= 8.0", "version < 8.0.1",
        "version >= 7.0.3 < 9", "version>7", "version >= 7 < 8 | >= 8.0.0", "version >= 8 | < 2",
        "version  >= 8,  keyword content"})
    EXPECT_EQ(unmet(met), "") << met;
  for (const char* not_met :
       {"version >= 8.0.1", "version > 8", "version < 8.0.0", "version <= 7.9",
        "version >= 7.0.3 < 8", "version < 7 | > 8.1", "version > 9 < 7"})
    EXPECT_EQ(unmet(not_met), not_met);
}

TEST(Requirements, WhatIsNotKnownIsNotMet) {
  EXPECT_EQ(unmet("feature geoip"), "feature geoip");
  EXPECT_EQ(unmet("keyword lua"), "keyword lua");
  EXPECT_EQ(unmet("moon full, version >= 7"), "moon full");
  EXPECT_EQ(unmet("keyword http.uri, keyword to_lowercase, feature x"), "feature x");
}

TEST(Requirements, WhatIsNoneIsAnError) {
  for (const char* bad :
       {"version", "version 8", "version =8", "version >= x", "version >= 8.0.0.0", "version >= 8.",
        "version >= 256", "version >= 8-dev", "version >= 7 |", "version >= ", "version | < 9",
        "version >= 7, version < 9", "feature"})
    EXPECT_TRUE(unmet(bad).starts_with("error: ")) << bad << ": " << unmet(bad);
}

// Before anything else of the rule is looked at, its protocol included.
TEST(Requirements, OfARuleAreAskedFirst) {
  Names names;
  RuleLoader loader(default_variables(), default_classification(), names);
  ASSERT_TRUE(
      loader.load_text("alert tcp any any -> any any (requires:version >= 7; sid:1;)\n"
                       "alert moon any any -> any any (new.thing; sid:2; requires:version > 9;)\n"
                       "alert tcp any any -> any any (msg:\"requires:feature x;\"; sid:3;)\n"
                       "alert tcp any any -> any any (requires:version 9; sid:4;)\n"
                       "alert tcp any any -> any any (requires; sid:5;)\n"
                       "alert tcp any any -> any any (new.thing; requires:version > 7; sid:6;)\n"
                       "alert tcp any any -> any any (requires:feature x; sid:1;)\n"
                       "alert tcp any any -> any any (requires:feature x; sid:7\n",
                       "t.rules"));
  const RuleSet set = loader.take();
  ASSERT_EQ(set.rules.size(), 2u);
  ASSERT_EQ(set.skipped.size(), 2u);
  EXPECT_EQ(set.skipped[0].text(), "t.rules:2: skipped: it requires version > 9");
  EXPECT_EQ(set.skipped[0].sid, 2u);
  EXPECT_EQ(set.skipped[1].text(), "t.rules:7: skipped: it requires feature x");
  std::string refused;
  for (const RefusedRule& rule : set.refused) refused += rule.text() + "\n";
  EXPECT_EQ(refused,
            "t.rules:4: requires: a version is compared with >=, >, <= or <\n"
            "t.rules:5: requires: needs a value\n"
            "t.rules:6: keyword 'new.thing' is not supported\n"
            "t.rules:8: requires: no (options) at the end\n");
}

}  // namespace
}  // namespace sluice::inspect
