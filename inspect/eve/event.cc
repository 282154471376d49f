// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"

namespace sluice::inspect {
namespace {

constexpr int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kSecondsMax = 253'402'300'799;  // the last one of the year 9999

// Several times for each event: library functions that know locales are too slow here.
void put_digits(char* text, int at, int count, uint32_t number) {
  for (int i = count - 1; i >= 0; i--, number /= 10)
    text[at + i] = static_cast<char>('0' + number % 10);
}

bool has_ports(uint8_t protocol) {
  return protocol == tunnels::kProtocolTcp || protocol == tunnels::kProtocolUdp;
}

std::string_view state_text(FlowState state) {
  switch (state) {
    case FlowState::kNew:
      return "new";
    case FlowState::kEstablished:
      return "established";
    case FlowState::kClosed:
      return "closed";
  }
  return "unknown";
}

std::string_view tcp_state_text(const Flow& flow) {
  if (flow.state != FlowState::kNew) return state_text(flow.state);
  return flow.tcp_flags[1] & tunnels::kTcpSyn ? "syn_recv" : "syn_sent";
}

std::string_view reason_text(FlowEnd end) {
  switch (end) {
    case FlowEnd::kTimeout:
      return "timeout";
    case FlowEnd::kEvicted:
      return "forced";
    case FlowEnd::kReplaced:
      return "tcp_reuse";
    case FlowEnd::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

void write_flow_counts(JsonLine& line, const Flow& flow) {
  line.unsigned_number("pkts_toserver", flow.packets[0]);
  line.unsigned_number("pkts_toclient", flow.packets[1]);
  line.unsigned_number("bytes_toserver", flow.bytes[0]);
  line.unsigned_number("bytes_toclient", flow.bytes[1]);
  line.string("start", timestamp_text(flow.start_us));
}

std::string flags_text(uint8_t flags) {
  static constexpr char kHex[] = "0123456789abcdef";
  return {kHex[flags >> 4], kHex[flags & 15]};
}

void write_flags(JsonLine& line, uint8_t flags) {
  struct Named {
    uint8_t flag;
    JsonKey name;
  };
  constexpr Named kFlags[] = {{0x02, "syn"}, {0x01, "fin"}, {0x04, "rst"}, {0x08, "psh"},
                              {0x10, "ack"}, {0x20, "urg"}, {0x40, "ecn"}, {0x80, "cwr"}};
  for (const Named& named : kFlags) {
    if (flags & named.flag) line.boolean(named.name, true);
  }
}

using Metadata = std::span<const std::pair<std::string, std::string>>;

void write_addresses(JsonLine& line, const tunnels::tuple& tuple, bool short_ipv6) {
  const auto text = short_ipv6 ? address_text : long_address_text;
  line.string("src_ip", text(tuple.source, tuple.version));
  if (has_ports(tuple.protocol)) line.number("src_port", ntohs(tuple.source_port));
  line.string("dest_ip", text(tuple.destination, tuple.version));
  if (has_ports(tuple.protocol)) line.number("dest_port", ntohs(tuple.destination_port));
}

void write_end(JsonLine& line, std::string_view name, const uint32_t (&address)[4], uint16_t port,
               const AlertFields& alert) {
  const tunnels::tuple& tuple = *alert.packet;
  const auto text = alert.short_ipv6 ? address_text : long_address_text;
  line.open(name);
  line.string("ip", text(address, tuple.version));
  if (has_ports(tuple.protocol)) line.number("port", ntohs(port));
  line.close();
}

void write_ip_header(JsonLine& line, std::span<const uint8_t> ip) {
  if (ip[0] >> 4 == 4) {
    line.number("len", tunnels::load_be16(&ip[2]));
    line.number("tos", ip[1]);
    line.number("ttl", ip[8]);
    line.number("ipid", tunnels::load_be16(&ip[4]));
    return;
  }
  const uint32_t first = tunnels::load_be32(&ip[0]);
  line.number("len", tunnels::load_be16(&ip[4]));
  line.number("tc", first >> 20 & 0xff);
  line.number("hoplimit", ip[7]);
  line.number("flowlbl", first & 0xfffff);
}

void write_tcp_header(JsonLine& line, std::span<const uint8_t> segment) {
  struct Named {
    uint8_t flag;
    JsonKey name;
  };
  constexpr Named kFlags[] = {{0x02, "syn"}, {0x10, "ack"}, {0x08, "psh"},
                              {0x04, "rst"}, {0x20, "urg"}, {0x01, "fin"}};
  line.number("tcpseq", tunnels::load_be32(&segment[4]));
  line.number("tcpack", tunnels::load_be32(&segment[8]));
  line.number("tcpwin", tunnels::load_be16(&segment[14]));
  for (const auto& [flag, name] : kFlags) line.boolean(name, segment[13] & flag);
  line.number("tcpres", segment[12] & 15);
  line.number("tcpurgp", tunnels::load_be16(&segment[18]));
}

void write_headers(JsonLine& line, const PacketView& view) {
  write_ip_header(line, view.ip);
  const auto transport = view.ip.subspan(view.packet.l4_offset);
  if (view.is_tcp()) write_tcp_header(line, transport);
  if (view.is_udp()) line.number("udplen", tunnels::load_be16(&transport[4]));
  if (!icmp_kind(view) || transport.size() < 8) return;
  line.number("icmp_id", tunnels::load_be16(&transport[4]));
  line.number("icmp_seq", tunnels::load_be16(&transport[6]));
}

// "source" attacks, "target" is attacked.
void write_ends(JsonLine& line, const AlertFields& alert) {
  const tunnels::tuple& t = *alert.packet;
  const bool forward = alert.target == AlertTarget::kDestination;
  write_end(line, "source", forward ? t.source : t.destination,
            forward ? t.source_port : t.destination_port, alert);
  write_end(line, "target", forward ? t.destination : t.source,
            forward ? t.destination_port : t.source_port, alert);
}

// Each key once, with all its values.
void write_metadata(JsonLine& line, Metadata metadata) {
  line.open("metadata");
  for (size_t i = 0; i < metadata.size(); i++) {
    const auto same_key = [&](const auto& other) { return other.first == metadata[i].first; };
    if (std::any_of(metadata.begin(), metadata.begin() + static_cast<std::ptrdiff_t>(i), same_key))
      continue;
    line.open_array(metadata[i].first);
    for (const auto& [key, value] : metadata.subspan(i)) {
      if (key == metadata[i].first) line.element(value);
    }
    line.close_array();
  }
  line.close();
}

// Between the seconds in which it began and ended, as Suricata counts.
int64_t age_of(const Flow& flow) {
  return flow.last_us / kMicrosecondsPerSecond - flow.start_us / kMicrosecondsPerSecond;
}

}  // namespace

void begin_event(JsonLine& line, int64_t time_us, std::string_view event_type, uint64_t flow_id,
                 const tunnels::tuple& tuple, bool short_ipv6) {
  line.begin();
  line.string("timestamp", timestamp_text(time_us));
  if (flow_id != 0) line.unsigned_number("flow_id", flow_id);
  line.string("event_type", event_type);
  if (tuple.version == 0) return;
  write_addresses(line, tuple, short_ipv6);
  line.string("proto", protocol_text(tuple.protocol));
  line.number("ip_v", tuple.version);
}

void end_event(JsonLine& line, std::string_view sensor_name, Sink& sink) {
  if (!sensor_name.empty()) line.string("host", sensor_name);
  sink.write(line.finish());
}

void write_alert(JsonLine& line, const AlertFields& alert) {
  line.open("alert");
  line.string("action", alert.blocked ? "blocked" : "allowed");
  line.number("gid", alert.gid);
  line.number("signature_id", alert.signature_id);
  line.number("rev", alert.rev);
  line.string("signature", alert.signature);
  line.string("category", alert.category);
  line.number("severity", alert.severity);
  if (alert.target != AlertTarget::kNone && alert.packet != nullptr) write_ends(line, alert);
  if (!alert.metadata.empty()) write_metadata(line, alert.metadata);
  line.close();
}

void write_flow(JsonLine& line, const Flow& flow, bool short_ipv6) {
  line.open("flow");
  write_flow_counts(line, flow);
  write_addresses(line, flow.to_server, short_ipv6);
  line.close();
}

void write_ended_flow(JsonLine& line, const Flow& flow, FlowEnd end, bool alerted,
                      std::string_view action, std::string_view members) {
  line.open("flow");
  write_flow_counts(line, flow);
  line.string("end", timestamp_text(flow.last_us));
  line.number("age", age_of(flow));
  line.string("state", state_text(flow.state));
  line.string("reason", reason_text(end));
  line.boolean("alerted", alerted);
  if (!action.empty()) line.string("action", action);
  line.members(members);
  line.close();
}

void write_netflow(JsonLine& line, const Flow& flow, Direction direction) {
  const auto side = static_cast<size_t>(direction);
  line.open("netflow");
  line.unsigned_number("pkts", flow.packets[side]);
  line.unsigned_number("bytes", flow.bytes[side]);
  line.string("start", timestamp_text(flow.start_us));
  line.string("end", timestamp_text(flow.last_us));
  line.number("age", age_of(flow));
  line.close();
  if (!flow.is_tcp()) return;
  line.open("tcp");
  line.string("tcp_flags", flags_text(flow.tcp_flags[side]));
  write_flags(line, flow.tcp_flags[side]);
  line.close();
}

void write_tcp(JsonLine& line, const Flow& flow) {
  const auto all = static_cast<uint8_t>(flow.tcp_flags[0] | flow.tcp_flags[1]);
  line.open("tcp");
  line.string("tcp_flags", flags_text(all));
  line.string("tcp_flags_ts", flags_text(flow.tcp_flags[0]));
  line.string("tcp_flags_tc", flags_text(flow.tcp_flags[1]));
  write_flags(line, all);
  line.string("state", tcp_state_text(flow));
  line.close();
}

void write_tunnel(JsonLine& line, const tunnels::tuple& outer, int depth, bool short_ipv6) {
  line.open("tunnel");
  write_addresses(line, outer, short_ipv6);
  line.string("proto", protocol_text(outer.protocol));
  line.number("depth", depth);
  line.close();
}

void write_icmp(JsonLine& line, const PacketView& view) {
  const auto kind = icmp_kind(view);
  if (!kind) return;
  line.number("icmp_type", kind->type);
  line.number("icmp_code", kind->code);
}

void write_icmp(JsonLine& line, const Flow& flow) {
  if (!flow.is_icmp()) return;
  line.number("icmp_type", flow.icmp_type[0]);
  line.number("icmp_code", flow.icmp_code[0]);
  if (flow.packets[1] == 0) return;
  line.number("response_icmp_type", flow.icmp_type[1]);
  line.number("response_icmp_code", flow.icmp_code[1]);
}

void write_drop(JsonLine& line, const PacketView& view, std::string_view reason) {
  line.open("drop");
  // What a decode-event is about: its headers are not there, or do not say what is.
  if (view_packet(view.ip)) {
    write_headers(line, view);
  } else {
    line.number("len", static_cast<int64_t>(view.ip.size()));
  }
  line.string("reason", reason);
  line.close();
}

TimestampText timestamp_text(int64_t time_us) {
  time_us = std::max<int64_t>(time_us, 0);
  int64_t seconds = time_us / kMicrosecondsPerSecond;
  // A year of five digits is a clock beyond use; it prints as 1970.
  if (seconds > kSecondsMax) seconds = 0;
  const auto day = std::chrono::days(seconds / kSecondsPerDay);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const auto of_day = static_cast<uint32_t>(seconds % kSecondsPerDay);
  TimestampText out;
  char* const text = out.text;
  put_digits(text, 0, 4, static_cast<uint32_t>(static_cast<int>(date.year())));
  put_digits(text, 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text, 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text, 11, 2, of_day / 3600);
  put_digits(text, 14, 2, of_day / 60 % 60);
  put_digits(text, 17, 2, of_day % 60);
  put_digits(text, 20, 6, static_cast<uint32_t>(time_us % kMicrosecondsPerSecond));
  return out;
}

std::string address_text(const uint32_t (&address)[4], uint8_t version) {
  char text[INET6_ADDRSTRLEN] = "";
  if (version != 4) {
    inet_ntop(AF_INET6, address, text, sizeof(text));
    return text;
  }
  char* at = text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    at = std::to_chars(at, std::end(text), ntohl(address[0]) >> shift & 255).ptr;
    if (shift != 0) *at++ = '.';
  }
  return {text, at};
}

std::string long_address_text(const uint32_t (&address)[4], uint8_t version) {
  if (version == 4) return address_text(address, version);
  std::string text;
  for (const uint32_t word : address) {
    char part[12];
    const uint32_t number = ntohl(word);
    std::snprintf(part, sizeof(part), "%s%04x:%04x", text.empty() ? "" : ":", number >> 16,
                  number & 0xffff);
    text += part;
  }
  return text;
}

}  // namespace sluice::inspect
