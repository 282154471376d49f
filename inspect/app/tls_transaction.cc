// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/tls_transaction.h"

#include <algorithm>

#include "inspect/app/memory.h"
#include "inspect/eve/json_line.h"
#include "inspect/tls/ja3.h"
#include "inspect/tls/ja4.h"
#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
constexpr size_t kRandomTime = 4;  // the first bytes of a random
constexpr size_t kMessageHeader = 4;

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view event_of(tls::ServerNameFault fault) {
  switch (fault) {
    case tls::ServerNameFault::kLength:
      return "invalid_sni_length";
    case tls::ServerNameFault::kType:
      return "invalid_sni_type";
    default:
      return "multiple_sni_extensions";
  }
}

void write_names(JsonLine& line, const tls::Certificate& certificate) {
  line.string("subject", certificate.subject);
  line.string("issuerdn", certificate.issuer);
}

void write_alt_names(JsonLine& line, const tls::Certificate& certificate) {
  if (certificate.alt_names.empty()) return;
  line.open_array("subjectaltname");
  for (const std::string& name : certificate.alt_names) line.element(name);
  line.close_array();
}

void write_certificate(JsonLine& line, const tls::Certificate& certificate) {
  write_names(line, certificate);
  line.string("serial", certificate.serial);
  line.string("fingerprint", certificate.fingerprint);
  if (!certificate.not_before.empty()) line.string("notbefore", certificate.not_before);
  if (!certificate.not_after.empty()) line.string("notafter", certificate.not_after);
}

void write_fingerprint(JsonLine& line, JsonKey key, std::string_view hash, std::string_view text) {
  line.open(key);
  line.string("hash", hash);
  line.string("string", text);
  line.close();
}

// What JA4S and the like are made of.
void write_hello(JsonLine& line, const tls::ServerHello& hello) {
  line.open("server_handshake");
  line.string("version", tls::version_text(hello.version));
  line.unsigned_number("cipher", hello.cipher);
  line.open_array("exts");
  for (size_t i = 0; i < hello.extensions; i++) line.number_element(hello.extension_types[i]);
  line.close_array();
  line.close();
}

}  // namespace

