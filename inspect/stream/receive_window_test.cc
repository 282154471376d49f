// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/receive_window.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::tcp;

constexpr uint8_t kSyn = tunnels::kTcpSyn, kAck = tunnels::kTcpAck, kRst = tunnels::kTcpRst;

struct Receiver {
  ReceiveWindow window;

  void says(uint8_t flags, uint32_t acknowledgement, uint16_t size, const Bytes& options = {}) {
    const Bytes ip = tcp({}, flags, 1, acknowledgement, "", size, options);
    window.note(*view_packet(ip));
  }
  // The last place at which bytes may end.
  bool ends_at(uint32_t end) const {
    return !window.is_exceeded_by(end) && !window.is_exceeded_by(end + 1) &&
           window.is_exceeded_by(end + 2);
  }
  bool is_unlimited() const {
    for (uint32_t end = 0; end < 64; end++)
      if (window.is_exceeded_by(end << 26)) return false;
    return true;
  }
};

TEST(ReceiveWindow, EndsWhereTheReceiverSays) {
  Receiver r;
  EXPECT_TRUE(r.is_unlimited()) << "nobody was heard";
  r.says(kSyn | kAck, 1000, 500);
  EXPECT_TRUE(r.ends_at(1500));
  r.says(kAck, 1200, 500);
  EXPECT_TRUE(r.ends_at(1700));
}

TEST(ReceiveWindow, IsNotTakenBack) {
  Receiver r;
  r.says(kSyn | kAck, 1000, 500);
  for (const uint32_t acknowledged : {1100u, 900u, 0x80000700u}) {
    r.says(kAck, acknowledged, 0);
    EXPECT_TRUE(r.ends_at(1500)) << acknowledged;
  }
  r.says(kRst | kAck, 5000, 500);
  EXPECT_TRUE(r.ends_at(1500)) << "a reset";
}

TEST(ReceiveWindow, GoesPastZero) {
  Receiver r;
  r.says(kSyn | kAck, 0xfffffff0, 100);
  EXPECT_TRUE(r.ends_at(84));
}

TEST(ReceiveWindow, IsScaledBehindTheSyn) {
  Receiver r;
  r.says(kSyn | kAck, 1000, 500, {2, 4, 5, 0xb4, 1, 3, 3, 7});
  EXPECT_TRUE(r.ends_at(1500));
  r.says(kAck, 1000, 500);
  EXPECT_TRUE(r.ends_at(1000 + 500 * 128));
  Receiver most;
  most.says(kSyn | kAck, 0, 1, {3, 3, 200, 0});
  most.says(kAck, 0, 1);
  EXPECT_TRUE(most.ends_at(1 << 14));
}

// The SYN of a client acknowledges nothing: the place comes later.
TEST(ReceiveWindow, OfAClientIsKnownWithItsFirstAcknowledgement) {
  Receiver r;
  r.says(kSyn, 0, 500, {3, 3, 2, 0});
  EXPECT_TRUE(r.is_unlimited());
  r.says(kAck, 5001, 500);
  EXPECT_TRUE(r.ends_at(7001));
}

TEST(ReceiveWindow, WithoutASynNothingIsKnown) {
  Receiver r;
  r.says(kAck, 1000, 500);
  EXPECT_TRUE(r.is_unlimited());
}

TEST(ReceiveWindow, OfMultipathTcpCountsFromElsewhere) {
  Receiver r;
  r.says(kSyn | kAck, 1000, 500, {30, 4, 0, 0});
  r.says(kAck, 1000, 500);
  EXPECT_TRUE(r.is_unlimited());
}

TEST(ReceiveWindow, OptionsThatAreNoneEndTheList) {
  for (const Bytes& options : {Bytes{3, 0, 7, 0}, Bytes{2, 9, 3, 3}, Bytes{0, 3, 3, 7},
                               Bytes{3, 2, 1, 3}, Bytes{1, 1, 1, 3}}) {
    Receiver r;
    r.says(kSyn | kAck, 1000, 500, options);
    r.says(kAck, 1000, 500);
    EXPECT_TRUE(r.ends_at(1500));
  }
}

}  // namespace
}  // namespace sluice::inspect
