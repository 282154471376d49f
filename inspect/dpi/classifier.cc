// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/classifier.h"

#include <ndpi/ndpi_api.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "tunnels/flow_key.h"

namespace sluice::inspect {

struct FlowClassification::Search {
  explicit Search(EarlyBudget& budget) : order(budget) {}
  ~Search() { ndpi_free_flow_data(&ndpi); }

  ndpi_flow_struct ndpi{};
  uint8_t texts_seen = 0;
  uint64_t risks_seen = 0;
  SegmentOrder order;
};

namespace {

static_assert(kDpiPacketsShownMax == NDPI_MAX_NUM_PKTS_PER_FLOW_TO_DISSECT);

using tunnels::kTcpAck;
using tunnels::kTcpSyn;

ndpi_protocol as_ndpi(const Application& application) {
  ndpi_protocol protocol{};
  protocol.master_protocol = application.master;
  protocol.app_protocol = application.application;
  protocol.category = static_cast<ndpi_protocol_category_t>(application.category);
  return protocol;
}

Application from_ndpi(const ndpi_protocol& protocol) {
  return {protocol.master_protocol, protocol.app_protocol,
          static_cast<uint16_t>(protocol.category)};
}

// A TCP packet without payload; `tuple` is as the sender writes it if `turned` is false.
class BareSegment {
 public:
  BareSegment(const tunnels::tuple& tuple, bool turned, uint8_t flags, uint32_t sequence,
              uint32_t acknowledged) {
    const bool v4 = tuple.version == 4;
    const size_t header = v4 ? 20 : 40;
    length_ = header + 20;
    bytes_[0] = v4 ? 0x45 : 0x60;
    tunnels::store_be16(&bytes_[v4 ? 2 : 4], static_cast<uint16_t>(v4 ? length_ : 20));
    bytes_[v4 ? 9 : 6] = tunnels::kProtocolTcp;
    bytes_[v4 ? 8 : 7] = 64;
    const size_t size = v4 ? 4 : 16;
    uint8_t* const addresses = &bytes_[v4 ? 12 : 8];
    std::memcpy(addresses + (turned ? size : 0), tuple.source, size);
    std::memcpy(addresses + (turned ? 0 : size), tuple.destination, size);
    uint8_t* const tcp = &bytes_[header];
    tunnels::store_u16(tcp + (turned ? 2 : 0), tuple.source_port);
    tunnels::store_u16(tcp + (turned ? 0 : 2), tuple.destination_port);
    tunnels::store_be32(tcp + 4, sequence);
    tunnels::store_be32(tcp + 8, acknowledged);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
  }
  std::span<const uint8_t> ip() const { return {bytes_.data(), length_}; }

