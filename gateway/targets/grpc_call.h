// SPDX-License-Identifier: Apache-2.0
// One gRPC call with an empty message over HTTP/2 without TLS, as bytes in and out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tunnels/result.h"

struct nghttp2_session;

namespace sluice::gateway {

class GrpcCall {
 public:
  static constexpr size_t kBytesMax = 64 * 1024;  // that a target may send

  GrpcCall(const std::string& authority, const std::string& path);
  ~GrpcCall();
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  // What to send now; empty when there is nothing.
  std::string output();
  // Bytes from the target. An error when they are no HTTP/2 or too many.
  Result<> input(std::string_view bytes);

  bool ended() const { return ended_; }                       // the target has ended the stream
  int http_status() const { return http_status_; }            // 0: no answer yet
  std::optional<int> grpc_status() const { return status_; }  // from the header or the trailer

 private:
  struct Callbacks;
  nghttp2_session* session_ = nullptr;
  size_t taken_ = 0;
  size_t message_sent_ = 0;
  bool ended_ = false;
  int http_status_ = 0;
  std::optional<int> status_;
};

}  // namespace sluice::gateway
