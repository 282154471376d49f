// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/tcp_options.h"

#include <algorithm>

#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

constexpr size_t kHeaderLength = 20;
constexpr uint8_t kSackPermitted = 4;
constexpr uint8_t kSack = 5;
constexpr uint8_t kTimestamp = 8;
constexpr uint8_t kMd5 = 19;
constexpr uint8_t kFastOpen = 34;

// With its kind and length. Of a kind that is not known any.
bool may_be_so_long(uint8_t kind, size_t length) {
  switch (kind) {
    case kTcpOptionSegmentSize:
      return length == 4;
    case kTcpOptionWindowScale:
      return length == 3;
    case kSackPermitted:
      return length == 2;
    case kSack:
      return length >= 10 && length <= 34 && length % 8 == 2;
    case kTimestamp:
      return length == 10;
    case kMd5:
      return length == 18;
    case kFastOpen:
      return length == 2 || (length >= 6 && length <= 18 && length % 2 == 0);
    default:
      return true;
  }
}

void take(TcpOptions& out, uint8_t kind, std::span<const uint8_t> value) {
  if (kind == kTimestamp) out.timestamp = tunnels::load_be32(value.data());
  if (kind == kTcpOptionWindowScale) out.window_shift = std::min(value[0], kTcpWindowShiftMax);
  if (kind == kFastOpen) out.fast_open = true;
}

}  // namespace

TcpOptions read_tcp_options(std::span<const uint8_t> header) {
  TcpOptions out;
  uint64_t seen = 0;
  const auto options = header.subspan(std::min(kHeaderLength, header.size()));
  const bool whole = each_tcp_option(options, [&](uint8_t kind, std::span<const uint8_t> value) {
    out.bad_length = !may_be_so_long(kind, value.size() + 2);
    if (out.bad_length) return false;
    const uint64_t bit = kind < 64 ? uint64_t{1} << kind : 0;
    if ((seen & bit) != 0)
      out.twice = true;
    else
      take(out, kind, value);
    seen |= bit;
    return true;
  });
  out.bad_length |= !whole;
  return out;
}

}  // namespace sluice::inspect
