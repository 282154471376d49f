// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/ids_rules.h"

namespace sluice::testbed {
namespace {

constexpr const char* kWords[] = {"gate",  "panel", "update", "loader", "report", "stage", "drop",
                                  "admin", "check", "upload", "config", "beacon", "login", "proxy",
                                  "image", "shell", "task",   "client", "invoice"};

std::string word(uint32_t n) { return kWords[n % std::size(kWords)]; }

// A name that no traffic has.
std::string name(uint32_t n) {
  return word(n / 7) + "-" + std::to_string(n * 2654435761u % 1'000'000) + "." + word(n / 11);
}

std::string hex_bytes(uint32_t n) {
  std::string out = "|";
  for (int i = 0; i < 6; i++) {
    n = n * 1664525 + 1013904223;
    char byte[4];
    std::snprintf(byte, sizeof(byte), "%02x ", n >> 24);
    out += byte;
  }
  out.back() = '|';
  return out;
}

std::string options_of(uint32_t n) {
  const std::string get = "flow:established,to_server; http.method; content:\"GET\"; ";
  switch (n % 20) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return get + "http.uri; content:\"/" + name(n) + ".php\"; nocase; fast_pattern;";
    case 5:
      return get + "http.uri; content:\"/" + name(n) + "?\"; pcre:\"/[?&]id=[0-9a-f]{16}$/R\";";
    case 6:
    case 7:
    case 8:
      return "dns.query; dotprefix; content:\"." + name(n) + ".example\"; nocase; endswith;";
    case 9:
    case 10:
      return "flow:established,to_server; tls.sni; dotprefix; content:\"." + name(n) +
             ".example\"; endswith;";
    case 11:
    case 12:
      return "flow:established,to_server; http.host; content:\"" + name(n) +
             ".example\"; bsize:>8;";
    case 13:
      return "flow:established,to_server; http.user_agent; content:\"" + name(n) +
             "/1.\"; startswith;";
    case 14:
      return "flow:established,to_server; http.request_body; content:\"cmd=" + name(n) + "\";";
    case 15:
    case 16:
      return "flow:established,to_client; file.data; content:\"eval(" + name(n) +
             "\"; content:\"unescape\"; distance:0; within:100;";
    case 17:
      return "flow:established,to_client; content:\"" + hex_bytes(n) + "\"; depth:40;";
    case 18:
      return "flow:established,to_server; content:\"" + hex_bytes(n) +
             "\"; content:\"|00 00|\"; distance:4;";
    default:
      return "flow:established; content:\"" + name(n) + "\"; nocase;";
  }
}

std::string protocol_of(uint32_t n) {
  const uint32_t kind = n % 20;
  if (kind >= 6 && kind <= 8) return "dns";
  if (kind == 9 || kind == 10) return "tls";
  return kind >= 17 ? "tcp" : "http";
}

}  // namespace

std::string made_up_rules(uint32_t count) {
  std::string out;
  for (uint32_t n = 0; n < count; n++)
    out += "alert " + protocol_of(n) + " any any -> any any (msg:\"made up " + std::to_string(n) +
           "\"; " + options_of(n) + " sid:" + std::to_string(n + 1) + ";)\n";
  return out;
}

}  // namespace sluice::testbed
