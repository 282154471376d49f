// SPDX-License-Identifier: Apache-2.0
// A real TLS handshake between two ends in this process, by OpenSSL, as its bytes go over the wire.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <string>
#include <vector>

#include "inspect/stream/flow.h"

namespace sluice::inspect::testing {

struct HandshakeOptions {
  int version = 0x0303;
  bool client_certificate = false;
  bool resume = false;  // the second connection of a session
  bool retry = false;   // the server wants another group than the client has sent a key for
};

struct Flight {
  Direction direction;
  std::string bytes;
};

class Handshake {
 public:
  explicit Handshake(const HandshakeOptions& options) : options_(options) {
    key_ = EVP_EC_gen("P-256");
    X509* const certificate = make_certificate("www.example.org");
    X509* const client_certificate = make_certificate("client");
    keep(certificate);
    client_ = SSL_CTX_new(TLS_client_method());
    server_ = SSL_CTX_new(TLS_server_method());
    for (SSL_CTX* context : {client_, server_}) {
      SSL_CTX_set_min_proto_version(context, options.version);
      SSL_CTX_set_max_proto_version(context, options.version);
    }
    SSL_CTX_use_certificate(server_, certificate);
    SSL_CTX_use_PrivateKey(server_, key_);
    SSL_CTX_set_session_id_context(server_, reinterpret_cast<const uint8_t*>("t"), 1);
    SSL_CTX_set_alpn_select_cb(server_, choose, nullptr);
    if (options.client_certificate) {
      SSL_CTX_use_certificate(client_, client_certificate);
      SSL_CTX_use_PrivateKey(client_, key_);
      SSL_CTX_set_verify(server_, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    }
    if (options.retry) {
      SSL_CTX_set1_groups_list(client_, "X25519:P-256");
      SSL_CTX_set1_groups_list(server_, "P-256");
    }
    run();
    if (options.resume) run();
    X509_free(certificate);
    X509_free(client_certificate);
    EVP_PKEY_free(key_);
    SSL_SESSION_free(session_);
    SSL_CTX_free(client_);
    SSL_CTX_free(server_);
  }
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  std::vector<Flight> flights;
  std::string server_der;
  std::string server_sha1;

 private:
  static int choose(SSL*, const uint8_t** out, uint8_t* length, const uint8_t* in, unsigned,
                    void*) {
    *out = in + 1;
    *length = in[0];
    return SSL_TLSEXT_ERR_OK;
  }

  X509* make_certificate(const char* name) {
    X509* const certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), 0x97e601);
    ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "20200102030405Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "20490102030405Z");
    X509_NAME* const subject = X509_get_subject_name(certificate);
    for (const auto& [key, value] : {std::pair("C", "DE"), {"O", "Example, Ltd"}, {"CN", name}})
      X509_NAME_add_entry_by_txt(subject, key, MBSTRING_UTF8,
                                 reinterpret_cast<const uint8_t*>(value), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key_);
    X509_EXTENSION* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                      "DNS:www.example.org,IP:192.0.2.7");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key_, EVP_sha256());
    return certificate;
  }

  void keep(X509* certificate) {
    uint8_t* der = nullptr;
    const int length = i2d_X509(certificate, &der);
    server_der.assign(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
    OPENSSL_free(der);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(certificate, EVP_sha1(), digest, &size);
    char* const text = OPENSSL_buf2hexstr(digest, size);
    for (const char* c = text; *c != '\0'; c++)
      server_sha1 += *c >= 'A' && *c <= 'F' ? static_cast<char>(*c | 0x20) : *c;
    OPENSSL_free(text);
  }

  static BIO* memory() { return BIO_new(BIO_s_mem()); }

  // What `from` has to say, to `to`.
  bool move(Direction direction, SSL* from, SSL* to) {
    char* bytes = nullptr;
    const long length = BIO_get_mem_data(SSL_get_wbio(from), &bytes);
    if (length <= 0) return false;
    flights.push_back({direction, std::string(bytes, static_cast<size_t>(length))});
    BIO_write(SSL_get_rbio(to), bytes, static_cast<int>(length));
    BIO_reset(SSL_get_wbio(from));
    return true;
  }

  void run() {
    flights.clear();
    SSL* const client = SSL_new(client_);
    SSL* const server = SSL_new(server_);
    SSL_set_bio(client, memory(), memory());
    SSL_set_bio(server, memory(), memory());
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    SSL_set_tlsext_host_name(client, "www.example.org");
    SSL_set_alpn_protos(client, reinterpret_cast<const uint8_t*>("\2h2\x08http/1.1"), 12);
    if (session_ != nullptr) SSL_set_session(client, session_);
    bool moved = true;
    while (moved) {
      SSL_do_handshake(client);
      moved = move(Direction::kToServer, client, server);
      SSL_do_handshake(server);
      moved |= move(Direction::kToClient, server, client);
    }
    EXPECT_TRUE(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    char reply[8];
    SSL_write(client, "request", 7);
    move(Direction::kToServer, client, server);
    SSL_read(server, reply, sizeof(reply));
    SSL_write(server, "answer", 6);
    move(Direction::kToClient, server, client);
    SSL_read(client, reply, sizeof(reply));  // the session's ticket is before it
    SSL_SESSION_free(session_);
    session_ = SSL_get1_session(client);
    SSL_shutdown(client);
    SSL_shutdown(server);
    SSL_free(client);
    SSL_free(server);
  }

  const HandshakeOptions options_;
  EVP_PKEY* key_ = nullptr;
  SSL_CTX* client_ = nullptr;
  SSL_CTX* server_ = nullptr;
  SSL_SESSION* session_ = nullptr;
};

}  // namespace sluice::inspect::testing
