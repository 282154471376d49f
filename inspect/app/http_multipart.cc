// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_multipart.h"

#include <algorithm>
#include <utility>

#include "inspect/app/http.h"
#include "inspect/app/http_headers.h"
#include "inspect/app/mime_header.h"

namespace sluice::inspect {
namespace {

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The value of `name` among "; name=value" parameters; quotes are taken off.
std::string_view parameter(std::string_view text, std::string_view name) {
  size_t at = text.find(';');
  while (at != std::string_view::npos && at + 1 < text.size()) {
    text.remove_prefix(at + 1);
    const size_t equals = text.find_first_of("=;");
    if (equals == std::string_view::npos) return {};
    if (text[equals] == ';') {
      at = equals;
      continue;
    }
    const bool found = equals_lower(trim(text.substr(0, equals)), name);
    text.remove_prefix(equals + 1);
    const size_t quote = text.find_first_not_of(" \t");
    if (quote != std::string_view::npos && text[quote] == '"') {
      text.remove_prefix(quote + 1);
      size_t end = 0;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      if (found) return text.substr(0, end);
      text.remove_prefix(std::min(end, text.size()));
    } else if (found) {
      return trim(text.substr(0, text.find(';')));
    }
    at = text.find(';');
  }
  return {};
}

}  // namespace

std::string_view multipart_boundary(std::string_view content_type) {
  if (!equals_lower(content_type.substr(0, 10), "multipart/")) return {};
  const std::string_view boundary = parameter(content_type, "boundary");
  return boundary.size() > kHttpBoundaryMax ? std::string_view() : boundary;
}

std::string disposition_filename(std::string_view header_value) {
  const std::string_view name = parameter(header_value, "filename");
  return name.empty() ? mime_parameter(header_value, "filename") : std::string(name);
}

HttpMultipart::HttpMultipart(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)), held_("\r\n"), not_content_(2) {}

void HttpMultipart::feed(std::span<const uint8_t> bytes, Listener& listener) {
  while (!bytes.empty() && state_ != State::kEpilogue) {
    size_t taken = 0;
    switch (state_) {
      case State::kSkip:
      case State::kFile:
        taken = feed_content(bytes, listener);
        break;
      case State::kBoundaryLine:
        taken = feed_boundary_line(bytes);
        break;
      case State::kHeaders:
        taken = feed_headers(bytes, listener);
        break;
      case State::kEpilogue:
        break;
    }
    bytes = bytes.subspan(taken);
  }
}

void HttpMultipart::gap() {
  if (state_ == State::kEpilogue) return;
  if (state_ != State::kFile) state_ = State::kSkip;
  held_.clear();
  not_content_ = 0;
  begin_part();
}

// Content up to the next CR or LF at once; from there on byte by byte, as long as it may become
// the delimiter. Neither CR nor LF is inside a delimiter, so a failed one hides no other.
size_t HttpMultipart::feed_content(std::span<const uint8_t> bytes, Listener& listener) {
  const bool is_file = state_ == State::kFile;
  const std::string_view text = text_of(bytes);
  size_t at = 0;
  while (at < text.size()) {
    if (held_.empty()) {
      const size_t end = std::min(text.find_first_of("\r\n", at), text.size());
      if (is_file && end > at) listener.on_file_data(bytes.subspan(at, end - at));
      if (end < text.size()) held_ = text[end];
      at = end + 1;
      continue;
    }
    const std::string_view delimiter =
        std::string_view(delimiter_).substr(held_.front() == '\n' ? 1 : 0);
    if (text[at] == delimiter[held_.size()]) {
      held_ += text[at++];
      if (held_.size() < delimiter.size()) continue;
      held_.clear();
      not_content_ = 0;
      line_.clear();
      state_ = State::kBoundaryLine;
      if (is_file) listener.on_file_end();
      return at;
    }
    if (is_file && held_.size() > not_content_) {
      const auto* const held = reinterpret_cast<const uint8_t*>(held_.data());
      listener.on_file_data({held + not_content_, held_.size() - not_content_});
    }
    held_.clear();
    not_content_ = 0;
  }
  return std::min(at, text.size());
}

size_t HttpMultipart::feed_boundary_line(std::span<const uint8_t> bytes) {
  const std::string_view text = text_of(bytes);
  const size_t end = text.find('\n');
  const size_t taken = end == std::string_view::npos ? text.size() : end + 1;
  if (line_.size() < 2) line_.append(text.substr(0, std::min(taken, 2 - line_.size())));
  if (line_ == "--") {
    state_ = State::kEpilogue;
  } else if (end != std::string_view::npos) {
    state_ = State::kHeaders;
    begin_part();
  }
  return taken;
}

size_t HttpMultipart::feed_headers(std::span<const uint8_t> bytes, Listener& listener) {
  const std::string_view text = text_of(bytes);
  // A line that begins with a blank belongs to the header before it.
  if (line_over_ && text[0] != ' ' && text[0] != '\t') end_of_header();
  const size_t end = text.find('\n');
  const size_t taken = end == std::string_view::npos ? text.size() : end + 1;
  const size_t room = kHttpPartHeaderMax - line_.size();
  if (taken > room && !std::exchange(header_cut_, true)) listener.on_bad_header();
  line_.append(text.substr(0, std::min(taken, room)));
  line_over_ = end != std::string_view::npos;
  if (!line_over_) return taken;
  if (!line_.ends_with('\n')) line_.back() = '\n';  // it is cut
  if (line_ == "\n" || line_ == "\r\n") end_of_headers(listener);
  return taken;
}

void HttpMultipart::end_of_header() {
  const size_t colon = line_.find(':');
  if (colon != std::string::npos &&
      equals_lower(trim(std::string_view(line_).substr(0, colon)), "content-disposition"))
    name_ = disposition_filename(std::string_view(line_).substr(colon + 1));
  line_.clear();
}

// The name may stand in what was cut off: such a part is a file without one.
void HttpMultipart::end_of_headers(Listener& listener) {
  const bool is_file = !name_.empty() || header_cut_;
  state_ = is_file ? State::kFile : State::kSkip;
  if (is_file) listener.on_file(name_);
  begin_part();
  held_ = "\r\n";  // the line that ended the headers may begin the next delimiter: an empty part
  not_content_ = held_.size();
}

void HttpMultipart::begin_part() {
  line_.clear();
  name_.clear();
  header_cut_ = line_over_ = false;
}

}  // namespace sluice::inspect
