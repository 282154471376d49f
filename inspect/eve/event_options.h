// SPDX-License-Identifier: Apache-2.0
// Which events are written, and what they tell beside what they always tell.
#pragma once

#include <cstdint>
#include <string>

#include "inspect/eve/event_types.h"

namespace sluice::inspect {

// What "anomaly" events tell of; as in Suricata, of what parsers notice unless more is asked for.
struct AnomalyOptions {
  bool applayer = true;
  bool stream = false;         // what packets do to their streams
  bool decode = false;         // bytes that are no packet
  bool packet_header = false;  // of the latter two, the first bytes of the packet
};

struct EventOptions {
  EventTypes types;
  // Those of these types ("http", "tls") tell all; the others only what Suricata's do that are not
  // `extended`.
  EventTypes extended;
  AnomalyOptions anomalies;
  // "community_id" in each event of a flow; see community_id.h.
  bool community_id = false;
  uint16_t community_id_seed = 0;
  // Not empty: "host" of every event, the name of this sensor.
  std::string sensor_name;
  // "fd00::1" rather than "fd00:0000:0000:0000:0000:0000:0000:0001".
  bool short_ipv6 = false;
  // In alerts: what the packet carries or the last of the stream ("payload", base64), the same as
  // text ("payload_printable"), the whole packet ("packet", base64).
  bool payload = false;
  bool payload_printable = false;
  bool packet = false;
  // In alerts what became of the packet ("verdict").
  bool verdict = false;
  // Of "dns" events: 2, one for each query and for each answer; 3, one for each message.
  int dns_version = 2;
  // A "drop" event for each packet that is dropped; else the first of a flow.
  bool every_drop = false;
};

}  // namespace sluice::inspect
