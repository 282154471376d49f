// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/receive_window.h"

#include <algorithm>

#include "inspect/stream/tcp_options.h"

namespace sluice::inspect {
namespace {

constexpr size_t kTcpHeaderLength = 20;
constexpr uint8_t kMultipath = 30;
// The window of Multipath TCP counts from another number than the segment's (RFC 8684 section
// 3.3.1).
constexpr uint8_t kUnlimited = UINT8_MAX;

uint8_t scale_of(std::span<const uint8_t> options) {
  uint8_t scale = 0;
  each_tcp_option(options, [&](uint8_t kind, std::span<const uint8_t> value) {
    if (kind == kTcpOptionWindowScale && value.size() == 1)
      scale = std::min(value[0], kTcpWindowShiftMax);
    if (kind == kMultipath) scale = kUnlimited;
    return scale != kUnlimited;
  });
  return scale;
}

}  // namespace

void ReceiveWindow::note(const PacketView& segment) {
  const uint8_t flags = segment.packet.tcp_flags;
  if (flags & tunnels::kTcpRst) return;
  const auto header =
      segment.ip.subspan(segment.packet.l4_offset,
                         segment.ip.size() - segment.packet.l4_offset - segment.payload.size());
  const bool syn = flags & tunnels::kTcpSyn;
  if (syn) {
    syn_seen_ = true;
    scale_ = std::max(scale_, scale_of(header.subspan(kTcpHeaderLength)));
  }
  if (!(flags & tunnels::kTcpAck) || !syn_seen_ || scale_ == kUnlimited) return;
  const uint32_t window = tunnels::load_be16(&header[14]);
  const uint32_t end = segment.acknowledgement + (syn ? window : window << scale_);
  if (!is_known_ || static_cast<int32_t>(end - end_) > 0) end_ = end;
  is_known_ = true;
}

}  // namespace sluice::inspect
