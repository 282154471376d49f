// SPDX-License-Identifier: Apache-2.0
// The buffers that rules look into, by Suricata's names (its userguide, "Rules Format", the pages
// of the protocols). A parser fills them, a rule names them; this table is all that both share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "inspect/app/protocol.h"
#include "inspect/stream/flow.h"

namespace sluice::inspect {

enum class Buffer : uint8_t {
  kPayload,     // what a packet or the stream carries: not of a transaction
  kIpv4Header,  // these, too, are of a packet
  kIpv6Header,
  kTcpHeader,
  kUdpHeader,
  kIcmpv4Header,
  kIcmpv6Header,
  kIpSource,
  kIpDestination,
  kHttpMethod,
  kHttpUri,
  kHttpUriRaw,
  kHttpProtocol,
  kHttpRequestLine,
  kHttpHost,
  kHttpHostRaw,
  kHttpUserAgent,
  kHttpReferer,
  kHttpAccept,
  kHttpAcceptLanguage,
  kHttpAcceptEncoding,
  kHttpConnection,
  kHttpContentType,
  kHttpContentLength,
  kHttpCookie,
  kHttpHeader,
  kHttpHeaderRaw,
  kHttpHeaderNames,
  kHttpRequestHeader,
  kHttpResponseHeader,
  kHttpStart,
  kHttpRequestBody,
  kHttpStatusCode,
  kHttpStatusMessage,
  kHttpResponseLine,
  kHttpResponseBody,
  kHttpServer,
  kHttpLocation,
  kFileData,
  kFileName,
  kDnsQuery,
  kDnsQueriesName,
  kDnsAnswersName,
  kDnsAuthoritiesName,
  kDnsAdditionalsName,
  kDnsResponseName,
  kTlsSni,
  kTlsAlpn,
  kTlsRandom,
  kTlsRandomTime,
  kTlsRandomBytes,
  kTlsCerts,
  kTlsCertSubject,
  kTlsCertIssuer,
  kTlsCertSerial,
  kTlsCertFingerprint,
  kTlsSubjectAltName,
  kJa3Hash,
  kJa3String,
  kJa3sHash,
  kJa3sString,
  kJa4Hash,
  kSshProtocol,
  kSshSoftware,
  kSshHassh,
  kSshHasshString,
  kSshHasshServer,
  kSshHasshServerString,
  kSmtpHelo,
  kSmtpMailFrom,
  kSmtpRcptTo,
  kFtpCommand,
  kFtpCommandData,
  kFtpReply,
  kFtpCompletionCode,
  kCount,
};

// Of a packet, and not of a transaction.
inline bool is_packet_buffer(Buffer buffer) { return buffer <= Buffer::kIpDestination; }

inline constexpr size_t kBuffers = static_cast<size_t>(Buffer::kCount);

// How a parser hands a buffer over.
enum class BufferShape : uint8_t {
  kWhole,     // at once, at most once for each direction of a transaction
  kMany,      // at once, any number of times: each is looked at for itself
  kStreamed,  // piece by piece
};

struct BufferInfo {
  Buffer buffer;
  AppProtocol protocol;         // kUnknown: of more than one
  std::string_view name;        // the sticky keyword
  std::string_view old_sticky;  // an older sticky keyword; empty: none
  std::string_view modifier;    // the keyword that puts the content before it here; empty: none
  bool to_server, to_client;    // where it occurs
  BufferShape shape;
};

const BufferInfo& info_of(Buffer buffer);
// All buffers in the order of their numbers.
std::span<const BufferInfo> buffer_table();
// By sticky keyword, old or new; nullptr: no buffer has that name.
const BufferInfo* find_buffer(std::string_view name);
// By the keyword that modifies the content before it.
const BufferInfo* find_buffer_of_modifier(std::string_view name);

}  // namespace sluice::inspect
