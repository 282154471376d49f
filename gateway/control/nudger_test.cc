// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/nudger.h"

#include <algorithm>
#include <optional>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

struct Sent {
  uint32_t interface;
  Bytes bytes;
};

class NudgerTest : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    loop = std::move(*EventLoop::create());
    nudger.emplace(*loop, *host, [this](uint32_t interface, std::span<const uint8_t> bytes) {
      frames.push_back({interface, Bytes(bytes.begin(), bytes.end())});
      return true;
    });
  }
  void look() {
    nudger->look();
    while (nudger->busy()) loop->turn(100);
  }
  // A flow that both ends have spoken in; its target.
  uint16_t open(uint16_t port) {
    const Bytes syn = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(port, 80)));
    const Bytes syn_ack = ethernet(kEtherTypeIpv4, {kEtherTypeVlan},
                                   ipv4(kProtocolTcp, tcp(80, port, kTcpSyn | kTcpAck),
                                        {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
    const Step out = from_outside(syn);
    round_trip(syn_ack, kInside);
    return static_cast<uint16_t>(out.bytes[33] - 11);
  }

  std::unique_ptr<EventLoop> loop;
  std::optional<Nudger> nudger;
  std::vector<Sent> frames;
};

TEST_F(NudgerTest, BothEndsOfALostTargetsFlowsAreMadeToSpeak) {
  const uint16_t lost = open(4242);
  from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 80))));
  look();
  EXPECT_TRUE(frames.empty()) << "nothing is lost yet";
  for (uint16_t i = 0; i < kAppliances; i++) host->tables().targets[i].flags |= kTargetResets;
  look();
  ASSERT_EQ(frames.size(), 2u) << "UDP is not";
  std::ranges::sort(frames, {}, &Sent::interface);
  // To the client, with the headers of what the server has sent; and the other way round.
  Bytes to_client = tcp(80, 4242, kTcpAck), to_server = tcp(4242, 80, kTcpAck);
  for (Bytes* segment : {&to_client, &to_server}) {
    store_be32(&(*segment)[4], 0);
    store_be32(&(*segment)[8], 0);
    store_be16(&(*segment)[14], 0);
  }
  const auto frame = [](std::initializer_list<uint16_t> vlan, const Bytes& segment, Ipv4 h) {
    h.fragment = 0x4000;
    Bytes out = ethernet(kEtherTypeIpv4, vlan, ipv4(kProtocolTcp, segment, h));
    store_be16(&out[14 + 4 * vlan.size() + 4], 0);
    return with_checksum(out);
  };
  EXPECT_EQ(frames[0].interface, kOutside);
  EXPECT_EQ(frames[0].bytes, frame({kEtherTypeVlan}, to_client,
                                   {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
  EXPECT_EQ(frames[1].interface, kInside);
  EXPECT_EQ(frames[1].bytes, frame({}, to_server, {}));

  look();
  EXPECT_EQ(frames.size(), 2u) << "once";
  host->tables().targets[lost].flags &= ~kTargetResets;
  look();
  host->tables().targets[lost].flags |= kTargetResets;
  look();
  EXPECT_EQ(frames.size(), 4u) << "lost again";
}

TEST_F(NudgerTest, AnNlbTargetIsSpokenToByItsOwnAddress) {
  const Bytes vip6 = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  const Bytes syn4 = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), {.destination = {10, 0, 0, 100}})));
  const Bytes syn6 = with_checksum(
      ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, tcp(4242, 7000), {.destination = vip6})));
  for (const Bytes& syn : {syn4, syn6}) {
    SCOPED_TRACE(syn.size());
    frames.clear();
    const Bytes delivered = round_trip(syn, kOutside).bytes;
    for (uint16_t i = 0; i < kAppliances; i++) host->tables().targets[i].flags |= kTargetResets;
    look();
    for (uint16_t i = 0; i < kAppliances; i++) host->tables().targets[i].flags &= ~kTargetResets;
    look();
    ASSERT_GE(frames.size(), 2u);
    const auto to_target = std::ranges::find_if(frames, [&](const Sent& s) {
      return s.interface == kInside && s.bytes.size() == delivered.size();
    });
    ASSERT_NE(to_target, frames.end());
    const size_t addresses = syn[12] == 8 ? 26 : 22;
    EXPECT_EQ(Bytes(to_target->bytes.begin(), to_target->bytes.begin() + 12),
              Bytes(delivered.begin(), delivered.begin() + 12));
    EXPECT_EQ(Bytes(to_target->bytes.begin() + addresses, to_target->bytes.end() - 16),
              Bytes(delivered.begin() + addresses, delivered.end() - 16))
        << "addresses and ports";
    EXPECT_EQ(with_checksum(to_target->bytes), to_target->bytes);
  }
}

TEST_F(NudgerTest, LargeTablesAreWalkedInSlices) {
  for (uint16_t port = 1000; port < 1000 + 2 * Nudger::kFramesPerSliceMax; port++)
    ASSERT_EQ(from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(port, 80))))
                  .outcome.verdict,
              kVerdictTarget);
  for (uint16_t i = 0; i < kAppliances; i++) host->tables().targets[i].flags |= kTargetResets;
  nudger->look();
  loop->turn(100);
  EXPECT_GE(frames.size(), Nudger::kFramesPerSliceMax);
  EXPECT_LT(frames.size(), Nudger::kFramesPerSliceMax + 2 * kFlowWays);
  EXPECT_TRUE(nudger->busy());
  look();
  EXPECT_EQ(frames.size(), 4u * Nudger::kFramesPerSliceMax);
  EXPECT_EQ(nudger->sent(), frames.size());
}

TEST_F(NudgerTest, AReplacedLayer2PairStopsIt) {
  open(4242);
  for (uint32_t i = 0; i < kLayer2Max; i++) host->tables().layer2s[i].tag ^= 2;
  for (uint16_t i = 0; i < kAppliances; i++) host->tables().targets[i].flags |= kTargetResets;
  look();
  EXPECT_TRUE(frames.empty());
}

}  // namespace
}  // namespace sluice::gateway
