// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/tcp_options.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::inspect {
namespace {

TcpOptions read(std::vector<uint8_t> options) {
  std::vector<uint8_t> header(20);
  header.insert(header.end(), options.begin(), options.end());
  return read_tcp_options(header);
}

TEST(TcpOptions, WhatTheySay) {
  const auto none = read({});
  EXPECT_FALSE(none.timestamp || none.window_shift || none.fast_open || none.bad_length ||
               none.twice);
  const auto all =
      read({2, 4, 5, 180, 3, 3, 7, 1, 8, 10, 0, 0, 1, 2, 0, 0, 0, 0, 34, 2, 4, 2, 99, 2, 0, 9});
  EXPECT_EQ(all.timestamp, 0x102u);
  EXPECT_EQ(all.window_shift, 7);
  EXPECT_TRUE(all.fast_open);
  EXPECT_FALSE(all.bad_length || all.twice);
  EXPECT_EQ(read({3, 3, 200, 0}).window_shift, 14);
}

TEST(TcpOptions, BadLengths) {
  const std::vector<uint8_t> bad[] = {
      {2, 3, 0},
      {2, 5, 0, 0, 0},
      {3, 2},
      {4, 3, 0},
      {5, 9, 0, 0, 0, 0, 0, 0, 0},
      {8, 4, 0, 0},
      {19, 4, 0, 0},
      {34, 3, 0},
      {99, 1},
      {99, 0},
      {99, 3},
      {99},
  };
  for (const auto& options : bad) EXPECT_TRUE(read(options).bad_length) << int{options[0]};
  EXPECT_FALSE(read({5, 10, 0, 0, 0, 0, 0, 0, 0, 0}).bad_length);
  EXPECT_FALSE(read({0, 99}).bad_length) << "behind the end";
}

TEST(TcpOptions, TheFirstOfTwoCounts) {
  const auto two = read({3, 3, 1, 3, 3, 2, 0, 0});
  EXPECT_TRUE(two.twice);
  EXPECT_EQ(two.window_shift, 1);
}

}  // namespace
}  // namespace sluice::inspect
