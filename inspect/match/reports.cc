// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/reports.h"

#include <algorithm>
#include <string>
#include <vector>

#include "inspect/app/tracked_file.h"
#include "inspect/eve/community_id.h"
#include "inspect/eve/event.h"
#include "inspect/rules/notes.h"
#include "inspect/stream/tunnel.h"

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

void write_array(JsonLine& line, std::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return;
  line.open_array(key);
  for (const std::string& value : values) line.element(value);
  line.close_array();
}

// How a packet has come here, in Suricata's words where it has some. Live ones bring no number: the
// gateway sends them in GENEVE.
std::string_view source_text(const Frame& frame) {
  if (frame.outer == nullptr) return frame.number != 0 ? "wire/pcap" : "geneve encapsulation";
  switch (tunnel_kind(*frame.outer)) {
    case TunnelKind::kIp:
      return frame.outer->version == 4 ? "ipv4 tunnel" : "ipv6 tunnel";
    case TunnelKind::kGre:
      return "gre tunnel";
    case TunnelKind::kVxlan:
      return "vxlan encapsulation";
    case TunnelKind::kGeneve:
      return "geneve encapsulation";
    case TunnelKind::kOther:
      break;
  }
  return "udp tunnel";
}

// Flowbits by where events show them: Suricata userguide, "Eve JSON Format".
struct FlowBitNames {
  std::vector<std::string> ids, labels, others;

  void add(const std::string& name) {
    constexpr std::string_view kId = "traffic/id/", kLabel = "traffic/label/";
    if (name.starts_with(kId)) {
      ids.push_back(name.substr(kId.size()));
    } else if (name.starts_with(kLabel)) {
      labels.push_back(name.substr(kLabel.size()));
    } else {
      others.push_back(name);
    }
  }
};

}  // namespace

// What rules have noted of the flow.
void Reports::write_notes(const FlowNotes* notes) {
  if (notes == nullptr || names_ == nullptr) return;
  FlowBitNames bits;
  for (const uint32_t bit : notes->bits()) bits.add(names_->bare_name(bit));
  if (!bits.others.empty() || !notes->numbers().empty()) {
    line_.open("metadata");
    write_array(line_, "flowbits", bits.others);
    if (!notes->numbers().empty()) {
      line_.open("flowints");
      for (const auto& [name, value] : notes->numbers())
        line_.unsigned_number(names_->bare_name(name), value);
      line_.close();
    }
    line_.close();
  }
  if (bits.ids.empty() && bits.labels.empty()) return;
  line_.open("traffic");
  write_array(line_, "id", bits.ids);
  write_array(line_, "label", bits.labels);
  line_.close();
}

