// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_events.h"

#include <iterator>

namespace sluice::inspect {
namespace {

using E = HttpEvent;

struct Named {
  HttpEvent event;
  std::string_view name;
};

constexpr Named kNames[] = {
    {E::kUnknownError, "unknown_error"},
    {E::kGzipDecompressionFailed, "gzip_decompression_failed"},
    {E::kRequestFieldMissingColon, "request_field_missing_colon"},
    {E::kResponseFieldMissingColon, "response_field_missing_colon"},
    {E::kInvalidRequestChunkLen, "invalid_request_chunk_len"},
    {E::kInvalidResponseChunkLen, "invalid_response_chunk_len"},
    {E::kInvalidTransferEncodingInRequest, "invalid_transfer_encoding_value_in_request"},
    {E::kInvalidContentLengthInRequest, "invalid_content_length_field_in_request"},
    {E::kInvalidContentLengthInResponse, "invalid_content_length_field_in_response"},
    {E::kDuplicateContentLengthInRequest, "duplicate_content_length_field_in_request"},
    {E::kDuplicateContentLengthInResponse, "duplicate_content_length_field_in_response"},
    {E::kContinueAlreadySeen, "100_continue_already_seen"},
    {E::kUnableToMatchResponse, "unable_to_match_response_to_request"},
    {E::kRequestHeaderInvalid, "request_header_invalid"},
    {E::kResponseHeaderInvalid, "response_header_invalid"},
    {E::kMissingHostHeader, "missing_host_header"},
    {E::kHostHeaderAmbiguous, "host_header_ambiguous"},
    {E::kInvalidRequestFieldFolding, "invalid_request_field_folding"},
    {E::kInvalidResponseFieldFolding, "invalid_response_field_folding"},
    {E::kRequestFieldTooLong, "request_field_too_long"},
    {E::kResponseFieldTooLong, "response_field_too_long"},
    {E::kRequestLineInvalid, "request_line_invalid"},
    {E::kRequestBodyUnexpected, "request_body_unexpected"},
    {E::kResponseBodyUnexpected, "response_body_unexpected"},
    {E::kUriHostInvalid, "request_uri_host_invalid"},
    {E::kHeaderHostInvalid, "request_header_host_invalid"},
    {E::kAuthUnrecognized, "request_auth_unrecognized"},
    {E::kRequestHeaderRepetition, "request_header_repetition"},
    {E::kResponseHeaderRepetition, "response_header_repetition"},
    {E::kUriDelimNonCompliant, "uri_delim_non_compliant"},
    {E::kMethodDelimNonCompliant, "method_delim_non_compliant"},
    {E::kRequestLineLeadingWhitespace, "request_line_leading_whitespace"},
    {E::kTooManyEncodingLayers, "too_many_encoding_layers"},
    {E::kAbnormalCeHeader, "abnormal_ce_header"},
    {E::kResponseMultipartByteranges, "response_multipart_byteranges"},
    {E::kResponseAbnormalTransferEncoding, "response_abnormal_transfer_encoding"},
    {E::kResponseChunkedOldProto, "response_chunked_old_proto"},
    {E::kResponseInvalidProtocol, "response_invalid_protocol"},
    {E::kResponseInvalidStatus, "response_invalid_status"},
    {E::kRequestLineIncomplete, "request_line_incomplete"},
    {E::kCompressionBomb, "compression_bomb"},
    {E::kRequestTooManyHeaders, "request_too_many_headers"},
    {E::kResponseTooManyHeaders, "response_too_many_headers"},
    {E::kMultipartGenericError, "multipart_generic_error"},
    {E::kMultipartNoFiledata, "multipart_no_filedata"},
    {E::kMultipartInvalidHeader, "multipart_invalid_header"},
    {E::kFileNameTooLong, "file_name_too_long"},
    {E::kTooManyOpenTransactions, "too_many_open_transactions"},
    {E::kTooManyBytesHeld, "too_many_bytes_held"},
};
constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kNames); i++)
    if (kNames[i].event != static_cast<HttpEvent>(i)) return false;
  return std::size(kNames) == static_cast<size_t>(HttpEvent::kCount);
}
static_assert(in_order());

