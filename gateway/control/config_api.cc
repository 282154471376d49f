// SPDX-License-Identifier: Apache-2.0
// The section `gateway.api`: where the HTTP APIs are served, and to whom.
#include <algorithm>

#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

constexpr size_t kKeysMax = 64;
constexpr size_t kSocketPathMax = 107;  // sockaddr_un
constexpr size_t kKeyIdMax = 128;
constexpr size_t kSecretLeast = 16, kSecretMost = 256;

bool is_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Clients check it: "xx-lab-1".
bool is_region(const std::string& text) {
  const size_t last = text.rfind('-');
  if (last == std::string::npos || last < 4 || text[2] != '-') return false;
  const std::string_view number = std::string_view(text).substr(last + 1);
  const std::string_view words = std::string_view(text).substr(0, last);
  const bool letters =
      std::ranges::all_of(words, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
  return letters && words.find("--") == std::string_view::npos && !words.ends_with('-') &&
         !words.starts_with('-') && !number.empty() && number.size() <= 2 && is_digits(number);
}

bool is_loopback(const IpAddress& address) {
  const std::string text = address.text();
  return text.starts_with("127.") || text == "::1";
}

}  // namespace

void ConfigReader::read_place(YamlMap& map) {
  constexpr size_t kAccountDigits = 12;
  Gateway& gateway = config_.gateway;
  if (map.read("region", gateway.region) && !is_region(gateway.region))
    errors_.add(*map.node().find("region"), "expected a name like xx-lab-1");
  if (map.read("account", gateway.account) &&
      (gateway.account.size() != kAccountDigits || !is_digits(gateway.account)))
    errors_.add(*map.node().find("account"), "expected 12 digits");
}

void ConfigReader::read_api(const YamlNode& node) {
  YamlMap map(node, errors_);
  ApiAccess& api = config_.gateway.api;
  if (map.read("socket", api.socket) &&
      (!api.socket.starts_with('/') || api.socket.size() > kSocketPathMax))
    errors_.add(*node.find("socket"), "expected an absolute path of at most 107 bytes");
  const YamlNode* address = map.find("address");
  if (address != nullptr) {
    map.require_integer("port", api.port, 1, 65535);
    read_api_access(map, *address);
  } else {
    map.refuse({"port", "access", "keys"}, "is about TCP, and there is no 'address'");
    if (api.socket.empty()) errors_.add(node, "an API needs an 'address', a 'socket' or both");
  }
  map.finish();
}

void ConfigReader::read_api_access(YamlMap& map, const YamlNode& address) {
  ApiAccess& api = config_.gateway.api;
  read_yaml(address, errors_, api.address);
  const auto parsed = parse_ip_address(api.address);
  if (!parsed) return errors_.add(address, parsed.error().what);
  int ignored = 0;
  api.keyless = map.read_choice("access", ignored, {"none"});
  map.each("keys", kKeysMax, [&](const YamlNode& n) { read_access_key(n); });
  if (api.keyless && !api.keys.empty())
    errors_.add(*map.node().find("access"), "is 'none', but there are 'keys'");
  if (!api.keyless && api.keys.empty() && map.node().find("access") == nullptr)
    errors_.add(map.node(),
                "'keys' are missing: who may use the API? On loopback, 'access: none' "
                "lets everybody");
  if (api.keyless && !is_loopback(*parsed))
    errors_.add(address, "is no loopback address: without keys the API is for this machine only");
}

void ConfigReader::read_access_key(const YamlNode& node) {
  YamlMap map(node, errors_);
  AccessKey key;
  const auto& keys = config_.gateway.api.keys;
  if (map.require_string("id", key.id)) {
    const bool letters = std::ranges::all_of(key.id, [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!letters || key.id.empty() || key.id.size() > kKeyIdMax)
      errors_.add(*node.find("id"), "a key's id is 1 to 128 letters, digits and underscores");
    else if (std::ranges::find(keys, key.id, &AccessKey::id) != keys.end())
      errors_.add(*node.find("id"), "this key is here already");
  }
  if (map.require_string("secret", key.secret) &&
      (key.secret.size() < kSecretLeast || key.secret.size() > kSecretMost))
    errors_.add(*node.find("secret"), "a secret has 16 to 256 characters");
  int access = 0;
  if (map.require("access") != nullptr)
    map.read_choice("access", access, {"read-only", "read-write"});
  key.may_write = access == 1;
  map.finish();
  config_.gateway.api.keys.push_back(std::move(key));
}

}  // namespace sluice::gateway
