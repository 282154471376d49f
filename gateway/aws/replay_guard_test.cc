// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/replay_guard.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/aws/signature.h"

namespace sluice::gateway {
namespace {

constexpr int64_t kNow = 1'800'000'000;

std::string signature(int number) {
  std::string digits = std::to_string(number);
  return digits + std::string(64 - digits.size(), 'f');
}

TEST(ReplayGuard, TakesASignatureOnce) {
  ReplayGuard guard(kNow);
  EXPECT_TRUE(guard.is_first(signature(1), kNow, kNow));
  EXPECT_FALSE(guard.is_first(signature(1), kNow, kNow));
  EXPECT_TRUE(guard.is_first(signature(2), kNow, kNow));
  EXPECT_FALSE(guard.is_first(signature(1), kNow, kNow + kSignatureSkewMaxS));
}

TEST(ReplayGuard, ForgetsWhatHasExpired) {
  ReplayGuard guard(kNow);
  EXPECT_TRUE(guard.is_first(signature(1), kNow, kNow));
  EXPECT_TRUE(guard.is_first(signature(2), kNow + kSignatureSkewMaxS, kNow));  // a fast clock
  const int64_t later = kNow + kSignatureSkewMaxS + 1;
  EXPECT_TRUE(guard.is_first(signature(3), later, later));
  EXPECT_EQ(guard.remembered(), 2u);
  EXPECT_FALSE(guard.is_first(signature(2), kNow + kSignatureSkewMaxS, later));
}

TEST(ReplayGuard, TrustsNothingSignedBeforeItBegan) {
  ReplayGuard guard(kNow);
  EXPECT_FALSE(guard.is_first(signature(1), kNow - 1, kNow));
  EXPECT_TRUE(guard.is_first(signature(1), kNow, kNow));
}

TEST(ReplayGuard, TrustsNothingThatItMayHaveForgotten) {
  ReplayGuard guard(kNow, 10);
  for (int i = 0; i < 15; i++) EXPECT_TRUE(guard.is_first(signature(i), kNow + i, kNow + i));
  EXPECT_EQ(guard.remembered(), 10u);
  for (int i = 0; i < 15; i++) EXPECT_FALSE(guard.is_first(signature(i), kNow + i, kNow + 15));
  EXPECT_FALSE(guard.is_first(signature(99), kNow + 4, kNow + 15));
  EXPECT_TRUE(guard.is_first(signature(99), kNow + 5, kNow + 15));
}

}  // namespace
}  // namespace sluice::gateway
