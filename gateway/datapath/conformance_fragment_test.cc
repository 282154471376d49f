// SPDX-License-Identifier: Apache-2.0
// The conformance list, row 4: IPv6 fragments with extension headers, in front of their header and
// behind it, and chains of headers that are there to be a burden.
#include <algorithm>

#include "gateway/datapath/conformance_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint8_t kDestinationOptions = 60;

class ConformanceFragment : public Conformance {
 protected:
  static Bytes ether6(const Bytes& ip) { return ethernet(kEtherTypeIpv6, {}, ip); }
  // A packet with options in the part that is cut: its fragments of 24 bytes. The header of a later
  // one may say what the first one's says, or what the sender thinks it carries.
  static std::vector<Bytes> cut(const Bytes& transport, uint32_t id, uint8_t later,
                                const Ipv6& header = {}) {
    const Bytes payload = extension(kProtocolUdp, transport);
    std::vector<Bytes> out;
    for (size_t at = 0; at < payload.size(); at += 24) {
      const size_t end = std::min(at + 24, payload.size());
      Bytes piece = fragment6(
          at == 0 ? kDestinationOptions : later, static_cast<uint16_t>(at | (end < payload.size())),
          Bytes(payload.begin() + ptrdiff_t(at), payload.begin() + ptrdiff_t(end)));
      store_be32(&piece[4], id);
      out.push_back(ether6(ipv6(0, extension(44, piece), header)));
    }
    return out;
  }
};

INSTANTIATE_TEST_SUITE_P(In, ConformanceFragment,
                         testing::Values(HostKind::kProcess, HostKind::kKernel), host_name);

