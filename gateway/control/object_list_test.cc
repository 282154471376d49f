// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/object_list.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

struct Thing {
  std::string name;
  int value = 0;
  bool operator==(const Thing&) const = default;
};
using Things = ObjectList<Thing>;

Things many(int count) {
  Things out;
  for (int i = 0; i < count; i++) out.push_back({"thing" + std::to_string(i), i});
  return out;
}

TEST(ObjectList, FindsEveryNameAndNoOther) {
  const Things things = many(1000);
  ASSERT_EQ(things.size(), 1000u);
  for (int i = 0; i < 1000; i++) {
    const Thing* found = things.find("thing" + std::to_string(i));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->value, i);
  }
  EXPECT_EQ(things.find("thing1000"), nullptr);
  EXPECT_EQ(Things().find("thing0"), nullptr);
  int sum = 0;
  for (const Thing& thing : things) sum += thing.value;
  EXPECT_EQ(sum, 999 * 1000 / 2);
}

TEST(ObjectList, ACopySharesAllButWhatIsChanged) {
  const Things before = many(3);
  Things after = before;
  EXPECT_TRUE(after.same_objects(before));
  after.edit("thing1")->value = 10;
  EXPECT_FALSE(after.same_objects(before));
  EXPECT_FALSE(after == before);
  EXPECT_EQ(before[1].value, 1);
  EXPECT_EQ(after.shared(0), before.shared(0));
  EXPECT_NE(after.shared(1), before.shared(1));
  const auto own = after.shared(1).get();
  EXPECT_EQ(&after[1], own) << "what is its own already is not copied again";
  after[1].value = 1;
  EXPECT_TRUE(after == before) << "equal, though not the same objects";
  EXPECT_EQ(after.edit("none"), nullptr);
}

TEST(ObjectList, NamesStayRightAsObjectsComeAndGo) {
  Things things = many(100);
  EXPECT_EQ(things.erase_if([](const Thing& thing) { return thing.value % 2 == 0; }), 50u);
  EXPECT_EQ(things.find("thing2"), nullptr);
  EXPECT_EQ(things.find("thing99")->value, 99);
  things.put({"thing99", 7});
  things.put({"new", 8});
  EXPECT_EQ(things.size(), 51u);
  EXPECT_EQ(things.find("thing99")->value, 7);
  EXPECT_EQ(things.back().value, 8);
  Things other;
  other.share(things, "new");
  EXPECT_EQ(other.find_shared("new"), things.find_shared("new"));
  things.clear();
  EXPECT_EQ(things.find("new"), nullptr);
  EXPECT_EQ(other.find("new")->value, 8);
}

// A file may say a name twice, which validation refuses: until then the first is found.
TEST(ObjectList, OfTwoWithOneNameTheFirstIsFound) {
  Things things;
  things.push_back({"a", 1});
  things.push_back({"a", 2});
  EXPECT_EQ(things.find("a")->value, 1);
  EXPECT_EQ(things.size(), 2u);
  things.erase_if([](const Thing& thing) { return thing.value == 1; });
  EXPECT_EQ(things.find("a")->value, 2);
}

}  // namespace
}  // namespace sluice::gateway
