// SPDX-License-Identifier: Apache-2.0
// What was noticed about a flow besides its application.
#pragma once

#include <cstdint>
#include <string>

struct ndpi_flow_struct;

namespace sluice::inspect {

// A longer text from a flow is cut here.
inline constexpr size_t kFindingLengthMax = 512;

// All strings come from the network; an empty one was not seen.
struct Findings {
  std::string host;         // TLS or QUIC server name, HTTP host, DNS name
  std::string alpn;         // what the client offers, "h2,http/1.1"
  std::string tls_version;  // "TLSv1.3"
  std::string ja3_client;   // MD5, hex
  std::string ja3_server;
  std::string ja4;  // filled by whoever reads the ClientHello; nDPI knows none
  // The ClientHello has an encrypted one in it, or pretends so: `host` is only the outer name.
  bool encrypted_hello = false;
  std::string http_url;
  std::string user_agent;  // of HTTP and of QUIC
  std::string dns_query;
  std::string certificate_issuer;
  std::string certificate_subject;
  int64_t certificate_not_before = 0;  // seconds since 1970; 0: not seen
  int64_t certificate_not_after = 0;
  uint64_t risks = 0;       // bit n: nDPI risk n
  uint16_t risk_score = 0;  // nDPI's sum over all risks, client and server
  bool guessed = false;     // by port or address, not by content
};

// What nDPI has written into `flow` so far. ja4 stays as it is.
void read_findings(const ndpi_flow_struct& flow, Findings& findings);

// Which of the texts there are by now, a bit each: cheap enough for every packet.
uint8_t texts_seen(const ndpi_flow_struct& flow);

}  // namespace sluice::inspect
