// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/transform.h"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

using Bytes = std::vector<uint8_t>;
using Kind = Transform::Kind;

struct Entry {
  std::string_view keyword;
  Kind kind;
};

constexpr Entry kTable[] = {
    {"dotprefix", Kind::kDotPrefix},
    {"to_lowercase", Kind::kToLowercase},
    {"to_uppercase", Kind::kToUppercase},
    {"url_decode", Kind::kUrlDecode},
    {"strip_whitespace", Kind::kStripWhitespace},
    {"compress_whitespace", Kind::kCompressWhitespace},
    {"strip_pseudo_headers", Kind::kStripPseudoHeaders},
    {"header_lowercase", Kind::kHeaderLowercase},
    {"from_base64", Kind::kFromBase64},
    {"xor", Kind::kXor},
    {"to_md5", Kind::kMd5},
    {"to_sha1", Kind::kSha1},
    {"to_sha256", Kind::kSha256},
    {"domain", Kind::kDomain},
    {"tld", Kind::kTopLevelDomain},
};

const Entry* find(std::string_view keyword) {
  const auto* const found = std::find_if(std::begin(kTable), std::end(kTable),
                                         [&](const Entry& e) { return e.keyword == keyword; });
  return found == std::end(kTable) ? nullptr : found;
}

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; }
uint8_t upper(uint8_t c) { return c >= 'a' && c <= 'z' ? static_cast<uint8_t>(c - 32) : c; }

// %XX and + as forms write them; what is no escape stays.
Bytes url_decoded(const Bytes& in) {
  Bytes out;
  out.reserve(in.size());
  for (size_t i = 0; i < in.size(); i++) {
    const int high = i + 2 < in.size() ? hex_digit(static_cast<char>(in[i + 1])) : -1;
    const int low = i + 2 < in.size() ? hex_digit(static_cast<char>(in[i + 2])) : -1;
    if (in[i] == '%' && high >= 0 && low >= 0) {
      out.push_back(static_cast<uint8_t>(high << 4 | low));
      i += 2;
    } else {
      out.push_back(in[i] == '+' ? ' ' : in[i]);
    }
  }
  return out;
}

Bytes whitespace_compressed(const Bytes& in) {
  Bytes out;
  for (const uint8_t c : in) {
    if (!is_space(c) || out.empty() || !is_space(out.back())) out.push_back(c);
  }
  return out;
}

// Lines of HTTP headers: `change` gets each line with its end.
template <class Change>
Bytes lines_changed(const Bytes& in, Change change) {
  Bytes out;
  for (auto at = in.begin(); at != in.end();) {
    auto end = std::find(at, in.end(), '\n');
    if (end != in.end()) ++end;
    change(Bytes(at, end), out);
    at = end;
  }
  return out;
}

Bytes without_pseudo_headers(const Bytes& in) {
  return lines_changed(in, [](const Bytes& line, Bytes& out) {
    if (line.front() != ':') out.insert(out.end(), line.begin(), line.end());
  });
}

Bytes header_names_lowered(const Bytes& in) {
  return lines_changed(in, [](Bytes line, Bytes& out) {
    const auto start = line.begin() + (line.front() == ':' ? 1 : 0);
    std::transform(line.begin(), std::find(start, line.end(), ':'), line.begin(), lower);
    out.insert(out.end(), line.begin(), line.end());
  });
}

// The key that the rule has, or the one that is in the buffer; empty: it is not there.
Bytes key_of(const Bytes& in, const Transform& transform) {
  if (!transform.argument.empty()) return {transform.argument.begin(), transform.argument.end()};
  if (in.size() < size_t{transform.key_offset} + transform.length) return {};
  const auto begin = in.begin() + transform.key_offset;
  return {begin, begin + transform.length};
}

Bytes xored(Bytes in, const Transform& transform) {
  const Bytes key = key_of(in, transform);
  if (key.empty()) return {};
  for (size_t i = transform.offset; i < in.size(); i++)
    in[i] ^= key[(i - transform.offset) % key.size()];
  return in;
}

Bytes from_base64(const Bytes& in, const Transform& transform) {
  if (in.size() < transform.offset) return {};
  const auto text = std::span(in).subspan(transform.offset);
  const size_t length = transform.length == 0 ? text.size() : transform.length;
  return base64_decoded(text.first(std::min(length, text.size())), transform.mode);
}

Bytes digest(const Bytes& in, const EVP_MD* algorithm) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  if (EVP_Digest(in.data(), in.size(), out.data(), &length, algorithm, nullptr) != 1) length = 0;
  out.resize(length);
  return out;
}

