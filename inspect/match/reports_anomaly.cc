// SPDX-License-Identifier: Apache-2.0
// The part of Reports that tells of what no honest peer does.
#include "inspect/match/reports.h"

#include <algorithm>
#include <string>

#include "inspect/eve/event.h"

namespace sluice::inspect {
namespace {

// As in Suricata.
constexpr size_t kPacketHeaderShown = 32;

// Which part of it has noticed an event, by Suricata's names.
std::string_view layer_of(const AppEvent& event, const Transaction* transaction) {
  if (event.protocol == AppProtocol::kUnknown) return "proto_detect";
  return transaction != nullptr ? "proto_parser" : "parser";
}

}  // namespace

void Reports::anomaly(const Flow& flow, AppProtocol app, Direction direction, int64_t time_us,
                      const AppEvent& event, const Transaction* transaction) {
  const std::string_view protocol = app_protocol_name(app);
  begin_of_flow("anomaly", flow, direction, time_us);
  if (transaction != nullptr) line_.unsigned_number("tx_id", transaction->id());
  line_.string("app_proto", protocol);
  line_.open("anomaly");
  line_.string("app_proto", protocol);
  line_.string("type", "applayer");
  line_.string("event", anomaly_name(event));
  line_.string("layer", layer_of(event, transaction));
  line_.close();
  finish();
}

void Reports::stream_anomaly(const About& about, std::string_view event) {
  begin(about, "anomaly");
  write_anomaly("stream", "stream." + std::string(event), about.view.ip);
}

void Reports::header_anomaly(const About& about, std::string_view event) {
  begin(about, "anomaly");
  write_anomaly("decode", "decoder." + std::string(event), about.view.ip);
}

void Reports::decode_anomaly(std::span<const uint8_t> ip, const tunnels::tuple& tuple,
                             int64_t time_us, std::string_view event) {
  Flow none;
  if (frame_ != nullptr) std::ranges::copy(frame_->vlans, none.vlans);
  begin_event(line_, time_us, "anomaly", 0, tuple, options_.short_ipv6);
  write_source(none);
  write_anomaly("decode", "decoder." + std::string(event), ip);
}

void Reports::write_anomaly(std::string_view type, std::string_view event,
                            std::span<const uint8_t> ip) {
  line_.open("anomaly");
  line_.string("type", type);
  line_.string("event", event);
  line_.close();
  if (options_.anomalies.packet_header) write_packet(ip, kPacketHeaderShown);
  finish();
}

}  // namespace sluice::inspect
