// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/protocol_text.h"

#include <charconv>

#include "tunnels/packet.h"

namespace sluice::gateway {

using namespace tunnels;  // NOLINT: numbers of protocols

std::string protocol_text(uint8_t protocol) {
  switch (protocol) {
    case kProtocolIcmp:
      return "icmp";
    case kProtocolTcp:
      return "tcp";
    case kProtocolUdp:
      return "udp";
    case kProtocolIcmpv6:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

Result<std::optional<uint8_t>> parse_protocol(const std::string& text) {
  if (text.empty()) return std::optional<uint8_t>{};
  if (text == "tcp") return std::optional<uint8_t>{kProtocolTcp};
  if (text == "udp") return std::optional<uint8_t>{kProtocolUdp};
  if (text == "icmp") return std::optional<uint8_t>{kProtocolIcmp};
  if (text == "icmpv6") return std::optional<uint8_t>{kProtocolIcmpv6};
  uint8_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size())
    return fail("protocol: expected tcp, udp, icmp, icmpv6 or a number up to 255");
  return std::optional<uint8_t>{number};
}

}  // namespace sluice::gateway
