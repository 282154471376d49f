// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/findings.h"

#include <ndpi/ndpi_api.h>

#include <cstring>

namespace sluice::inspect {
namespace {

bool has_protocol(const ndpi_flow_struct& flow, uint16_t protocol) {
  return flow.detected_protocol_stack[0] == protocol || flow.detected_protocol_stack[1] == protocol;
}

// The union in nDPI's flow belongs to TLS for these only: the same ones for which nDPI frees it.
bool is_tls(const ndpi_flow_struct& flow) {
  for (const uint16_t protocol :
       {NDPI_PROTOCOL_TLS, NDPI_PROTOCOL_QUIC, NDPI_PROTOCOL_DTLS, NDPI_PROTOCOL_MAIL_SMTPS,
        NDPI_PROTOCOL_MAIL_POPS, NDPI_PROTOCOL_MAIL_IMAPS})
    if (has_protocol(flow, protocol)) return true;
  return false;
}

// The text in a fixed field, whether or not it ends with a zero byte.
template <size_t N>
void assign(std::string& to, const char (&field)[N]) {
  to.assign(field, strnlen(field, N));
}

void assign(std::string& to, const char* text) {
  if (text != nullptr) to.assign(text, strnlen(text, kFindingLengthMax));
}

void read_tls(const ndpi_flow_struct& flow, Findings& findings) {
  const auto& tls = flow.protos.tls_quic;
  assign(findings.alpn, tls.alpn);
  assign(findings.ja3_client, tls.ja3_client);
  assign(findings.ja3_server, tls.ja3_server);
  assign(findings.certificate_issuer, tls.issuerDN);
  assign(findings.certificate_subject, tls.subjectDN);
  findings.certificate_not_before = tls.notBefore;
  findings.certificate_not_after = tls.notAfter;
  if (tls.ssl_version == 0) return;
  char version[32];
  uint8_t unknown = 0;
  assign(findings.tls_version,
         ndpi_ssl_version2str(version, sizeof(version), tls.ssl_version, &unknown));
}

}  // namespace

void read_findings(const ndpi_flow_struct& flow, Findings& findings) {
  assign(findings.host, flow.host_server_name);
  assign(findings.http_url, flow.http.url);
  assign(findings.user_agent, flow.http.user_agent);
  if (has_protocol(flow, NDPI_PROTOCOL_DNS)) findings.dns_query = findings.host;
  if (is_tls(flow)) read_tls(flow, findings);
  findings.risks = flow.risk;
  findings.guessed = flow.confidence == NDPI_CONFIDENCE_MATCH_BY_PORT ||
                     flow.confidence == NDPI_CONFIDENCE_MATCH_BY_IP;
  uint16_t client = 0;
  uint16_t server = 0;
  findings.risk_score = flow.risk == 0 ? 0 : ndpi_risk2score(flow.risk, &client, &server);
}

uint8_t texts_seen(const ndpi_flow_struct& flow) {
  unsigned seen = (flow.host_server_name[0] != 0) | (flow.http.url != nullptr) << 1 |
                  (flow.http.user_agent != nullptr) << 2;
  if (is_tls(flow)) {
    const auto& tls = flow.protos.tls_quic;
    seen |= (tls.ja3_client[0] != 0) << 3 | (tls.ja3_server[0] != 0) << 4 |
            (tls.alpn != nullptr) << 5 | (tls.issuerDN != nullptr) << 6;
  }
  return static_cast<uint8_t>(seen);
}

}  // namespace sluice::inspect