// The last `labels` parts of a name; all of it if it has fewer.
Bytes last_labels(const Bytes& in, int labels) {
  auto at = in.end();
  while (at != in.begin()) {
    const auto dot = std::prev(at);
    if (*dot == '.' && --labels == 0) break;
    at = dot;
  }
  return {at, in.end()};
}

Bytes apply(Bytes in, const Transform& transform) {
  switch (transform.kind) {
    case Kind::kDotPrefix:
      in.insert(in.begin(), '.');
      return in;
    case Kind::kToLowercase:
      std::transform(in.begin(), in.end(), in.begin(), lower);
      return in;
    case Kind::kToUppercase:
      std::transform(in.begin(), in.end(), in.begin(), upper);
      return in;
    case Kind::kUrlDecode:
      return url_decoded(in);
    case Kind::kStripWhitespace:
      std::erase_if(in, is_space);
      return in;
    case Kind::kCompressWhitespace:
      return whitespace_compressed(in);
    case Kind::kStripPseudoHeaders:
      return without_pseudo_headers(in);
    case Kind::kHeaderLowercase:
      return header_names_lowered(in);
    case Kind::kFromBase64:
      return from_base64(in, transform);
    case Kind::kXor:
      return xored(std::move(in), transform);
    case Kind::kMd5:
      return digest(in, EVP_md5());
    case Kind::kSha1:
      return digest(in, EVP_sha1());
    case Kind::kSha256:
      return digest(in, EVP_sha256());
    case Kind::kDomain:
      return last_labels(in, 2);
    case Kind::kTopLevelDomain:
      return last_labels(in, 1);
  }
  return {};
}

constexpr uint32_t kPlaceMax = 65535;

Result<uint32_t> place(std::string_view text, uint32_t least = 0) {
  return option_number<uint32_t>(text, least, kPlaceMax);
}

// "0d0a", or offset N, extract LENGTH PLACE: the key is in the buffer.
Result<Transform> parse_xor(std::string_view value) {
  Transform out{Kind::kXor};
  if (value.starts_with('"')) {
    SLUICE_TRY(const std::string digits, quoted_text(value));
    SLUICE_TRY_VOID(append_hex(digits, out.argument));
    if (out.argument.empty()) return fail("needs a key as hex digits");
    return out;
  }
  for (std::string_view option : comma_parts(value)) {
    const std::string_view name = take_part(option, ' ');
    option = trimmed_option(option);
    if (name == "offset") {
      SLUICE_TRY(out.offset, place(option));
    } else if (name == "extract") {
      SLUICE_TRY(out.length, place(take_part(option, ' '), 1));
      SLUICE_TRY(out.key_offset, place(trimmed_option(option)));
    } else {
      return fail("'" + std::string(name) + "' is not supported");
    }
  }
  if (out.length == 0) return fail("needs a key as hex digits, or 'extract LENGTH PLACE'");
  return out;
}

// bytes N, offset N, mode rfc4648 | rfc2045 | strict
Result<Transform> parse_from_base64(std::string_view value) {
  Transform out{Kind::kFromBase64};
  for (std::string_view option : comma_parts(value)) {
    const std::string_view name = take_part(option, ' ');
    option = trimmed_option(option);
    if (name == "offset") {
      SLUICE_TRY(out.offset, place(option));
    } else if (name == "bytes") {
      SLUICE_TRY(out.length, place(option, 1));
    } else if (name == "mode" && option == "rfc4648") {
      out.mode = Base64Mode::kRfc4648;
    } else if (name == "mode" && option == "rfc2045") {
      out.mode = Base64Mode::kRfc2045;
    } else if (name == "mode" && option == "strict") {
      out.mode = Base64Mode::kStrict;
    } else {
      return fail("'" + std::string(name) + "' is not supported, or not with this value");
    }
  }
  return out;
}

}  // namespace

bool is_transform(std::string_view keyword) { return find(keyword) != nullptr; }

std::vector<std::string_view> transform_keywords() {
  std::vector<std::string_view> out;
  for (const Entry& entry : kTable) out.push_back(entry.keyword);
  return out;
}

Result<Transform> parse_transform(std::string_view keyword, std::string_view value) {
  const Entry* entry = find(keyword);
  if (entry == nullptr) return fail("is no transformation");
  if (entry->kind == Kind::kXor) return parse_xor(value);
  if (entry->kind == Kind::kFromBase64) return parse_from_base64(value);
  if (!value.empty()) return fail("with options is not supported");
  return Transform{entry->kind};
}

std::vector<uint8_t> transformed(std::span<const uint8_t> bytes,
                                 std::span<const Transform> transforms) {
  bytes = bytes.first(std::min(bytes.size(), kTransformBytesMax));
  Bytes out(bytes.begin(), bytes.end());
  for (const Transform& transform : transforms) out = apply(std::move(out), transform);
  return out;
}

}  // namespace sluice::inspect
