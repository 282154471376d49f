// SPDX-License-Identifier: Apache-2.0
// HTTP/1 by libhtp: http_entry() (parser.h) makes an HttpSession for each connection.
//
//   bytes ─▶ HttpSession ─▶ HttpParser ─▶ libhtp ─▶ hooks ─▶ HttpTransaction ─▶ TransactionSink
//            goes away      order of the            http_     request line, bodies and files
//            between two    directions,             config    (http_body), headers (http_headers),
//            transactions   tunnels                           events
//
// libhtp decides what a message is; what is told, when, and how much is kept is decided here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::inspect {

// The bytes of one body that are told; what follows is parsed and not told. Compressed bodies:
// after decompression.
inline constexpr uint64_t kHttpBodyMax = 1 << 20;
// Requests of one connection without a complete answer, twice so many in all (http_session.h). A
// client that sends more is not waiting for a server.
inline constexpr size_t kHttpOpenTransactionsMax = 256;
// The bytes of lines and headers of one transaction; and of all that are open, before those that
// follow are too many.
inline constexpr size_t kHttpHeldBytesMax = 1 << 20;
inline constexpr size_t kHttpOpenBytesMax = 1 << 18;
// One line that comes in several segments: twice of what browsers take, and more than any server
// does. And how many headers a message has.
inline constexpr size_t kHttpLineMax = 512 << 10;
inline constexpr uint32_t kHttpHeadersMax = 1024;
// "A / HTTP/1.0\n\n", or what libhtp takes for a request.
inline constexpr size_t kHttpRequestMin = 8;
// "HTTP/1.1 200\r\n\r\n": no response is shorter.
inline constexpr int64_t kHttpResponseMin = 16;
// What a client sends after CONNECT before it was answered.
inline constexpr size_t kHttpPendingMax = 65536;
// libhtp keeps eight bytes of every transaction; after so many it starts anew.
inline constexpr size_t kHttpTransactionsPerParser = 1024;
// Content codings one over the other, e.g. gzip in gzip.
inline constexpr int kHttpCodingLayersMax = 3;
// From here on a body that has grown 2048-fold is a bomb, and its rest is not decoded.
inline constexpr size_t kHttpBombMin = 1 << 20;
// What a probe waits for of a request line with an uncommon method; then it goes by what is there.
inline constexpr size_t kHttpProbeLineMax = 1024;
// multipart/form-data: the boundary, and what is kept of one header of a part.
inline constexpr size_t kHttpBoundaryMax = 200;
inline constexpr size_t kHttpPartHeaderMax = 4096;
inline constexpr size_t kHttpFileNameMax = 1024;
// The files of one body; more are an event. They are bounded by what is told of a body.
inline constexpr size_t kHttpPartNamesMax = 128;

}  // namespace sluice::inspect
