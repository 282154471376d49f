// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_headers.h"

#include <algorithm>

#include "inspect/app/http_config.h"

namespace sluice::inspect {
namespace {

struct Known {
  std::string_view name;
  Buffer buffer;
  bool to_server, to_client;
};

constexpr Known kKnown[] = {
    {"host", Buffer::kHttpHostRaw, true, false},
    {"user-agent", Buffer::kHttpUserAgent, true, false},
    {"referer", Buffer::kHttpReferer, true, false},
    {"accept", Buffer::kHttpAccept, true, false},
    {"accept-language", Buffer::kHttpAcceptLanguage, true, false},
    {"accept-encoding", Buffer::kHttpAcceptEncoding, true, false},
    {"connection", Buffer::kHttpConnection, true, true},
    {"content-type", Buffer::kHttpContentType, true, true},
    {"content-length", Buffer::kHttpContentLength, true, true},
    {"cookie", Buffer::kHttpCookie, true, false},
    {"set-cookie", Buffer::kHttpCookie, false, true},
    {"server", Buffer::kHttpServer, false, true},
    {"location", Buffer::kHttpLocation, false, true},
};

const Known* known_header(std::string_view name, Direction direction) {
  const bool to_server = direction == Direction::kToServer;
  for (const Known& known : kKnown) {
    if ((to_server ? known.to_server : known.to_client) && equals_lower(name, known.name))
      return &known;
  }
  return nullptr;
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

size_t line_length(const HttpField& field) { return field.name.size() + field.value.size() + 4; }

// Writes the line there; where that ends.
char* write_line(char* at, const HttpField& field) {
  for (const std::string_view part :
       {field.name, std::string_view(": "), field.value, std::string_view("\r\n")})
    at = std::copy(part.begin(), part.end(), at);
  return at;
}

// As libhtp has it: a zero byte is no part of a name.
bool is_same_name(std::string_view name, std::string_view lower) {
  if (name.size() < lower.size()) return false;
  size_t at = 0;
  for (const char c : name) {
    if (c == '\0') continue;
    if (at == lower.size() || (c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[at])
      return false;
    at++;
  }
  return at == lower.size();
}

Buffer line_buffer(Direction direction) {
  return direction == Direction::kToServer ? Buffer::kHttpRequestHeader
                                           : Buffer::kHttpResponseHeader;
}

}  // namespace

bool equals_lower(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
         });
}

std::vector<HttpField> http_fields(const htp_table_t& table) {
  std::vector<HttpField> result(htp_table_size(&table));
  for (size_t i = 0; i < result.size(); i++) {
    const auto* header = static_cast<const htp_header_t*>(htp_table_get_index(&table, i, nullptr));
    result[i] = {view_of(header->name), view_of(header->value),
                 (header->flags & HTP_FIELD_REPEATED) != 0};
  }
  return result;
}

void find_http_headers(const htp_table_t* table, std::span<const std::string_view> names,
                       std::span<std::string_view> values) {
  if (table == nullptr) return;
  uint64_t found = 0;
  const size_t size = htp_table_size(table);
  for (size_t i = 0; i < size; i++) {
    bstr* key = nullptr;
    const auto* header = static_cast<const htp_header_t*>(htp_table_get_index(table, i, &key));
    for (size_t n = 0; n < names.size(); n++) {
      if ((found >> n & 1) != 0 || !is_same_name(view_of(key), names[n])) continue;
      found |= uint64_t{1} << n;  // the first of its name counts
      values[n] = view_of(header->value);
    }
  }
}

void HttpHeaders::add_raw(std::string_view bytes, const TransactionSink& sink) {
  if (raw_state_ == Raw::kUndecided)
    raw_state_ = sink.wants(Buffer::kHttpHeaderRaw) ? Raw::kKept : Raw::kNotKept;
  if (raw_state_ == Raw::kKept) raw_.append(bytes);
}

void HttpHeaders::forget_before(std::string_view line) {
  const size_t at = raw_.rfind(line);
  if (at == std::string::npos) return;
  const size_t newline = raw_.find('\n', at + line.size());
  if (newline != std::string::npos) raw_.erase(0, newline + 1);
}

void HttpHeaders::tell(Transaction& transaction, Direction direction,
                       std::span<const HttpField> fields, std::string_view line,
                       std::string_view line_host, TransactionSink& sink) {
  if (count_ != 0) return;
  const std::string_view cookie = direction == Direction::kToServer ? "cookie" : "set-cookie";
  count_ = fields.size();
  write_all(fields, cookie);

  const bool wants_lines = sink.wants(line_buffer(direction));
  const bool wants_names = sink.wants(Buffer::kHttpHeaderNames);
  const bool wants_start = !line.empty() && sink.wants(Buffer::kHttpStart);
  if (wants_names) {
    names_.reserve(text_.size());
    names_ = "\r\n";
  }
  if (wants_start) {
    start_.reserve(line.size() + text_.size() + 4);
    start_.append(line).append("\r\n");
  }

  if (!line_host.empty())
    sink.buffer(transaction, direction, Buffer::kHttpHostRaw, bytes_of(line_host));
  size_t at = 0, cookie_at = visible_;
  for (const HttpField& field : fields) {
    const std::string_view name = field.name;
    size_t& where = equals_lower(name, cookie) ? cookie_at : at;
    const std::string_view text = std::string_view(text_).substr(where, line_length(field));
    where += text.size();
    const Known* const known = known_header(name, direction);
    if (known != nullptr && (known->buffer != Buffer::kHttpHostRaw || line_host.empty())) {
      const std::string_view value = text.substr(name.size() + 2, field.value.size());
      sink.buffer(transaction, direction, known->buffer, bytes_of(value));
    }
    if (wants_lines) {
      const std::string_view bare = text.substr(0, text.size() - 2);
      sink.buffer(transaction, direction, line_buffer(direction), bytes_of(bare));
    }
    if (wants_names) names_.append(name).append("\r\n");
    if (wants_start) start_.append(text);
  }
  if (visible_ != 0) {
    const std::string_view visible = std::string_view(text_).substr(0, visible_);
    sink.buffer(transaction, direction, Buffer::kHttpHeader, bytes_of(visible));
  }
  if (!raw_.empty()) sink.buffer(transaction, direction, Buffer::kHttpHeaderRaw, bytes_of(raw_));
  if (wants_names) {
    names_ += "\r\n";
    sink.buffer(transaction, direction, Buffer::kHttpHeaderNames, bytes_of(names_));
  }
  if (wants_start) {
    start_ += "\r\n";
    sink.buffer(transaction, direction, Buffer::kHttpStart, bytes_of(start_));
  }
}

void HttpHeaders::write_all(std::span<const HttpField> fields, std::string_view cookie) {
  size_t length = 0;
  for (const HttpField& field : fields) length += line_length(field);
  text_.resize(length);
  char* at = text_.data();
  for (const bool cookies : {false, true}) {
    for (const HttpField& field : fields)
      if (equals_lower(field.name, cookie) == cookies) at = write_line(at, field);
    if (!cookies) visible_ = static_cast<size_t>(at - text_.data());
  }
}

void HttpHeaders::tell_trailer(Transaction& transaction, Direction direction,
                               std::span<const HttpField> fields, TransactionSink& sink) {
  if (!trailer_.empty() || !sink.wants(line_buffer(direction))) return;
  std::vector<size_t> lengths;
  for (size_t i = 0; i < fields.size(); i++) {
    if (i < count_ && !fields[i].repeated) continue;
    const size_t length = line_length(fields[i]);
    trailer_.resize(trailer_.size() + length);
    write_line(trailer_.data() + trailer_.size() - length, fields[i]);
    lengths.push_back(length);
  }
  size_t at = 0;
  for (const size_t length : lengths) {
    const std::string_view bare = std::string_view(trailer_).substr(at, length - 2);
    sink.buffer(transaction, direction, line_buffer(direction), bytes_of(bare));
    at += length;
  }
}

}  // namespace sluice::inspect
