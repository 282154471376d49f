// SPDX-License-Identifier: Apache-2.0
// Content codings taken off a body while it passes by: gzip (RFC 1952) and deflate, the latter with
// or without its zlib header (RFC 1950), one over the other. As tolerant as browsers: checksums are
// not checked, and what cannot be decoded is told as it came. The result does not depend on where
// the bytes were cut, which is why this is not left to libhtp.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/http.h"

struct z_stream_s;

namespace sluice::inspect {

enum class HttpCoding : uint8_t { kGzip, kDeflate };

struct HttpCodings {
  std::array<HttpCoding, kHttpCodingLayersMax> layers{};  // in the order of the header
  size_t count = 0;
  bool abnormal = false;  // it names something else than gzip, deflate and identity
  bool too_many = false;  // none of them is taken off
};

HttpCodings http_codings(std::string_view content_encoding);

class HttpInflate {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // The next decoded bytes; false: enough.
    virtual bool on_decoded(std::span<const uint8_t> bytes) = 0;
  };
  enum class Outcome : uint8_t {
    kGood,
    kFailed,  // somewhere the body is not what its header says; told once
    kBomb,    // it grows beyond all measure; nothing more is decoded
  };

  explicit HttpInflate(const HttpCodings& codings);
  ~HttpInflate();
  HttpInflate(const HttpInflate&) = delete;
  HttpInflate& operator=(const HttpInflate&) = delete;

  Outcome feed(std::span<const uint8_t> bytes, Listener& listener);
  size_t memory() const;

 private:
  class Layer;
  bool pass_on(size_t layer, std::span<const uint8_t> bytes, Listener& listener);

  std::vector<std::unique_ptr<Layer>> layers_;  // the outermost first
  uint64_t taken_ = 0, decoded_ = 0;
  bool failed_ = false, bomb_ = false;
};

}  // namespace sluice::inspect