// What is known of the packet's way here, and of its flow.
void Reports::write_source(const Flow& flow) {
  if (frame_ != nullptr) {
    if (frame_->number != 0) line_.unsigned_number("pcap_cnt", frame_->number);
    line_.string("pkt_src", source_text(*frame_));
  }
  if (frame_ != nullptr && frame_->outer != nullptr)
    write_tunnel(line_, *frame_->outer, frame_->depth, options_.short_ipv6);
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

void Reports::finish() { end_event(line_, options_.sensor_name, sink_); }

void Reports::begin(const About& about, std::string_view event_type) {
  begin_event(line_, about.time_us, event_type, about.flow.id, about.view.packet.tuple,
              options_.short_ipv6);
  write_icmp(line_, about.view);
  write_source(about.flow);
  write_protocols(about.app_protocol, about.of_server);
  line_.string("direction", about.direction == Direction::kToServer ? "to_server" : "to_client");
}

void Reports::write_protocols(AppProtocol is, AppProtocol of_server) {
  if (is_known(is)) line_.string("app_proto", app_protocol_name(is));
  if (is_known(of_server)) line_.string("app_proto_tc", app_protocol_name(of_server));
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

void Reports::write_verdict(const About& about, const Found& found) {
  line_.open("verdict");
  line_.string("action", found.verdict);
  if (found.rejected) {
    constexpr std::string_view kWhom[] = {"both", "to_client", "to_server"};
    line_.string("reject-target", kWhom[static_cast<size_t>(*found.rejected)]);
    line_.open_array("reject");
    line_.element(about.view.is_tcp() ? "tcp-reset" : "icmp-prohib");
    line_.close_array();
  }
  line_.close();
}

void Reports::write_found(const About& about, const Found& found) {
  line_.members(found.members);
  const auto shown = found.payload.first(std::min(found.payload.size(), kPayloadShownMax));
  if (options_.payload) line_.base64("payload", shown);
  if (options_.payload_printable) line_.string("payload_printable", printable(shown));
  if (options_.payload || options_.payload_printable) line_.number("stream", found.in_stream);
  if (options_.packet) write_packet(about.view.ip, kJsonBytesMax);
}

void Reports::write_packet(std::span<const uint8_t> ip, size_t bytes_max) {
  std::vector<uint8_t> packet;
  if (frame_ != nullptr) packet.assign(frame_->header.begin(), frame_->header.end());
  packet.insert(packet.end(), ip.begin(), ip.end());
  packet.resize(std::min(packet.size(), bytes_max));
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
  if (about.flow.id != 0) write_flow(line_, about.flow, options_.short_ipv6);
  write_notes(found.notes);
  if (options_.verdict) write_verdict(about, found);
  finish();
}

void Reports::drop(const About& about, std::string_view reason, const Rule* rule) {
  if (!writes(EventType::kDrop)) return;
  begin(about, "drop");
  write_drop(line_, about.view, reason);
  if (rule != nullptr) alert_object(*rule, about, true);
  finish();
}

void Reports::begin_of_flow(std::string_view event_type, const Flow& flow, Direction direction,
                            int64_t time_us) {
  const bool to_server = direction == Direction::kToServer;
  begin_event(line_, time_us, event_type, flow.id,
              to_server ? flow.to_server : turned(flow.to_server), options_.short_ipv6);
  write_icmp(line_, flow);
  write_source(flow);
}

void Reports::transaction(const Flow& flow, Direction direction, int64_t time_us,
                          const Transaction& transaction) {
  if (!options_.types.has(transaction.event_type())) return;
  // As in Suricata, an answer of version 2 is told with the addresses of its query.
  if (transaction.protocol() == AppProtocol::kDns && options_.dns_version == 2)
    direction = Direction::kToServer;
  begin_of_flow(transaction.event_type(), flow, direction, time_us);
  line_.unsigned_number("tx_id", transaction.id());
  if (options_.extended.has(transaction.event_type())) {
    transaction.write(line_);
  } else {
    transaction.write_brief(line_);
  }
  finish();
}

void Reports::file(const Flow& flow, Direction direction, int64_t time_us,
                   const Transaction& transaction, const TrackedFile& file) {
  begin_of_flow("fileinfo", flow, direction, time_us);
  transaction.write(line_);
  line_.string("app_proto", app_protocol_name(transaction.protocol()));
  file.write(line_, transaction.id());
  finish();
}

void Reports::begin_of_end(std::string_view event_type, const Flow& flow, const FlowStory& story,
                           Direction direction, int64_t time_us) {
  begin_of_flow(event_type, flow, direction, time_us);
  write_protocols(story.app_protocol, story.of_server);
  if (is_known(story.first_protocol))
    line_.string("app_proto_orig", app_protocol_name(story.first_protocol));
}

void Reports::flow_end(const Flow& flow, const FlowStory& story, int64_t time_us) {
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    if (!writes(EventType::kNetflow) || flow.packets[static_cast<size_t>(direction)] == 0) continue;
    begin_of_end("netflow", flow, story, direction, time_us);
    write_netflow(line_, flow, direction);
    finish();
  }
  if (!writes(EventType::kFlow)) return;
  begin_of_end("flow", flow, story, Direction::kToServer, time_us);
  write_ended_flow(line_, flow, story.end, story.alerted, story.action, story.exceptions);
  if (flow.is_tcp()) write_tcp(line_, flow);
  write_notes(story.notes);
  finish();
}

}  // namespace sluice::inspect
