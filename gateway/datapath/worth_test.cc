// SPDX-License-Identifier: Apache-2.0
// What flows are worth in a full table: floods and ended connections make room, and what works
// keeps working, plain flows and NLB flows alike.
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kFlood = 20'000;  // connections; the table has 4,096 places

// A server, as clients see it and as it answers.
struct Service {
  Bytes address;
  uint16_t port;
  Bytes own_address;
  uint16_t own_port;
};
const Service kPlain = {{10, 0, 0, 2}, 80, {10, 0, 0, 2}, 80};
const Service kListener = {{10, 0, 0, 100}, 7000, {10, 0, 0, 21}, 7001};

class Worth : public Path {
 protected:
  // From client `number`, through the appliance: whether it was delivered.
  bool asks(uint32_t number, uint8_t flags, const Service& service) {
    return passes(ethernet(kEtherTypeIpv4, {},
                           ipv4(kProtocolTcp, tcp(4242, service.port, flags),
                                {.source = client(number), .destination = service.address})),
                  kOutside, kVerdictInside);
  }
  bool answers(uint32_t number, uint8_t flags, const Service& service) {
    return passes(ethernet(kEtherTypeIpv4, {},
                           ipv4(kProtocolTcp, tcp(service.own_port, 4242, flags),
                                {.source = service.own_address, .destination = client(number)})),
                  kInside, kVerdictOutside);
  }
  bool opens(uint32_t number, const Service& service) {
    return asks(number, kTcpSyn, service) && answers(number, kTcpSyn | kTcpAck, service);
  }
  // A handshake and a packet each way.
  bool works(uint32_t number, const Service& service) {
    return opens(number, service) && goes_on(number, service);
  }
  bool goes_on(uint32_t number, const Service& service) {
    return asks(number, kTcpAck, service) && answers(number, kTcpAck, service);
  }
  uint64_t without_place() { return events(kEventUnrecordedSent) + drops(kDropFlowTableFull); }

 private:
  static Bytes client(uint32_t number) {
    Bytes out(4);
    store_be32(out.data(), 0x0b000000 + number);
    return out;
  }
  bool passes(const Bytes& frame, uint32_t interface_index, Verdict delivered) {
    const Step sent = send(with_checksum(frame), interface_index);
    return sent.outcome.verdict == kVerdictTarget &&
           from_tunnel(returned(sent.bytes)).outcome.verdict == delivered;
  }
};

TEST_F(Worth, ScannedPortsMakeRoom) {
  for (uint32_t n = 0; n < kFlood; n++) {
    asks(n, kTcpSyn, kPlain);
    answers(n, kTcpRst | kTcpAck, kPlain);
  }
  EXPECT_EQ(without_place(), 0u);
  EXPECT_TRUE(works(kFlood, kListener));
}

// As with SYN cookies: whoever asks gets an answer, and never goes on.
TEST_F(Worth, AnsweredSynFloodMakesRoom) {
  for (const Service& service : {kPlain, kListener}) {
    ASSERT_TRUE(works(0, service));
    for (uint32_t n = 1; n < kFlood; n++) opens(n, service);
    EXPECT_EQ(without_place(), 0u);
    EXPECT_TRUE(goes_on(0, service)) << "established before";
    EXPECT_TRUE(works(kFlood, service));
  }
}

TEST_F(Worth, UnansweredSynFloodMakesRoom) {
  for (const Service& service : {kPlain, kListener}) {
    ASSERT_TRUE(works(0, service));
    for (uint32_t n = 1; n < kFlood; n++) EXPECT_TRUE(asks(n, kTcpSyn, service));
    EXPECT_EQ(without_place(), 0u);
    EXPECT_TRUE(goes_on(0, service)) << "established before";
    EXPECT_TRUE(works(kFlood, service));
  }
}

TEST_F(Worth, EndedConnectionsMakeRoom) {
  const uint8_t fin = kTcpFin | kTcpAck;
  for (const Service& service : {kPlain, kListener}) {
    for (uint32_t n = 0; n < kFlood; n++) {
      ASSERT_TRUE(works(n, service)) << n;
      switch (n % 4) {
        case 0:  // the client is first, and its last ACK comes
          asks(n, fin, service);
          answers(n, fin, service);
          asks(n, kTcpAck, service);
          break;
        case 1:  // or does not come
          asks(n, fin, service);
          answers(n, fin, service);
          break;
        case 2:
          answers(n, fin, service);
          asks(n, fin, service);
          break;
        case 3:
          answers(n, kTcpRst | kTcpAck, service);
          break;
      }
    }
    EXPECT_EQ(without_place(), 0u);
  }
}

}  // namespace
}  // namespace sluice::gateway