// By how the message begins; the first that fits. libhtp 0.5 gives its messages no codes.
constexpr Named kMessages[] = {
    {E::kRequestFieldMissingColon, "Request field invalid: colon missing"},
    {E::kRequestHeaderInvalid, "Request field invalid"},
    {E::kRequestHeaderInvalid, "Request header name is not a token"},
    {E::kResponseFieldMissingColon, "Response field invalid: missing colon"},
    {E::kResponseHeaderInvalid, "Response field invalid"},
    {E::kResponseHeaderInvalid, "Response header name is not a token"},
    {E::kResponseHeaderInvalid, "Response header value contains null"},
    {E::kInvalidRequestFieldFolding, "Invalid request field folding"},
    {E::kInvalidResponseFieldFolding, "Invalid response field folding"},
    {E::kRequestFieldTooLong, "Request buffer over the limit"},
    {E::kRequestFieldTooLong, "Request field length exceeds folded maximum"},
    {E::kResponseFieldTooLong, "Response the buffer limit"},
    {E::kResponseFieldTooLong, "Response field length exceeds folded maximum"},
    {E::kInvalidRequestChunkLen, "Request chunk encoding: Invalid chunk length"},
    {E::kInvalidResponseChunkLen, "Response chunk encoding: Invalid chunk length"},
    {E::kInvalidContentLengthInResponse, "Invalid C-L field in response"},
    {E::kInvalidContentLengthInResponse, "Switching Protocol with Content-Length"},
    {E::kDuplicateContentLengthInRequest, "Ambiguous request C-L value"},
    {E::kDuplicateContentLengthInResponse, "Ambiguous response C-L value"},
    {E::kContinueAlreadySeen, "Already seen 100-Continue"},
    {E::kUnableToMatchResponse, "Unable to match response to request"},
    {E::kRequestBodyUnexpected, "Unexpected request body"},
    {E::kResponseBodyUnexpected, "Unexpected response body"},
    {E::kResponseBodyUnexpected, "Unexpected Response body"},
    {E::kRequestLineLeadingWhitespace, "Request line: leading whitespace"},
    {E::kMethodDelimNonCompliant, "Request line: non-compliant delimiter between Method and URI"},
    {E::kUriDelimNonCompliant, "Request line: URI contains non-compliant delimiter"},
    {E::kRequestLineInvalid, "Request line: unknown method"},
    {E::kRequestLineInvalid, "Request line: missing protocol"},
    {E::kRequestLineIncomplete, "Request line incomplete"},
    {E::kRequestTooManyHeaders, "Too many request headers"},
    {E::kResponseTooManyHeaders, "Too many response headers"},
    {E::kResponseAbnormalTransferEncoding, "Transfer-encoding has abnormal chunked value"},
    {E::kResponseChunkedOldProto, "Chunked transfer-encoding on HTTP/0.9 or HTTP/1.0"},
    {E::kResponseMultipartByteranges, "C-T multipart/byteranges in responses not supported"},
    {E::kResponseInvalidProtocol, "Invalid response line: invalid protocol"},
    {E::kResponseInvalidStatus, "Invalid response line: invalid response status"},
};

constexpr struct {
  uint64_t flag;
  HttpEvent event;
} kFlags[] = {
    {HTP_REQUEST_INVALID_T_E, E::kInvalidTransferEncodingInRequest},
    {HTP_REQUEST_INVALID_C_L, E::kInvalidContentLengthInRequest},
    {HTP_HOST_MISSING, E::kMissingHostHeader},
    {HTP_HOST_AMBIGUOUS, E::kHostHeaderAmbiguous},
    {HTP_HOSTU_INVALID, E::kUriHostInvalid},
    {HTP_HOSTH_INVALID, E::kHeaderHostInvalid},
};

}  // namespace

std::string_view http_event_name(HttpEvent event) {
  return kNames[static_cast<size_t>(event)].name;
}

HttpEvent http_event_of_message(std::string_view message, Direction direction) {
  if (message.starts_with("Repetition for header")) {
    return direction == Direction::kToServer ? HttpEvent::kRequestHeaderRepetition
                                             : HttpEvent::kResponseHeaderRepetition;
  }
  for (const Named& known : kMessages)
    if (message.starts_with(known.name)) return known.event;
  return HttpEvent::kCount;
}

uint64_t http_events_of_request(const htp_tx_t& tx) {
  uint64_t result = 0;
  for (const auto& known : kFlags)
    if ((tx.flags & known.flag) != 0) result |= uint64_t{1} << static_cast<int>(known.event);
  if (tx.request_auth_type == HTP_AUTH_UNRECOGNIZED)
    result |= uint64_t{1} << static_cast<int>(E::kAuthUnrecognized);
  return result;
}

}  // namespace sluice::inspect
