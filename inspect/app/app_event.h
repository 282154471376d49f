// SPDX-License-Identifier: Apache-2.0
// What parsers notice that an honest peer does not do: every event that any of them tells, by
// Suricata's names (`app-layer-event:http.missing_host_header`). Tests and fuzzers hold parsers to
// this table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "inspect/app/protocol.h"

namespace sluice::inspect {

struct AppEvent {
  AppProtocol protocol;
  std::string_view name;
  // It is told, always or at times, where there is no transaction.
  bool outside = false;
};

std::span<const AppEvent> app_events();
// Its place in app_events(); nothing: no parser tells it.
std::optional<uint16_t> find_app_event(AppProtocol protocol, std::string_view name);
// Whether a parser of any protocol tells it.
bool is_app_event(std::string_view name);

}  // namespace sluice::inspect
