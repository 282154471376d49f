// SPDX-License-Identifier: Apache-2.0
// The daemon's log on standard error: lines for people, with what an event is about as key=value
// behind them, or an object of JSON per line.
#pragma once

#include <string>
#include <string_view>

#include "gateway/control/events.h"
#include "gateway/control/model.h"

namespace sluice::gateway {

// From now on spdlog's default logger writes to standard error in this way.
void start_log(LogFormat format, LogLevel level);

// One event of the bus.
void log_event(const Event& event);

// " key=value" for each field; values that are not plain words are quoted.
std::string key_values(const Event& event);

}  // namespace sluice::gateway
