// SPDX-License-Identifier: Apache-2.0
// Packets without DF that do not fit the tunnel, and the fragments that the slow path makes of
// them.
#include "gateway/datapath/cut.h"

#include <numeric>

#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/slow_path.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kFits = kMtu - kEncapsulationOverhead;

Bytes numbers(size_t length) {
  Bytes out(length);
  std::iota(out.begin(), out.end(), uint8_t{0});
  return out;
}

// The payload of fragments of one packet, by their offsets; what no fragment covers is zero.
Bytes together(const std::vector<Bytes>& frames_of_it, size_t* end = nullptr) {
  Bytes out;
  size_t last = 0;
  for (const Bytes& in : frames_of_it) {
    packet p{};
    const uint8_t* stop = in.data() + in.size();
    EXPECT_EQ(parse_ethernet(in.data(), stop, &p), kEtherTypeIpv4);
    EXPECT_EQ(parse_ip(in.data(), stop, 4, &p), kDropNone);
    EXPECT_EQ(p.l3_offset + p.l3_length, in.size());
    const uint16_t field = load_be16(&in[p.l3_offset + 6]);
    const size_t at = (field & 0x1fffu) * 8;
    out.resize(std::max(out.size(), at + in.size() - p.l4_offset));
    std::copy(in.begin() + p.l4_offset, in.end(), out.begin() + ptrdiff_t(at));
    if (!(field & 0x2000)) last = at + in.size() - p.l4_offset;
    EXPECT_EQ(checksum_fold(checksum_add(0, &in[p.l3_offset], p.l4_offset - p.l3_offset)), 0);
  }
  if (end) *end = last;
  return out;
}

TEST(Cut, FragmentsFitAndMakeThePacket) {
  for (const uint32_t mtu : {68u, 576u, 1000u, 1499u}) {
    for (const size_t length : {size_t{1}, size_t{48}, size_t{1480}, size_t{9000}}) {
      const Bytes payload = numbers(length);
      const Bytes in =
          ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(1, 2, payload)));
      const auto out = cut_into_fragments(in, mtu);
      ASSERT_FALSE(out.empty());
      for (const Bytes& piece : out) EXPECT_LE(piece.size(), 18 + mtu);
      EXPECT_EQ(together(out), udp(1, 2, payload));
      for (const Bytes& piece : out)
        EXPECT_EQ(first(piece, 16), first(in, 16)) << "the frame's own header";
    }
  }
}

TEST(Cut, AFragmentKeepsItsPlace) {
  for (const uint16_t more : {0, 0x2000}) {
    const Bytes in = ethernet(kEtherTypeIpv4, {},
                              ipv4(kProtocolUdp, numbers(800), {.fragment = uint16_t(100 | more)}));
    const auto out = cut_into_fragments(in, 300);
    ASSERT_EQ(out.size(), 3u);
    size_t end = 0;
    const Bytes all = together(out, &end);
    EXPECT_EQ(Bytes(all.begin() + 800, all.end()), numbers(800));
    EXPECT_EQ(end, more ? 0u : 1600u);
  }
}

TEST(Cut, OnlyOptionsThatAreMarkedAreCopied) {
  // Record route (7), which is not copied, a no-operation, and loose source route (131), which is.
  const Bytes options = {7, 3, 4, 1, 131, 3, 4, 0};
  const auto out = cut_into_fragments(
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, numbers(100), {.options = options})), 80);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(Bytes(out[0].begin() + 34, out[0].begin() + 42), options);
  EXPECT_EQ(out[1][14], 0x46);
  EXPECT_EQ(Bytes(out[1].begin() + 34, out[1].begin() + 38), (Bytes{131, 3, 4, 0}));
  EXPECT_EQ(together(out), numbers(100));
}

TEST(Cut, SomeAreNotCut) {
  const Bytes whole = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, numbers(100)));
  EXPECT_TRUE(cut_into_fragments(whole, 27).empty());
  EXPECT_EQ(cut_into_fragments(whole, 28).size(), 13u);
  EXPECT_TRUE(
      cut_into_fragments(
          ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, numbers(100), {.fragment = 0x4000})), 60)
          .empty());
  EXPECT_TRUE(cut_into_fragments(ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, numbers(100))), 60)
                  .empty());
  for (size_t length = 0; length < whole.size(); length++)
    EXPECT_TRUE(cut_into_fragments(first(whole, length), 60).empty());
}

