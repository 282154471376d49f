// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_inflate.h"

#include <zlib.h>

#include <algorithm>
#include <functional>

#include "inspect/app/http_headers.h"

namespace sluice::inspect {
namespace {

constexpr size_t kChunk = 16384;
// What is kept to be told as it came, until something has been decoded; no header is longer.
constexpr size_t kHeldMax = 1024;
constexpr uint64_t kBombRatio = 2048;

// gzip, RFC 1952 2.3
constexpr uint8_t kMagic1 = 0x1f, kMagic2 = 0x8b;
constexpr uint8_t kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16;
constexpr size_t kGzipHeader = 10, kGzipTrailer = 8;

struct Header {
  enum Kind : uint8_t { kMore, kGzip, kZlib, kNone };
  Kind kind;
  size_t length;
};

Header gzip_header(std::span<const uint8_t> bytes) {
  constexpr Header kUnfinished = {Header::kMore, 0};
  if (bytes.size() < kGzipHeader) return kUnfinished;
  if (bytes[2] != 8) return {Header::kNone, 0};  // not deflate
  const uint8_t flags = bytes[3];
  size_t at = kGzipHeader;
  if ((flags & kExtra) != 0) {
    if (bytes.size() < at + 2) return kUnfinished;
    at += 2 + (bytes[at] | static_cast<size_t>(bytes[at + 1]) << 8);
  }
  for (const uint8_t text : {kName, kComment}) {
    if ((flags & text) == 0) continue;
    while (at < bytes.size() && bytes[at] != 0) at++;
    at++;
  }
  if ((flags & kHeaderCrc) != 0) at += 2;
  return at > bytes.size() ? kUnfinished : Header{Header::kGzip, at};
}

// Two bytes say what it is, whatever it is called: servers mix the names up.
Header read_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < 2) return {Header::kMore, 0};
  if (bytes[0] == kMagic1 && bytes[1] == kMagic2) return gzip_header(bytes);
  const bool zlib = (bytes[0] & 0x0f) == 8 && (bytes[0] >> 4) <= 7 &&
                    (bytes[0] * 256 + bytes[1]) % 31 == 0 && (bytes[1] & 0x20) == 0;
  return zlib ? Header{Header::kZlib, 2} : Header{Header::kNone, 0};
}

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

bool contains_lower(std::string_view text, std::string_view lower) {
  for (size_t i = 0; i + lower.size() <= text.size(); i++)
    if (equals_lower(text.substr(i, lower.size()), lower)) return true;
  return false;
}

}  // namespace

// Browsers find a coding inside of junk and control characters, and servers that mean to hide
// something write them: whatever contains the word is meant.
HttpCodings http_codings(std::string_view content_encoding) {
  HttpCodings result;
  while (!content_encoding.empty()) {
    const size_t end = std::min(content_encoding.find_first_of(", \t"), content_encoding.size());
    std::string token(content_encoding.substr(0, end));
    content_encoding.remove_prefix(std::min(end + 1, content_encoding.size()));
    std::erase_if(token, [](unsigned char c) { return c < ' '; });
    if (token.empty() || equals_lower(token, "identity") || equals_lower(token, "none")) continue;
    const bool gzip = contains_lower(token, "gzip");
    const bool exact = equals_lower(token, "gzip") || equals_lower(token, "x-gzip") ||
                       equals_lower(token, "deflate") || equals_lower(token, "x-deflate");
    if (!exact) result.abnormal = true;
    if (!gzip && !contains_lower(token, "deflate")) continue;
    if (result.count == kHttpCodingLayersMax) {
      result.too_many = true;
      result.count = 0;
      return result;
    }
    result.layers[result.count++] = gzip ? HttpCoding::kGzip : HttpCoding::kDeflate;
  }
  return result;
}

// One coding. It decodes raw deflate; what is around that is read here.
class HttpInflate::Layer {
 public:
  using Out = std::function<bool(std::span<const uint8_t>)>;

  explicit Layer(HttpCoding coding) : coding_(coding) {}
  ~Layer() {
    if (ready_) inflateEnd(&stream_);
  }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  // False: whoever gets the bytes has enough.
  bool feed(std::span<const uint8_t> bytes, const Out& out);
  bool failed() const { return failed_; }

 private:
  enum class State : uint8_t { kHeader, kData, kPlain, kOver };

  // Both take what they use off `bytes`.
  bool take_header(std::span<const uint8_t>& bytes, const Out& out);
  bool take_data(std::span<const uint8_t>& bytes, const Out& out);
  size_t hold(std::span<const uint8_t> bytes);
  bool give_up(const Out& out);

  const HttpCoding coding_;
  State state_ = State::kHeader;
  std::string held_;    // all of the input, until something has been decoded
  size_t trailer_ = 0;  // so much of held_ is of the gzip member before
  bool gzip_ = false;   // as its header says
  bool decoded_ = false;
  bool ready_ = false, failed_ = false;
  z_stream stream_{};
};

