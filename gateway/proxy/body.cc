// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/body.h"

#include <algorithm>
#include <cstdio>

namespace sluice::gateway {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BodyReader::BodyReader(Framing framing, uint64_t content_length) : left_(content_length) {
  if (framing == Framing::kLength && content_length > 0) state_ = State::kLength;
  if (framing == Framing::kChunked) state_ = State::kSize;
  if (framing == Framing::kUntilClose) state_ = State::kUntilClose;
}

BodyReader::Step BodyReader::read(std::string_view input) {
  Step step;
  while (step.consumed < input.size() && state_ != State::kDone && state_ != State::kBad) {
    if (state_ == State::kUntilClose) {
      step.data = input.substr(step.consumed);
      step.consumed = input.size();
      return step;
    }
    if (state_ == State::kLength || state_ == State::kChunkData) {
      uint64_t run = std::min<uint64_t>(left_, input.size() - step.consumed);
      step.data = input.substr(step.consumed, run);
      step.consumed += run;
      left_ -= run;
      if (left_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kDataCr;
      return step;
    }
    chunk_syntax(input[step.consumed++]);
  }
  return step;
}

bool BodyReader::end_of_stream() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  if (state_ != State::kDone) fail("body ends too early");
  return state_ == State::kDone;
}

void BodyReader::fail(const char* reason) {
  if (state_ == State::kBad) return;
  state_ = State::kBad;
  bad_reason_ = reason;
}

// RFC 9112 7.1, byte by byte; no white space, no bare line ends.
void BodyReader::chunk_syntax(char c) {
  switch (state_) {
    case State::kSize:
      return chunk_size_char(c);
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (!is_value_char(c) || ++extension_ > kChunkExtensionMax ||
                 ++extensions_ > kChunkExtensionsMax) {
        fail("bad chunk extension");
      }
      return;
    case State::kSizeLf:
      if (c != '\n') return fail("bad chunk line end");
      state_ = left_ > 0 ? State::kChunkData : State::kTrailerStart;
      return;
    case State::kDataCr:
      if (c != '\r') return fail("chunk longer than its size");
      state_ = State::kDataLf;
      return;
    case State::kDataLf:
      if (c != '\n') return fail("chunk longer than its size");
      state_ = State::kSize;
      digits_ = extension_ = 0;
      left_ = 0;
      return;
    default:
      return trailer_char(c);
  }
}

void BodyReader::chunk_size_char(char c) {
  int digit = hex_value(c);
  if (digit >= 0) {
    if (++digits_ > kChunkSizeDigitsMax) return fail("chunk size too long");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    if (left_ > kChunkBytesMax) fail("chunk size too large");
    return;
  }
  if (digits_ == 0) return fail("bad chunk size");
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';') {
    state_ = State::kExtension;
  } else {
    fail("bad chunk size");
  }
}

void BodyReader::trailer_char(char c) {
  if (++trailers_ > kTrailersMax) return fail("trailers too long");
  switch (state_) {
    case State::kTrailerStart:
      name_size_ = 0;
      if (c == '\r') {
        state_ = State::kEndLf;
        return;
      }
      state_ = State::kTrailerName;
      [[fallthrough]];
    case State::kTrailerName:
      if (c == ':') return end_trailer_name();
      if (!is_token_char(c)) return fail("bad character in a trailer name");
      if (name_size_ < kTrailerNameKept) name_[name_size_] = c;
      ++name_size_;
      return;
    case State::kTrailerValue:
      if (c == '\r') {
        state_ = State::kTrailerLf;
      } else if (!is_value_char(c)) {
        fail("control character in a trailer");
      }
      return;
    case State::kTrailerLf:
      if (c != '\n') return fail("bad trailer line end");
      state_ = State::kTrailerStart;
      return;
    default:
      if (c != '\n') return fail("bad end of body");
      state_ = State::kDone;
  }
}

// RFC 9110 6.5.1: what frames or routes a message must not come after it.
void BodyReader::end_trailer_name() {
  if (name_size_ == 0) return fail("empty trailer name");
  state_ = State::kTrailerValue;
  if (name_size_ > kTrailerNameKept) return;
  switch (header_id({name_.data(), name_size_})) {
    case HeaderId::kHost:
    case HeaderId::kContentLength:
    case HeaderId::kTransferEncoding:
    case HeaderId::kConnection:
      return fail("a trailer that belongs into the head");
    default:
      return;
  }
}

void BodyWriter::write(Buffer& out, std::string_view data) const {
  if (data.empty()) return;
  if (framing_ != Framing::kChunked) return out.append(data);
  char size[kOverheadMax];
  int length = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  out.append({size, static_cast<size_t>(length)});
  out.append(data);
  out.append("\r\n");
}

void BodyWriter::finish(Buffer& out) const {
  if (framing_ == Framing::kChunked) out.append("0\r\n\r\n");
}

}  // namespace sluice::gateway
