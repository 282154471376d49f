// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http2_stream.h"

#include <algorithm>
#include <charconv>

#include "inspect/app/http2.h"
#include "inspect/app/http_config.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

// "host", "host:80", "[::1]:80"
std::string_view without_port(std::string_view authority) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
    return authority;
  return authority.substr(0, colon);
}

// %-escapes of the path and of the query, each by its rules.
std::string decoded(std::string_view uri) {
  const size_t query = std::min(uri.find('?'), uri.size());
  std::string result;
  for (const bool path : {true, false}) {
    const std::string_view part = path ? uri.substr(0, query) : uri.substr(query);
    bstr* const text = bstr_dup_mem(part.data(), part.size());
    if (text == nullptr) return std::string(uri);
    uint64_t flags = 0;
    htp_urldecode_inplace(http_config(), path ? HTP_DECODER_URL_PATH : HTP_DECODER_URLENCODED, text,
                          &flags);
    result.append(view_of(text));
    bstr_free(text);
  }
  return result;
}

void write_headers(JsonLine& line, std::string_view key, const Http2Fields& fields) {
  line.open_array(key);
  for (const HttpField& field : fields.all()) {
    line.element_open();
    line.string("name", field.name);
    line.string("value", field.value);
    line.close();
  }
  line.close_array();
}

}  // namespace

bool Http2Fields::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size();
  if (bytes_ > kHttp2HeadersBytesMax) return false;
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return field.name == name; });
  if (found != fields_.end()) {  // RFC 9113, 8.2.3: cookies come in pieces
    found->value.append(name == "cookie" ? "; " : ", ").append(value);
    return true;
  }
  if (fields_.size() == kHttp2HeadersMax) return false;
  fields_.push_back({std::string(name), std::string(value)});
  return true;
}

std::string_view Http2Fields::get(std::string_view name) const {
  for (const Field& field : fields_)
    if (field.name == name) return field.value;
  return {};
}

std::vector<HttpField> Http2Fields::all() const {
  std::vector<HttpField> result;
  for (const Field& field : fields_) result.push_back({field.name, field.value});
  return result;
}

void Http2Stream::write(JsonLine& line) const {
  const auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) line.string(key, value);
  };
  const Http2Fields& request = sides_[0].fields;
  const Http2Fields& response = sides_[1].fields;
  line.open("http");
  line.string("version", "2");
  write_headers(line, "request_headers", request);
  write_headers(line, "response_headers", response);
  const std::string_view authority = request.get(":authority");
  text("hostname", without_port(authority.empty() ? request.get("host") : authority));
  text("http_method", request.get(":method"));
  text("url", request.get(":path"));
  text("http_user_agent", request.get("user-agent"));
  const std::string_view type = response.get("content-type");
  text("http_content_type", type.substr(0, type.find(';')));
  int status = 0;
  const std::string_view code = response.get(":status");
  if (std::from_chars(code.data(), code.data() + code.size(), status).ec == std::errc())
    line.number("status", status);
  line.unsigned_number("length", sides_[1].body_length);
  line.open("http2");
  line.unsigned_number("stream_id", stream_);
  line.close();
  line.close();
}

void Http2Stream::tell(Direction direction, Buffer buffer, std::string_view text,
                       TransactionSink& sink) {
  if (!text.empty()) sink.buffer(*this, direction, buffer, bytes_of(text));
}

size_t Http2Stream::memory() const {
  size_t bytes = sizeof(*this) + heap_of(uri_) + heap_of(host_);
  for (const Side& side : sides_)
    bytes += side.fields.memory() + side.headers.memory() + side.body.memory();
  return bytes;
}

void Http2Stream::tell_headers(Direction direction, Http2Fields fields, TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  if (side.finished) return;
  if (side.begun) {  // a trailer
    std::vector<HttpField> all = side.fields.all();
    const std::vector<HttpField> late = fields.all();
    all.insert(all.end(), late.begin(), late.end());
    side.headers.tell_trailer(*this, direction, all, sink);
    return;
  }
  if (direction == kToClient && fields.get(":status").starts_with('1')) return;
  side.begun = true;
  side.fields = std::move(fields);
  tell(direction, Buffer::kHttpProtocol, "HTTP/2", sink);
  if (direction == kToServer)
    tell_request(sink);
  else
    tell(direction, Buffer::kHttpStatusCode, side.fields.get(":status"), sink);
  side.headers.tell(*this, direction, side.fields.all(), {},
                    direction == kToServer ? side.fields.get(":authority") : std::string_view(),
                    sink);
  sink.headers_known(*this, direction);
  begin_body(direction, sink);
}

void Http2Stream::tell_request(TransactionSink& sink) {
  const Http2Fields& fields = sides_[0].fields;
  tell(kToServer, Buffer::kHttpMethod, fields.get(":method"), sink);
  tell(kToServer, Buffer::kHttpUriRaw, fields.get(":path"), sink);
  uri_ = decoded(fields.get(":path"));
  tell(kToServer, Buffer::kHttpUri, uri_, sink);
  const std::string_view authority = fields.get(":authority");
  const std::string_view host = fields.get("host");
  if (!authority.empty() && !host.empty() && lower(authority) != lower(host))
    sink.event(this, kToServer, "authority_host_mismatch");
  host_ = lower(without_port(authority.empty() ? host : authority));
  tell(kToServer, Buffer::kHttpHost, host_, sink);
}

void Http2Stream::begin_body(Direction direction, TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  const HttpCodings codings = http_codings(side.fields.get("content-encoding"));
  if (codings.too_many) sink.event(this, direction, "too_many_encoding_layers");
  const std::string name = disposition_filename(side.fields.get("content-disposition"));
  const std::string_view path = std::string_view(uri_).substr(0, uri_.find('?'));
  side.body.begin(direction == kToServer || name.empty() ? path : name,
                  direction == kToServer ? multipart_boundary(side.fields.get("content-type"))
                                         : std::string_view(),
                  codings);
}

void Http2Stream::tell_data(Direction direction, std::span<const uint8_t> bytes,
                            TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  if (side.finished || !side.begun || bytes.empty()) return;
  side.body_length += bytes.size();
  tell_trouble(direction, side.body.data(*this, direction, bytes, sink), sink);
}

void Http2Stream::tell_trouble(Direction direction, HttpBody::Trouble trouble,
                               TransactionSink& sink) {
  if (trouble == HttpBody::Trouble::kBadCoding)
    sink.event(this, direction, "failed_decompression");
  else if (trouble == HttpBody::Trouble::kBomb)
    sink.event(this, direction, "compression_bomb");
}

void Http2Stream::finish(Direction direction, FileEnd end, TransactionSink& sink) {
  Side& side = sides_[static_cast<int>(direction)];
  if (side.finished) return;
  side.finished = true;
  side.body.end(*this, direction, end, sink);
  sink.finished(*this, direction);
}

}  // namespace sluice::inspect
