// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>
#include <vector>

namespace sluice::gateway {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr int kForbidden = 403;
using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view data) {
  Digest out;
  SLUICE_CHECK(EVP_Digest(data.data(), data.size(), out.data(), nullptr, EVP_sha256(), nullptr) ==
               1);
  return out;
}

Digest hmac(std::span<const uint8_t> key, std::string_view data) {
  Digest out;
  SLUICE_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                    reinterpret_cast<const uint8_t*>(data.data()), data.size(), out.data(),
                    nullptr) != nullptr);
  return out;
}

std::string hexadecimal(const Digest& digest) {
  std::string out;
  for (const uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// RFC 3986: everything but unreserved characters is escaped.
std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<uint8_t>(c);
    if (plain)
      out += c;
    else
      out.append({'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]});
  }
  return out;
}

// The path as it came with each segment escaped once more, as every service but S3 has it.
std::string canonical_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    out += escape(path.substr(0, slash));
    if (slash < path.size()) out += '/';
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return out.empty() ? "/" : out;
}

// The fields as they came, sorted: clients sign what they send.
std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(field.find('='), field.size());
    fields.emplace_back(field.substr(0, equals), field.substr(std::min(equals + 1, field.size())));
  }
  std::ranges::sort(fields);
  std::string out;
  for (const auto& [name, value] : fields)
    out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
  return out;
}

std::string single_spaced(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  return out;
}

// The headers that are signed, one a line. Nothing when one is missing, they are not sorted, or
// host or x-amz-date is not among them.
std::optional<std::string> canonical_headers(const HttpRequest& request, std::string_view names) {
  std::string out, last;
  bool host = false, date = false;
  for (size_t count = 0; !names.empty(); count++) {
    const size_t end = std::min(names.find(';'), names.size());
    const std::string name(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    const bool there = request.header_count(name) == 1;
    if (!there || name != lower(name) || name <= last || count >= kSignedHeadersMax)
      return std::nullopt;
    host |= name == "host";
    date |= name == "x-amz-date";
    out.append(name).append(":").append(single_spaced(request.header(name))).append("\n");
    last = name;
  }
  if (!host || !date) return std::nullopt;
  return out;
}

// "20150830T123600Z" as Unix time.
std::optional<int64_t> parse_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto number = [&](size_t at, size_t size) {
    int out = 0;
    for (const char c : text.substr(at, size)) {
      if (c < '0' || c > '9') return -1;
      out = out * 10 + (c - '0');
    }
    return out;
  };
  tm parts{};
  const int year = number(0, 4), month = number(4, 2);
  parts.tm_mday = number(6, 2);
  parts.tm_hour = number(9, 2);
  parts.tm_min = number(11, 2);
  parts.tm_sec = number(13, 2);
  const bool good = year >= 1970 && month >= 1 && month <= 12 && parts.tm_mday >= 1 &&
                    parts.tm_mday <= 31 && parts.tm_hour >= 0 && parts.tm_hour < 24 &&
                    parts.tm_min >= 0 && parts.tm_min < 60 && parts.tm_sec >= 0 &&
                    parts.tm_sec <= 60;
  if (!good) return std::nullopt;
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  return timegm(&parts);
}

Digest signing_key(const std::string& secret, const Authorization& by) {
  const std::string seed = "AWS4" + secret;
  Digest key = hmac({reinterpret_cast<const uint8_t*>(seed.data()), seed.size()}, by.date);
  for (const std::string_view part : {by.region, by.service, std::string_view("aws4_request")})
    key = hmac(key, part);
  return key;
}

// "Name=value" of a part of the header.
bool take_field(std::string_view part, std::string_view name, std::string_view& out) {
  while (part.starts_with(' ')) part.remove_prefix(1);
  while (part.ends_with(' ')) part.remove_suffix(1);
  if (!part.starts_with(name) || part.size() <= name.size() || part[name.size()] != '=' ||
      !out.empty())
    return false;
  out = part.substr(name.size() + 1);
  return !out.empty();
}

bool take_credential(std::string_view credential, Authorization& out) {
  std::string_view* const parts[] = {&out.key_id, &out.date, &out.region, &out.service};
  for (std::string_view* part : parts) {
    const size_t slash = credential.find('/');
    if (slash == std::string_view::npos || slash == 0) return false;
    *part = credential.substr(0, slash);
    if (part == &out.date) out.scope = credential;
    credential.remove_prefix(slash + 1);
  }
  return credential == "aws4_request";
}

}  // namespace

std::optional<Authorization> parse_authorization(std::string_view header) {
  if (!header.starts_with(kAlgorithm) || header.size() <= kAlgorithm.size() ||
      header[kAlgorithm.size()] != ' ')
    return std::nullopt;
  std::string_view rest = header.substr(kAlgorithm.size() + 1);
  Authorization out;
  std::string_view credential;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!take_field(part, "Credential", credential) &&
        !take_field(part, "SignedHeaders", out.signed_headers) &&
        !take_field(part, "Signature", out.signature))
      return std::nullopt;
  }
  constexpr size_t kSignatureDigits = 64;
  const bool whole = out.signature.size() == kSignatureDigits && !out.signed_headers.empty();
  if (!whole || !take_credential(credential, out)) return std::nullopt;
  return out;
}

AwsResult<Signer> verify_signature(const HttpRequest& request, std::span<const AccessKey> keys,
                                   int64_t now_s) {
  const size_t given = request.header_count("authorization");
  if (given == 0)
    return refuse("MissingAuthenticationToken", "the request is not signed", kForbidden);
  const auto by = parse_authorization(request.header("authorization"));
  const auto incomplete = [](const char* what) {
    return refuse("IncompleteSignature", what, kForbidden);
  };
  if (given > 1 || !by)
    return incomplete(
        "the Authorization header is not one of AWS4-HMAC-SHA256 with Credential, "
        "SignedHeaders and Signature");
  const std::string_view time_text = request.header("x-amz-date");
  const auto time = parse_time(time_text);
  if (!time || time_text.substr(0, 8) != by->date)
    return incomplete("X-Amz-Date is missing, or is not of the day of the credential");
  const auto headers = canonical_headers(request, by->signed_headers);
  if (!headers)
    return incomplete("SignedHeaders must be sorted, be there, and name host and x-amz-date");
  if (*time < now_s - kSignatureSkewMaxS || *time > now_s + kSignatureSkewMaxS)
    return refuse(
        "SignatureDoesNotMatch",
        "Signature expired: the clocks of client and gateway differ by more than 5 minutes",
        kForbidden);
  const auto key = std::ranges::find(keys, by->key_id, &AccessKey::id);
  if (key == keys.end())
    return refuse("InvalidClientTokenId", "the access key is not one of this gateway", kForbidden);

  std::string canonical(request.method);
  canonical.append("\n")
      .append(canonical_path(request.path))
      .append("\n")
      .append(canonical_query(request.query));
  canonical.append("\n").append(*headers).append("\n").append(by->signed_headers);
  canonical.append("\n").append(hexadecimal(sha256(request.body)));
  std::string to_sign(kAlgorithm);
  to_sign.append("\n").append(time_text).append("\n").append(by->scope).append("\n");
  to_sign += hexadecimal(sha256(canonical));
  const std::string wanted = hexadecimal(hmac(signing_key(key->secret, *by), to_sign));
  if (CRYPTO_memcmp(wanted.data(), by->signature.data(), wanted.size()) != 0)
    return refuse("SignatureDoesNotMatch",
                  "The request signature we calculated does not match the signature you provided",
                  kForbidden);
  return Signer{&*key, by->signature, *time};
}

}  // namespace sluice::gateway
