// SPDX-License-Identifier: Apache-2.0
// The EVE events of the DPI appliance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "appliances/dpi/dpi_flow.h"
#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"

namespace sluice::dpi {

// "allow", "limit" ..., or "drop" and "reject" once the flow is blocked.
std::string_view action_text(const DpiFlow& flow);
// "rule 'night'", "fallback"; "undecided" if there is no decision.
std::string_view rule_text(const DpiFlow& flow);

class Events {
 public:
  // `sensor_name` may be empty.
  Events(inspect::Sink& eve, const inspect::Classifier& classifier, bool shadow,
         std::string sensor_name)
      : eve_(eve), classifier_(classifier), shadow_(shadow), sensor_name_(std::move(sensor_name)) {}

  void flow(const DpiRecord& record, inspect::FlowEnd end, int64_t time_us);
  // `reason`: "policy", "limit", "quota" or "hold".
  void drop(const DpiRecord& record, std::span<const uint8_t> ip, std::string_view reason,
            int64_t time_us);
  void stats(const DpiCounters& counters, int64_t time_us);
  void flush() { eve_.flush(); }

 private:
  void write_verdict(const DpiFlow& flow);

  inspect::Sink& eve_;
  const inspect::Classifier& classifier_;
  const bool shadow_;
  const std::string sensor_name_;
  inspect::JsonLine line_;
};

}  // namespace sluice::dpi
