// SPDX-License-Identifier: Apache-2.0
// The EVE events of rule inspection: alert, drop, flow, anomaly. Those that are not wanted are not
// written.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "inspect/app/app_event.h"
#include "inspect/app/transaction.h"
#include "inspect/eve/event_options.h"
#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"
#include "inspect/rules/rule.h"
#include "inspect/stream/flow.h"
#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

class FlowNotes;
class Names;
class TrackedFile;

class Reports {
 public:
  Reports(Sink& sink, const EventOptions& options) : sink_(sink), options_(options) {}

  bool writes(EventType type) const { return options_.types.has(type); }
  const EventOptions& options() const { return options_; }
  // Which "anomaly" events there are.
  AnomalyOptions anomalies() const {
    return writes(EventType::kAnomaly) ? options_.anomalies : AnomalyOptions{.applayer = false};
  }

  // Of what FlowNotes hold.
  void set_names(const Names& names) { names_ = &names; }

  // Where what is told from now on comes from; nullptr: from no packet. Gives the one before.
  const Frame* set_frame(const Frame* frame) { return std::exchange(frame_, frame); }

  // The packet that an event is about.
  struct About {
    const PacketView& view;
    const Flow& flow;
    AppProtocol app_protocol;
    Direction direction;
    int64_t time_us;
    AppProtocol of_server = AppProtocol::kUnknown;  // if the client has contradicted it
  };

  // What an alert tells beside its rule.
  struct Found {
    std::string_view members;          // of the transaction that it is about, if any
    std::span<const uint8_t> payload;  // that was looked at
    bool in_stream = false;
    bool blocked = false;  // the rule keeps the packet back
    // What became of the packet, and who is told of it.
    std::string_view verdict = "alert";
    std::optional<RejectWhom> rejected{};
    const FlowNotes* notes = nullptr;
  };
  void alert(const About& about, const Rule& rule, const Found& found);
  // `rule` is the one that decided, if any.
  void drop(const About& about, std::string_view reason, const Rule* rule);
  // "http", "dns" ... in the direction of what happened.
  void transaction(const Flow& flow, Direction direction, int64_t time_us,
                   const Transaction& transaction);
  // "fileinfo": a file that has ended.
  void file(const Flow& flow, Direction direction, int64_t time_us, const Transaction& transaction,
            const TrackedFile& file);
  struct FlowStory {
    AppProtocol app_protocol;
    AppProtocol of_server;       // as above
    AppProtocol first_protocol;  // before STARTTLS and the like; kUnknown: it was the same
    FlowEnd end;
    bool alerted;
    std::string_view action;
    const FlowNotes* notes;         // nullptr: none
    std::string_view exceptions{};  // member of "flow"; empty: none
  };
  // "flow", and "netflow" for each direction.
  void flow_end(const Flow& flow, const FlowStory& story, int64_t time_us);

  // "anomaly": of a transaction (nullptr: outside of any); of a stream, by the packet that did it;
  // of a packet's headers; of bytes that are no packet, with as much of its tuple as there is.
  // `event` by Suricata's names.
  void anomaly(const Flow& flow, AppProtocol protocol, Direction direction, int64_t time_us,
               const AppEvent& event, const Transaction* transaction);
  void stream_anomaly(const About& about, std::string_view event);
  void header_anomaly(const About& about, std::string_view event);
  void decode_anomaly(std::span<const uint8_t> ip, const tunnels::tuple& tuple, int64_t time_us,
                      std::string_view event);

  Sink& sink() { return sink_; }

 private:
  void finish();
  void begin_of_flow(std::string_view event_type, const Flow& flow, Direction direction,
                     int64_t time_us);
  void begin_of_end(std::string_view event_type, const Flow& flow, const FlowStory& story,
                    Direction direction, int64_t time_us);
  void begin(const About& about, std::string_view event_type);
  void write_protocols(AppProtocol is, AppProtocol of_server);
  void write_source(const Flow& flow);
  void write_notes(const FlowNotes* notes);
  void write_verdict(const About& about, const Found& found);
  void write_found(const About& about, const Found& found);
  void write_packet(std::span<const uint8_t> ip, size_t bytes_max);
  void write_anomaly(std::string_view type, std::string_view event, std::span<const uint8_t> ip);
  void alert_object(const Rule& rule, const About& about, bool blocked);

  Sink& sink_;
  const EventOptions options_;
  const Frame* frame_ = nullptr;
  const Names* names_ = nullptr;
  JsonLine line_;
};

}  // namespace sluice::inspect
