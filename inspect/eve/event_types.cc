// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/event_types.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace sluice::inspect {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(EventType::kCount)> kNames = {
    "alert", "drop", "flow", "fileinfo", "stats",   "http",   "dns",
    "tls",   "ssh",  "smtp", "ftp",      "netflow", "anomaly"};

std::optional<size_t> number_of(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); i++) {
    if (kNames[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace

Result<EventTypes> EventTypes::parse(std::string_view list) {
  EventTypes out;
  if (list == "all") return out;
  out.types_.reset();
  if (list == "none") return out;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view name = list.substr(begin, end - begin);
    const auto number = number_of(name);
    if (!number) return fail("there are no events of type '" + std::string(name) + "'");
    out.types_.set(*number);
    begin = end + 1;
  }
  return out;
}

EventTypes EventTypes::with(std::string_view name, bool wanted) const {
  EventTypes out = *this;
  if (const auto number = number_of(name)) out.types_.set(*number, wanted);
  return out;
}

bool EventTypes::has(std::string_view name) const {
  const auto number = number_of(name);
  return number && types_[*number];
}

}  // namespace sluice::inspect
