// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/reply_batch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <vector>

#include "appliances/sdk/socket.h"

namespace sluice::sdk {
namespace {

using Bytes = std::vector<uint8_t>;

class ReplyBatchTest : public testing::Test {
 protected:
  void SetUp() override {
    gateway_.reset(socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(gateway_.fd(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    socklen_t length = sizeof(name);
    getsockname(gateway_.fd(), reinterpret_cast<sockaddr*>(&name), &length);
    port_ = ntohs(name.sin_port);
    const int size = 8 << 20;
    setsockopt(gateway_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    sender_.reset(socket(AF_INET, SOCK_DGRAM, 0));
    path_.gateway = path_.local = mapped({htonl(INADDR_LOOPBACK)});
  }

  // Everything that has arrived.
  std::vector<Bytes> arrived() {
    std::vector<Bytes> all;
    Bytes bytes(65536);
    for (ssize_t got; (got = recv(gateway_.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT)) >= 0;)
      all.emplace_back(bytes.begin(), bytes.begin() + got);
    return all;
  }

  std::vector<Bytes> send_lengths(const std::vector<size_t>& lengths) {
    std::vector<Bytes> sent;
    for (size_t i = 0; i < lengths.size(); i++)
      sent.emplace_back(lengths[i], static_cast<uint8_t>(i));
    ReplyBatch batch(sender_.fd(), port_, counters_);
    batch.answer_to(path_);
    for (Bytes& bytes : sent) batch.returned(bytes, false);
    batch.send();
    return sent;
  }

  void expect_arrival(const std::vector<Bytes>& sent) { EXPECT_EQ(sent, arrived()); }

  Socket gateway_, sender_;
  uint16_t port_ = 0;
  Path path_{};
  Counters counters_;
};

TEST_F(ReplyBatchTest, EqualLengthsLeaveAsOneSend) {
  expect_arrival(send_lengths({900, 900, 900, 900, 100}));
  EXPECT_EQ(counters_.segmented.get(), 5u);
}

TEST_F(ReplyBatchTest, UnequalLengthsLeaveOneByOne) {
  expect_arrival(send_lengths({100, 200, 300, 400}));
  EXPECT_EQ(counters_.segmented.get(), 0u);
}

TEST_F(ReplyBatchTest, GroupsEndAtTheSegmentAndDatagramLimits) {
  const std::vector<size_t> many(kSegmentsMax + 10, 50);
  expect_arrival(send_lengths(many));
  const std::vector<size_t> large(9, 9000);  // seven of them fill a send
  expect_arrival(send_lengths(large));
  EXPECT_EQ(counters_.send_failed.get(), 0u);
  EXPECT_EQ(counters_.segmented.get(), many.size() + large.size());
}

TEST_F(ReplyBatchTest, OverIpv6TheSame) {
  gateway_.reset(socket(AF_INET6, SOCK_DGRAM, 0));
  SocketName name = socket_name(AF_INET6, in6addr_loopback, 0);
  if (bind(gateway_.fd(), &name.any, sizeof(name.v6)) != 0) GTEST_SKIP() << "no IPv6 here";
  socklen_t length = sizeof(name);
  getsockname(gateway_.fd(), &name.any, &length);
  port_ = ntohs(name.v6.sin6_port);
  sender_.reset(socket(AF_INET6, SOCK_DGRAM, 0));
  path_.gateway = path_.local = in6addr_loopback;
  expect_arrival(send_lengths({900, 900, 900, 900, 100, 200}));
  EXPECT_EQ(counters_.segmented.get(), 5u);
  EXPECT_EQ(counters_.send_failed.get(), 0u);
}

TEST_F(ReplyBatchTest, AWayIsThePath) {
  ReplyBatch batch(sender_.fd(), port_, counters_);
  batch.answer_to(path_);
  const auto way = batch.way();
  batch.answer_to({in6addr_any, in6addr_any});
  batch.set_way(way);
  Bytes bytes(100, 1);
  batch.returned(bytes, false);
  batch.send();
  EXPECT_EQ(arrived().size(), 1u);
}

TEST_F(ReplyBatchTest, AFullBatchIsSentNotLost) {
  expect_arrival(send_lengths(std::vector<size_t>(kRepliesMax + 3, 60)));
}

TEST_F(ReplyBatchTest, PathsAreNotMixed) {
  ReplyBatch batch(sender_.fd(), port_, counters_);
  Bytes bytes(100, 1);
  Path elsewhere = path_;
  elsewhere.gateway = mapped({htonl(INADDR_LOOPBACK + 1)});
  for (int i = 0; i < 6; i++) {
    batch.answer_to(i % 2 == 0 ? path_ : elsewhere);
    batch.returned(bytes, false);
  }
  batch.send();
  EXPECT_EQ(arrived().size(), 3u);
}

TEST_F(ReplyBatchTest, InjectedBytesAreCopiedAndTheirArenaIsBounded) {
  ReplyBatch batch(sender_.fd(), port_, counters_);
  batch.answer_to(path_);
  const Bytes header = {0, 0, 8, 0, 0, 0, 0, 0};
  constexpr size_t kLength = 30000;
  const size_t count = kInjectedBytesMax / kLength + 2;
  for (size_t i = 0; i < count; i++) {
    Bytes ip(kLength, static_cast<uint8_t>(i));
    ip[0] = 0x45;
    tunnels::store_be16(&ip[2], kLength);
    EXPECT_TRUE(batch.injected(header, ip));
  }
  EXPECT_FALSE(batch.injected(header, Bytes(kDatagramLengthMax, 0x45)));
  batch.send();
  const auto all = arrived();
  ASSERT_EQ(all.size(), count);
  for (size_t i = 0; i < count; i++) EXPECT_EQ(all[i].back(), static_cast<uint8_t>(i));
}

// Linux refuses UDP_SEGMENT on a socket without checksums: every datagram still arrives, sent
// singly.
TEST_F(ReplyBatchTest, ARefusedSegmentedSendIsRepeatedSingly) {
  const int on = 1;
  ASSERT_EQ(setsockopt(sender_.fd(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
  expect_arrival(send_lengths({500, 500, 500}));
  EXPECT_EQ(counters_.segmented.get(), 0u);
  EXPECT_EQ(counters_.send_failed.get(), 0u);
}

// Loopback takes 65536 bytes: what only the hint makes longer leaves without it.
TEST_F(ReplyBatchTest, AHintThatDoesNotFitTheLinkIsLeftOut) {
  const int probe = IP_PMTUDISC_PROBE;
  ASSERT_EQ(setsockopt(sender_.fd(), IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe)), 0);
  ReplyBatch batch(sender_.fd(), port_, counters_);
  batch.answer_to(path_);
  Bytes sent[2];
  for (const size_t length : {size_t{100}, kDatagramLengthMax}) {
    Bytes& bytes = sent[length > 100];
    bytes.assign(length + kHintOptionLength, 7);
    bytes[0] = 0;
    ASSERT_EQ(append_hint(bytes, length, 9), bytes.size());
    batch.returned(bytes, true);
  }
  const Bytes hinted = sent[0];
  batch.send();
  const auto all = arrived();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], hinted);
  Bytes plain(kDatagramLengthMax, 7);
  plain[0] = 0;
  EXPECT_EQ(all[1], plain);
  EXPECT_EQ(counters_.hints_dropped.get(), 1u);
  EXPECT_EQ(counters_.send_failed.get(), 0u);
}

TEST_F(ReplyBatchTest, WhatTheKernelDoesNotTakeIsCounted) {
  path_.gateway = mapped({htonl(INADDR_BROADCAST)});  // not allowed without SO_BROADCAST
  send_lengths({500, 500, 100, 200});
  EXPECT_EQ(counters_.send_failed.get(), 4u);
}

}  // namespace
}  // namespace sluice::sdk
