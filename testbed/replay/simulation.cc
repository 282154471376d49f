// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/simulation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/fragment.h"
#include "gateway/datapath/partial_checksum.h"
#include "gateway/nlb/translate.h"
#include "tunnels/checksum.h"

namespace sluice::testbed {

namespace {

using gateway::kNone16;
using inspect::Direction;

constexpr int64_t kNsPerUs = 1000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr size_t kOuterIp = 14;

bool is_over_ipv6(std::span<const uint8_t> sent) {
  return tunnels::load_be16(&sent[12]) == tunnels::kEtherTypeIpv6;
}

// Ethernet, IP and UDP.
size_t outer_length(std::span<const uint8_t> sent) {
  return is_over_ipv6(sent) ? gateway::kOuterLength6 : gateway::kOuterLength4;
}

void answer_outer_ipv4(std::vector<uint8_t>& out) {
  uint8_t* ip = &out[kOuterIp];
  std::swap_ranges(ip + 12, ip + 16, ip + 16);
  const uint16_t length_before = tunnels::load_u16(ip + 2);
  tunnels::store_be16(ip + 2, static_cast<uint16_t>(out.size() - kOuterIp));
  tunnels::store_u16(ip + 10, tunnels::checksum_replace16(tunnels::load_u16(ip + 10), length_before,
                                                          tunnels::load_u16(ip + 2)));
}

void answer_outer_ipv6(std::vector<uint8_t>& out) {
  uint8_t* ip = &out[kOuterIp];
  std::swap_ranges(ip + 8, ip + 24, ip + 24);
  tunnels::store_be16(ip + 4, static_cast<uint16_t>(out.size() - kOuterIp - 40));
}

// What a live appliance's kernel puts in front of a datagram that answers `sent`: addresses
// swapped, from and to the GENEVE port.
void write_reply_frame(std::span<const uint8_t> sent, std::span<const uint8_t> datagram,
                       std::vector<uint8_t>& out) {
  const size_t length = outer_length(sent);
  out.assign(sent.begin(), sent.begin() + static_cast<ptrdiff_t>(length));
  out.insert(out.end(), datagram.begin(), datagram.end());
  std::swap_ranges(&out[0], &out[6], &out[6]);
  if (is_over_ipv6(sent))
    answer_outer_ipv6(out);
  else
    answer_outer_ipv4(out);
  const size_t at = length - 8;
  uint8_t* udp = &out[at];
  tunnels::store_u16(udp, tunnels::load_u16(udp + 2));
  tunnels::store_be16(udp + 4, static_cast<uint16_t>(out.size() - at));
}

size_t way_index(Direction direction) { return static_cast<size_t>(direction); }

}  // namespace

Simulation::Simulation(gateway::ProcessHost& host, uint16_t attachment, Sides sides,
                       StandingAppliances appliances, Delivery delivered)
    : host_(host),
      tables_(host.tables()),
      attachment_(attachment),
      sides_(std::move(sides)),
      appliances_(std::move(appliances)),
      delivered_(std::move(delivered)),
      flows_(tables_.settings[0].hash_key),
      slow_path_(tables_,
                 [this](const gateway::Outcome& outcome, std::span<const uint8_t> bytes) {
                   out_of_slow_path(outcome, bytes);
                   return true;
                 }),
      copies_(tables_,
              [this](uint32_t interface, std::span<const uint8_t> frame) {
                on_their_way_.push_back({interface, {frame.begin(), frame.end()}});
                return true;
              }),
      copy_taker_{
          [](void* self, const gateway::mirror_head* head, const uint8_t* bytes) {
            auto* simulation = static_cast<Simulation*>(self);
            simulation->copies_.take(*head, {bytes, head->length}, simulation->host_.now_ms());
          },
          this} {
  host_.tables().mirrors = &copy_taker_;
}

Simulation::~Simulation() { host_.tables().mirrors = nullptr; }

void Simulation::enter(const CapturedFrame& frame) {
  advance(frame.time_ns);
  counts_.frames++;
  buffer_.assign(frame.bytes);
  tunnels::packet packet{};
  const uint8_t* data = buffer_.bytes().data();
  const uint8_t* end = data + buffer_.bytes().size();
  const uint16_t type = tunnels::parse_ethernet(data, end, &packet);
  const bool is_ip = type == tunnels::kEtherTypeIpv4 || type == tunnels::kEtherTypeIpv6;
  const uint8_t version = type == tunnels::kEtherTypeIpv4 ? 4 : 6;
  if (is_ip && tunnels::parse_ip(data, end, version, &packet) == tunnels::kDropNone)
    enter_ip(packet);
  else
    enter_other(Side::kOutside);
  answer_copies();
}

// The appliances of mirrors and shadows answer like any other. What they say is theirs: it is in
// their EVE output, and no fate of the flow's.
void Simulation::answer_copies() {
  for (const Copy& copy : std::exchange(on_their_way_, {})) {
    StandingAppliance& appliance = appliance_of(copy.frame);
    const auto replies = appliance.answer(std::span(copy.frame).subspan(outer_length(copy.frame)),
                                          now_ns_ / kNsPerUs);
    (void)appliance.heard();
    for (const StandingAppliance::Reply& reply : replies) {
      write_reply_frame(copy.frame, reply.datagram, back_);
      buffer_.assign(back_);
      (void)host_.run(buffer_, copy.interface);
    }
  }
}

// The clock starts at 0 with the first frame and never goes back.
void Simulation::advance(int64_t time_ns) {
  if (first_ns_ < 0) first_ns_ = time_ns;
  now_ns_ = std::max(now_ns_, std::max(time_ns, first_ns_));
  host_.set_now_ms(static_cast<uint64_t>((now_ns_ - first_ns_) / kNsPerMs));
  slow_path_.expire(host_.now_ms());
  copies_.turn(host_.now_ms());
  for (const auto& [address, standing] : appliances_) standing->tick(now_ns_ / kNsPerUs);
}

// Frames that belong to no flow: what is not IP crosses, what is malformed is dropped.
void Simulation::enter_other(Side side) {
  const uint32_t port = tables_.attachments[attachment_].interface[static_cast<size_t>(side)];
  const gateway::Outcome outcome = host_.run(buffer_, port);
  switch (outcome.verdict) {
    case gateway::kVerdictCross:
      counts_.crossed++;
      delivered_(now_ns_, buffer_.bytes());
      return;
    case gateway::kVerdictDrop:
      counts_.dropped++;
      drop(outcome.reason, nullptr);
      return;
    default:
      counts_.left_to_stack++;
  }
}

void Simulation::enter_ip(const tunnels::packet& captured) {
  FlowLog::Seen seen = flows_.see(captured, now_ns_ / kNsPerUs);
  if (seen.flow == nullptr) {
    counts_.not_sent++;
    return;
  }
  tunnels::packet packet = captured;
  const Side side = side_of(packet, seen);
  if (seen.direction == Direction::kToClient) translate_as_target(packet, *seen.flow);

  const uint64_t created_before = tables_.counters[0].event[gateway::kEventFlowCreated];
  const uint32_t port = tables_.attachments[attachment_].interface[static_cast<size_t>(side)];
  if (packet.flags & tunnels::kPacketFragment) {
    seen.flow->ways[way_index(seen.direction)].packets++;
    enter_fragment(port, packet, seen);
    return;
  }
  const gateway::Outcome outcome = host_.run(buffer_, port);
  if (tables_.counters[0].event[gateway::kEventFlowCreated] != created_before) {
    if (seen.flow->known_to_gateway) {
      ReplayFlow* again = flows_.begin_again(*seen.flow, now_ns_ / kNsPerUs);
      if (again != nullptr) seen.flow = again;
    }
    learn_from_gateway(captured, *seen.flow);
  }
  seen.flow->ways[way_index(seen.direction)].packets++;
  leave(outcome, port, seen);
}

// What the path has done with the frame in the buffer, or hands over to be cut or to wait.
void Simulation::leave(const gateway::Outcome& outcome, uint32_t port, const FlowLog::Seen& seen) {
  if (outcome.verdict != gateway::kVerdictSlowPath)
    return settle(outcome, *seen.flow, seen.direction);
  in_slow_path_ = seen;
  slow_path_.take(port, outcome.mtu, buffer_.bytes(), host_.now_ms());
}

// One that comes before its first waits in the slow path, and leaves it with another frame.
void Simulation::enter_fragment(uint32_t port, const tunnels::packet& packet,
                                const FlowLog::Seen& seen) {
  tunnels::packet named = packet;
  const std::span<const uint8_t> bytes = buffer_.bytes();
  uint32_t payload = 0;
  const bool leads = (packet.flags & tunnels::kPacketFirstFragment) &&
                     tunnels::parse_fragment(bytes.data(), bytes.data() + bytes.size(), &named,
                                             &payload) == tunnels::kDropNone &&
                     (named.flags & tunnels::kPacketHasPorts);
  leave(host_.run(buffer_, port), port, seen);
  if (leads && !seen.flow->known_to_gateway) learn_from_gateway(named, *seen.flow);
}

void Simulation::out_of_slow_path(const gateway::Outcome& outcome, std::span<const uint8_t> bytes) {
  buffer_.assign(bytes);
  FlowLog::Seen seen = in_slow_path_;
  if (outcome.reason == tunnels::kDropFragmentEarly ||
      outcome.reason == tunnels::kDropSlowPathFull) {  // it came with an earlier frame
    tunnels::packet packet{};
    const uint8_t* end = bytes.data() + bytes.size();
    const bool four =
        tunnels::parse_ethernet(bytes.data(), end, &packet) == tunnels::kEtherTypeIpv4;
    (void)tunnels::parse_ip(bytes.data(), end, four ? 4 : 6, &packet);
    seen = flows_.see(packet, now_ns_ / kNsPerUs);
  }
  settle(outcome, *seen.flow, seen.direction);
}

Side Simulation::side_of(const tunnels::packet& packet, const FlowLog::Seen& seen) const {
  if (const auto known = sides_.of(packet.tuple)) return *known;
  return seen.direction == Direction::kToServer ? Side::kOutside : Side::kInside;
}

// A capture from the client's side has the NLB listener's address in the answers; the target itself
// answers from its own.
void Simulation::translate_as_target(tunnels::packet& packet, const ReplayFlow& flow) {
  if (flow.backend == kNone16 || !(packet.flags & tunnels::kPacketHasPorts)) return;
  const gateway::target& target = tables_.targets[flow.backend];
  gateway::frame* frame = buffer_.raw();
  frame->end = frame->data + packet.l3_offset + packet.l3_length;  // checksums end with the packet
  if (gateway::checksum_is_partial(frame->data, frame->end, &packet))
    gateway::checksum_complete(frame, &packet);
  gateway::nlb_change change{
      {}, target.port != 0 ? target.port : packet.tuple.source_port, gateway::kNlbSource};
  std::copy_n(target.address, 4, change.address);
  (void)gateway::nlb_translate(frame, &packet, &change);  // what it refuses goes as it is
}

// Where the gateway sends the flow, and by which row.
void Simulation::learn_from_gateway(const tunnels::packet& packet, ReplayFlow& flow) {
  gateway::flow_query query{};
  gateway::flow_query_from_tuple(&query, tables_.settings, &packet.tuple, attachment_, 0);
  const uint32_t index = gateway::flow_find(&tables_, &query);
  if (index == gateway::kFlowNotFound) return;
  const gateway::flow_record& record =
      tables_.flow_buckets[index / gateway::kFlowWays].record[index % gateway::kFlowWays];
  flow.known_to_gateway = true;
  flow.attachment = attachment_;
  flow.group = tables_.attachments[attachment_].group;
  flow.target = record.target;
  if (record.flags & gateway::kFlowNlb) flow.backend = record.backend;
  const uint32_t form = tables_.groups[flow.group].stickiness;
  const uint64_t hash = tunnels::flow_hash(&tables_.settings[0].hash_key, &query.key, form);
  const uint32_t row = gateway::row_index(flow.group, hash);
  flow.row = row - gateway::first_row(flow.group);
  flow.row_owner = tables_.rows[row].target == record.target;
}

void Simulation::settle(const gateway::Outcome& outcome, ReplayFlow& flow, Direction direction) {
  switch (outcome.verdict) {
    case gateway::kVerdictTarget:
      ask_appliance(outcome.interface, flow, direction);
      return;
    case gateway::kVerdictCross:
      counts_.crossed++;
      flow.crossed++;
      flow.ways[way_index(direction)].delivered++;
      delivered_(now_ns_, buffer_.bytes());
      return;
    case gateway::kVerdictInside:
    case gateway::kVerdictOutside:  // past inspection, by an appliance's hint
      counts_.delivered++;
      flow.ways[way_index(direction)].delivered++;
      delivered_(now_ns_, buffer_.bytes());
      return;
    case gateway::kVerdictAnswered:
      counts_.answered++;
      delivered_(now_ns_, buffer_.bytes());
      [[fallthrough]];
    case gateway::kVerdictDrop:
      counts_.dropped++;
      flow.ways[way_index(direction)].dropped++;
      drop(outcome.reason, &flow);
      return;
    default:
      counts_.left_to_stack++;
  }
}

// The one that a frame of the gateway's is for.
StandingAppliance& Simulation::appliance_of(std::span<const uint8_t> sent) const {
  gateway::IpAddress address;
  address.version = is_over_ipv6(sent) ? 6 : 4;
  const size_t length = address.version == 6 ? 16 : 4;
  std::memcpy(address.words, &sent[kOuterIp + (address.version == 6 ? 24 : 16)], length);
  return *appliances_.at(address);
}

void Simulation::ask_appliance(uint32_t tunnel, ReplayFlow& flow, Direction direction) {
  sent_.assign(buffer_.bytes().begin(), buffer_.bytes().end());
  StandingAppliance& appliance = appliance_of(sent_);
  const auto replies =
      appliance.answer(std::span(sent_).subspan(outer_length(sent_)), now_ns_ / kNsPerUs);
  const EveTap::Heard heard = appliance.heard();
  for (const std::string& alert : heard.alerts)
    if (flow.alerts.size() < kAlertsPerFlowMax &&
        std::ranges::find(flow.alerts, alert) == flow.alerts.end())
      flow.alerts.push_back(alert);

  const Fate fate = give_back(tunnel, replies, flow);
  WayCounts& way = flow.ways[way_index(direction)];
  if (fate.delivered) {
    counts_.delivered++;
    way.delivered++;
  } else if (fate.returned) {
    counts_.dropped++;
    way.dropped++;
  } else {
    counts_.kept++;
    way.kept++;
    if (flow.blocked_by.empty()) flow.blocked_by = heard.blocked_by;
  }
}

Simulation::Fate Simulation::give_back(uint32_t tunnel,
                                       std::span<const StandingAppliance::Reply> replies,
                                       ReplayFlow& flow) {
  Fate fate;
  for (const StandingAppliance::Reply& reply : replies) {
    write_reply_frame(sent_, reply.datagram, back_);
    buffer_.assign(back_);
    const gateway::Outcome outcome = host_.run(buffer_, tunnel);
    const bool left =
        outcome.verdict == gateway::kVerdictInside || outcome.verdict == gateway::kVerdictOutside;
    if (left) delivered_(now_ns_, buffer_.bytes());
    if (!left) drop(outcome.reason, &flow);
    if (!reply.injected) {
      fate.returned = true;
      fate.delivered = left;
    } else if (left) {
      const bool to_server = outcome.verdict == gateway::kVerdictInside;
      flow.ways[to_server ? 0 : 1].injected++;
      counts_.injected++;
    } else {
      counts_.injected_dropped++;
    }
  }
  return fate;
}

void Simulation::drop(tunnels::DropReason reason, ReplayFlow* flow) {
  counts_.drops[reason]++;
  if (flow != nullptr) flow->drops[reason]++;
}

void Simulation::finish() {
  answer_copies();
  for (int turns = 0; turns < 3; turns++)  // until all copies are judged
    copies_.turn(host_.now_ms() + gateway::Comparison::kAnswerMs);
  slow_path_.expire(host_.now_ms() + gateway::kFragmentMs);
  const gateway::counters& slow = tables_.counters[gateway::kSlowPathCpu];
  counts_.fragments_added =
      slow.event[gateway::kEventFragmentMade] - slow.event[gateway::kEventFragmented];
  for (const auto& [address, standing] : appliances_) standing->finish(now_ns_ / kNsPerUs);
}

}  // namespace sluice::testbed
