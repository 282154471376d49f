// SPDX-License-Identifier: Apache-2.0
// Any IP packet: what is found inside lies inside, and is a packet.
#include <cstdlib>

#include "inspect/stream/tunnel.h"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::span<const uint8_t> ip(data, size);
  tunnels::packet packet;
  if (parse_ip_packet(ip, packet) != tunnels::kDropNone) return 0;
  const auto inside = inspect::tunnel_payload(ip, packet);
  if (!inside.empty() && (inside.data() <= data || inside.data() + inside.size() > data + size))
    std::abort();
  const bool entered = inspect::enter_tunnels(ip, packet);
  if (entered && (ip.data() <= data || ip.data() + ip.size() > data + size)) std::abort();
  tunnels::packet again;
  if (parse_ip_packet(ip, again) != tunnels::kDropNone || again.l3_length != packet.l3_length)
    std::abort();
  return 0;
}
