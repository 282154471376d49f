// SPDX-License-Identifier: Apache-2.0
// For tests of the packet path: a process host that is configured, and the packets most tests are
// about.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "gateway/datapath/path_fixture.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway::fixture {

using namespace tunnels::frames;  // NOLINT

struct Step {
  Outcome outcome;
  Bytes bytes;
};

class Path : public testing::Test {
 protected:
  void SetUp() override {
    auto created = ProcessHost::create({.flows_max = 1 << 12});
    ASSERT_TRUE(created) << created.error().text();
    host = std::move(*created);
    host->set_now_ms(1'000'000);
    configure(host->tables());
  }

  Step send(const Bytes& in, uint32_t interface_index) {
    FrameBuffer buffer;
    buffer.assign(in);
    const Outcome outcome = host->run(buffer, interface_index);
    return {outcome, Bytes(buffer.bytes().begin(), buffer.bytes().end())};
  }
  Step from_outside(const Bytes& in) { return send(in, kOutside); }
  Step from_inside(const Bytes& in) { return send(in, kInside); }
  Step from_tunnel(const Bytes& in) { return send(in, kTunnel); }

  uint64_t drops(DropReason reason) { return host->tables().counters[0].drop[reason]; }
  uint64_t events(PathEvent event) { return host->tables().counters[0].event[event]; }

  // Through the appliance and out: what the other side receives.
  Step round_trip(const Bytes& in, uint32_t interface_index) {
    const Step out = send(in, interface_index);
    EXPECT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    return from_tunnel(returned(out.bytes));
  }

  std::unique_ptr<ProcessHost> host;
};

inline Bytes request(uint8_t flags = kTcpSyn, const Bytes& payload = {}) {
  return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80, flags, payload)));
}

inline Bytes reply(uint8_t flags = kTcpSyn | kTcpAck, const Bytes& payload = {}) {
  Bytes out = ethernet(kEtherTypeIpv4, {},
                       ipv4(kProtocolTcp, tcp(80, 4242, flags, payload),
                            {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
  for (size_t i = 0; i < 6; i++) std::swap(out[i], out[6 + i]);
  return out;
}

inline uint32_t cookie_of(const Bytes& datagram) { return load_be32(&datagram[78]); }

}  // namespace sluice::gateway::fixture
