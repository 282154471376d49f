// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/ndpi_event.h"

#include "inspect/dpi/classifier.h"
#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

void write_if_seen(JsonLine& line, std::string_view key, const std::string& value) {
  if (!value.empty()) line.string(key, value);
}

void write_time_if_seen(JsonLine& line, std::string_view key, int64_t seconds) {
  if (seconds != 0) line.string(key, timestamp_text(seconds * 1'000'000));
}

void write_http(JsonLine& line, const Findings& findings) {
  if (findings.http_url.empty() && findings.user_agent.empty()) return;
  line.open("http");
  write_if_seen(line, "url", findings.http_url);
  write_if_seen(line, "http_user_agent", findings.user_agent);
  line.close();
}

void write_tls(JsonLine& line, const Findings& findings) {
  if (findings.tls_version.empty() && findings.ja3_client.empty() && findings.ja3_server.empty() &&
      findings.ja4.empty())
    return;
  line.open("tls");
  write_if_seen(line, "version", findings.tls_version);
  write_if_seen(line, "alpn", findings.alpn);
  write_if_seen(line, "ja3", findings.ja3_client);
  write_if_seen(line, "ja3s", findings.ja3_server);
  write_if_seen(line, "ja4", findings.ja4);
  if (findings.encrypted_hello) line.boolean("encrypted_hello", true);
  write_if_seen(line, "issuerdn", findings.certificate_issuer);
  write_if_seen(line, "subject", findings.certificate_subject);
  write_time_if_seen(line, "notbefore", findings.certificate_not_before);
  write_time_if_seen(line, "notafter", findings.certificate_not_after);
  line.close();
}

void write_risks(JsonLine& line, const Findings& findings) {
  if (findings.risks == 0) return;
  line.open_array("risks");
  for (const std::string_view risk : Classifier::risk_names(findings.risks)) line.element(risk);
  line.close_array();
  line.number("risk_score", findings.risk_score);
}

}  // namespace

void write_ndpi(JsonLine& line, const Classifier& classifier, const FlowClassification& flow) {
  const Application& application = flow.application();
  const Findings& findings = flow.findings();
  line.open("ndpi");
  line.string("proto", classifier.name(application));
  line.string("category", classifier.category_name(application));
  line.string("breed", classifier.breed_name(application));
  if (findings.guessed) line.boolean("guessed", true);
  write_if_seen(line, "hostname", findings.host);
  write_if_seen(line, "dns_query", findings.dns_query);
  write_http(line, findings);
  write_tls(line, findings);
  write_risks(line, findings);
  line.close();
}

}  // namespace sluice::inspect
