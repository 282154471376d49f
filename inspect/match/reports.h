// SPDX-License-Identifier: Apache-2.0
// The EVE events of rule inspection: alert, drop, flow.
#pragma once

#include <cstdint>
#include <string_view>

#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"
#include "inspect/match/packet_view.h"
#include "inspect/rules/rule.h"
#include "inspect/stream/flow.h"

namespace sluice::inspect {

class Reports {
 public:
  explicit Reports(Sink& sink) : sink_(sink) {}

  // The packet that an event is about.
  struct About {
    const PacketView& view;
    const Flow& flow;
    Direction direction;
    int64_t time_us;
  };

  void alert(const About& about, const Rule& rule);
  // `rule` is the one that decided, if any.
  void drop(const About& about, std::string_view reason, const Rule* rule);
  void flow_end(const Flow& flow, FlowEnd end, int64_t time_us, bool alerted,
                std::string_view action);

  Sink& sink() { return sink_; }

 private:
  void begin(const About& about, std::string_view event_type);
  void alert_object(const Rule& rule);

  Sink& sink_;
  JsonLine line_;
};

}  // namespace sluice::inspect
