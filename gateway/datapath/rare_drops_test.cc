// SPDX-License-Identifier: Apache-2.0
// Drops that take an unusual packet, frame or moment.
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;  // NOLINT

// A router's word that something was too big, with the beginning of what it is about.
Bytes too_big_error(const Bytes& source, const Bytes& destination, const Bytes& about) {
  return ethernet(kEtherTypeIpv4, {},
                  ipv4(kProtocolIcmp, icmp(3, 4, first(about, 28)),
                       {.source = source, .destination = destination}));
}

class NlbTranslation : public Path {
 protected:
  const Bytes client{10, 0, 0, 1}, listener_address{10, 0, 0, 100}, backend{10, 0, 0, 21};
  const Bytes syn =
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(4242, 7000, kTcpSyn),
                                  {.source = client, .destination = listener_address})));
  // What became of an approved packet that cannot be translated.
  void expect_dropped(const Step& delivered) {
    EXPECT_EQ(delivered.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(delivered.outcome.reason, kDropNlbTranslation)
        << drop_reason_name(delivered.outcome.reason);
    EXPECT_EQ(drops(kDropNlbTranslation), 1u);
  }
};

TEST_F(NlbTranslation, ErrorThatIsNotForItsListener) {
  ASSERT_EQ(round_trip(syn, kOutside).outcome.verdict, kVerdictInside);
  const Bytes about = ipv4(kProtocolTcp, tcp(7000, 4242, kTcpAck),
                           {.source = listener_address, .destination = client});
  expect_dropped(round_trip(too_big_error({10, 0, 0, 9}, {10, 0, 0, 101}, about), kOutside));
}

TEST_F(NlbTranslation, ErrorOfATargetAboutLessThanHeadersIsDroppedBeforeInspection) {
  ASSERT_EQ(round_trip(syn, kOutside).outcome.verdict, kVerdictInside);
  Bytes about =
      ipv4(kProtocolTcp, tcp(4242, 7001, kTcpAck), {.source = client, .destination = backend});
  store_be16(&about[2], 39);
  expect_dropped(from_inside(too_big_error(backend, client, about)));
}

TEST_F(NlbTranslation, ListenerThatWasRemovedMeanwhile) {
  const Step there = from_outside(syn);
  ASSERT_EQ(there.outcome.verdict, kVerdictTarget);
  for (uint32_t i = 0; i < kListenersMax; i++) host->tables().listeners[i].in_use = 0;
  expect_dropped(from_tunnel(returned(there.bytes)));
}

class NoRoom : public Path {
 protected:
  // The frame in a buffer that has `room` bytes in front of it.
  Step send_with_room(const Bytes& in, uint32_t interface_index, size_t room) {
    FrameBuffer buffer;
    buffer.assign(in);
    buffer.raw()->head = buffer.raw()->data - room;
    const Outcome outcome = host->run(buffer, interface_index);
    return {outcome, Bytes(buffer.bytes().begin(), buffer.bytes().end())};
  }
};

// What encapsulation adds is 68 bytes and takes the place of the frame's own header of 14.
TEST_F(NoRoom, ForTheTunnelsHeaders) {
  constexpr size_t kNeeded = kTargetHeaderLength - 14;
  for (const size_t room : {size_t{0}, size_t{1}, kNeeded - 1}) {
    const uint64_t before = drops(kDropNoRoom);
    const Step step = send_with_room(request(), kOutside, room);
    EXPECT_EQ(step.outcome.verdict, kVerdictDrop) << room;
    EXPECT_EQ(step.outcome.reason, kDropNoRoom) << room;
    EXPECT_EQ(drops(kDropNoRoom), before + 1);
  }
  const Step fits = send_with_room(request(), kOutside, kNeeded);
  EXPECT_EQ(fits.outcome.verdict, kVerdictTarget) << drop_reason_name(fits.outcome.reason);
  EXPECT_EQ(from_tunnel(returned(fits.bytes)).outcome.verdict, kVerdictInside);
}

// The way back takes headers off: no room is needed.
TEST_F(NoRoom, IsNotNeededOnTheWayBack) {
  const Step there = from_outside(request());
  EXPECT_EQ(send_with_room(returned(there.bytes), kTunnel, 0).outcome.verdict, kVerdictInside);
}

}  // namespace
}  // namespace sluice::gateway
