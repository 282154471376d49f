// SPDX-License-Identifier: Apache-2.0
// The parts that EVE events share, with Suricata's field names (its userguide, "Eve JSON Format").
//
//   begin_event(line, time_us, "alert", flow.id, packet.tuple);
//   write_alert(line, alert);
//   write_flow(line, flow);
//   end_event(line, sensor_name, sink);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "inspect/stream/flow.h"
#include "inspect/stream/packet_view.h"
#include "tunnels/packet.h"

namespace sluice::inspect {

class JsonLine;
class Sink;

// Which end of a packet is attacked.
enum class AlertTarget : uint8_t { kNone, kSource, kDestination };

// What an "alert" object says.
struct AlertFields {
  bool blocked = false;
  uint32_t gid = 1;
  uint32_t signature_id = 0;
  uint32_t rev = 0;
  std::string_view signature;
  std::string_view category;
  int severity = 3;
  std::span<const std::pair<std::string, std::string>> metadata;  // key, value
  AlertTarget target = AlertTarget::kNone;
  const tunnels::tuple* packet = nullptr;  // whose ends target speaks of
  bool short_ipv6 = false;
};

// Starts the line: timestamp, flow_id (0: none), event_type, addresses, ports, proto.
// IPv6 addresses as Suricata writes them: in full, unless `short_ipv6`.
void begin_event(JsonLine& line, int64_t time_us, std::string_view event_type, uint64_t flow_id,
                 const tunnels::tuple& tuple, bool short_ipv6 = false);

// Ends the line: "host", if `sensor_name` is not empty.
void end_event(JsonLine& line, std::string_view sensor_name, Sink& sink);

void write_alert(JsonLine& line, const AlertFields& alert);

// "flow": packets and bytes of each direction, when it began, and its client (src) and server. For
// a flow that has ended also end, age, state, reason and `members` as JsonLine takes them, but not
// its ends: they are the event's.
void write_flow(JsonLine& line, const Flow& flow, bool short_ipv6 = false);
void write_ended_flow(JsonLine& line, const Flow& flow, FlowEnd end, bool alerted = false,
                      std::string_view action = {}, std::string_view members = {});

// "netflow" of one direction of a flow that has ended, and "tcp" with the flags of that direction.
void write_netflow(JsonLine& line, const Flow& flow, Direction direction);

// "tcp": the flags that each side has sent, and how far the connection has come.
void write_tcp(JsonLine& line, const Flow& flow);

// "tunnel": the packet that carries the one that the event is about, and how deep that lies.
void write_tunnel(JsonLine& line, const tunnels::tuple& outer, int depth, bool short_ipv6);

// "icmp_type" and "icmp_code" of a packet; of a flow, by the first packet of each direction.
void write_icmp(JsonLine& line, const PacketView& view);
void write_icmp(JsonLine& line, const Flow& flow);

// "drop" of one packet: what its headers say, by netfilter's names, and why, in Suricata's words
// ("rules", "flow drop", "stream error" ...).
void write_drop(JsonLine& line, const PacketView& view, std::string_view reason);

// "2024-01-01T00:00:00.000000+0000"
struct TimestampText {
  char text[32] = "0000-00-00T00:00:00.000000+0000";
  operator std::string_view() const { return {text, sizeof(text) - 1}; }
};
TimestampText timestamp_text(int64_t time_us);
// "2001:0db8:0000:0000:0000:0000:0000:0001".
std::string long_address_text(const uint32_t (&address)[4], uint8_t version);
// "10.0.0.1", "2001:db8::1"; of an address in packet byte order as tuples hold it.
std::string address_text(const uint32_t (&address)[4], uint8_t version);
// "TCP", "UDP", "ICMP", "IPv6-ICMP" ...; "253"-like for a protocol without a name.
std::string protocol_text(uint8_t protocol);

}  // namespace sluice::inspect