class CutPath : public Path {
 protected:
  void pass(const Bytes& in, uint32_t interface_index = kOutside) {
    const Step step = send(in, interface_index);
    if (step.outcome.verdict == kVerdictSlowPath)
      slow->take(interface_index, step.outcome.mtu, step.bytes, host->now_ms());
    else
      note(step.outcome, step.bytes);
  }
  // As SlowPath::Done.
  bool note(const Outcome& outcome, std::span<const uint8_t> bytes) {
    last = outcome;
    if (outcome.verdict == kVerdictTarget) left.emplace_back(bytes.begin(), bytes.end());
    return can_leave;
  }
  void SetUp() override {
    Path::SetUp();
    slow = std::make_unique<SlowPath>(
        host->tables(), [this](const Outcome& o, auto bytes) { return note(o, bytes); });
  }
  // What the other side gets of what has left.
  std::vector<Bytes> delivered(Verdict verdict) {
    std::vector<Bytes> out;
    for (const Bytes& datagram : left) {
      EXPECT_LE(datagram.size(), 14u + kMtu);
      const Step step = from_tunnel(returned(datagram));
      EXPECT_EQ(step.outcome.verdict, verdict) << drop_reason_name(step.outcome.reason);
      out.push_back(step.bytes);
    }
    return out;
  }

  std::unique_ptr<SlowPath> slow;
  std::vector<Bytes> left;
  Outcome last;
  bool can_leave = true;
};

TEST_F(CutPath, APacketWithoutDfGoesInFragmentsToItsFlowsTarget) {
  const Bytes small = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53)));
  const uint32_t target = load_u32(&from_outside(small).bytes[30]);
  const Bytes whole =
      with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53, numbers(4000)))));
  pass(whole);
  ASSERT_EQ(left.size(), 3u);
  for (const Bytes& out : left) EXPECT_EQ(load_u32(&out[30]), target);
  EXPECT_EQ(together(delivered(kVerdictInside)), Bytes(whole.begin() + 34, whole.end()));
  EXPECT_EQ(host->tables().counters[kSlowPathCpu].event[kEventFragmented], 1u);
  EXPECT_EQ(host->tables().counters[kSlowPathCpu].event[kEventFragmentMade], 3u);
  EXPECT_EQ(events(kEventFlowCreated), 1u);
}

// What fits to the byte is left alone, one more byte is cut.
TEST_F(CutPath, WhatFitsIsNotCut) {
  pass(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53, numbers(kFits - 28)))));
  EXPECT_EQ(left.size(), 1u);
  pass(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53, numbers(kFits - 27)))));
  EXPECT_EQ(left.size(), 3u);
}

// Fragments of a size that the tunnel does not carry, in both orders.
TEST_F(CutPath, FragmentsAreCutAgain) {
  const Bytes packet = udp(4242, 53, numbers(3000));
  const auto pieces =
      cut_into_fragments(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, packet)), kFits + 8);
  ASSERT_EQ(pieces.size(), 2u);
  for (const bool reversed : {false, true}) {
    left.clear();
    for (const size_t i : {0, 1}) {
      Bytes in = pieces[reversed ? 1 - i : i];
      in[19] = reversed;  // another identification
      store_u16(&in[24], 0);
      store_u16(&in[24], checksum_fold(checksum_add(0, &in[14], 20)));
      pass(in);
    }
    EXPECT_EQ(slow->waiting(), 0u);
    size_t end = 0;
    EXPECT_EQ(together(delivered(kVerdictInside), &end), packet);
    EXPECT_EQ(end, packet.size());
  }
}

TEST_F(CutPath, AnswersOfABackendAreCutToo) {
  const Bytes request_packet = ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 7000), {.destination = {10, 0, 0, 100}}));
  ASSERT_EQ(round_trip(request_packet, kOutside).outcome.verdict, kVerdictInside);
  const Bytes answer =
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolUdp, udp(7001, 4242, numbers(1600)),
                                  {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}})));
  const Bytes seen =
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolUdp, udp(7000, 4242, numbers(1600)),
                                  {.source = {10, 0, 0, 100}, .destination = {10, 0, 0, 1}})));
  pass(answer, kInside);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(together(delivered(kVerdictOutside)), Bytes(seen.begin() + 34, seen.end()));
}

// An interface that is down, or whose queue is full.
TEST_F(CutPath, PiecesThatCannotLeaveAreCounted) {
  const Bytes big = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53, numbers(4000))));
  const auto& count = host->tables().counters[kSlowPathCpu];
  pass(big);
  EXPECT_EQ(count.event[kEventSlowPathUnsent], 0u);
  left.clear();
  can_leave = false;
  pass(big);
  EXPECT_GT(left.size(), 1u);
  EXPECT_EQ(count.event[kEventSlowPathUnsent], left.size());
}

TEST_F(CutPath, WithoutTheSlowPathItIsDroppedByName) {
  const Bytes whole = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1, 2, numbers(4000))));
  for (int i = 0; i < kHandedOverMax; i++)
    ASSERT_EQ(from_outside(whole).outcome.verdict, kVerdictSlowPath);
  EXPECT_EQ(from_outside(whole).outcome.reason, kDropSlowPathFull);
  // A way too narrow for any fragment.
  host->set_now_ms(host->now_ms() + (1 << kGateShift));
  for (int i = 0; i < kAppliances; i++) host->tables().targets[i].mtu = 27;
  pass(whole);
  EXPECT_EQ(last.reason, kDropTooBig);
  EXPECT_EQ(left.size(), 0u);
}

}  // namespace
}  // namespace sluice::gateway
