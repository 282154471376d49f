// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/community_id.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

// The first is the example of the specification.
TEST(CommunityId, IsTheSameInBothDirections) {
  const struct {
    testing::Ends ends;
    uint16_t seed;
    std::string expected;
  } cases[] = {
      {{"128.232.110.120", "66.35.250.204", 34855, 80}, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {{"2600:1f13:f8:d400:3a6:303c:e011:18eb", "2607:f8b0:400a:800::200e", 60202, 443},
       7,
       "1:ptJhMvufAbB5nLDNW77cB800wFM="},
      {{"192.168.0.254", "192.168.0.254", 56162, 3306}, 1, "1:IJQHtzXv/tXud3FtXIufkDsfEd4="},
  };
  for (const auto& c : cases) {
    for (const auto& ends : {c.ends, c.ends.turned()}) {
      const auto tuple = testing::parsed(testing::tcp(ends, 2, 0, 0)).tuple;
      EXPECT_EQ(community_id(tuple, c.seed), c.expected);
    }
  }
}

TEST(CommunityId, HasNoneForIcmp) {
  const testing::Ends ends;
  EXPECT_EQ(community_id(testing::parsed(testing::icmp(ends, 8, 0, "x")).tuple, 0), "");
}

}  // namespace
}  // namespace sluice::inspect
