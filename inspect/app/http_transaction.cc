// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_transaction.h"

#include <algorithm>
#include <charconv>

#include "inspect/app/http_config.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;
// What libhtp takes for a transaction, for each of its headers, and how often it copies their
// bytes.
constexpr size_t kRecordBytes = 3072;
constexpr size_t kHeaderBytes = 160;
constexpr size_t kCopies = 2;

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void write_text(JsonLine& line, JsonKey key, std::string_view value) {
  if (!value.empty()) line.string(key, value);
}

// "bytes 0-99/1234" or "bytes */1234"
void write_content_range(JsonLine& line, std::string_view value) {
  if (value.empty()) return;
  line.open("content_range");
  line.string("raw", value);
  const auto number = [&](JsonKey key, std::string_view text) {
    uint64_t n = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), n).ec == std::errc())
      line.unsigned_number(key, n);
  };
  const size_t space = value.find(' ');
  const size_t dash = value.find('-');
  const size_t slash = value.find('/');
  if (space != std::string_view::npos && slash != std::string_view::npos && slash > space) {
    if (dash != std::string_view::npos && dash > space && dash < slash) {
      number("start", value.substr(space + 1, dash - space - 1));
      number("end", value.substr(dash + 1, slash - dash - 1));
    }
    number("size", value.substr(slash + 1));
  }
  line.close();
}

}  // namespace

// libhtp takes what stands behind CONNECT for a host, even a path.
std::string_view HttpTransaction::hostname() const {
  const std::string_view name = view_of(tx->request_hostname);
  const bool path = tx->request_method_number == HTP_M_CONNECT && name.starts_with('/');
  return path ? http_header(tx->request_headers, "host") : name;
}

// The last file of a transaction, its rules and its own event all tell of it when it is over.
void HttpTransaction::write(JsonLine& line) const {
  if (!written_.empty()) {
    line.members(written_);
    return;
  }
  const size_t before = line.written().size();
  write_object(line, true);
  if (!finished(kToServer) || !finished(kToClient)) return;
  written_ = line.written().substr(before);
  if (written_.starts_with(',')) written_.erase(0, 1);
}

void HttpTransaction::write_object(JsonLine& line, bool extended) const {
  line.open("http");
  write_text(line, "hostname", hostname());
  if (tx->request_port_number > 0) line.number("http_port", tx->request_port_number);
  write_text(line, "url", view_of(tx->request_uri));
  const auto [user_agent, forwarded_for, referer] =
      http_headers(tx->request_headers, {"user-agent", "x-forwarded-for", "referer"});
  const auto [content_type, content_range, location] =
      http_headers(tx->response_headers, {"content-type", "content-range", "location"});
  write_text(line, "http_user_agent", user_agent);
  write_text(line, "xff", forwarded_for);
  write_text(line, "http_content_type", content_type.substr(0, content_type.find(';')));
  write_content_range(line, content_range);
  if (extended) write_more(line, referer, location);
  line.close();
}

void HttpTransaction::write_more(JsonLine& line, std::string_view referer,
                                 std::string_view location) const {
  write_text(line, "http_refer", referer);
  write_text(line, "http_method", view_of(tx->request_method));
  write_text(line, "protocol", view_of(tx->request_protocol));
  if (tx->response_status_number > 0) {
    line.number("status", tx->response_status_number);
  } else {
    write_text(line, "status_string", view_of(tx->response_status));
  }
  write_text(line, "redirect", location);
  line.number("length", tx->response_message_len);
}

void HttpTransaction::tell(TransactionSink& sink, Direction direction, Buffer buffer,
                           const bstr* text) {
  if (text != nullptr && bstr_len(text) != 0)
    sink.buffer(*this, direction, buffer, bytes_of(view_of(text)));
}

std::string_view HttpTransaction::path() const {
  return tx->parsed_uri == nullptr ? std::string_view() : view_of(tx->parsed_uri->path);
}

size_t HttpTransaction::memory() const {
  const size_t headers = htp_table_size(tx->request_headers) + htp_table_size(tx->response_headers);
  size_t bytes = sizeof(*this) + kRecordBytes + headers * kHeaderBytes + kCopies * held +
                 heap_of(uri_) + heap_of(host_) + heap_of(written_);
  for (const Side& side : sides_) bytes += side.headers.memory() + side.body.memory();
  return bytes;
}

void HttpTransaction::tell_request_line(TransactionSink& sink) {
  tell(sink, kToServer, Buffer::kHttpRequestLine, tx->request_line);
  tell(sink, kToServer, Buffer::kHttpMethod, tx->request_method);
  tell(sink, kToServer, Buffer::kHttpUriRaw, tx->request_uri);
  if (tx->request_method_number == HTP_M_CONNECT) {
    uri_ = view_of(tx->request_uri);
  } else if (tx->parsed_uri != nullptr) {
    uri_ = path();
    if (tx->parsed_uri->query != nullptr) uri_.append("?").append(view_of(tx->parsed_uri->query));
    if (tx->parsed_uri->fragment != nullptr)
      uri_.append("#").append(view_of(tx->parsed_uri->fragment));
  }
  if (!uri_.empty()) sink.buffer(*this, kToServer, Buffer::kHttpUri, bytes_of(uri_));
  tell(sink, kToServer, Buffer::kHttpProtocol, tx->request_protocol);
}

