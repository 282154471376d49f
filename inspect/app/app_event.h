// SPDX-License-Identifier: Apache-2.0
// What parsers notice that an honest peer does not do: every event that any of them tells, by
// Suricata's names (`app-layer-event:http.missing_host_header`). Tests and fuzzers hold parsers to
// this table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/protocol.h"

namespace sluice::inspect {

struct AppEvent {
  AppProtocol protocol;  // kUnknown: of whatever recognises protocols (AppSession)
  std::string_view name;
  // It is told, always or at times, where there is no transaction.
  bool outside = false;
};

std::span<const AppEvent> app_events();
// Its place in app_events(); nothing: no parser tells it.
std::optional<uint16_t> find_app_event(AppProtocol protocol, std::string_view name);
// As "anomaly" events write it: Suricata has the names of some protocols in capitals.
std::string anomaly_name(const AppEvent& event);
// Events that are told outside of transactions are numbered, for a set of those that a flow has
// had.
inline constexpr size_t kOutsideEventsMax = 32;
size_t outside_number(uint16_t event);
// Whether a parser of any protocol tells it.
bool is_app_event(std::string_view name);

}  // namespace sluice::inspect
