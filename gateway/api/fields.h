// SPDX-License-Identifier: Apache-2.0
// The fields of a JSON request, each asked for by name and type; what is left over is an error.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/control/address.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class Fields {
 public:
  // `object` must be a JSON object and outlive this.
  explicit Fields(const nlohmann::json& object) : object_(object) {}

  // Absent: the default. Of another type: the default, and finish() fails.
  std::string string(const char* name, std::string otherwise = {}) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return otherwise;
    if (value->is_string()) return value->get<std::string>();
    complain(name, "a string");
    return otherwise;
  }
  uint64_t number(const char* name, uint64_t max, uint64_t otherwise = 0) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return otherwise;
    if (value->is_number_unsigned() && value->get<uint64_t>() <= max) return value->get<uint64_t>();
    complain(name, "a number of at most " + std::to_string(max));
    return otherwise;
  }
  bool boolean(const char* name) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) complain(name, "true or false");
    return value->is_boolean() && value->get<bool>();
  }
  std::optional<IpAddress> address(const char* name) {
    const std::string text = string(name);
    if (text.empty()) return {};
    auto parsed = parse_ip_address(text);
    if (parsed) return *parsed;
    if (error_.empty()) error_ = std::string(name) + ": " + parsed.error().what;
    return {};
  }
  std::vector<std::string> strings(const char* name) {
    std::vector<std::string> out;
    const nlohmann::json* value = find(name);
    if (value == nullptr) return out;
    for (const auto& one : value->is_array() ? *value : nlohmann::json::array({nullptr})) {
      if (!one.is_string()) {
        complain(name, "a list of strings");
        return {};
      }
      out.push_back(one.get<std::string>());
    }
    return out;
  }
  bool has(const char* name) const { return object_.contains(name); }

  // What is wrong with the fields asked for so far, or that there are others.
  Result<> finish() {
    for (const auto& [key, value] : object_.items())
      if (error_.empty() && !asked_.contains(key))
        error_ = "unknown field '" + key.substr(0, 60) + "'";
    if (!error_.empty()) return fail(error_);
    return {};
  }

 private:
  const nlohmann::json* find(const char* name) {
    asked_.insert(name);
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  void complain(const char* name, const std::string& wanted) {
    if (error_.empty()) error_ = std::string(name) + ": expected " + wanted;
  }

  const nlohmann::json& object_;
  std::set<std::string> asked_{"command"};
  std::string error_;
};

}  // namespace sluice::gateway
