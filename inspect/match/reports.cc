// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/reports.h"

#include <algorithm>
#include <string>
#include <vector>

#include "inspect/app/tracked_file.h"
#include "inspect/eve/community_id.h"
#include "inspect/eve/event.h"

namespace sluice::inspect {

namespace {

bool is_known(AppProtocol protocol) { return protocol != AppProtocol::kUnknown; }

tunnels::tuple turned(const tunnels::tuple& t) {
  tunnels::tuple out = t;
  std::swap(out.source, out.destination);
  std::swap(out.source_port, out.destination_port);
  return out;
}

// As much of it as an alert shows.
constexpr size_t kPayloadShownMax = 4096;

std::string printable(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t byte : bytes)
    out += (byte >= ' ' && byte < 0x7f) || byte == '\n' || byte == '\r' ? static_cast<char>(byte)
                                                                        : '.';
  return out;
}

}  // namespace

// What is known of the packet's way here, and of its flow.
void Reports::write_source(const Flow& flow) {
  if (frame_ != nullptr) {
    if (frame_->number != 0) line_.unsigned_number("pcap_cnt", frame_->number);
    line_.string("pkt_src", "wire/pcap");
  }
  if (flow.vlans[0] != 0) {
    line_.open_array("vlan");
    for (const uint16_t vlan : flow.vlans) {
      if (vlan != 0) line_.number_element(vlan);
    }
    line_.close_array();
  }
  if (!options_.community_id) return;
  const std::string id = community_id(flow.to_server, options_.community_id_seed);
  if (!id.empty()) line_.string("community_id", id);
}

void Reports::begin(const About& about, std::string_view event_type) {
  begin_event(line_, about.time_us, event_type, about.flow.id, about.view.packet.tuple,
              options_.short_ipv6);
  write_source(about.flow);
  if (is_known(about.app_protocol))
    line_.string("app_proto", app_protocol_name(about.app_protocol));
  line_.string("direction", about.direction == Direction::kToServer ? "to_server" : "to_client");
}

void Reports::alert_object(const Rule& rule, const About& about, bool blocked) {
  const AlertFields fields{.blocked = blocked,
                           .gid = rule.gid,
                           .signature_id = rule.sid,
                           .rev = rule.rev,
                           .signature = rule.msg,
                           .category = rule.category,
                           .severity = rule.priority,
                           .metadata = rule.metadata,
                           .target = rule.target == Target::kNone     ? AlertTarget::kNone
                                     : rule.target == Target::kSource ? AlertTarget::kSource
                                                                      : AlertTarget::kDestination,
                           .packet = &about.view.packet.tuple,
                           .short_ipv6 = options_.short_ipv6};
  write_alert(line_, fields);
}

void Reports::write_found(const About& about, const Found& found) {
  line_.members(found.members);
  const auto shown = found.payload.first(std::min(found.payload.size(), kPayloadShownMax));
  if (options_.payload) line_.base64("payload", shown);
  if (options_.payload_printable) line_.string("payload_printable", printable(shown));
  if (options_.payload || options_.payload_printable) line_.number("stream", found.in_stream);
  if (!options_.packet) return;
  std::vector<uint8_t> packet;
  if (frame_ != nullptr) packet.assign(frame_->header.begin(), frame_->header.end());
  packet.insert(packet.end(), about.view.ip.begin(), about.view.ip.end());
  line_.base64("packet", packet);
  line_.open("packet_info");
  line_.number("linktype", frame_ != nullptr ? frame_->link_type : Frame{}.link_type);
  line_.close();
}

void Reports::alert(const About& about, const Rule& rule, const Found& found) {
  if (!writes(EventType::kAlert)) return;
  begin(about, "alert");
  alert_object(rule, about, found.blocked);
  write_found(about, found);
  write_flow(line_, about.flow);
  sink_.write(line_.finish());
}

void Reports::drop(const About& about, std::string_view reason, const Rule* rule) {
  if (!writes(EventType::kDrop)) return;
  begin(about, "drop");
  write_drop(line_, about.view.packet.l3_length, reason);
  if (rule != nullptr) alert_object(*rule, about, true);
  sink_.write(line_.finish());
}

void Reports::begin_of_flow(std::string_view event_type, const Flow& flow, Direction direction,
                            int64_t time_us) {
  const bool to_server = direction == Direction::kToServer;
  begin_event(line_, time_us, event_type, flow.id,
              to_server ? flow.to_server : turned(flow.to_server), options_.short_ipv6);
  write_source(flow);
}

void Reports::transaction(const Flow& flow, Direction direction, int64_t time_us,
                          const Transaction& transaction) {
  if (!options_.types.has(transaction.event_type())) return;
  begin_of_flow(transaction.event_type(), flow, direction, time_us);
  line_.unsigned_number("tx_id", transaction.id());
  transaction.write(line_);
  sink_.write(line_.finish());
}

void Reports::file(const Flow& flow, Direction direction, int64_t time_us,
                   const Transaction& transaction, const TrackedFile& file) {
  begin_of_flow("fileinfo", flow, direction, time_us);
  transaction.write(line_);
  line_.string("app_proto", app_protocol_name(transaction.protocol()));
  file.write(line_, transaction.id());
  sink_.write(line_.finish());
}

void Reports::flow_end(const Flow& flow, const FlowStory& story, int64_t time_us) {
  if (!writes(EventType::kFlow)) return;
  begin_of_flow("flow", flow, Direction::kToServer, time_us);
  if (is_known(story.app_protocol))
    line_.string("app_proto", app_protocol_name(story.app_protocol));
  if (is_known(story.first_protocol))
    line_.string("app_proto_orig", app_protocol_name(story.first_protocol));
  write_ended_flow(line_, flow, story.end, story.alerted, story.action);
  if (flow.is_tcp()) write_tcp(line_, flow);
  sink_.write(line_.finish());
}

}  // namespace sluice::inspect
