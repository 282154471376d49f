// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/probe_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

namespace sluice::gateway {
namespace {

Failure timed_out() { return fail_errno("no answer in time", {}, ETIMEDOUT); }

std::string tls_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return std::string("TLS: ") + (reason == nullptr ? "the connection ended" : reason);
}

}  // namespace

std::shared_ptr<ssl_ctx_st> make_probe_tls() {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SLUICE_CHECK(context != nullptr);  // out of memory
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

void ProbeStream::FreeTls::operator()(ssl_st* tls) const { SSL_free(tls); }

ProbeStream::ProbeStream(EventLoop& loop, std::unique_ptr<Socket> socket, uint64_t deadline_ms)
    : wakeup_(loop), deadline_ms_(deadline_ms), socket_(std::move(socket)) {
  socket_->set_wakeup(&wakeup_);
}

ProbeStream::~ProbeStream() = default;

Task<Result<std::unique_ptr<ProbeStream>>> ProbeStream::open(EventLoop& loop, SocketAddress to,
                                                             std::optional<SocketAddress> from,
                                                             uint64_t deadline_ms) {
  auto socket = co_await connect_tcp(loop, to, deadline_ms, from);
  if (!socket) co_return tl::make_unexpected(std::move(socket).error());
  co_return std::unique_ptr<ProbeStream>(new ProbeStream(loop, std::move(*socket), deadline_ms));
}

Task<Result<>> ProbeStream::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const IoResult sent = socket_->send(bytes);
    if (sent.kind == IoResult::Kind::kError) co_return fail_errno("cannot send", {}, sent.error);
    bytes.remove_prefix(sent.bytes);
    if (sent.kind != IoResult::Kind::kBlocked) continue;
    const bool woken = co_await wakeup_.until(deadline_ms_);
    if (!woken) co_return timed_out();
  }
  co_return Result<>();
}

Task<Result<size_t>> ProbeStream::receive_raw(std::span<char> into) {
  while (true) {
    const IoResult got = socket_->receive(into);
    if (got.kind == IoResult::Kind::kEnd) co_return size_t{0};
    if (got.kind == IoResult::Kind::kError) co_return fail_errno("cannot receive", {}, got.error);
    if (got.bytes > 0) co_return got.bytes;
    if (got.kind != IoResult::Kind::kBlocked) continue;
    const bool woken = co_await wakeup_.until(deadline_ms_);
    if (!woken) co_return timed_out();
  }
}

Task<Result<>> ProbeStream::start_tls(ssl_ctx_st* context) {
  tls_.reset(SSL_new(context));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SLUICE_CHECK(tls_ != nullptr && in != nullptr && out != nullptr);  // out of memory
  SSL_set_bio(tls_.get(), in, out);
  while (true) {
    ERR_clear_error();
    const int result = SSL_connect(tls_.get());
    if (result == 1) break;
    auto served = co_await serve(result);
    if (!served) co_return served;
  }
  co_return co_await send_records();
}

// After a call of OpenSSL that could not go on: gives it what it waits for.
Task<Result<>> ProbeStream::serve(int result) {
  const bool wants_more = SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ;
  const std::string reason = wants_more ? "" : tls_reason();
  auto sent = co_await send_records();  // also an alert
  if (!wants_more) co_return fail(reason);
  if (!sent) co_return sent;
  co_return co_await receive_records();
}

Task<Result<>> ProbeStream::send_records() {
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(SSL_get_wbio(tls_.get()), &bytes);
  if (count <= 0) co_return Result<>();
  const std::string records(bytes, static_cast<size_t>(count));
  (void)BIO_reset(SSL_get_wbio(tls_.get()));
  co_return co_await send_raw(records);
}

Task<Result<>> ProbeStream::receive_records() {
  std::array<char, 4096> chunk;
  auto count = co_await receive_raw(chunk);
  if (!count) co_return tl::make_unexpected(std::move(count).error());
  if (*count == 0) co_return fail("TLS: the connection ended");
  BIO_write(SSL_get_rbio(tls_.get()), chunk.data(), static_cast<int>(*count));
  co_return Result<>();
}

Task<Result<>> ProbeStream::send(std::string_view bytes) {
  if (!tls_) co_return co_await send_raw(bytes);
  while (true) {
    ERR_clear_error();
    const int result = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (result > 0) co_return co_await send_records();
    auto served = co_await serve(result);
    if (!served) co_return served;
  }
}

Task<Result<size_t>> ProbeStream::receive(std::span<char> into) {
  if (!tls_) co_return co_await receive_raw(into);
  while (true) {
    ERR_clear_error();
    const int result = SSL_read(tls_.get(), into.data(), static_cast<int>(into.size()));
    if (result > 0) co_return static_cast<size_t>(result);
    if (SSL_get_error(tls_.get(), result) == SSL_ERROR_ZERO_RETURN) co_return size_t{0};
    auto served = co_await serve(result);
    if (!served) co_return tl::make_unexpected(std::move(served).error());
  }
}

}  // namespace sluice::gateway
