// SPDX-License-Identifier: Apache-2.0
// What inspection remembers about a flow, and the packet in hand.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "inspect/app/app_event.h"
#include "inspect/app/session.h"
#include "inspect/dpi/classifier.h"
#include "inspect/match/other_reading.h"
#include "inspect/match/reports.h"
#include "inspect/match/tcp_inspection.h"
#include "inspect/rules/notes.h"
#include "inspect/stream/decode_event.h"
#include "inspect/stream/flow_table.h"
#include "inspect/stream/packet_view.h"
#include "inspect/stream/receive_window.h"
#include "inspect/stream/sequence_end.h"
#include "inspect/stream/tcp_watch.h"

namespace sluice::inspect {

enum class Decision : uint8_t { kInspect, kPass, kDrop };

struct FlowUser {
  std::unique_ptr<TcpInspection> tcp;  // from the first payload on
  std::unique_ptr<AppSession> app;
  // Where the beginning was not seen, and somebody may yet turn out to be the client.
  std::unique_ptr<OtherReading> other;
  std::unique_ptr<FlowNotes> notes;                    // from the first flowbit on
  std::unique_ptr<FlowClassification> classification;  // if rules ask for it
  std::unique_ptr<TcpWatch> watch;                     // if rules or events ask for it
  uint32_t initial_sequence[2] = {};
  bool syn_seen[2] = {};
  bool acknowledged[2] = {};  // the other end has taken that sequence number
  SequenceEnd ends[2];        // by Direction
  ReceiveWindow windows[2];   // by Direction of what they have room for
  // In a connection that is not followed: a SYN that begins another one if its server answers.
  std::optional<uint32_t> syn_again;
  FlowState open_state = FlowState::kNew;  // the last one that was not closed
  bool reset_believed = false;
  bool begun = false;        // by a packet that is no reset
  bool unanswered = false;   // its SYN may be one that never arrives: data must wait for the answer
  bool established = false;  // at the packet before
  Decision decision = Decision::kInspect;
  AppProtocol app_protocol = AppProtocol::kUnknown;
  AppProtocol first_protocol = AppProtocol::kUnknown;  // if it has changed
  AppProtocol of_server = AppProtocol::kUnknown;       // if the client has contradicted it
  bool encrypted = false;                              // nothing more to find in payloads
  uint32_t asked[2] = {};  // generation whose address rules were asked, by Direction
  // Generation whose rules about what nDPI says now were asked, by Direction.
  std::array<uint32_t, 2> asked_classified{};
  uint64_t encrypted_bytes[2] = {};  // then: bytes of the streams so far, by Direction
  uint32_t app_since = 0;            // generation of the engine when `app` began
  uint32_t outside_told = 0;         // of outside_number(): "anomaly" events that were written
  bool asked_established = false;    // flow:established when `asked_classified` was set
  bool alerted = false;
  bool drop_reported = false;
  bool error_reported = false;
  bool app_error_seen = false;
  bool lacks_memory = false;      // for what its transactions would keep
  uint8_t exceptions = 0;         // causes that it has met, by ExceptionCause
  bool request_known = false;     // the first one: all of it has come
  bool default_dropped = false;   // packets of it, because no rule passed them
  bool beginning_unseen = false;  // TCP: there was no SYN first
  bool is_second = false;         // what stands here is the reading that came later
  bool read_twice = false;        // that one has found a protocol: rules are asked in both readings
  bool turned = false;            // the client was thought to be the server at first

  bool is_first_outside(uint16_t app_event) {
    const uint32_t bit = uint32_t{1} << outside_number(app_event);
    return !(std::exchange(outside_told, outside_told | bit) & bit);
  }
};

// Its bytes are put in order, so that those of another connection with its tuple do not fit.
inline bool is_followed(const FlowUser& user) {
  if (user.encrypted || user.decision == Decision::kPass) return false;
  return !user.tcp ||
         (!user.tcp->sides[0].stream.finished() && !user.tcp->sides[1].stream.finished());
}

using Flows = FlowTable<FlowUser>;

// Its other reading takes the place of the one that stands there: who was the server is the client.
// Twice, and all is as before.
void turn(Flows::Record& flow);

// `act` on the flow in each of its readings.
template <class Act>
void in_each_reading(Flows::Record& flow, Act act) {
  act();
  if (!flow.user.other) return;
  turn(flow);
  act();
  turn(flow);
}

// The packet in hand.
struct Current {
  const PacketView& view;
  Flows::Record& flow;
  Direction direction;
  int64_t time_us;
  bool established;  // what flow:established asks
  // An ICMP error about a flow that is known and has not been kept back.
  bool about_known_flow = false;
  DecodeEvents decode_events = {};  // if somebody asks for them
  bool is_packet = true;            // not what is dropped as none; its flow is none
  // Rules are asked in another reading of the flow, too.
  bool second_reading = false;

  Reports::About about() const {
    return {view, flow, flow.user.app_protocol, direction, time_us, flow.user.of_server};
  }
  size_t side() const { return static_cast<size_t>(direction); }
  uint16_t server_port() const {
    return direction == Direction::kToServer ? view.destination_port : view.source_port;
  }
};

}  // namespace sluice::inspect
