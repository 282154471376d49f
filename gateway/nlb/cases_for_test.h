// SPDX-License-Identifier: Apache-2.0
// For tests of the NLB stage: flows as the client and as the target see them, checksums included.
#pragma once

#include <vector>

#include "gateway/datapath/path_fixture.h"

namespace sluice::gateway::fixture {

using namespace tunnels::frames;  // NOLINT

// A flow of the listeners that configure() makes: a packet each way, as either end has it.
struct NlbCase {
  const char* name;
  Bytes to_listener, to_target, from_target, from_listener;
};

inline std::vector<NlbCase> nlb_cases() {
  const Bytes client = {10, 0, 0, 1};
  const Bytes vip = {10, 0, 0, 100};
  const Bytes backend = {10, 0, 0, 21};
  const Bytes client6 = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Bytes vip6 = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  Bytes backend6 = vip6;
  backend6[14] = 1;
  backend6[15] = 0x21;
  auto frame4 = [](const Bytes& source, const Bytes& destination, uint8_t protocol,
                   const Bytes& payload) {
    return with_checksum(
        ethernet(kEtherTypeIpv4, {},
                 ipv4(protocol, payload, {.source = source, .destination = destination})));
  };
  auto frame6 = [](const Bytes& source, const Bytes& destination, uint8_t protocol,
                   const Bytes& payload) {
    return with_checksum(
        ethernet(kEtherTypeIpv6, {},
                 ipv6(protocol, payload, {.source = source, .destination = destination})));
  };
  const Bytes data = {'h', 'e', 'l', 'l', 'o'};
  return {
      {"tcp", frame4(client, vip, 6, tcp(4242, 7000, kTcpSyn)),
       frame4(client, backend, 6, tcp(4242, 7001, kTcpSyn)),
       frame4(backend, client, 6, tcp(7001, 4242, kTcpSyn | kTcpAck)),
       frame4(vip, client, 6, tcp(7000, 4242, kTcpSyn | kTcpAck))},
      {"udp", frame4(client, vip, 17, udp(4242, 7000, data)),
       frame4(client, backend, 17, udp(4242, 7001, data)),
       frame4(backend, client, 17, udp(7001, 4242, data)),
       frame4(vip, client, 17, udp(7000, 4242, data))},
      {"tcp6", frame6(client6, vip6, 6, tcp(4242, 7000, kTcpSyn)),
       frame6(client6, backend6, 6, tcp(4242, 7001, kTcpSyn)),
       frame6(backend6, client6, 6, tcp(7001, 4242, kTcpSyn | kTcpAck)),
       frame6(vip6, client6, 6, tcp(7000, 4242, kTcpSyn | kTcpAck))},
      {"udp6", frame6(client6, vip6, 17, udp(4242, 7000, data)),
       frame6(client6, backend6, 17, udp(4242, 7001, data)),
       frame6(backend6, client6, 17, udp(7001, 4242, data)),
       frame6(vip6, client6, 17, udp(7000, 4242, data))},
  };
}

}  // namespace sluice::gateway::fixture
