// SPDX-License-Identifier: Apache-2.0
// The files of a multipart/form-data body (RFC 7578), cut out while it passes by. Bytes may come
// in pieces of any size; lines may end with a bare LF, which servers take too.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/memory.h"

namespace sluice::inspect {

// What the Content-Type header says; empty: no multipart body, or no boundary that could be used.
std::string_view multipart_boundary(std::string_view content_type);
// `filename` of a Content-Disposition header, or else `filename*` (RFC 6266); empty: it has none.
std::string disposition_filename(std::string_view header_value);

class HttpMultipart {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // A part with a file name begins; empty: the name is not known.
    virtual void on_file(std::string_view name) = 0;
    // The boundary behind it has been seen.
    virtual void on_file_end() = 0;
    virtual void on_file_data(std::span<const uint8_t> bytes) = 0;
    // A header of a part is too long to be kept; the part is taken for a file.
    virtual void on_bad_header() = 0;
  };

  explicit HttpMultipart(std::string_view boundary);

  void feed(std::span<const uint8_t> bytes, Listener& listener);
  // Bytes are missing here: what comes next may be of any part.
  void gap();
  size_t memory() const {
    return sizeof(*this) + heap_of(delimiter_) + heap_of(held_) + heap_of(line_) + heap_of(name_);
  }
  // The last boundary has been seen.
  bool complete() const { return state_ == State::kEpilogue; }

 private:
  enum class State : uint8_t { kSkip, kFile, kBoundaryLine, kHeaders, kEpilogue };

  size_t feed_content(std::span<const uint8_t> bytes, Listener& listener);
  size_t feed_boundary_line(std::span<const uint8_t> bytes);
  size_t feed_headers(std::span<const uint8_t> bytes, Listener& listener);
  void end_of_header();
  void end_of_headers(Listener& listener);
  void begin_part();

  State state_ = State::kSkip;
  const std::string delimiter_;  // "\r\n--boundary"
  std::string held_;             // what may be the begin of a delimiter, from its CR or LF
  size_t not_content_;           // so much of it comes before the content
  std::string line_;             // of the boundary line, or a header so far, with its end
  bool line_over_ = false;       // the next byte begins another line of the headers
  std::string name_;             // of the part, by its headers so far
  bool header_cut_ = false;      // one of them was too long
};

}  // namespace sluice::inspect
