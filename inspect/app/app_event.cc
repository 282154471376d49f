// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/app_event.h"

#include <algorithm>

namespace sluice::inspect {
namespace {

using P = AppProtocol;

constexpr AppEvent kEvents[] = {
    {P::kUnknown, "applayer_mismatch_protocol_both_directions", true},
    {P::kUnknown, "applayer_wrong_direction_first_data", true},
    {P::kUnknown, "applayer_detect_protocol_only_one_direction", true},
    {P::kUnknown, "applayer_proto_detection_skipped", true},
    {P::kUnknown, "applayer_no_tls_after_starttls", true},
    {P::kUnknown, "applayer_unexpected_protocol", true},
    {P::kHttp1, "gzip_decompression_failed"},
    {P::kHttp1, "request_field_missing_colon"},
    {P::kHttp1, "response_field_missing_colon"},
    {P::kHttp1, "invalid_request_chunk_len"},
    {P::kHttp1, "invalid_response_chunk_len"},
    {P::kHttp1, "invalid_transfer_encoding_value_in_request"},
    {P::kHttp1, "invalid_content_length_field_in_request"},
    {P::kHttp1, "invalid_content_length_field_in_response"},
    {P::kHttp1, "duplicate_content_length_field_in_request"},
    {P::kHttp1, "duplicate_content_length_field_in_response"},
    {P::kHttp1, "100_continue_already_seen"},
    {P::kHttp1, "unable_to_match_response_to_request"},
    {P::kHttp1, "request_header_invalid"},
    {P::kHttp1, "response_header_invalid"},
    {P::kHttp1, "missing_host_header"},
    {P::kHttp1, "host_header_ambiguous"},
    {P::kHttp1, "invalid_request_field_folding"},
    {P::kHttp1, "invalid_response_field_folding"},
    {P::kHttp1, "request_field_too_long"},
    {P::kHttp1, "response_field_too_long"},
    {P::kHttp1, "request_line_invalid"},
    {P::kHttp1, "request_body_unexpected"},
    {P::kHttp1, "response_body_unexpected"},
    {P::kHttp1, "request_uri_host_invalid"},
    {P::kHttp1, "request_header_host_invalid"},
    {P::kHttp1, "request_auth_unrecognized"},
    {P::kHttp1, "request_header_repetition"},
    {P::kHttp1, "response_header_repetition"},
    {P::kHttp1, "uri_delim_non_compliant"},
    {P::kHttp1, "method_delim_non_compliant"},
    {P::kHttp1, "request_line_leading_whitespace"},
    {P::kHttp1, "too_many_encoding_layers"},
    {P::kHttp1, "abnormal_ce_header"},
    {P::kHttp1, "response_multipart_byteranges"},
    {P::kHttp1, "response_abnormal_transfer_encoding"},
    {P::kHttp1, "response_chunked_old_proto"},
    {P::kHttp1, "response_invalid_protocol"},
    {P::kHttp1, "response_invalid_status"},
    {P::kHttp1, "request_line_incomplete"},
    {P::kHttp1, "compression_bomb"},
    {P::kHttp1, "request_too_many_headers"},
    {P::kHttp1, "response_too_many_headers"},
    {P::kHttp1, "multipart_generic_error"},
    {P::kHttp1, "multipart_no_filedata"},
    {P::kHttp1, "multipart_invalid_header"},
    {P::kHttp1, "file_name_too_long"},
    {P::kHttp1, "too_many_open_transactions", true},
    {P::kHttp1, "too_many_bytes_held", true},
    {P::kHttp2, "invalid_client_magic", true},
    {P::kHttp2, "invalid_frame_data", true},
    {P::kHttp2, "invalid_header", true},
    {P::kHttp2, "long_frame_data", true},
    {P::kHttp2, "reassembly_limit_reached", true},
    {P::kHttp2, "too_many_streams", true},
    {P::kHttp2, "authority_host_mismatch"},
    {P::kHttp2, "too_many_encoding_layers"},
    {P::kHttp2, "failed_decompression"},
    {P::kHttp2, "compression_bomb"},
    {P::kTls, "invalid_sslv2_header"},
    {P::kTls, "invalid_record_type"},
    {P::kTls, "invalid_record_version"},
    {P::kTls, "invalid_tls_header"},
    {P::kTls, "error_message_encountered"},
    {P::kTls, "invalid_heartbeat_message"},
    {P::kTls, "overflow_heartbeat_message"},
    {P::kTls, "heartbeat_message"},
    {P::kTls, "handshake_invalid_length"},
    {P::kTls, "invalid_handshake_message"},
    {P::kTls, "invalid_sni_length"},
    {P::kTls, "invalid_sni_type"},
    {P::kTls, "multiple_sni_extensions"},
    {P::kTls, "certificate_invalid_length"},
    {P::kTls, "invalid_certificate"},
    {P::kDns, "malformed_data", true},
    {P::kDns, "not_request", true},
    {P::kDns, "not_response", true},
    {P::kDns, "z_flag_set"},
    {P::kDns, "invalid_opcode"},
    {P::kDns, "name_too_long"},
    {P::kDns, "infinite_loop"},
    {P::kDns, "too_many_records"},
    {P::kSmtp, "max_command_line_len_exceeded"},
    {P::kSmtp, "max_reply_line_len_exceeded"},
    {P::kSmtp, "invalid_pipelined_sequence"},
    {P::kSmtp, "bdat_chunk_len_exceeded"},
    {P::kSmtp, "ambiguous_end_of_mail"},
    {P::kSmtp, "invalid_reply"},
    {P::kSmtp, "no_server_welcome_message"},
    {P::kSmtp, "unable_to_match_reply_with_request"},
    {P::kSmtp, "data_command_rejected"},
    {P::kSmtp, "tls_rejected"},
    {P::kSmtp, "too_many_recipients"},
    {P::kSmtp, "mime_malformed_msg"},
    {P::kSmtp, "mime_invalid_base64"},
    {P::kSmtp, "mime_invalid_qp"},
    {P::kSmtp, "mime_long_header_value"},
    {P::kSmtp, "mime_long_header_name"},
    {P::kSmtp, "mime_long_boundary"},
    {P::kSmtp, "mime_long_line"},
    {P::kFtp, "request_command_too_long"},
    {P::kFtp, "response_command_too_long"},
    {P::kSsh, "invalid_banner"},
    {P::kSsh, "long_banner"},
    {P::kSsh, "invalid_record"},
};

constexpr size_t outside_before(size_t event) {
  const auto outside = [](const AppEvent& e) { return e.outside; };
  return static_cast<size_t>(std::count_if(kEvents, kEvents + event, outside));
}
static_assert(outside_before(std::size(kEvents)) < kOutsideEventsMax);

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

std::string anomaly_name(const AppEvent& event) {
  std::string name(event.name);
  constexpr P kInCapitals[] = {P::kUnknown, P::kHttp1, P::kTls, P::kSmtp};
  if (std::ranges::find(kInCapitals, event.protocol) != std::end(kInCapitals))
    std::ranges::transform(name, name.begin(), capital);
  return name;
}

size_t outside_number(uint16_t event) { return outside_before(event); }

std::span<const AppEvent> app_events() { return kEvents; }

std::optional<uint16_t> find_app_event(AppProtocol protocol, std::string_view name) {
  const auto* const found = std::ranges::find_if(kEvents, [&](const AppEvent& event) {
    return (event.protocol == protocol || event.protocol == P::kUnknown) && event.name == name;
  });
  if (found == std::end(kEvents)) return std::nullopt;
  return static_cast<uint16_t>(found - std::begin(kEvents));
}

bool is_app_event(std::string_view name) {
  return std::ranges::any_of(kEvents, [&](const AppEvent& event) { return event.name == name; });
}

}  // namespace sluice::inspect