TEST_P(ConformanceFragment, Row4FragmentsWithExtensionHeadersGoToTheirFlowsTarget) {
  const Bytes transport = udp(1000, 53, Bytes(40, 1));
  const Step whole = from_outside(ether6(ipv6(kProtocolUdp, transport)));
  ASSERT_EQ(whole.outcome.verdict, kVerdictTarget);
  uint32_t id = 1;
  for (const uint8_t later : {kDestinationOptions, uint8_t{kProtocolUdp}, uint8_t{44}}) {
    std::vector<size_t> order = {0, 1, 2};
    do {
      const std::vector<Bytes> pieces = cut(transport, id++, later);
      ASSERT_EQ(pieces.size(), 3u);
      std::vector<Step> sent;
      for (const size_t n : order)
        for (const Step& step : all_of(pieces[n], kOutside)) sent.push_back(step);
      ASSERT_EQ(sent.size(), 3u) << "order " << order[0] << order[1] << order[2];
      for (const Step& step : sent) {
        ASSERT_EQ(step.outcome.verdict, kVerdictTarget) << drop_reason_name(step.outcome.reason);
        EXPECT_EQ(cookie_of(step.bytes), cookie_of(whole.bytes));
        const Step back = from_tunnel(returned(step.bytes));
        ASSERT_EQ(back.outcome.verdict, kVerdictInside) << drop_reason_name(back.outcome.reason);
        EXPECT_TRUE(std::ranges::find(pieces, back.bytes) != pieces.end());
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
  EXPECT_EQ(events(kEventFlowCreated), 1u);
}

// Behind the options is the checksum that a new address changes.
TEST_P(ConformanceFragment, Row4AListenersFragmentsWithExtensionHeadersAreTranslated) {
  const Bytes listener = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  const Bytes backend = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x21};
  const auto udp_to = [](const Bytes& destination, uint16_t port_number) {
    const Bytes whole = with_checksum(ether6(
        ipv6(kProtocolUdp, udp(4242, port_number, Bytes(40, 1)), {.destination = destination})));
    return Bytes(whole.begin() + 54, whole.end());
  };
  const auto pieces =
      cut(udp_to(listener, 7000), 7, kDestinationOptions, {.destination = listener});
  const auto wanted = cut(udp_to(backend, 7001), 7, kDestinationOptions, {.destination = backend});
  for (size_t i = 0; i < pieces.size(); i++) {
    const Step out = from_outside(pieces[i]);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    const Step back = from_tunnel(returned(out.bytes));
    ASSERT_EQ(back.outcome.verdict, kVerdictInside) << drop_reason_name(back.outcome.reason);
    EXPECT_EQ(ip_of(back.bytes), ip_of(wanted[i])) << "fragment " << i;
  }
}

TEST_P(ConformanceFragment, Row4HeaderBombsAreDroppedByName) {
  const Bytes transport = udp(1000, 53);
  const auto chain = [&](int count, uint8_t extra = 0) {
    Bytes out = extension(kProtocolUdp, transport, extra);
    for (int i = 1; i < count; i++) out = extension(kDestinationOptions, out, extra);
    return out;
  };
  const auto first_piece = [](uint8_t next, const Bytes& payload) {
    return ipv6(44, fragment6(next, 1, payload));
  };
  Bytes lying = ipv6(0, extension(kProtocolUdp, transport));
  lying[41] = 255;
  Bytes lying_piece = first_piece(kDestinationOptions, extension(kProtocolUdp, transport));
  lying_piece[49] = 9;
  const struct {
    const char* name;
    Bytes ip;
    DropReason reason;
  } cases[] = {
      {"nine headers", ipv6(kDestinationOptions, chain(9)), kDropExtensionHeaders},
      {"a hundred headers", ipv6(kDestinationOptions, chain(100)), kDropExtensionHeaders},
      {"520 bytes", ipv6(kDestinationOptions, chain(1, 64)), kDropExtensionHeaders},
      {"1,024 bytes", ipv6(kDestinationOptions, chain(8, 15)), kDropExtensionHeaders},
      {"past the packet", lying, kDropExtensionHeaders},
      {"nothing behind", ipv6(kDestinationOptions, {}), kDropExtensionHeaders},
      {"nine with a fragment's", first_piece(kDestinationOptions, chain(8)), kDropExtensionHeaders},
      {"520 bytes in a fragment", first_piece(kDestinationOptions, chain(1, 64)),
       kDropExtensionHeaders},
      {"past the fragment", lying_piece, kDropFragmentTiny},
      {"the rest in another fragment", first_piece(kDestinationOptions, first(chain(3), 16)),
       kDropFragmentTiny},
      {"a fragment of a fragment", first_piece(44, fragment6(kProtocolUdp, 1, transport)),
       kDropFragmentInvalid},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Step out = from_outside(ether6(c.ip));
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(drop_reason_name(out.outcome.reason), drop_reason_name(c.reason));
  }
  EXPECT_EQ(events(kEventFlowCreated), 0u);
  // The same from an appliance.
  const Step good = from_outside(ether6(ipv6(kProtocolUdp, transport)));
  ASSERT_EQ(good.outcome.verdict, kVerdictTarget);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Step back = from_tunnel(with_inner(returned(good.bytes), c.ip));
    EXPECT_EQ(back.outcome.verdict, kVerdictDrop);
    const bool fragment = c.ip[6] == 44;
    EXPECT_EQ(drop_reason_name(back.outcome.reason),
              drop_reason_name(fragment ? c.reason : kDropInnerInvalid));
  }
}

// As deep as headers may be: there and back.
TEST_P(ConformanceFragment, Row4EightHeadersOf64BytesPass) {
  Bytes headers = extension(kProtocolUdp, udp(1000, 53, Bytes(9, 1)), 7);
  for (int i = 1; i < 8; i++) headers = extension(kDestinationOptions, headers, 7);
  const Bytes in = ether6(ipv6(kDestinationOptions, headers));
  const Step whole = from_outside(ether6(ipv6(kProtocolUdp, udp(1000, 53))));
  const Step out = from_outside(in);
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
  EXPECT_EQ(cookie_of(out.bytes), cookie_of(whole.bytes)) << "the same flow";
  expect_return(returned(out.bytes), kVerdictInside, in);
}

}  // namespace
}  // namespace sluice::gateway
