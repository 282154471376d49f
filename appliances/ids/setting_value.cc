// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/setting_value.h"

#include <charconv>
#include <string>
#include <utility>

namespace sluice::ids {

Failure bad_value(std::string_view name, std::string_view value, std::string_view why) {
  std::string what = "'" + std::string(name) + "=" + std::string(value) + "' is not supported";
  if (!why.empty()) what.append(": ").append(why);
  return fail(std::move(what));
}

Failure out_of_range(std::string_view name, std::string_view value, uint64_t least, uint64_t most) {
  return bad_value(name, value,
                   "it can be from " + std::to_string(least) + " to " + std::to_string(most) +
                       " (64kb, 1gb ... too)");
}

std::optional<bool> boolean(std::string_view text) {
  for (const std::string_view yes : {"yes", "true", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"no", "false", "off", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<uint64_t> size(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  constexpr std::string_view kUnits = "kmg";
  if (text.empty()) return number;
  const size_t unit = kUnits.find(static_cast<char>(text.front() | 0x20));
  const std::string_view rest = text.substr(1);
  if (unit == std::string_view::npos || (rest != "b" && rest != "B" && rest != "iB"))
    return std::nullopt;
  const unsigned shift = 10 * (static_cast<unsigned>(unit) + 1);
  return number > UINT64_MAX >> shift ? std::nullopt : std::optional(number << shift);
}

Applied set(bool& out, std::string_view name, std::string_view value) {
  const auto read = boolean(value);
  if (!read) return bad_value(name, value);
  out = *read;
  return true;
}

}  // namespace sluice::ids
