// SPDX-License-Identifier: Apache-2.0
// The first flight of a real TLS client, made by OpenSSL when the test runs.
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace sluice::inspect::testing {

inline std::string client_hello(const char* server_name) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, server_name);
  SSL_set_connect_state(ssl);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_do_handshake(ssl);  // wants an answer that never comes
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(out, &bytes);
  std::string hello(bytes, static_cast<size_t>(length));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

}  // namespace sluice::inspect::testing
