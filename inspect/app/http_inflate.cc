// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_inflate.h"

#include <zlib.h>

#include <algorithm>
#include <functional>

#include "inspect/app/http_headers.h"
#include "inspect/app/memory.h"

namespace sluice::inspect {
namespace {

constexpr size_t kChunk = 16384;
// What is kept to be told as it came, until something has been decoded. A header, and empty blocks
// behind it, may be longer.
constexpr size_t kHeldMax = 1024;
constexpr uint64_t kBombRatio = 2048;
// What zlib takes to decode: its tables and the window of 32 KB.
constexpr size_t kZlibBytes = 40 << 10;

// gzip, RFC 1952 2.3
constexpr uint8_t kMagic1 = 0x1f, kMagic2 = 0x8b;
constexpr uint8_t kHasCrc = 2, kHasExtra = 4, kHasName = 8, kHasComment = 16;
constexpr size_t kGzipHeader = 10, kGzipTrailer = 8;

// Reads what stands before the data, of any length, and keeps none of it but its first two bytes:
// they say what it is, whatever it is called, because servers mix the names up.
class HeaderReader {
 public:
  enum class Kind : uint8_t { kMore, kGzip, kZlib, kNone };

  // Takes what it reads off `bytes`. kNone: it has read a few bytes of what is no header.
  Kind take(std::span<const uint8_t>& bytes) {
    Kind kind = Kind::kMore;
    while (kind == Kind::kMore && !bytes.empty()) {
      kind = take(bytes[0]);
      bytes = bytes.subspan(1);
    }
    return kind;
  }
  std::span<const uint8_t> first_two() const { return first_; }

 private:
  // In their order; all but the first may be missing.
  enum class Part : uint8_t { kFixed, kExtraLength, kExtra, kName, kComment, kCrc };

  Kind take(uint8_t byte) {
    const size_t at = at_++;
    switch (part_) {
      case Part::kFixed:
        return fixed(at, byte);
      case Part::kExtraLength:
        extra_left_ |= static_cast<size_t>(byte) << 8 * at;
        if (at == 0) return Kind::kMore;
        return extra_left_ != 0 ? begin(Part::kExtra) : after(Part::kExtra);
      case Part::kExtra:
        return at + 1 < extra_left_ ? Kind::kMore : after(part_);
      case Part::kName:
      case Part::kComment:
        return byte != 0 ? Kind::kMore : after(part_);
      default:
        return at == 0 ? Kind::kMore : after(part_);
    }
  }

  Kind fixed(size_t at, uint8_t byte) {
    if (at < first_.size()) first_[at] = byte;
    if (at == 1 && !(first_[0] == kMagic1 && byte == kMagic2)) {
      const bool zlib = (first_[0] & 0x0f) == 8 && (first_[0] >> 4) <= 7 &&
                        (first_[0] * 256 + byte) % 31 == 0 && (byte & 0x20) == 0;
      return zlib ? Kind::kZlib : Kind::kNone;
    }
    if (at == 2 && byte != 8) return Kind::kNone;  // not deflate
    if (at == 3) flags_ = byte;
    return at + 1 < kGzipHeader ? Kind::kMore : after(part_);
  }

  Kind begin(Part part) {
    part_ = part;
    at_ = 0;
    return Kind::kMore;
  }
  Kind after(Part part) {
    if (part < Part::kExtraLength && (flags_ & kHasExtra) != 0) return begin(Part::kExtraLength);
    if (part < Part::kName && (flags_ & kHasName) != 0) return begin(Part::kName);
    if (part < Part::kComment && (flags_ & kHasComment) != 0) return begin(Part::kComment);
    if (part < Part::kCrc && (flags_ & kHasCrc) != 0) return begin(Part::kCrc);
    return Kind::kGzip;
  }

  Part part_ = Part::kFixed;
  uint8_t flags_ = 0;
  std::array<uint8_t, 2> first_{};
  size_t at_ = 0;  // within the part
  size_t extra_left_ = 0;
};

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
  size_t memory() const { return sizeof(*this) + heap_of(held_) + (ready_ ? kZlibBytes : 0); }

 private:
  enum class State : uint8_t { kHeader, kData, kPlain, kOver };

  // These take what they use off `bytes`.
  bool take_header(std::span<const uint8_t>& bytes, const Out& out);
  bool take_data(std::span<const uint8_t>& bytes, const Out& out);
  bool decode(std::span<const uint8_t>& bytes, const Out& out);
  size_t hold(std::span<const uint8_t> bytes);
  bool give_up(const Out& out);

  const HttpCoding coding_;
  State state_ = State::kHeader;
  HeaderReader header_;
  std::string held_;         // the beginning of the input, until something has been decoded
  bool held_all_ = true;     // all of it
  size_t trailer_left_ = 0;  // of the gzip member before
  bool gzip_ = false;        // as its header says
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
  using Kind = HeaderReader::Kind;
  const size_t of_trailer = std::min(trailer_left_, bytes.size());
  trailer_left_ -= of_trailer;
  bytes = bytes.subspan(of_trailer);
  const std::span<const uint8_t> all = bytes;
  const Kind kind = header_.take(bytes);
  const size_t taken = all.size() - bytes.size();
  if (!decoded_) held_all_ = hold(all.first(taken)) == taken && held_all_;
  if (kind == Kind::kMore) return true;
  if (decoded_ && kind != Kind::kGzip) {  // no other member
    state_ = State::kOver;
    return true;
  }
  if (kind == Kind::kNone && coding_ == HttpCoding::kGzip) return give_up(out);
  gzip_ = kind == Kind::kGzip;
  ready_ = (ready_ ? inflateReset(&stream_) : inflateInit2(&stream_, -MAX_WBITS)) == Z_OK;
  if (!ready_) return give_up(out);
  state_ = State::kData;
  if (kind != Kind::kNone) return true;
  std::span<const uint8_t> data = header_.first_two();  // raw deflate has no header
  return decode(data, out);
}

// Bytes that are held are decoded apart from those that are not, so that it does not matter where
// the input was cut.
bool HttpInflate::Layer::take_data(std::span<const uint8_t>& bytes, const Out& out) {
  const size_t held = decoded_ ? 0 : hold(bytes);
  if (held == 0) {
    held_all_ = false;
    return decode(bytes, out);
  }
  std::span<const uint8_t> data = bytes.first(held);
  const bool more = decode(data, out);
  bytes = bytes.subspan(held - (failed_ ? 0 : data.size()));
  return more;
}

bool HttpInflate::Layer::decode(std::span<const uint8_t>& bytes, const Out& out) {
  const size_t length = bytes.size();
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
    trailer_left_ = kGzipTrailer;
    header_ = {};
    held_.clear();
  } else if (status != Z_OK && status != Z_BUF_ERROR) {
    return give_up(out);
  }
  return true;
}

// A body that nothing was decoded of is told as it came, if all of it is there, or its beginning.
bool HttpInflate::Layer::give_up(const Out& out) {
  failed_ = true;
  state_ = decoded_ || !held_all_ ? State::kOver : State::kPlain;
  return decoded_ || out(bytes_of(held_));
}

HttpInflate::HttpInflate(const HttpCodings& codings) {
  for (size_t i = codings.count; i-- > 0;)
    layers_.push_back(std::make_unique<Layer>(codings.layers[i]));
}

HttpInflate::~HttpInflate() = default;

size_t HttpInflate::memory() const {
  size_t bytes = sizeof(*this);
  for (const auto& layer : layers_) bytes += layer->memory();
  return bytes;
}

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