 private:
  std::array<uint8_t, 60> bytes_{};
  size_t length_;
};

// The packet without the first `repeated` bytes of its payload.
void without_repeated(std::span<const uint8_t> ip, const Segment& segment, uint32_t repeated,
                      std::vector<uint8_t>& out) {
  out.assign(ip.begin(), ip.begin() + segment.header_end);
  out.insert(out.end(), ip.begin() + segment.header_end + repeated, ip.end());
  const bool v4 = ip[0] >> 4 == 4;
  tunnels::store_be16(&out[v4 ? 2 : 4], static_cast<uint16_t>(out.size() - (v4 ? 0 : 40)));
  tunnels::store_be32(&out[segment.l4_offset + 4], segment.sequence + repeated);
}

}  // namespace

void Handshake::note(const Segment& segment) {
  const uint8_t flags = segment.flags & (kTcpSyn | kTcpAck);
  if (flags == kTcpSyn) {
    *this = {};
    syn = segment.sequence;
    way = segment.way;
    syn_seen = true;
  } else if (flags == (kTcpSyn | kTcpAck)) {
    if (!syn_seen) way = !segment.way;
    syn_ack = segment.sequence;
    syn_ack_seen = true;
  } else if (flags == kTcpAck && segment.way == way && syn_ack_seen) {
    // Of several SYNs with ACK this is the one that the client took.
    syn_ack = segment.acknowledged - 1;
    ack_seen = true;
  }
}

void FlowClassification::Free::operator()(Search* search) const { delete search; }

const Findings& FlowClassification::findings() const {
  static const Findings kNothing;
  return findings_ == nullptr ? kNothing : *findings_;
}

void FlowClassification::set_ja4(std::string ja4, bool encrypted_hello) {
  if (findings_ == nullptr) findings_ = std::make_unique<Findings>();
  findings_->ja4 = std::move(ja4);
  findings_->encrypted_hello = encrypted_hello;
}

// True if there is something new.
bool FlowClassification::note(const Application& found) {
  const ndpi_flow_struct& ndpi = search_->ndpi;
  const uint8_t texts = texts_seen(ndpi);
  if (found == application_ && texts == search_->texts_seen && ndpi.risk == search_->risks_seen)
    return false;
  application_ = found;
  search_->texts_seen = texts;
  search_->risks_seen = ndpi.risk;
  if (findings_ == nullptr) findings_ = std::make_unique<Findings>();
  read_findings(ndpi, *findings_);
  return true;
}

Result<std::unique_ptr<Classifier>> Classifier::create(const ListFiles& lists) {
  if (ndpi_detection_get_sizeof_ndpi_flow_struct() != sizeof(ndpi_flow_struct))
    return fail("the nDPI library is not the version that this program was built for",
                ndpi_revision());
  static std::mutex initialisation;  // nDPI: must not run in parallel with itself
  const std::lock_guard lock(initialisation);
  ndpi_detection_module_struct* module = ndpi_init_detection_module(ndpi_no_prefs);
  if (module == nullptr) return fail("cannot initialise nDPI");
  std::unique_ptr<Classifier> classifier(new Classifier(module));
  NDPI_PROTOCOL_BITMASK all;
  NDPI_BITMASK_SET_ALL(all);
  ndpi_set_protocol_detection_bitmask2(module, &all);
  SLUICE_TRY_VOID(load_lists(module, lists));
  ndpi_finalize_initialization(module);
  classifier->load_names();
  return classifier;
}

Classifier::~Classifier() { ndpi_exit_detection_module(module_); }

size_t Classifier::search_size() { return sizeof(FlowClassification::Search); }

void Classifier::load_names() {
  const unsigned applications = ndpi_get_num_supported_protocols(module_);
  for (unsigned i = 0; i < applications; i++)
    names_.applications.emplace_back(ndpi_get_proto_name(module_, static_cast<uint16_t>(i)));
  for (int i = 0; i < NDPI_PROTOCOL_NUM_CATEGORIES; i++) {
    const char* name = ndpi_category_get_name(module_, static_cast<ndpi_protocol_category_t>(i));
    names_.categories.emplace_back(name == nullptr ? "" : name);
  }
  names_.risks.emplace_back();  // risk 0 is none
  for (int i = 1; i < NDPI_MAX_RISK; i++)
    names_.risks.emplace_back(ndpi_risk2str(static_cast<ndpi_risk_enum>(i)));
}

void Classifier::begin_search(FlowClassification& flow) {
  flow.search_.reset(new FlowClassification::Search(early_budget_));
  counters_.searches++;
}

bool Classifier::feed_undecided(FlowClassification& flow, std::span<const uint8_t> ip,
                                const tunnels::packet& packet, int64_t time_us) {
  now_us_ = time_us;
  ip = ip.first(packet.l3_length);
  const bool tcp = packet.tuple.protocol == tunnels::kProtocolTcp;
  const bool enough = ++flow.packets_ > (tcp ? kDpiTcpPacketsMax : kDpiOtherPacketsMax);
  const bool changed = tcp && (packet.flags & tunnels::kPacketHasPorts) ? feed_tcp(flow, ip, packet)
                                                                        : feed_other(flow, ip);
  return enough && !flow.final_ ? finish(flow, packet.tuple) : changed;
}

bool Classifier::feed_other(FlowClassification& flow, std::span<const uint8_t> ip) {
  if (flow.search_ == nullptr) begin_search(flow);
  return show(flow, ip);
}

bool Classifier::feed_tcp(FlowClassification& flow, std::span<const uint8_t> ip,
                          const tunnels::packet& packet) {
  const Segment segment = read_segment(ip, packet);
  bool changed = false;
  if (flow.search_ == nullptr) {
    if (segment.length == 0) {
      flow.handshake_.note(segment);
      return false;
    }
    changed = show_handshake(flow, packet.tuple);
  }
  if (!flow.final_) changed |= show_segment(flow, ip, segment);
  return show_held(flow) || changed;
}

// Whatever early segments have their turn now.
bool Classifier::show_held(FlowClassification& flow) {
  bool changed = false;
  Segment segment;
  while (!flow.final_ && flow.search_->order.take(segment, held_))
    changed |= show_segment(flow, held_, segment);
  return changed;
}

bool Classifier::show_segment(FlowClassification& flow, std::span<const uint8_t> ip,
                              const Segment& segment) {
  SegmentOrder& order = flow.search_->order;
  switch (order.place(segment)) {
    case SegmentOrder::Place::kOld:
      counters_.repeated++;
      return false;
    case SegmentOrder::Place::kEarly:
      if (order.hold(segment, ip)) {
        counters_.early++;
        return false;
      }
      counters_.early_full++;
      break;
    case SegmentOrder::Place::kPart:
      counters_.repeated++;
      without_repeated(ip, segment, order.repeated(), trimmed_);
      return show(flow, trimmed_);
    case SegmentOrder::Place::kNext:
      break;
  }
  return show(flow, ip);
}

// nDPI begins with the first payload; it is told then what came before it.
bool Classifier::show_handshake(FlowClassification& flow, const tunnels::tuple& tuple) {
  begin_search(flow);
  const Handshake& seen = flow.handshake_;
  SegmentOrder& order = flow.search_->order;
  const bool from_server = (tunnels::tuple_is_reversed(&tuple) != 0) != seen.way;
  bool changed = false;
  if (seen.syn_seen) {
    order.begin(seen.way, seen.syn + 1);
    const BareSegment syn(tuple, from_server, kTcpSyn, seen.syn, 0);
    changed |= show(flow, syn.ip());
  }
  if (seen.syn_ack_seen && !flow.final_) {
    order.begin(!seen.way, seen.syn_ack + 1);
    const BareSegment syn_ack(tuple, !from_server, kTcpSyn | kTcpAck, seen.syn_ack, seen.syn + 1);
    changed |= show(flow, syn_ack.ip());
  }
  if (seen.ack_seen && !flow.final_) {
    const BareSegment ack(tuple, from_server, kTcpAck, seen.syn + 1, seen.syn_ack + 1);
    changed |= show(flow, ack.ip());
  }
  return changed;
}

bool Classifier::show(FlowClassification& flow, std::span<const uint8_t> ip) {
  counters_.packets++;
  ndpi_flow_struct& ndpi = flow.search_->ndpi;
  const ndpi_protocol found =
      ndpi_detection_process_packet(module_, &ndpi, ip.data(), static_cast<uint16_t>(ip.size()),
                                    static_cast<uint64_t>(now_us_ / 1000));
  const bool changed = flow.note(from_ndpi(found));
  const bool known = found.app_protocol != NDPI_PROTOCOL_UNKNOWN;
  const bool at_end = ndpi.num_processed_pkts >= kDpiPacketsShownMax;
  if (at_end || (known && !ndpi_extra_dissection_possible(module_, &ndpi)))
    return conclude(flow, !known);
  return changed;
}

bool Classifier::finish(FlowClassification& flow, const tunnels::tuple& tuple) {
  if (flow.final_) return false;
  if (flow.search_ == nullptr && flow.packets_ != 0) {
    // Addresses and ports alone may tell; of a connection met in its middle there is nothing else.
    Handshake& seen = flow.handshake_;
    if (!seen.syn_seen && !seen.syn_ack_seen) seen.ack_seen = true;
    show_handshake(flow, tuple);
  }
  if (flow.search_ != nullptr && !flow.final_) {
    flow.search_->order.give_up_waiting();
    show_held(flow);
  }
  return flow.final_ || conclude(flow, true);
}

// Takes the answer that there is, or with `guess` nDPI's best guess.
bool Classifier::conclude(FlowClassification& flow, bool guess) {
  flow.final_ = true;
  if (flow.search_ == nullptr) return true;
  ndpi_flow_struct& ndpi = flow.search_->ndpi;
  uint8_t guessed = 0;
  flow.note(guess ? from_ndpi(ndpi_detection_giveup(module_, &ndpi, 1, &guessed))
                  : flow.application_);
  if (flow.findings_ != nullptr) read_findings(ndpi, *flow.findings_);
  if (flow.application_.application == 0) counters_.gave_up++;
  flow.search_.reset();
  return true;
}

std::string Classifier::name(const Application& application) const {
  char text[64];
  return ndpi_protocol2name(module_, as_ndpi(application), text, sizeof(text));
}

std::string_view Classifier::category_name(const Application& application) const {
  return application.category < names_.categories.size()
             ? std::string_view(names_.categories[application.category])
             : std::string_view();
}

uint16_t Classifier::usual_category(const Application& application) const {
  return static_cast<uint16_t>(ndpi_get_proto_category(module_, as_ndpi(application)));
}

std::string_view Classifier::breed_name(const Application& application) const {
  const uint16_t id = application.application != 0 ? application.application : application.master;
  return ndpi_get_proto_breed_name(module_, ndpi_get_proto_breed(module_, id));
}

std::vector<std::string_view> Classifier::risk_names(uint64_t risks) {
  std::vector<std::string_view> names;
  for (int i = 1; i < NDPI_MAX_RISK; i++)
    if (risks >> i & 1) names.emplace_back(ndpi_risk2str(static_cast<ndpi_risk_enum>(i)));
  return names;
}

}  // namespace sluice::inspect
