// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/buffer.h"

#include <algorithm>

#include "tunnels/result.h"

namespace sluice::inspect {
namespace {

constexpr bool kYes = true;
constexpr bool kNo = false;
using B = Buffer;
using P = AppProtocol;
using S = BufferShape;

constexpr BufferInfo kTable[] = {
    {B::kPayload, P::kUnknown, "pkt_data", "", "", kYes, kYes, S::kWhole},
    {B::kIpv4Header, P::kUnknown, "ipv4.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kIpv6Header, P::kUnknown, "ipv6.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kTcpHeader, P::kUnknown, "tcp.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kUdpHeader, P::kUnknown, "udp.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kIcmpv4Header, P::kUnknown, "icmpv4.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kIcmpv6Header, P::kUnknown, "icmpv6.hdr", "", "", kYes, kYes, S::kWhole},
    {B::kIpSource, P::kUnknown, "ip.src", "", "", kYes, kYes, S::kWhole},
    {B::kIpDestination, P::kUnknown, "ip.dst", "", "", kYes, kYes, S::kWhole},
    {B::kHttpMethod, P::kHttp1, "http.method", "", "http_method", kYes, kNo, S::kWhole},
    {B::kHttpUri, P::kHttp1, "http.uri", "", "http_uri", kYes, kNo, S::kWhole},
    {B::kHttpUriRaw, P::kHttp1, "http.uri.raw", "", "http_raw_uri", kYes, kNo, S::kWhole},
    {B::kHttpProtocol, P::kHttp1, "http.protocol", "http_protocol", "", kYes, kYes, S::kWhole},
    {B::kHttpRequestLine, P::kHttp1, "http.request_line", "http_request_line", "", kYes, kNo,
     S::kWhole},
    {B::kHttpHost, P::kHttp1, "http.host", "", "http_host", kYes, kNo, S::kWhole},
    {B::kHttpHostRaw, P::kHttp1, "http.host.raw", "", "http_raw_host", kYes, kNo, S::kWhole},
    {B::kHttpUserAgent, P::kHttp1, "http.user_agent", "", "http_user_agent", kYes, kNo, S::kWhole},
    {B::kHttpReferer, P::kHttp1, "http.referer", "http_referer", "", kYes, kNo, S::kWhole},
    {B::kHttpAccept, P::kHttp1, "http.accept", "http_accept", "", kYes, kNo, S::kWhole},
    {B::kHttpAcceptLanguage, P::kHttp1, "http.accept_lang", "http_accept_lang", "", kYes, kNo,
     S::kWhole},
    {B::kHttpAcceptEncoding, P::kHttp1, "http.accept_enc", "http_accept_enc", "", kYes, kNo,
     S::kWhole},
    {B::kHttpConnection, P::kHttp1, "http.connection", "http_connection", "", kYes, kYes,
     S::kWhole},
    {B::kHttpContentType, P::kHttp1, "http.content_type", "http_content_type", "", kYes, kYes,
     S::kWhole},
    {B::kHttpContentLength, P::kHttp1, "http.content_len", "http_content_len", "", kYes, kYes,
     S::kWhole},
    {B::kHttpCookie, P::kHttp1, "http.cookie", "", "http_cookie", kYes, kYes, S::kWhole},
    {B::kHttpHeader, P::kHttp1, "http.header", "", "http_header", kYes, kYes, S::kWhole},
    {B::kHttpHeaderRaw, P::kHttp1, "http.header.raw", "", "http_raw_header", kYes, kYes, S::kWhole},
    {B::kHttpHeaderNames, P::kHttp1, "http.header_names", "http_header_names", "", kYes, kYes,
     S::kWhole},
    {B::kHttpRequestHeader, P::kHttp1, "http.request_header", "", "", kYes, kNo, S::kMany},
    {B::kHttpResponseHeader, P::kHttp1, "http.response_header", "", "", kNo, kYes, S::kMany},
    {B::kHttpStart, P::kHttp1, "http.start", "http_start", "", kYes, kYes, S::kWhole},
    {B::kHttpRequestBody, P::kHttp1, "http.request_body", "", "http_client_body", kYes, kNo,
     S::kStreamed},
    {B::kHttpStatusCode, P::kHttp1, "http.stat_code", "", "http_stat_code", kNo, kYes, S::kWhole},
    {B::kHttpStatusMessage, P::kHttp1, "http.stat_msg", "", "http_stat_msg", kNo, kYes, S::kWhole},
    {B::kHttpResponseLine, P::kHttp1, "http.response_line", "http_response_line", "", kNo, kYes,
     S::kWhole},
    {B::kHttpResponseBody, P::kHttp1, "http.response_body", "", "http_server_body", kNo, kYes,
     S::kStreamed},
    {B::kHttpServer, P::kHttp1, "http.server", "http_server", "", kNo, kYes, S::kWhole},
    {B::kHttpLocation, P::kHttp1, "http.location", "http_location", "", kNo, kYes, S::kWhole},
    {B::kFileData, P::kUnknown, "file.data", "file_data", "", kYes, kYes, S::kStreamed},
    {B::kFileName, P::kUnknown, "file.name", "", "", kYes, kYes, S::kMany},
    {B::kDnsQuery, P::kDns, "dns.query", "dns_query", "", kYes, kNo, S::kMany},
    {B::kDnsQueriesName, P::kDns, "dns.queries.rrname", "", "", kYes, kYes, S::kMany},
    {B::kDnsAnswersName, P::kDns, "dns.answers.rrname", "dns.answer.name", "", kYes, kYes,
     S::kMany},
    {B::kDnsAuthoritiesName, P::kDns, "dns.authorities.rrname", "", "", kYes, kYes, S::kMany},
    {B::kDnsAdditionalsName, P::kDns, "dns.additionals.rrname", "", "", kYes, kYes, S::kMany},
    {B::kDnsResponseName, P::kDns, "dns.response.rrname", "", "", kNo, kYes, S::kMany},
    {B::kTlsSni, P::kTls, "tls.sni", "tls_sni", "", kYes, kNo, S::kWhole},
    {B::kTlsAlpn, P::kTls, "tls.alpn", "", "", kYes, kYes, S::kMany},
    {B::kTlsRandom, P::kTls, "tls.random", "", "", kYes, kYes, S::kWhole},
    {B::kTlsRandomTime, P::kTls, "tls.random_time", "", "", kYes, kYes, S::kWhole},
    {B::kTlsRandomBytes, P::kTls, "tls.random_bytes", "", "", kYes, kYes, S::kWhole},
    {B::kTlsCerts, P::kTls, "tls.certs", "", "", kYes, kYes, S::kMany},
    {B::kTlsCertSubject, P::kTls, "tls.cert_subject", "tls_cert_subject", "", kYes, kYes,
     S::kWhole},
    {B::kTlsCertIssuer, P::kTls, "tls.cert_issuer", "tls_cert_issuer", "", kYes, kYes, S::kWhole},
    {B::kTlsCertSerial, P::kTls, "tls.cert_serial", "tls_cert_serial", "", kYes, kYes, S::kWhole},
    {B::kTlsCertFingerprint, P::kTls, "tls.cert_fingerprint", "tls_cert_fingerprint", "", kYes,
     kYes, S::kWhole},
    {B::kTlsSubjectAltName, P::kTls, "tls.subjectaltname", "", "", kNo, kYes, S::kMany},
    {B::kJa3Hash, P::kTls, "ja3.hash", "ja3_hash", "", kYes, kNo, S::kWhole},
    {B::kJa3String, P::kTls, "ja3.string", "ja3_string", "", kYes, kNo, S::kWhole},
    {B::kJa3sHash, P::kTls, "ja3s.hash", "", "", kNo, kYes, S::kWhole},
    {B::kJa3sString, P::kTls, "ja3s.string", "", "", kNo, kYes, S::kWhole},
    {B::kJa4Hash, P::kTls, "ja4.hash", "", "", kYes, kNo, S::kWhole},
    {B::kSshProtocol, P::kSsh, "ssh.proto", "ssh_proto", "", kYes, kYes, S::kWhole},
    {B::kSshSoftware, P::kSsh, "ssh.software", "ssh_software", "", kYes, kYes, S::kWhole},
    {B::kSshHassh, P::kSsh, "ssh.hassh", "ssh_hassh", "", kYes, kNo, S::kWhole},
    {B::kSshHasshString, P::kSsh, "ssh.hassh.string", "", "", kYes, kNo, S::kWhole},
    {B::kSshHasshServer, P::kSsh, "ssh.hassh.server", "", "", kNo, kYes, S::kWhole},
    {B::kSshHasshServerString, P::kSsh, "ssh.hassh.server.string", "", "", kNo, kYes, S::kWhole},
    {B::kSmtpHelo, P::kSmtp, "smtp.helo", "", "", kYes, kNo, S::kWhole},
    {B::kSmtpMailFrom, P::kSmtp, "smtp.mail_from", "", "", kYes, kNo, S::kWhole},
    {B::kSmtpRcptTo, P::kSmtp, "smtp.rcpt_to", "", "", kYes, kNo, S::kMany},
    {B::kFtpCommand, P::kFtp, "ftp.command", "", "", kYes, kNo, S::kWhole},
    {B::kFtpCommandData, P::kFtp, "ftp.command_data", "", "", kYes, kNo, S::kWhole},
    {B::kFtpReply, P::kFtp, "ftp.reply", "", "", kNo, kYes, S::kMany},
    {B::kFtpCompletionCode, P::kFtp, "ftp.completion_code", "", "", kNo, kYes, S::kMany},
};

static_assert(std::size(kTable) == kBuffers);
constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kTable); i++)
    if (kTable[i].buffer != static_cast<Buffer>(i)) return false;
  return true;
}
static_assert(in_order());

