// SPDX-License-Identifier: Apache-2.0
// The differences between two states, and the list of generations.
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "gateway/cli/print.h"
#include "gateway/cli/table.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

// What an element of a list is called, so that a list in another order is no difference.
std::string element_name(const json& element, size_t index) {
  std::string out;
  if (element.is_object())
    for (const char* key : {"id", "protocol", "address", "port", "priority", "subnet"})
      if (const auto at = element.find(key); at != element.end() && !at->is_structured())
        out += (out.empty() ? "" : " ") + (at->is_string() ? at->get<std::string>() : at->dump());
  return "[" + (out.empty() ? std::to_string(index) : out) + "]";
}

// Every value under its path.
void flatten(const json& value, const std::string& path, std::map<std::string, std::string>& out) {
  if (value.is_object()) {
    for (const auto& [key, child] : value.items())
      if (key != "created") flatten(child, path.empty() ? key : path + "." + key, out);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); i++)
      flatten(value[i], path + element_name(value[i], i), out);
  } else if (!value.is_null()) {
    out[path] = value.is_string() ? value.get<std::string>() : value.dump();
  }
}

std::string print_change(const json& change) {
  std::map<std::string, std::string> before, after;
  flatten(change.value("before", json()), "", before);
  flatten(change.value("after", json()), "", after);
  const char sign = before.empty() ? '+' : after.empty() ? '-' : '~';
  std::string out =
      std::string(1, sign) + " " + change.value("kind", "") + " " + change.value("name", "") + "\n";
  for (const auto& [path, value] : before) {
    const auto now = after.find(path);
    if (now == after.end())
      out += "    - " + path + ": " + value + "\n";
    else if (now->second != value)
      out += "    ~ " + path + ": " + value + " -> " + now->second + "\n";
  }
  for (const auto& [path, value] : after)
    if (!before.contains(path)) out += "    + " + path + ": " + value + "\n";
  return out;
}

std::string time_text(uint64_t time_ms) {
  const auto seconds = static_cast<time_t>(time_ms / 1000);
  tm broken{};
  char text[32] = "";
  if (gmtime_r(&seconds, &broken) != nullptr)
    std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &broken);
  return text;
}

}  // namespace

std::string print_changes(const json& reply) {
  const json changes = reply.value("changes", json::array());
  std::string out;
  for (const json& change : changes) out += print_change(change);
  if (changes.empty()) out = "no change\n";
  if (reply.contains("generation")) out += "generation " + reply["generation"].dump() + "\n";
  return out;
}

std::string print_history(const json& reply) {
  std::vector<std::vector<std::string>> rows;
  for (const json& one : reply.value("generations", json::array()))
    rows.push_back({std::to_string(one.value("generation", uint64_t{0})),
                    time_text(one.value("time_ms", uint64_t{0})), one.value("author", ""),
                    one.value("summary", "")});
  return format_table({"GENERATION", "TIME", "AUTHOR", "CHANGES"}, rows);
}

}  // namespace sluice::gateway
