// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/list_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ndpi/ndpi_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace sluice::inspect {
namespace {

// What nDPI's readers have room for.
constexpr size_t kMaskLineMax = 255;
constexpr size_t kIssuerMax = 126;
constexpr size_t kCategoryLineMax = 510;
constexpr size_t kRiskyLineMax = 126;

std::optional<uint64_t> number(std::string_view text, uint64_t max) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

// Cuts `text` at the first `mark`; the second half is empty if there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool is_port_range(std::string_view text) {
  const auto [low, high] = cut(text, '-');
  const auto first = number(low, 65535);
  if (!first || *first == 0) return false;
  if (low.size() == text.size()) return true;
  const auto last = number(high, 65535);
  return last && *last >= *first;
}

bool is_ipv4(std::string_view text) {
  in_addr address;
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

// 10.0.0.0/8, 10.0.0.1
bool is_network(std::string_view text) {
  const auto [address, bits] = cut(text, '/');
  return is_ipv4(address) && (address.size() == text.size() || number(bits, 32));
}

// A network, and perhaps a port behind a colon.
bool is_network_and_port(std::string_view text) {
  const auto [network, port] = cut(text, ':');
  return is_network(network) && (network.size() == text.size() || number(port, 65535));
}

std::string_view without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

// As in a DNS message, where other alphabets are written in ASCII (RFC 5890); other bytes lead
// nDPI's search automaton outside of its tables.
bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

std::string mask_line_error(std::string_view line) {
  const auto [type, rest] = cut(line, ':');
  if (line.size() > kMaskLineMax) return "is too long";
  if (type == "trusted_issuer_dn") {
    const std::string_view issuer = without_quotes(rest);
    return issuer.empty() || issuer.size() > kIssuerMax ||
                   issuer.find(':') != std::string_view::npos
               ? "needs an issuer of at most 126 characters, without a colon"
               : "";
  }
  if (type != "ip_risk_mask" && type != "host_risk_mask")
    return "is neither a rule with @PROTOCOL nor a known kind of mask";
  const auto [key, mask] = cut(rest, '=');
  if (!number(mask, INT64_MAX)) return "needs a number after =";
  if (type == "ip_risk_mask") return is_network(key) ? "" : "needs an IPv4 network before =";
  return is_name(without_quotes(key)) ? "" : "needs a host before =";
}

std::string protocol_line_error(std::string_view line) {
  const size_t at = line.rfind('@');
  if (at == std::string_view::npos) return mask_line_error(line);
  if (at + 1 == line.size()) return "names no protocol after @";
  std::string_view rest = line.substr(0, at);
  if (rest.empty()) return "has nothing before @";
  do {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view element = rest.substr(0, comma);
    const auto [kind, value] = cut(element, ':');
    const bool good = kind == "tcp" || kind == "udp" ? is_port_range(value)
                      : kind == "ip"                 ? is_network_and_port(value)
                      : kind == "host"               ? is_name(without_quotes(value))
                                                     : false;
    if (!good)
      return "has \"" + std::string(element) +
             "\", which is no tcp:PORT, udp:PORT, ip:IPV4 or host:\"NAME\"";
    if (comma == rest.size()) return "";
    rest.remove_prefix(comma + 1);
  } while (true);
}

std::string category_line_error(std::string_view line) {
  if (line.size() > kCategoryLineMax) return "is too long";
  const auto [name, category] = cut(line, '\t');
  if (!is_name(name) || !number(category, NDPI_PROTOCOL_NUM_CATEGORIES - 1))
    return "is not: host or IPv4 network, TAB, category number below " +
           std::to_string(NDPI_PROTOCOL_NUM_CATEGORIES);
  return "";
}

bool is_hex(std::string_view text, size_t length) {
  return text.size() == length && std::ranges::all_of(text, [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

// The digest in a line, as nDPI looks for it: the JA3 before the first comma, the SHA-1 behind it.
std::string_view digest_in(ListKind kind, std::string_view line) {
  const auto [first, rest] = cut(line, ',');
  if (kind == ListKind::kJa3 || first.size() == line.size()) return first;
  return cut(rest, ',').first;
}

// What nDPI is given for a line: without the remarks that its line buffers have no room for.
std::string normalised(ListKind kind, std::string_view line) {
  if (kind != ListKind::kJa3 && kind != ListKind::kSha1) return std::string(line);
  std::string digest(digest_in(kind, line));
  std::ranges::transform(digest, digest.begin(), [](unsigned char c) { return std::tolower(c); });
  return digest;
}

Result<std::string> read_list(ListKind kind, const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail_errno("cannot read", path);
  std::string out;
  std::string line;
  for (size_t row = 1; std::getline(file, line); row++) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const std::string error = list_line_error(kind, line);
    if (!error.empty()) return fail("the line " + error, path + ":" + std::to_string(row));
    out += normalised(kind, line) + "\n";
    if (out.size() > kListBytesMax) return fail("is longer than 64 MiB", path);
  }
  if (file.bad()) return fail_errno("cannot read", path);
  return out;
}

using Loader = int (*)(ndpi_detection_module_struct*, const char*);

// nDPI reads files only, so it gets one that exists in memory.
Result<> load(ndpi_detection_module_struct* module, ListKind kind, const std::string& path,
              Loader loader) {
  if (path.empty()) return {};
  SLUICE_TRY(const std::string text, read_list(kind, path));
  const int fd = memfd_create("ndpi-list", MFD_CLOEXEC);
  if (fd < 0) return fail_errno("cannot keep the list in memory", path);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const std::string name = "/proc/self/fd/" + std::to_string(fd);
  const int status = written ? loader(module, name.c_str()) : -1;
  close(fd);
  if (status < 0) return fail("nDPI does not take this list", path);
  return {};
}

}  // namespace

std::string list_line_error(ListKind kind, std::string_view line) {
  if (line.find('\0') != std::string_view::npos) return "has a zero byte";
  switch (kind) {
    case ListKind::kProtocols:
      return protocol_line_error(line);
    case ListKind::kCategories:
      return category_line_error(line);
    case ListKind::kRiskyDomains:
      return is_name(line) && line.size() <= kRiskyLineMax ? "" : "is no domain in ASCII";
    case ListKind::kJa3:
      return is_hex(digest_in(kind, line), 32) ? "" : "does not begin with an MD5 in hex";
    case ListKind::kSha1:
      return is_hex(digest_in(kind, line), 40) ? "" : "has no SHA-1 in hex as its second field";
  }
  return "";
}

Result<> load_lists(ndpi_detection_module_struct* module, const ListFiles& files) {
  SLUICE_TRY_VOID(load(module, ListKind::kProtocols, files.protocols, ndpi_load_protocols_file));
  SLUICE_TRY_VOID(load(module, ListKind::kCategories, files.categories, ndpi_load_categories_file));
  SLUICE_TRY_VOID(
      load(module, ListKind::kRiskyDomains, files.risky_domains, ndpi_load_risk_domain_file));
  SLUICE_TRY_VOID(load(module, ListKind::kJa3, files.ja3, ndpi_load_malicious_ja3_file));
  return load(module, ListKind::kSha1, files.sha1, ndpi_load_malicious_sha1_file);
}

}  // namespace sluice::inspect