void TlsTransaction::tell(Direction direction, Buffer buffer, std::string_view text,
                          TransactionSink& sink) {
  if (sink.wants(buffer))
    sink.buffer(*this, direction, buffer,
                {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

size_t TlsTransaction::memory() const {
  size_t bytes = sizeof(*this) + heap_of(ja3_.text) + heap_of(ja3s_.text) + heap_of(ja4_);
  for (const Shown& shown : shown_)
    bytes += heap_of(shown.hello) + heap_of(shown.chain) +
             3 * shown.leaf.size() * shown.certificate_read;
  return bytes;
}

bool TlsTransaction::client_hello(std::span<const uint8_t> message, TransactionSink& sink) {
  const auto read = tls::read_client_hello(message);
  // A second one comes after a HelloRetryRequest, with the same name (RFC 8446, 4.1.2).
  if (!read || (client_ && read->server_name != client_->server_name)) {
    sink.event(this, kUp, "invalid_handshake_message");
    return false;
  }
  if (client_) return true;
  shown_[0].hello.assign(message.begin(), message.end());
  client_ = *tls::read_client_hello(shown_[0].hello);
  versions_[0] = tls::highest_version(*client_);
  if (client_->server_name_fault != tls::ServerNameFault::kNone)
    sink.event(this, kUp, event_of(client_->server_name_fault));
  if (!client_->server_name.empty()) tell(kUp, Buffer::kTlsSni, client_->server_name, sink);
  auto names = client_->alpn;
  for (auto name = tls::next_alpn(names); !name.empty(); name = tls::next_alpn(names))
    tell(kUp, Buffer::kTlsAlpn, name, sink);
  tell_random(kUp, client_->random, sink);
  tell_fingerprints(sink);
  return true;
}

bool TlsTransaction::server_hello(std::span<const uint8_t> message, TransactionSink& sink) {
  const auto read = tls::read_server_hello(message);
  if (!read || server_) {
    sink.event(this, kDown, "invalid_handshake_message");
    return false;
  }
  versions_[1] = read->version;
  if (read->retry) return true;
  shown_[1].hello.assign(message.begin(), message.end());
  server_ = *tls::read_server_hello(shown_[1].hello);
  resumed_ = tls::is_tls13(server_->version) && server_->pre_shared_key;
  if (!server_->alpn.empty()) tell(kDown, Buffer::kTlsAlpn, server_->alpn, sink);
  tell_random(kDown, server_->random, sink);
  if (sink.wants(Buffer::kJa3sHash) || sink.wants(Buffer::kJa3sString)) {
    tell(kDown, Buffer::kJa3sString, ja3s().text, sink);
    tell(kDown, Buffer::kJa3sHash, ja3s().hash, sink);
  }
  return true;
}

void TlsTransaction::tell_random(Direction direction, std::span<const uint8_t> random,
                                 TransactionSink& sink) {
  tell(direction, Buffer::kTlsRandom, text_of(random), sink);
  tell(direction, Buffer::kTlsRandomTime, text_of(random.first(kRandomTime)), sink);
  tell(direction, Buffer::kTlsRandomBytes, text_of(random.subspan(kRandomTime)), sink);
}

void TlsTransaction::tell_fingerprints(TransactionSink& sink) {
  if (sink.wants(Buffer::kJa3Hash) || sink.wants(Buffer::kJa3String)) {
    tell(kUp, Buffer::kJa3String, ja3().text, sink);
    tell(kUp, Buffer::kJa3Hash, ja3().hash, sink);
  }
  if (sink.wants(Buffer::kJa4Hash)) {
    ja4_ = tls::ja4(*client_);
    tell(kUp, Buffer::kJa4Hash, ja4_, sink);
  }
}

const TlsTransaction::Fingerprint& TlsTransaction::ja3() const {
  if (ja3_.text.empty()) {
    ja3_.text = tls::ja3_string(*client_);
    ja3_.hash = tls::md5_text(ja3_.text);
  }
  return ja3_;
}

const TlsTransaction::Fingerprint& TlsTransaction::ja3s() const {
  if (ja3s_.text.empty()) {
    ja3s_.text = tls::ja3s_string(*server_);
    ja3s_.hash = tls::md5_text(ja3s_.text);
  }
  return ja3s_;
}

// RFC 5246, 7.4.2: a list of certificates, each after its length.
bool TlsTransaction::certificates(Direction direction, std::span<const uint8_t> message,
                                  TransactionSink& sink) {
  Shown& shown = shown_[static_cast<size_t>(direction)];
  if (!shown.chain.empty()) {
    sink.event(this, direction, "invalid_handshake_message");
    return false;
  }
  shown.chain.assign(message.begin(), message.end());
  tunnels::Reader body(std::span(shown.chain).subspan(kMessageHeader));
  tunnels::Reader list(body.bytes(body.be24()));
  bool good = body.ok() && body.remaining() == 0;
  for (size_t i = 0; i < kTlsChainMax && list.remaining() != 0; i++) {
    const auto der = list.bytes(list.be24());
    good = good && list.ok();
    if (!list.ok()) break;
    shown.certificates++;
    tell(direction, Buffer::kTlsCerts, text_of(der), sink);
    if (shown.leaf.empty()) shown.leaf = der;
  }
  if (!shown.leaf.empty()) tell_certificate(direction, sink);
  if (!good) sink.event(this, direction, "certificate_invalid_length");
  return good;
}

void TlsTransaction::tell_certificate(Direction direction, TransactionSink& sink) {
  static constexpr Buffer kOfCertificates[] = {Buffer::kTlsCertSubject, Buffer::kTlsCertIssuer,
                                               Buffer::kTlsCertSerial, Buffer::kTlsCertFingerprint,
                                               Buffer::kTlsSubjectAltName};
  if (std::ranges::none_of(kOfCertificates, [&](Buffer buffer) { return sink.wants(buffer); }))
    return;
  const tls::Certificate* const found = certificate(shown_[static_cast<size_t>(direction)]);
  if (found == nullptr) {
    sink.event(this, direction, "invalid_certificate");
    return;
  }
  tell(direction, Buffer::kTlsCertSubject, found->subject, sink);
  tell(direction, Buffer::kTlsCertIssuer, found->issuer, sink);
  tell(direction, Buffer::kTlsCertSerial, found->serial, sink);
  tell(direction, Buffer::kTlsCertFingerprint, found->fingerprint, sink);
  if (direction == kUp) return;
  for (const std::string& name : found->alt_names)
    tell(direction, Buffer::kTlsSubjectAltName, name, sink);
}

const tls::Certificate* TlsTransaction::certificate(const Shown& shown) const {
  if (!shown.certificate_read && !shown.leaf.empty()) {
    auto read = tls::read_certificate(shown.leaf);
    if (read) shown.certificate = std::move(*read);
    shown.certificate_read = true;
  }
  return shown.certificate ? &*shown.certificate : nullptr;
}

void TlsTransaction::server_encrypts() {
  if (server_ && !tls::is_tls13(server_->version) && shown_[1].chain.empty()) resumed_ = true;
}

void TlsTransaction::write_brief(JsonLine& line) const {
  line.open("tls");
  const tls::Certificate* const server = certificate(shown_[1]);
  if (server != nullptr) write_names(line, *server);
  if (resumed_) line.boolean("session_resumed", true);
  if (server != nullptr) write_alt_names(line, *server);
  line.close();
}

void TlsTransaction::write(JsonLine& line) const {
  line.open("tls");
  const tls::Certificate* const server = certificate(shown_[1]);
  if (server != nullptr) write_certificate(line, *server);
  if (resumed_) line.boolean("session_resumed", true);
  if (client_ && !client_->server_name.empty()) line.string("sni", client_->server_name);
  line.string("version", tls::version_text(versions_[1]));
  if (server != nullptr) write_alt_names(line, *server);
  if (client_) write_fingerprint(line, "ja3", ja3().hash, ja3().text);
  if (server_) write_fingerprint(line, "ja3s", ja3s().hash, ja3s().text);
  if (server_) write_hello(line, *server_);
  if (client_) line.string("ja4", ja4_.empty() ? tls::ja4(*client_) : ja4_);
  if (client_ && !client_->first_alpn.empty()) {
    line.open_array("client_alpns");
    auto names = client_->alpn;
    for (auto name = tls::next_alpn(names); !name.empty(); name = tls::next_alpn(names))
      line.element(name);
    line.close_array();
  }
  if (server_ && !server_->alpn.empty()) {
    line.open_array("server_alpns");
    line.element(server_->alpn);
    line.close_array();
  }
  if (const tls::Certificate* const client = certificate(shown_[0]); client != nullptr) {
    line.open("client");
    write_certificate(line, *client);
    line.close();
  }
  line.close();
}

}  // namespace sluice::inspect
