// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/events.h"

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

namespace sluice::gateway {

std::string_view event_kind_name(EventKind kind) {
  constexpr std::string_view kNames[] = {
#define SLUICE_EVENT_WORD(name, word) word,
      SLUICE_EVENT_KINDS(SLUICE_EVENT_WORD)
#undef SLUICE_EVENT_WORD
  };
  return kNames[static_cast<size_t>(kind)];
}

std::vector<EventKind> all_event_kinds() {
  return {
#define SLUICE_EVENT_KIND(name, word) EventKind::name,
      SLUICE_EVENT_KINDS(SLUICE_EVENT_KIND)
#undef SLUICE_EVENT_KIND
  };
}

std::string event_time(int64_t time_ms) {
  const time_t seconds = time_ms / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(time_ms % 1000));
  return text;
}

std::string event_json(const Event& event) {
  constexpr std::string_view kLevels[] = {"info", "warning", "error"};
  nlohmann::ordered_json out{{"number", event.number},
                             {"time", event_time(event.time_ms)},
                             {"kind", event_kind_name(event.kind)},
                             {"level", kLevels[static_cast<int>(event.level)]},
                             {"text", event.text}};
  for (const auto& [name, value] : event.fields) out[std::string(name)] = value;
  // Names of interfaces and the like may be no UTF-8.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

uint64_t EventBus::listen(Listener listener) {
  listeners_.emplace(++last_listener_, std::move(listener));
  return last_listener_;
}

void EventBus::publish(EventKind kind, EventLevel level, std::string text,
                       std::vector<std::pair<std::string_view, std::string>> fields) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  if (kept_.size() >= kKeptMax) kept_.pop_front();
  kept_.push_back({++last_number_, time_ms, kind, level, std::move(text), std::move(fields)});
  published_[static_cast<size_t>(kind)]++;
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    const Listener& listener = (at++)->second;  // it may remove itself
    listener(kept_.back());
  }
}

}  // namespace sluice::gateway
