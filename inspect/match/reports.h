// SPDX-License-Identifier: Apache-2.0
// The EVE events of rule inspection: alert, drop, flow. Those that are not wanted are not written.
#pragma once

#include <cstdint>
#include <string_view>

#include "inspect/app/transaction.h"
#include "inspect/eve/event_types.h"
#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"
#include "inspect/rules/rule.h"
#include "inspect/stream/flow.h"
#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

class TrackedFile;

class Reports {
 public:
  Reports(Sink& sink, const EventTypes& types) : sink_(sink), types_(types) {}

  bool writes(EventType type) const { return types_.has(type); }

  // The packet that an event is about.
  struct About {
    const PacketView& view;
    const Flow& flow;
    AppProtocol app_protocol;
    Direction direction;
    int64_t time_us;
  };

  // `members`: what tells of the transaction that the alert is about, if any.
  void alert(const About& about, const Rule& rule, std::string_view members);
  // `rule` is the one that decided, if any.
  void drop(const About& about, std::string_view reason, const Rule* rule);
  // "http", "dns" ... in the direction of what happened.
  void transaction(const Flow& flow, Direction direction, int64_t time_us,
                   const Transaction& transaction);
  // "fileinfo": a file that has ended.
  void file(const Flow& flow, Direction direction, int64_t time_us, const Transaction& transaction,
            const TrackedFile& file);
  void flow_end(const Flow& flow, AppProtocol app_protocol, FlowEnd end, int64_t time_us,
                bool alerted, std::string_view action);

  Sink& sink() { return sink_; }

 private:
  void begin_of_flow(std::string_view event_type, const Flow& flow, Direction direction,
                     int64_t time_us);
  void begin(const About& about, std::string_view event_type);
  void alert_object(const Rule& rule, const About& about);

  Sink& sink_;
  const EventTypes types_;
  JsonLine line_;
};

}  // namespace sluice::inspect
