// SPDX-License-Identifier: Apache-2.0
// The headers of one message as buffers: all of them in the several forms that rules ask for, and
// those with a keyword of their own.
#pragma once

#include <htp/htp.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/memory.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

struct HttpField {
  std::string_view name, value;
  bool repeated = false;  // the values of several fields, joined
};

std::vector<HttpField> http_fields(const htp_table_t& table);

// All at once: libhtp's own search looks at every header for each.
void find_http_headers(const htp_table_t* table, std::span<const std::string_view> names,
                       std::span<std::string_view> values);

// Owns what the buffers point into, because a trailer can make libhtp move its own copy.
class HttpHeaders {
 public:
  // The next bytes as they came. They are kept if kHttpHeaderRaw is wanted at the first of them:
  // half a header is none.
  void add_raw(std::string_view bytes, const TransactionSink& sink);
  // What was kept began with another header, that of "100 Continue"; the real one comes after
  // `line`.
  void forget_before(std::string_view line);

  // Once, when all headers are known, each name once. `line` is the request or response line,
  // empty: there is none; `line_host` the host that it names, if any: that takes the place of the
  // Host header.
  void tell(Transaction& transaction, Direction direction, std::span<const HttpField> fields,
            std::string_view line, std::string_view line_host, TransactionSink& sink);
  // Once, after the trailer of a body has joined `fields`: what is new in them.
  void tell_trailer(Transaction& transaction, Direction direction,
                    std::span<const HttpField> fields, TransactionSink& sink);
  // Beside itself.
  size_t memory() const {
    return heap_of(raw_) + heap_of(text_) + heap_of(names_) + heap_of(start_) + heap_of(trailer_);
  }

 private:
  void write_all(std::span<const HttpField> fields, std::string_view cookie);

  enum class Raw : uint8_t { kUndecided, kKept, kNotKept };

  Raw raw_state_ = Raw::kUndecided;
  std::string raw_;
  size_t count_ = 0;    // of headers, before the trailer
  size_t visible_ = 0;  // the bytes of text_ that are not of a cookie
  std::string text_;    // "Name: value\r\n" ..., cookies last
  std::string names_;
  std::string start_;
  std::string trailer_;
};

// The values of headers, empty where there is none. `names` in lower case.
template <size_t kCount>
std::array<std::string_view, kCount> http_headers(const htp_table_t* table,
                                                  const std::string_view (&names)[kCount]) {
  std::array<std::string_view, kCount> values;
  find_http_headers(table, names, values);
  return values;
}
inline std::string_view http_header(const htp_table_t* table, std::string_view name) {
  return http_headers(table, {name})[0];
}

// As ASCII, whatever the case of `text`; `lower` is in lower case.
bool equals_lower(std::string_view text, std::string_view lower);

}  // namespace sluice::inspect
