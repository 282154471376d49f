// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_multipart.h"

#include <algorithm>

#include "inspect/app/http.h"
#include "inspect/app/http_headers.h"

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

std::string_view disposition_filename(std::string_view header_value) {
  return parameter(header_value, "filename");
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
  line_.clear();
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
    line_.clear();
  }
  return taken;
}

size_t HttpMultipart::feed_headers(std::span<const uint8_t> bytes, Listener& listener) {
  const std::string_view text = text_of(bytes);
  const size_t end = text.find('\n');
  const size_t taken = end == std::string_view::npos ? text.size() : end + 1;
  if (line_.size() + taken > kHttpPartHeaderMax) {
    listener.on_bad_header();
    state_ = State::kSkip;
    line_.clear();
    return taken;
  }
  line_.append(text.substr(0, taken));
  if (end == std::string_view::npos) return taken;
  const std::string_view all = line_;
  if (all == "\n" || all == "\r\n" || all.ends_with("\n\n") || all.ends_with("\n\r\n"))
    end_of_headers(listener);
  return taken;
}

void HttpMultipart::end_of_headers(Listener& listener) {
  std::string_view name;
  std::string_view rest = line_;
  while (!rest.empty()) {
    size_t end = rest.find('\n');  // of the header: lines that begin with a blank belong to it
    while (end + 1 < rest.size() && (rest[end + 1] == ' ' || rest[end + 1] == '\t'))
      end = std::min(rest.find('\n', end + 1), rest.size() - 1);
    const std::string_view header = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const size_t colon = header.find(':');
    if (colon != std::string_view::npos &&
        equals_lower(trim(header.substr(0, colon)), "content-disposition"))
      name = disposition_filename(header.substr(colon + 1));
  }
  state_ = name.empty() ? State::kSkip : State::kFile;
  if (!name.empty()) listener.on_file(name);
  line_.clear();
  held_ = "\r\n";  // the line that ended the headers may begin the next delimiter: an empty part
  not_content_ = held_.size();
}

}  // namespace sluice::inspect
