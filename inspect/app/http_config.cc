// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_config.h"

#include "inspect/app/http.h"
#include "inspect/app/http_parser.h"

namespace sluice::inspect {

// libhtp's hooks as calls of the connection's parser.
struct HttpHooks {
  static HttpParser& parser_of(const htp_tx_t* tx) {
    return *static_cast<HttpParser*>(htp_connp_get_user_data(tx->connp));
  }
  template <int (HttpParser::*kMember)(htp_tx_t*)>
  static int on(htp_tx_t* tx) {
    return (parser_of(tx).*kMember)(tx);
  }
  template <int (HttpParser::*kMember)(const htp_tx_data_t&)>
  static int on_data(htp_tx_data_t* data) {
    return (parser_of(data->tx).*kMember)(*data);
  }
  // Every message is kept in a list until the connection is destroyed, which a peer could fill:
  // it is taken out of there as soon as it is told. (last_error points to it, but only
  // htp_connp_get_last_error() reads that, which nobody calls.)
  static int on_log(htp_log_t* log) {
    HttpParser& parser = *static_cast<HttpParser*>(htp_connp_get_user_data(log->connp));
    parser.on_message(log->msg);
    htp_list_pop(htp_connp_get_connection(log->connp)->messages);
    free(const_cast<char*>(log->msg));
    free(log);
    return HTP_OK;
  }
  // The path is decoded by libhtp, the query is here.
  static int normalize_query(htp_tx_t* tx) {
    if (tx->parsed_uri != nullptr && tx->parsed_uri->query != nullptr) {
      uint64_t flags = 0;
      htp_urldecode_inplace(tx->cfg, HTP_DECODER_URLENCODED, tx->parsed_uri->query, &flags);
      tx->flags |= flags;
    }
    return HTP_OK;
  }

  static void install(htp_cfg_t* cfg) {
    htp_config_register_request_start(cfg, on<&HttpParser::on_request_start>);
    htp_config_register_request_uri_normalize(cfg, normalize_query);
    htp_config_register_request_line(cfg, on<&HttpParser::on_request_line>);
    htp_config_register_request_header_data(cfg, on_data<&HttpParser::on_request_header_data>);
    htp_config_register_request_headers(cfg, on<&HttpParser::on_request_headers>);
    htp_config_register_request_body_data(cfg, on_data<&HttpParser::on_request_body>);
    htp_config_register_request_trailer_data(cfg, on_data<&HttpParser::on_trailer_data>);
    htp_config_register_request_trailer(cfg, on<&HttpParser::on_request_trailer>);
    htp_config_register_request_complete(cfg, on<&HttpParser::on_request_complete>);
    htp_config_register_response_start(cfg, on<&HttpParser::on_response_start>);
    htp_config_register_response_line(cfg, on<&HttpParser::on_response_line>);
    htp_config_register_response_header_data(cfg, on_data<&HttpParser::on_response_header_data>);
    htp_config_register_response_headers(cfg, on<&HttpParser::on_response_headers>);
    htp_config_register_response_body_data(cfg, on_data<&HttpParser::on_response_body>);
    htp_config_register_response_trailer_data(cfg, on_data<&HttpParser::on_trailer_data>);
    htp_config_register_response_trailer(cfg, on<&HttpParser::on_response_trailer>);
    htp_config_register_response_complete(cfg, on<&HttpParser::on_response_complete>);
    htp_config_register_transaction_complete(cfg, on<&HttpParser::on_transaction_complete>);
    htp_config_register_log(cfg, on_log);
  }
};

htp_cfg_t* http_config() {
  static htp_cfg_t* const config = [] {
    htp_cfg_t* cfg = htp_config_create();
    htp_config_set_server_personality(cfg, HTP_SERVER_IDS);
    htp_config_set_convert_lowercase(cfg, HTP_DECODER_URL_PATH, 0);  // rules say what is sent
    htp_config_set_log_level(cfg, HTP_LOG_WARNING);
    htp_config_set_field_limits(cfg, kHttpLineMax / 2, kHttpLineMax);
    htp_config_set_number_headers_limit(cfg, kHttpHeadersMax);
    htp_config_set_parse_request_cookies(cfg, 0);
    htp_config_set_allow_space_uri(cfg, 1);
    htp_config_set_plusspace_decode(cfg, HTP_DECODER_URLENCODED, 0);
    htp_config_set_request_decompression(cfg, 0);  // see http_inflate.h
    htp_config_set_response_decompression(cfg, 0);
    HttpHooks::install(cfg);
    return cfg;
  }();
  return config;
}

}  // namespace sluice::inspect
