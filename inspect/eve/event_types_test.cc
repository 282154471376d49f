// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/event_types.h"

#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

TEST(EventTypes, AreReadFromAList) {
  EXPECT_TRUE(EventTypes().has(EventType::kFtp));
  EXPECT_TRUE(EventTypes::parse("all")->has(EventType::kAlert));
  EXPECT_FALSE(EventTypes::parse("none")->has(EventType::kAlert));
  const auto some = EventTypes::parse("alert,dns");
  ASSERT_TRUE(some);
  EXPECT_TRUE(some->has(EventType::kAlert));
  EXPECT_TRUE(some->has("dns"));
  EXPECT_FALSE(some->has("http"));
  EXPECT_FALSE(some->has("nonsense"));
  EXPECT_FALSE(EventTypes().has("netflow")) << "it says what flow says";
  EXPECT_TRUE(EventTypes::parse("netflow")->has(EventType::kNetflow));
  EXPECT_FALSE(EventTypes().without(EventType::kFlow).has("flow"));
  EXPECT_TRUE(EventTypes().without(EventType::kFlow).has("drop"));
}

TEST(EventTypes, RefuseWhatDoesNotExist) {
  for (const char* bad : {"", "alert,", ",alert", "alert,all", "Alert", "alert dns", "netflows"})
    EXPECT_FALSE(EventTypes::parse(bad)) << bad;
}

}  // namespace
}  // namespace sluice::inspect
