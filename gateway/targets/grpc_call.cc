// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/grpc_call.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::gateway {
namespace {

// Not compressed, length 0 (gRPC over HTTP/2, "Length-Prefixed-Message").
constexpr std::string_view kEmptyMessage("\0\0\0\0\0", 5);
constexpr int kCodeMax = 99;

nghttp2_nv header(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::optional<int> number(std::string_view text, int max) {
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return {};
  if (value < 0 || value > max) return {};
  return value;
}

}  // namespace

struct GrpcCall::Callbacks {
  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                       void* user) {
    auto* call = static_cast<GrpcCall*>(user);
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":status") call->http_status_ = number(text, 599).value_or(0);
    if (key == "grpc-status") call->status_ = number(text, kCodeMax);
    return 0;
  }
  static int on_stream_close(nghttp2_session*, int32_t, uint32_t, void* user) {
    static_cast<GrpcCall*>(user)->ended_ = true;
    return 0;
  }
  static ssize_t read_message(nghttp2_session*, int32_t, uint8_t* out, size_t room, uint32_t* flags,
                              nghttp2_data_source* source, void*) {
    auto* call = static_cast<GrpcCall*>(source->ptr);
    const size_t count = std::min(room, kEmptyMessage.size() - call->message_sent_);
    std::memcpy(out, kEmptyMessage.data() + call->message_sent_, count);
    call->message_sent_ += count;
    if (call->message_sent_ == kEmptyMessage.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }
};

GrpcCall::GrpcCall(const std::string& authority, const std::string& path) {
  nghttp2_session_callbacks* callbacks = nullptr;
  SLUICE_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::on_stream_close);
  SLUICE_CHECK(nghttp2_session_client_new(&session_, callbacks, this) == 0);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry no_push{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  SLUICE_CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &no_push, 1) == 0);
  const nghttp2_nv headers[] = {
      header(":method", "POST"),
      header(":scheme", "http"),
      header(":path", path),
      header(":authority", authority),
      header("te", "trailers"),
      header("content-type", "application/grpc"),
      header("user-agent", "ELB-HealthChecker/2.0"),
  };
  nghttp2_data_provider message{};
  message.source.ptr = this;
  message.read_callback = &Callbacks::read_message;
  SLUICE_CHECK(nghttp2_submit_request(session_, nullptr, headers, std::size(headers), &message,
                                      nullptr) > 0);
}

GrpcCall::~GrpcCall() { nghttp2_session_del(session_); }

std::string GrpcCall::output() {
  std::string out;
  const uint8_t* bytes = nullptr;
  for (ssize_t count; (count = nghttp2_session_mem_send(session_, &bytes)) > 0;)
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
  return out;
}

Result<> GrpcCall::input(std::string_view bytes) {
  taken_ += bytes.size();
  if (taken_ > kBytesMax) return fail("the answer is too long");
  const ssize_t count = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (count != static_cast<ssize_t>(bytes.size())) return fail("the answer is no HTTP/2");
  return {};
}

}  // namespace sluice::gateway
