// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/etcd_messages.h"

#include <openssl/evp.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/control/validate.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

std::string to_base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::optional<std::string> from_base64(const std::string& text) {
  if (text.empty()) return "";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

// The first key that does not start with the prefix; "\0" asks for all keys.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

json range_of(std::string_view prefix) {
  return {{"key", to_base64(prefix)}, {"range_end", to_base64(end_of(prefix))}};
}

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

// Numbers of 64 bits are text in gRPC's JSON.
std::optional<int64_t> number(const json* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  int64_t out = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return out;
}

std::string printable(std::string text) {
  constexpr size_t kShownMax = 100;
  if (text.size() > kShownMax) text.resize(kShownMax);
  for (char& c : text)
    if (c < ' ' || c == 127) c = '?';
  return text;
}

void leave_out(Found& found, const std::string& key, const std::string& why) {
  if (found.unusable++ == 0) found.why = "key '" + printable(key) + "': " + why;
}

void take_pair(const json& pair, Found& found) {
  const json *key = member(pair, "key"), *value = member(pair, "value");
  const bool texts = key != nullptr && key->is_string() && (value == nullptr || value->is_string());
  const auto name = texts ? from_base64(key->get_ref<const std::string&>()) : std::nullopt;
  const auto text = !texts             ? std::nullopt
                    : value == nullptr ? ""
                                       : from_base64(value->get_ref<const std::string&>());
  if (!name || !text) return leave_out(found, name.value_or(""), "not base64");
  if (found.targets.size() >= kTargetsPerGroupMax)
    return leave_out(found, *name, "more than " + std::to_string(kTargetsPerGroupMax) + " targets");
  const auto target = parse_target(*text, 0);
  if (target)
    found.targets.push_back(*target);
  else
    leave_out(found, *name, target.error().what);
}

}  // namespace

std::string etcd_list_request(std::string_view prefix) {
  json body = range_of(prefix);
  body["limit"] = kTargetsPerGroupMax + 1;
  return body.dump();
}

std::string etcd_watch_request(std::string_view prefix, int64_t from_revision) {
  json body = range_of(prefix);
  body["start_revision"] = std::to_string(from_revision);
  return json{{"create_request", std::move(body)}}.dump();
}

Result<EtcdList> parse_etcd_list(std::string_view text) {
  const json body = json::parse(text, nullptr, false);
  const json* header = member(body, "header");
  const auto revision = header == nullptr ? std::nullopt : number(member(*header, "revision"));
  if (!revision || *revision < 0 || *revision == INT64_MAX)
    return fail("the answer is not one of etcd");
  EtcdList out{{}, *revision};
  const json* pairs = member(body, "kvs");
  if (pairs == nullptr) return out;
  if (!pairs->is_array()) return fail("the answer is not one of etcd");
  for (const json& pair : *pairs) take_pair(pair, out.found);
  return out;
}

Result<EtcdWord> parse_etcd_word(std::string_view line) {
  const json body = json::parse(line, nullptr, false);
  const json* result = member(body, "result");
  if (result == nullptr || !result->is_object())
    return fail("the watch says: " + printable(std::string(line)));
  const json *events = member(*result, "events"), *canceled = member(*result, "canceled");
  const bool changed = (events != nullptr && !events->empty()) ||
                       (canceled != nullptr && canceled->is_boolean() && canceled->get<bool>());
  return changed ? EtcdWord::kChanged : EtcdWord::kNothing;
}

std::string etcd_complaint(int status, std::string_view text) {
  const json body = json::parse(text, nullptr, false);
  const json* message = member(body, "message");
  return "etcd answered " + std::to_string(status) +
         (message != nullptr && message->is_string() ? ": " + printable(message->get<std::string>())
                                                     : std::string());
}

}  // namespace sluice::gateway
