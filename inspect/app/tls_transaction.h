// SPDX-License-Identifier: Apache-2.0
// The handshake of a TLS connection, as far as it is not encrypted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inspect/app/transaction.h"
#include "inspect/tls/certificate.h"
#include "inspect/tls/client_hello.h"
#include "inspect/tls/server_hello.h"

namespace sluice::inspect {

inline constexpr size_t kTlsChainMax = 16;  // certificates of one side that are looked at

class TlsTransaction final : public Transaction {
 public:
  TlsTransaction() : Transaction(AppProtocol::kTls, 0) {}

  std::string_view event_type() const override { return "tls"; }
  void write(JsonLine& line) const override;
  void write_brief(JsonLine& line) const override;

  // As on the wire: 0x0303 is TLS 1.2, 0x0002 SSLv2; 0: not known yet. Of the client the highest
  // that it offers, of the server the one it takes.
  uint16_t version(Direction direction) const { return versions_[static_cast<size_t>(direction)]; }
  // The first one that a side has shown; nullptr: none, or it is broken.
  const tls::Certificate* certificate(Direction direction) const {
    return certificate(shown_[static_cast<size_t>(direction)]);
  }
  // Of all that it has shown, at most kTlsChainMax.
  size_t certificates_shown(Direction direction) const {
    return shown_[static_cast<size_t>(direction)].certificates;
  }
  // The server goes on with an earlier session, so that it shows no certificate.
  bool session_resumed() const { return resumed_; }

  // Each takes a whole handshake message and tells what is in it. False: it is broken or out of
  // place, which an event has told.
  bool client_hello(std::span<const uint8_t> message, TransactionSink& sink);
  bool server_hello(std::span<const uint8_t> message, TransactionSink& sink);
  bool certificates(Direction direction, std::span<const uint8_t> message, TransactionSink& sink);
  // The server is about to encrypt. TLS 1.2: without having shown a certificate it resumes.
  void server_encrypts();
  // Began as SSLv2 does.
  void sslv2_hello(Direction direction, uint16_t version) {
    versions_[static_cast<size_t>(direction)] = version;
  }

  size_t memory() const;

 private:
  // What one side has shown.
  struct Shown {
    std::vector<uint8_t> hello;  // what views into a hello point into
    std::vector<uint8_t> chain;  // the message with the certificates
    std::span<const uint8_t> leaf;
    uint8_t certificates = 0;
    mutable std::optional<tls::Certificate> certificate;  // of `leaf`, when somebody has asked
    mutable bool certificate_read = false;
  };

  struct Fingerprint {
    std::string text, hash;
  };

  const tls::Certificate* certificate(const Shown& shown) const;
  void tell_random(Direction direction, std::span<const uint8_t> random, TransactionSink& sink);
  void tell_fingerprints(TransactionSink& sink);
  void tell_certificate(Direction direction, TransactionSink& sink);
  void tell(Direction direction, Buffer buffer, std::string_view text, TransactionSink& sink);
  const Fingerprint& ja3() const;
  const Fingerprint& ja3s() const;

  Shown shown_[2];  // by Direction
  uint16_t versions_[2] = {};
  std::optional<tls::ClientHello> client_;
  std::optional<tls::ServerHello> server_;
  bool resumed_ = false;
  mutable Fingerprint ja3_, ja3s_;  // empty: not made yet
  std::string ja4_;
};

}  // namespace sluice::inspect