const BufferInfo* find(std::string_view name, std::string_view BufferInfo::*member) {
  if (name.empty()) return nullptr;
  const auto* const found =
      std::find_if(std::begin(kTable), std::end(kTable),
                   [&](const BufferInfo& info) { return info.*member == name; });
  return found == std::end(kTable) ? nullptr : found;
}

}  // namespace

const BufferInfo& info_of(Buffer buffer) { return kTable[static_cast<size_t>(buffer)]; }

std::span<const BufferInfo> buffer_table() { return kTable; }

const BufferInfo* find_buffer(std::string_view name) {
  const BufferInfo* found = find(name, &BufferInfo::name);
  return found != nullptr ? found : find(name, &BufferInfo::old_sticky);
}

const BufferInfo* find_buffer_of_modifier(std::string_view name) {
  return find(name, &BufferInfo::modifier);
}

std::string_view app_protocol_name(AppProtocol protocol) {
  static constexpr std::string_view kNames[] = {"unknown",  "failed", "http", "http2",
                                                "tls",      "dns",    "smtp", "ftp",
                                                "ftp-data", "ssh",    "imap", "smb"};
  static_assert(std::size(kNames) == static_cast<size_t>(AppProtocol::kCount));
  return kNames[static_cast<size_t>(protocol)];
}

}  // namespace sluice::inspect
