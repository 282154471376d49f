// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/responses.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;

Responses answers(const Bytes& ip) {
  const auto view = view_packet(ip);
  EXPECT_TRUE(view);
  Responses responses;
  responses.reject(*view);
  return responses;
}

Bytes bytes_of(std::span<const uint8_t> span) { return {span.begin(), span.end()}; }

// What our own builder makes of the same fields; identification and flags of the header aside.
Bytes with_response_header(Bytes ip) {
  if (ip[0] >> 4 == 4) {
    tunnels::store_be16(&ip[4], 0);
    ip[6] = 0x40;
    tunnels::store_u16(&ip[10], 0);
    tunnels::store_u16(&ip[10], tunnels::checksum_fold(tunnels::checksum_add(0, ip.data(), 20)));
  }
  return ip;
}

Bytes reset(const Ends& ends, uint8_t flags, uint32_t sequence, uint32_t acknowledgement) {
  Bytes ip = testing::tcp(ends, flags, sequence, acknowledgement);
  const size_t offset = ip.size() - 20;
  tunnels::store_be16(&ip[offset + 14], 0);
  tunnels::store_u16(&ip[offset + 16], 0);
  tunnels::store_u16(&ip[offset + 16], testing::transport_checksum(ip, offset, 6));
  return with_response_header(ip);
}

TEST(Responses, ResetsGoBothWaysWithTheNumbersThatEachSideTakes) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 7, 8}}) {
    const auto responses = answers(testing::tcp(ends, tunnels::kTcpAck, 1000, 5000, "hello"));
    ASSERT_EQ(responses.count(), 2u);
    EXPECT_EQ(bytes_of(responses[0]),
              reset(ends.turned(), tunnels::kTcpRst | tunnels::kTcpAck, 5000, 1005));
    EXPECT_EQ(bytes_of(responses[1]), reset(ends, tunnels::kTcpRst | tunnels::kTcpAck, 1000, 5000));
  }
}

TEST(Responses, ASynIsAnsweredAsByAClosedPort) {
  const auto responses = answers(testing::tcp({}, tunnels::kTcpSyn, 1000, 0));
  ASSERT_EQ(responses.count(), 2u);
  EXPECT_EQ(bytes_of(responses[0]),
            reset(Ends{}.turned(), tunnels::kTcpRst | tunnels::kTcpAck, 0, 1001));
}

TEST(Responses, OthersGetPortUnreachableWithAQuote) {
  const Bytes small = testing::udp({}, "query");
  auto responses = answers(small);
  ASSERT_EQ(responses.count(), 1u);
  const std::string quote = std::string(4, '\0') + std::string(small.begin(), small.end());
  EXPECT_EQ(bytes_of(responses[0]),
            with_response_header(testing::icmp(Ends{}.turned(), 3, 3, quote)));

  const Ends v6{"fd00::1", "fd00::2"};
  const Bytes large = testing::udp(v6, std::string(1000, 'x'));
  responses = answers(large);
  ASSERT_EQ(responses.count(), 1u);
  const std::string cut =
      std::string(4, '\0') + std::string(large.begin(), large.begin() + kQuoteMax);
  EXPECT_EQ(bytes_of(responses[0]), testing::icmp(v6.turned(), 1, 4, cut));
}

TEST(Responses, SomePacketsAreNeverAnswered) {
  EXPECT_EQ(answers(testing::tcp({}, tunnels::kTcpRst, 1, 2)).count(), 0u);
  EXPECT_EQ(answers(testing::udp({"10.0.0.1", "224.0.0.251"}, "x")).count(), 0u);
  EXPECT_EQ(answers(testing::udp({"0.0.0.0", "10.0.0.1"}, "x")).count(), 0u);
  EXPECT_EQ(answers(testing::udp({"fd00::1", "ff02::fb"}, "x")).count(), 0u);
  const Bytes quoted = testing::udp(Ends{}.turned(), "12345678");
  const Bytes error =
      testing::icmp({}, 3, 3, std::string(4, '\0') + std::string(quoted.begin(), quoted.end()));
  EXPECT_EQ(answers(error).count(), 0u);
  EXPECT_EQ(answers(testing::icmp({}, 8, 0, "1234ping")).count(), 1u);
}

}  // namespace
}  // namespace sluice::inspect
