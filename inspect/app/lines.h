// SPDX-License-Identifier: Apache-2.0
// The lines of one direction of a connection, however it is cut: the text protocols' first step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/memory.h"

namespace sluice::inspect {

class LineReader {
 public:
  // Of a line that is longer, with its end, only the first `max` bytes are given.
  explicit LineReader(size_t max) : max_(max) {}

  struct Line {
    std::string_view text;  // without its end, LF or CR LF; valid until the next call
    bool cut;               // it was longer
  };

  // Takes a line off `bytes`. Nothing: they end within one, and have been taken.
  std::optional<Line> next(std::span<const uint8_t>& bytes) {
    if (given_) part_.clear();
    given_ = false;
    if (bytes.empty()) return std::nullopt;
    const void* const found = std::memchr(bytes.data(), '\n', bytes.size());
    const size_t length =
        found == nullptr
            ? bytes.size()
            : static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data()) + 1;
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    if (found == nullptr || length_ != 0 || length > max_) {
      length_ += length;
      part_ += text.substr(0, max_ - std::min(max_, part_.size()));
      if (found == nullptr) return std::nullopt;
      text = part_;
    }
    const bool cut = length_ > max_;
    given_ = true;
    length_ = 0;
    if (!cut) text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
    return Line{text, cut};
  }

  // A line has begun, of which that much has been kept.
  std::string_view part() const { return given_ ? std::string_view() : part_; }

  size_t memory() const { return heap_of(part_); }

  void clear() {
    part_.clear();
    length_ = 0;
    given_ = false;
  }

 private:
  const size_t max_;
  std::string part_;
  size_t length_ = 0;   // of the line so far, kept or not
  bool given_ = false;  // part_ is the line that was given last
};

// Lines of any length, none of whose bytes may be lost: a long one comes in parts.
class LinePartReader {
 public:
  explicit LinePartReader(size_t max) : max_(max) {}

  enum class End : uint8_t { kNone, kLf, kCrLf };
  struct Part {
    std::string_view text;  // without the line's end; valid until the next call
    bool begins;            // the line
    End end;                // kNone: the line goes on, or the bytes are over
  };

  // Takes a line, or `max` bytes of a longer one, off `bytes`. Nothing: they end within it, and
  // have been taken.
  std::optional<Part> next(std::span<const uint8_t>& bytes) {
    if (given_) part_.clear();
    given_ = false;
    const auto chunk = bytes.first(std::min(bytes.size(), max_ - part_.size()));
    const auto end = std::ranges::find(chunk, uint8_t{'\n'});
    const bool ends = end != chunk.end();
    const size_t length = static_cast<size_t>(end - chunk.begin()) + (ends ? 1 : 0);
    std::string_view text(reinterpret_cast<const char*>(chunk.data()), length);
    bytes = bytes.subspan(length);
    if (!part_.empty() || (!ends && length < max_)) {
      part_ += text;
      if (!ends && part_.size() < max_) return std::nullopt;
      text = part_;
    }
    return give(text, ends);
  }

  // What is left of the last line, when no more bytes come.
  std::optional<Part> rest() {
    if (given_ || part_.empty()) return std::nullopt;
    return give(part_, false);
  }

  size_t memory() const { return heap_of(part_); }

  void clear() {
    part_.clear();
    given_ = false;
    begins_ = true;
  }

 private:
  Part give(std::string_view text, bool ends) {
    given_ = true;
    const bool begins = begins_;
    begins_ = ends;
    if (!ends) return {text, begins, End::kNone};
    const bool crlf = text.ends_with("\r\n");
    text.remove_suffix(crlf ? 2 : 1);
    return {text, begins, crlf ? End::kCrLf : End::kLf};
  }

  const size_t max_;
  std::string part_;
  bool given_ = false;  // part_ was given
  bool begins_ = true;  // a line begins next
};

// Nothing in it but what lines of text have; a byte beyond ASCII may be a part of UTF-8, or one of
// Telnet's.
inline bool is_text(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) {
    return static_cast<unsigned char>(c) >= ' ' || c == '\t' || c == '\r' || c == '\n';
  });
}

// Whether a line of `text` begins with one of `words`.
inline bool has_line_with(std::string_view text, std::initializer_list<std::string_view> words) {
  for (size_t at = 0; at != std::string_view::npos && at < text.size();) {
    const std::string_view line = text.substr(at);
    if (std::ranges::any_of(words, [&](std::string_view word) { return line.starts_with(word); }))
      return true;
    const size_t end = text.find('\n', at);
    at = end == std::string_view::npos ? end : end + 1;
  }
  return false;
}

}  // namespace sluice::inspect
