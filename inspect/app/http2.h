// SPDX-License-Identifier: Apache-2.0
// HTTP/2 in the clear (RFC 9113): by the preface, or after an upgrade (h2c). http2_entry()
// (parser.h) makes an Http2Parser for each connection; its transactions are streams, told in the
// buffers of HTTP/1, so that one rule holds for both.
//
//   frames ─▶ Http2Parser ─▶ header blocks ─▶ nghttp2's HPACK ─▶ Http2Stream ─▶ TransactionSink
//                  └──────────────────── DATA ─────────────────────▶
//
// Flow control is left to the peers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::inspect {

// Streams that have begun and not ended.
inline constexpr size_t kHttp2StreamsMax = 256;
// One frame that is looked at whole: all but DATA. Those of other kinds are passed over.
inline constexpr size_t kHttp2FrameMax = 65536;
// The compressed headers of one message, with all its CONTINUATION frames.
inline constexpr size_t kHttp2BlockMax = 65536;
// The same decoded, and how many.
inline constexpr size_t kHttp2HeadersBytesMax = 262144;
inline constexpr size_t kHttp2HeadersMax = 256;
// Decoded headers of all open streams.
inline constexpr size_t kHttp2HeldBytesMax = 1 << 20;
// HPACK's table, whatever a peer allows the other.
inline constexpr uint32_t kHttp2TableMax = 65536;

}  // namespace sluice::inspect
