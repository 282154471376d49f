// SPDX-License-Identifier: Apache-2.0
// What libhtp finds wrong with a message, by the names that `app-layer-event:http.NAME` asks for.
#pragma once

#include <htp/htp.h>

#include <cstdint>
#include <string_view>

#include "inspect/stream/flow.h"

namespace sluice::inspect {

enum class HttpEvent : uint8_t {
  kUnknownError,
  kGzipDecompressionFailed,
  kRequestFieldMissingColon,
  kResponseFieldMissingColon,
  kInvalidRequestChunkLen,
  kInvalidResponseChunkLen,
  kInvalidTransferEncodingInRequest,
  kInvalidContentLengthInRequest,
  kInvalidContentLengthInResponse,
  kDuplicateContentLengthInRequest,
  kDuplicateContentLengthInResponse,
  kContinueAlreadySeen,
  kUnableToMatchResponse,
  kRequestHeaderInvalid,
  kResponseHeaderInvalid,
  kMissingHostHeader,
  kHostHeaderAmbiguous,
  kInvalidRequestFieldFolding,
  kInvalidResponseFieldFolding,
  kRequestFieldTooLong,
  kResponseFieldTooLong,
  kRequestLineInvalid,
  kRequestBodyUnexpected,
  kResponseBodyUnexpected,
  kUriHostInvalid,
  kHeaderHostInvalid,
  kAuthUnrecognized,
  kRequestHeaderRepetition,
  kResponseHeaderRepetition,
  kUriDelimNonCompliant,
  kMethodDelimNonCompliant,
  kRequestLineLeadingWhitespace,
  kTooManyEncodingLayers,
  kAbnormalCeHeader,
  kResponseMultipartByteranges,
  kResponseAbnormalTransferEncoding,
  kResponseChunkedOldProto,
  kResponseInvalidProtocol,
  kResponseInvalidStatus,
  kRequestLineIncomplete,
  kCompressionBomb,
  kRequestTooManyHeaders,
  kResponseTooManyHeaders,
  kMultipartGenericError,
  kMultipartNoFiledata,
  kMultipartInvalidHeader,
  kFileNameTooLong,
  kTooManyOpenTransactions,
  kTooManyBytesHeld,
  kCount,
};
static_assert(static_cast<size_t>(HttpEvent::kCount) <= 64, "a transaction keeps them in a word");

std::string_view http_event_name(HttpEvent event);

// The event that a message of libhtp's log stands for; kCount: none.
HttpEvent http_event_of_message(std::string_view message, Direction direction);

// Those that libhtp only marks a request with, once its headers are known; as bits.
uint64_t http_events_of_request(const htp_tx_t& tx);

}  // namespace sluice::inspect
