// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/proxy_header.h"

#include <algorithm>
#include <string_view>

#include "tunnels/bytes.h"

namespace sluice::inspect {
namespace {

// Version 1 is a line: "PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n".
constexpr size_t kLineMax = 107;
constexpr std::string_view kLineBegins[] = {"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"};

// Version 2 is binary: the signature, version and command, family, and the length of what follows.
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kBinaryHeader = 16;
constexpr uint8_t kVersion = 2, kCommandMax = 1;  // LOCAL, PROXY

ProxyHeader line_header(std::string_view text) {
  for (const std::string_view begin : kLineBegins) {
    if (begin.starts_with(text)) return {Probe::kMore};
    if (!text.starts_with(begin)) continue;
    const size_t end = text.substr(0, kLineMax).find("\r\n");
    if (end != std::string_view::npos) return {Probe::kYes, end + 2};
    return {text.size() < kLineMax ? Probe::kMore : Probe::kNo};
  }
  return {Probe::kNo};
}

}  // namespace

ProxyHeader proxy_header(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (kSignature.starts_with(text)) return {Probe::kMore};
  if (!text.starts_with(kSignature)) return line_header(text);
  if (bytes.size() < kBinaryHeader) return {Probe::kMore};
  const uint8_t kind = bytes[kSignature.size()];
  if (kind >> 4 != kVersion || (kind & 0xf) > kCommandMax) return {Probe::kNo};
  return {Probe::kYes, kBinaryHeader + tunnels::load_be16(&bytes[kBinaryHeader - 2])};
}

}  // namespace sluice::inspect
