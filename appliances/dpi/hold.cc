// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/hold.h"

namespace sluice::dpi {

bool has_payload(std::span<const uint8_t> ip, const tunnels::packet& packet) {
  if (!(packet.flags & tunnels::kPacketHasPorts)) return false;
  const bool tcp = packet.tuple.protocol == tunnels::kProtocolTcp;
  const uint32_t header = tcp ? (ip[packet.l4_offset + 12] >> 4) * 4u : 8;
  return packet.l4_offset + header < packet.l3_length;
}

bool HoldPool::keep(HeldPackets& held, std::span<const uint8_t> ip, size_t flow_bytes_max,
                    int64_t now_us) {
  if (ip.size() > UINT16_MAX || held.bytes() + ip.size() > flow_bytes_max ||
      held.count() >= kHoldPacketsMax || bytes_ + ip.size() > bytes_max_)
    return false;
  if (held.empty()) held.since_us_ = now_us;
  held.bytes_.insert(held.bytes_.end(), ip.begin(), ip.end());
  held.lengths_.push_back(static_cast<uint16_t>(ip.size()));
  bytes_ += ip.size();
  return true;
}

void HoldPool::release(HeldPackets& held, const std::function<void(std::span<uint8_t>)>& visit) {
  size_t offset = 0;
  for (const uint16_t length : held.lengths_) {
    visit(std::span(held.bytes_).subspan(offset, length));
    offset += length;
  }
  discard(held);
}

void HoldPool::discard(HeldPackets& held) {
  bytes_ -= held.bytes();
  held = {};
}

}  // namespace sluice::dpi
