// SPDX-License-Identifier: Apache-2.0
#include "tunnels/drop_reasons.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::tunnels {
namespace {

TEST(DropReasons, EachHasANameOfItsOwnAndASentence) {
  std::set<std::string_view> names;
  for (int i = 0; i < kDropReasonCount; i++) {
    const auto reason = static_cast<DropReason>(i);
    const std::string_view name = drop_reason_name(reason);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              std::string_view::npos)
        << name;
    const std::string_view text = drop_reason_text(reason);
    EXPECT_TRUE(text.ends_with('.')) << name;
    EXPECT_EQ(text.find('|'), std::string_view::npos)
        << name << ": its row in the page would break";
  }
}

TEST(DropReasons, ANumberFromElsewhereIsUnknown) {
  EXPECT_EQ(drop_reason_name(kDropReasonCount), "unknown");
  EXPECT_EQ(drop_reason_text(kDropReasonCount), "");
}

}  // namespace
}  // namespace sluice::tunnels
