// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/hello_watch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "inspect/tls/hello_for_test.h"

namespace sluice::inspect::tls {
namespace {

using testing::HelloParts;

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class HelloWatchTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kSyn = 0xfffffff0;  // wraps within the hello

  bool syn() { return watch_.show(kSyn, true, {}, pool_); }
  // The bytes of the stream from `at` on.
  bool show(size_t at, size_t length) {
    return watch_.show(kSyn + 1 + static_cast<uint32_t>(at), false,
                       bytes(stream_).subspan(at, std::min(length, stream_.size() - at)), pool_);
  }
  bool complete() { return std::ranges::equal(watch_.message(), bytes(message_)); }

  HelloPool pool_;
  HelloWatch watch_;
  std::string message_ = HelloParts().server_name("a.example").alpn({"h2"}).message();
  std::string stream_ = testing::records(message_) + "more";
};

TEST_F(HelloWatchTest, WholeInTheFirstSegment) {
  EXPECT_FALSE(syn());
  EXPECT_FALSE(watch_.show(kSyn + 1, false, {}, pool_));
  ASSERT_TRUE(show(0, 10000));
  EXPECT_TRUE(complete());
  EXPECT_TRUE(watch_.over());
  EXPECT_FALSE(show(0, 10000));
}

TEST_F(HelloWatchTest, WithoutASynItBeginsWithTheFirstPayload) {
  ASSERT_TRUE(show(0, 10000));
  EXPECT_TRUE(complete());
}

TEST_F(HelloWatchTest, InTwoSegmentsInAnyOrder) {
  for (size_t cut = 1; cut < stream_.size() - 4; cut++) {
    for (const bool swapped : {false, true}) {
      watch_ = {};
      syn();
      if (swapped) {
        ASSERT_FALSE(show(cut, 10000)) << cut;
        ASSERT_TRUE(show(0, cut)) << cut;
      } else {
        ASSERT_FALSE(show(0, cut)) << cut;
        ASSERT_TRUE(show(cut, 10000)) << cut;
      }
      ASSERT_TRUE(complete()) << cut;
      watch_.end();
    }
  }
  EXPECT_EQ(pool_.budget.used, 0u);
}

TEST_F(HelloWatchTest, OfManyRecordsInOneSegment) {
  stream_ = testing::records(message_, 7);
  syn();
  ASSERT_TRUE(show(0, 10000));
  EXPECT_TRUE(complete());
}

TEST_F(HelloWatchTest, RepeatedSegmentsCountOnce) {
  syn();
  EXPECT_FALSE(show(0, 20));
  EXPECT_FALSE(show(0, 30));
  EXPECT_FALSE(show(10, 10));
  ASSERT_TRUE(show(5, 10000));
  EXPECT_TRUE(complete());
}

TEST_F(HelloWatchTest, WhatIsNoHelloIsOverAtOnce) {
  stream_ = "GET / HTTP/1.1\r\n\r\n";
  syn();
  EXPECT_FALSE(show(0, 10000));
  EXPECT_TRUE(watch_.over());
}

TEST_F(HelloWatchTest, AConflictingCopyEndsIt) {
  syn();
  EXPECT_FALSE(show(0, 40));
  stream_[30] ^= 1;
  EXPECT_FALSE(show(20, 20));
  EXPECT_TRUE(watch_.over());
  EXPECT_EQ(pool_.budget.used, 0u);
}

TEST_F(HelloWatchTest, WaitingIsBoundedByTheConnectionAndByThePool) {
  syn();
  EXPECT_FALSE(show(0, 10));
  EXPECT_FALSE(watch_.show(kSyn + 1 + 200'000, false, bytes("far ahead"), pool_));
  EXPECT_TRUE(watch_.over());

  pool_.budget.max = 100;
  watch_ = {};
  syn();
  EXPECT_FALSE(show(0, 60));
  EXPECT_FALSE(watch_.over());
  HelloWatch other;
  EXPECT_FALSE(other.show(1, false, bytes(stream_).first(60), pool_));
  EXPECT_TRUE(other.over());
  EXPECT_EQ(pool_.counters.no_memory, 1u);
}

}  // namespace
}  // namespace sluice::inspect::tls