bool HttpInflate::Layer::feed(std::span<const uint8_t> bytes, const Out& out) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::kHeader:
        if (!take_header(bytes, out)) return false;
        break;
      case State::kData:
        if (!take_data(bytes, out)) return false;
        break;
      case State::kPlain:
        return out(bytes);
      case State::kOver:
        return true;
    }
  }
  return true;
}

size_t HttpInflate::Layer::hold(std::span<const uint8_t> bytes) {
  const size_t length = std::min(bytes.size(), kHeldMax - held_.size());
  held_.append(reinterpret_cast<const char*>(bytes.data()), length);
  return length;
}

bool HttpInflate::Layer::take_header(std::span<const uint8_t>& bytes, const Out& out) {
  const size_t before = held_.size();
  const size_t taken = hold(bytes);
  bytes = bytes.subspan(taken);
  if (held_.size() < trailer_) return true;
  const Header header = read_header(bytes_of(held_).subspan(trailer_));
  if (header.kind == Header::kMore) return held_.size() < kHeldMax ? true : give_up(out);
  if (decoded_ && header.kind != Header::kGzip) {  // no other member
    state_ = State::kOver;
    return true;
  }
  if (header.kind == Header::kNone && coding_ == HttpCoding::kGzip) return give_up(out);
  gzip_ = header.kind == Header::kGzip;
  ready_ = (ready_ ? inflateReset(&stream_) : inflateInit2(&stream_, -MAX_WBITS)) == Z_OK;
  if (!ready_) return give_up(out);
  state_ = State::kData;
  // Back to what follows the header. Raw deflate has none: of its first two bytes, one may have
  // come before.
  const size_t end = trailer_ + header.length;
  const size_t back = std::min(taken, held_.size() - end);
  bytes = {bytes.data() - back, bytes.size() + back};
  const std::string early = held_.substr(end, before > end ? before - end : 0);
  held_.resize(end);
  std::span<const uint8_t> first = bytes_of(early);
  return first.empty() || take_data(first, out);
}

bool HttpInflate::Layer::take_data(std::span<const uint8_t>& bytes, const Out& out) {
  const size_t length = decoded_ ? bytes.size() : hold(bytes);
  if (length == 0) return give_up(out);
  uint8_t chunk[kChunk];
  stream_.next_in = const_cast<uint8_t*>(bytes.data());
  stream_.avail_in = static_cast<uInt>(length);
  int status = Z_OK;
  do {
    stream_.next_out = chunk;
    stream_.avail_out = kChunk;
    status = inflate(&stream_, Z_NO_FLUSH);
    const std::span<const uint8_t> decoded(chunk, kChunk - stream_.avail_out);
    decoded_ = decoded_ || !decoded.empty();
    if (!decoded.empty() && !out(decoded)) return false;
  } while (status == Z_OK && (stream_.avail_in != 0 || stream_.avail_out == 0));
  bytes = bytes.subspan(length - stream_.avail_in);
  if (status == Z_STREAM_END) {
    state_ = gzip_ ? State::kHeader : State::kOver;
    decoded_ = true;
    trailer_ = kGzipTrailer;
    held_.clear();
  } else if (status != Z_OK && status != Z_BUF_ERROR) {
    bytes = bytes.subspan(stream_.avail_in);  // they are in held_
    return give_up(out);
  }
  return true;
}

// A body that nothing was decoded of is told as it came.
bool HttpInflate::Layer::give_up(const Out& out) {
  failed_ = true;
  state_ = decoded_ ? State::kOver : State::kPlain;
  return decoded_ || out(bytes_of(held_));
}

HttpInflate::HttpInflate(const HttpCodings& codings) {
  for (size_t i = codings.count; i-- > 0;)
    layers_.push_back(std::make_unique<Layer>(codings.layers[i]));
}

HttpInflate::~HttpInflate() = default;

HttpInflate::Outcome HttpInflate::feed(std::span<const uint8_t> bytes, Listener& listener) {
  if (bomb_) return Outcome::kGood;
  taken_ += bytes.size();
  const bool more = pass_on(0, bytes, listener);
  if (!more && bomb_) return Outcome::kBomb;
  const bool failed = std::any_of(layers_.begin(), layers_.end(),
                                  [](const auto& layer) { return layer->failed(); });
  if (!failed || failed_) return Outcome::kGood;
  failed_ = true;
  return Outcome::kFailed;
}

bool HttpInflate::pass_on(size_t layer, std::span<const uint8_t> bytes, Listener& listener) {
  decoded_ += layer == 0 ? 0 : bytes.size();
  bomb_ = decoded_ > kHttpBombMin && decoded_ / kBombRatio > taken_;
  if (bomb_) return false;
  if (layer == layers_.size()) return listener.on_decoded(bytes);
  return layers_[layer]->feed(bytes, [&](std::span<const uint8_t> decoded) {
    return pass_on(layer + 1, decoded, listener);
  });
}

}  // namespace sluice::inspect
