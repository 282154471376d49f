// SPDX-License-Identifier: Apache-2.0
// Message bodies: what framing came in is taken off, and the framing of the other side is put on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/proxy/buffer.h"
#include "gateway/proxy/http1.h"

namespace sluice::gateway {

constexpr size_t kChunkSizeDigitsMax = 16;
constexpr uint64_t kChunkBytesMax = uint64_t{1} << 56;
constexpr size_t kChunkExtensionMax = 256;         // of one chunk; extensions are dropped
constexpr size_t kChunkExtensionsMax = 16 * 1024;  // of one body
constexpr size_t kTrailersMax = 8 * 1024;          // of one body; trailers are checked and dropped

// Takes a body out of a stream, in whatever pieces it comes.
class BodyReader {
 public:
  BodyReader() = default;  // no body
  BodyReader(Framing framing, uint64_t content_length);

  struct Step {
    size_t consumed = 0;    // bytes of input that are dealt with
    std::string_view data;  // body bytes among them
  };
  // One step: up to the next run of body bytes, through it. consumed == 0: done, bad or more input
  // needed.
  Step read(std::string_view input);

  bool done() const { return state_ == State::kDone; }
  bool bad() const { return state_ == State::kBad; }
  const char* bad_reason() const { return bad_reason_; }

  // The sender has closed. True if that ends the body well.
  bool end_of_stream();

 private:
  enum class State : uint8_t {
    kDone,
    kBad,
    kLength,
    kUntilClose,
    kSize,  // chunk-size digits
    kExtension,
    kSizeLf,
    kChunkData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // first character of a trailer line, or the end
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
  };
  static constexpr size_t kTrailerNameKept = 20;  // enough to tell the forbidden ones

  void chunk_syntax(char c);
  void chunk_size_char(char c);
  void trailer_char(char c);
  void end_trailer_name();
  void fail(const char* reason);

  State state_ = State::kDone;
  uint64_t left_ = 0;  // of the length, or of the chunk
  size_t digits_ = 0;
  size_t extension_ = 0;
  size_t extensions_ = 0;
  size_t trailers_ = 0;
  size_t name_size_ = 0;
  std::array<char, kTrailerNameKept> name_{};
  const char* bad_reason_ = nullptr;
};

// Puts a body on a stream.
class BodyWriter {
 public:
  static constexpr size_t kOverheadMax = 32;  // beside the data, per write and at the end

  BodyWriter() = default;
  explicit BodyWriter(Framing framing) : framing_(framing) {}

  // How much data a write may carry into this buffer now.
  static size_t capacity(const Buffer& out) {
    return out.room() > 2 * kOverheadMax ? out.room() - 2 * kOverheadMax : 0;
  }
  void write(Buffer& out, std::string_view data) const;
  void finish(Buffer& out) const;

 private:
  Framing framing_ = Framing::kNone;
};

}  // namespace sluice::gateway