void HttpTransaction::tell_request_headers(TransactionSink& sink) {
  const uint64_t events = http_events_of_request(*tx);
  for (int i = 0; i < static_cast<int>(HttpEvent::kCount); i++)
    if (((events >> i) & 1) != 0) tell_event(kToServer, static_cast<HttpEvent>(i), sink);

  host_ = hostname();
  std::transform(host_.begin(), host_.end(), host_.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (!host_.empty()) sink.buffer(*this, kToServer, Buffer::kHttpHost, bytes_of(host_));
  const htp_uri_t* const uri = tx->parsed_uri_raw;
  headers(kToServer).tell(*this, kToServer, http_fields(*tx->request_headers),
                          view_of(tx->request_line),
                          uri == nullptr ? std::string_view() : view_of(uri->hostname), sink);
  sink.headers_known(*this, kToServer);
}

void HttpTransaction::tell_response_line(TransactionSink& sink) {
  if (response_line_told_ || tx->response_line == nullptr) return;
  response_line_told_ = true;
  tell(sink, kToClient, Buffer::kHttpResponseLine, tx->response_line);
  tell(sink, kToClient, Buffer::kHttpProtocol, tx->response_protocol);
  tell(sink, kToClient, Buffer::kHttpStatusCode, tx->response_status);
  tell(sink, kToClient, Buffer::kHttpStatusMessage, tx->response_message);
}

void HttpTransaction::tell_response_headers(TransactionSink& sink) {
  tell_response_line(sink);
  if (interim) headers(kToClient).forget_before(view_of(tx->response_line));
  headers(kToClient).tell(*this, kToClient, http_fields(*tx->response_headers),
                          view_of(tx->response_line), {}, sink);
  sink.headers_known(*this, kToClient);
}

void HttpTransaction::tell_trailer(Direction direction, TransactionSink& sink) {
  const htp_table_t& table = direction == kToServer ? *tx->request_headers : *tx->response_headers;
  headers(direction).tell_trailer(*this, direction, http_fields(table), sink);
}

void HttpTransaction::begin_body(Direction direction, TransactionSink& sink) {
  const bool request = direction == kToServer;
  const htp_table_t* const table = request ? tx->request_headers : tx->response_headers;
  const auto [encoding, type, disposition] =
      http_headers(table, {"content-encoding", "content-type", "content-disposition"});
  const HttpCodings codings = http_codings(encoding);
  if (codings.abnormal) tell_event(direction, HttpEvent::kAbnormalCeHeader, sink);
  if (codings.too_many) tell_event(direction, HttpEvent::kTooManyEncodingLayers, sink);
  const std::string name = request ? std::string() : disposition_filename(disposition);
  Side& side = sides_[static_cast<int>(direction)];
  side.body_begun = true;
  side.body.begin(name.empty() ? path() : name,
                  request ? multipart_boundary(type) : std::string_view(), codings);
}

void HttpTransaction::tell_body(Direction direction, std::span<const uint8_t> bytes,
                                TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  if (bytes.empty()) return;
  if (!side.body_begun) begin_body(direction, sink);
  if (bytes.data() == nullptr) {
    side.body.gap(*this, direction, bytes.size(), sink);
    return;
  }
  tell_trouble(direction, side.body.data(*this, direction, bytes, sink), sink);
}

void HttpTransaction::tell_trouble(Direction direction, HttpBody::Trouble trouble,
                                   TransactionSink& sink) {
  static constexpr HttpEvent kEvents[] = {
      HttpEvent::kCount,
      HttpEvent::kMultipartGenericError,
      HttpEvent::kFileNameTooLong,
      HttpEvent::kMultipartInvalidHeader,
      HttpEvent::kMultipartNoFiledata,
      HttpEvent::kGzipDecompressionFailed,
      HttpEvent::kCompressionBomb,
  };
  if (trouble != HttpBody::Trouble::kNone)
    tell_event(direction, kEvents[static_cast<int>(trouble)], sink);
}

void HttpTransaction::finish(Direction direction, FileEnd end, TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  if (side.finished) return;
  side.finished = true;
  if (direction == kToClient) tell_response_line(sink);
  tell_trouble(direction, side.body.end(*this, direction, end, sink), sink);
  sink.finished(*this, direction);
}

void HttpTransaction::tell_event(Direction direction, HttpEvent event, TransactionSink& sink) {
  uint64_t& told = sides_[static_cast<int>(direction)].events;
  const uint64_t bit = uint64_t{1} << static_cast<int>(event);
  if ((told & bit) != 0) return;
  told |= bit;
  sink.event(this, direction, http_event_name(event));
}

}  // namespace sluice::inspect
