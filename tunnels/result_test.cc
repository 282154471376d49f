// SPDX-License-Identifier: Apache-2.0
#include "tunnels/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace sluice {
namespace {

Result<std::unique_ptr<int>> make(int value) {
  if (value < 0) return fail("negative", "number");
  return std::make_unique<int>(value);
}

Result<int> twice(int value) {
  SLUICE_TRY(auto made, make(value));
  return *made * 2;
}

Result<> only_check(int value) {
  SLUICE_TRY_VOID(make(value));
  return {};
}

TEST(Result, TryTakesTheValueOrReturnsTheError) {
  EXPECT_EQ(*twice(21), 42);
  EXPECT_EQ(twice(-1).error().text(), "number: negative");
  EXPECT_TRUE(only_check(1));
  EXPECT_EQ(only_check(-1).error().what, "negative");
}

TEST(Result, AnErrorIsOneLine) {
  EXPECT_EQ(Error{.what = "what"}.text(), "what");
  EXPECT_EQ(fail_errno("cannot open", "a.yaml", ENOENT).value().text(),
            "a.yaml: cannot open: No such file or directory");
}

TEST(ResultDeathTest, ABrokenInvariantSaysWhich) {
  const int one = 1;
  EXPECT_DEATH(SLUICE_CHECK(one == 2), "broken invariant: one == 2");
}

}  // namespace
}  // namespace sluice
