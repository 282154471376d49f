// SPDX-License-Identifier: Apache-2.0
// Any sequence of frames, and of changes of the tables between them, through the process host: no
// memory error, and what docs/life-of-a-packet.md says of every packet holds for each.
//
//  - It adds to one verdict counter, and to one drop counter if and only if it is dropped.
//  - What comes back from a target is delivered only if the flow of the packet inside has that
//    target, with the cookie that the flow has (or the exact one before, while it is young; in a
//    profile without cookies the target is enough) and the ids of its attachment, and has been at
//    all hops; unchanged but for an NLB target's address, and out of the side that it was for.
//  - What goes to a target is the packet that came in, with what its flow's record says.
//  - What passes uninspected may, and is counted. Copies for a shadow are never delivered.
//
// Input: records of one byte, two bytes of length, and the bytes. The byte's lower two bits: 0
// outside, 1 inside, 2 tunnel, 3 tunnel with what was last encapsulated, and the bytes as its
// change mask; the others are a Change. The length has 11 bits. Above: 1 << 11, the mask is for
// what was last copied; 1 << 12, the frame is the second attachment's, or the datagram has a hint;
// from 13 on how many datagrams before the last one the mask is for.
#include <deque>

#include "gateway/datapath/mirror_copies.h"
#include "gateway/datapath/path_fuzz_oracle.h"
#include "gateway/datapath/slow_path.h"
#include "tunnels/bytes.h"

namespace {

using namespace sluice::gateway;        // NOLINT
using namespace sluice::gateway::fuzz;  // NOLINT

// How often packets have ended, in all.
struct Ends {
  uint64_t verdict[kVerdictCount] = {}, drop[64] = {};
  uint64_t verdicts = 0, drops = 0;
};

Ends ends_of(const Tables& tables) {
  Ends out;
  for (uint32_t cpu : {0u, uint32_t{kSlowPathCpu}}) {
    const counters& c = tables.counters[cpu];
    for (uint32_t i = 0; i < 16; i++) out.verdicts += c.verdict[i];
    for (uint32_t i = 0; i < kVerdictCount; i++) out.verdict[i] += c.verdict[i];
    for (uint32_t i = 0; i < 64; i++) {
      out.drop[i] += c.drop[i];
      out.drops += c.drop[i];
    }
  }
  return out;
}

bool is_drop(const Outcome& outcome) {
  return outcome.verdict == kVerdictDrop || outcome.verdict == kVerdictAnswered;
}

// One packet has ended between the two, like this.
void check_counted(const Ends& before, const Ends& after, const Outcome& outcome) {
  require(after.verdicts == before.verdicts + 1);
  require(after.verdict[outcome.verdict] == before.verdict[outcome.verdict] + 1);
  require(is_drop(outcome) == (outcome.reason != kDropNone));
  require(after.drops == before.drops + (is_drop(outcome) ? 1 : 0));
  if (is_drop(outcome)) require(after.drop[outcome.reason] == before.drop[outcome.reason] + 1);
}

// What is told is there, and has one verdict at most.
const sighting_taker kTaker{[](void*, const sighting* seen, const __u8* bytes) {
                              volatile uint8_t sum = 0;  // of bytes that must be there
                              for (uint32_t i = 0; i < seen->captured; i++) sum = sum ^ bytes[i];
                              require(seen->captured <= 100 && seen->captured <= seen->length);
                              require(seen->stage < kSeenStages && seen->verdict < kVerdictCount);
                              require((seen->stage == kSeenDropped) == (seen->reason != kDropNone));
                            },
                            nullptr};

World& world() {
  static World out;
  return out;
}

// What one input does.
class Run {
 public:
  Run()
      : tables_(world().tables()),
        slow_(tables_,
              [this](const Outcome& o, std::span<const uint8_t> out) {
                slow_end(o, out);
                return true;
              }),
        copies_(tables_, [this](uint32_t interface, std::span<const uint8_t> copy) {
          require(interface == fixture::kTunnel);
          last_copied_.assign(copy.begin(), copy.end());
          return true;
        }) {
    world().reset();
    tables_.sightings = &kTaker;
    tables_.mirrors = &taker_;
  }
  ~Run() { tables_.mirrors = nullptr; }

  void step(uint8_t first, uint16_t word, Bytes in) {
    world().change(first >> 2);
    host().set_now_ms(host().now_ms() + 17);
    const uint32_t kind = first & 3;
    if (kind == 3) in = changed(in, word);
    if (kind >= 2)
      from_tunnel(in);
    else
      from_side(in, word >> 12 & 1, kind);
    check_slow([&] { slow_.expire(host().now_ms()); });
    require(slow_.waiting() <= SlowPath::kWaitingMax);
    copies_.turn(host().now_ms());
  }

 private:
  static ProcessHost& host() { return world().host(); }
  uint64_t events(PathEvent event) const { return tables_.counters[0].event[event]; }

  // What a target makes of a datagram that it got.
  Bytes changed(const Bytes& mask, uint16_t word) const {
    Bytes out(60, 0);
    const size_t before = word >> 13;
    if (word & 0x800) {
      if (!last_copied_.empty()) out = fixture::returned(last_copied_);
    } else if (before < sent_.size()) {
      out = fixture::returned(sent_[before]);
      const bool aws =
          tables_.targets[read_datagram(tables_, out, kFromTarget)->target].profile == kProfileAws;
      if ((word & 0x1000) && aws) out = fixture::hinted(sent_[before], fixture::kBypassHint);
    }
    for (size_t i = 0; i < std::min(mask.size(), out.size()); i++) out[i] ^= mask[i];
    return out;
  }

  Outcome send(const Bytes& in, uint32_t interface, Bytes& out) {
    FrameBuffer buffer;
    buffer.assign(in);
    const Ends before = ends_of(tables_);
    const Outcome outcome = host().run(buffer, interface);
    check_counted(before, ends_of(tables_), outcome);
    out.assign(buffer.bytes().begin(), buffer.bytes().end());
    if (outcome.verdict == kVerdictTarget) {
      check_sent(tables_, outcome, out, world().now_ms());
      sent_.push_front(out);
      if (sent_.size() > 8) sent_.pop_back();
    }
    return outcome;
  }

  void from_tunnel(const Bytes& in) {
    const auto d = read_datagram(tables_, in, kFromTarget);
    const Approval approval = d ? approve(tables_, *d, world().now_ms()) : Approval{};
    Bytes out;
    const Outcome outcome = send(in, fixture::kTunnel, out);
    switch (outcome.verdict) {
      case kVerdictStack:
      case kVerdictDrop:
      case kVerdictMirror:
        return;
      case kVerdictInside:
      case kVerdictOutside:
        require(d.has_value());
        return check_delivered(tables_, *d, approval, outcome, out);
      case kVerdictTarget: {
        require(d.has_value());
        const auto sent = read_datagram(tables_, out, kToTarget);
        require(sent->bytes == d->bytes);
        return require(std::ranges::find(approval.next, sent->target) != approval.next.end());
      }
      default:
        require(false);
    }
  }

  void from_side(const Bytes& in, uint32_t attachment_index, uint32_t side) {
    const uint32_t* interfaces = kInterface[attachment_index];
    const uint64_t translated = events(kEventNlbTranslated), clamped = events(kEventMssClamped);
    const uint64_t passed = events(kEventBypassed) + events(kEventFailedOpen);
    Bytes out;
    const Outcome outcome = send(in, interfaces[side], out);
    switch (outcome.verdict) {
      case kVerdictStack:
        return require(!tables_.attachments[attachment_index].in_use);
      case kVerdictDrop:
        return;
      case kVerdictCross:
        require(out == in && outcome.interface == interfaces[side ^ 1]);
        return check_crosses(in);
      case kVerdictAnswered:
        return require(outcome.interface == interfaces[side]);
      case kVerdictSlowPath:
        return check_slow([&] { slow_.take(interfaces[side], outcome.mtu, out, host().now_ms()); });
      case kVerdictTarget:
        if (events(kEventMssClamped) != clamped) return;
        return check_same(in, read_datagram(tables_, out, kToTarget)->bytes,
                          events(kEventNlbTranslated) != translated ? kNlbSource : -1);
      case kVerdictInside:
      case kVerdictOutside:
        require(events(kEventBypassed) + events(kEventFailedOpen) > passed);
        require(outcome.verdict == (side == 0 ? kVerdictInside : kVerdictOutside) &&
                outcome.interface == interfaces[side ^ 1]);
        check_passes(in, attachment_index);
        return check_same(in, *packet_of(out),
                          events(kEventNlbTranslated) == translated ? -1
                          : side == 0                               ? kNlbDestination
                                                                    : kNlbSource);
      default:
        require(false);
    }
  }

  // A packet from outside or inside has not been changed but for one end, an NLB target's or its
  // listener's, -1: for none.
  static void check_same(const Bytes& in, const Bytes& out, int end) {
    const auto before = packet_of(in);
    require(before.has_value());
    if (end < 0) return require(*before == out);
    packet p{};
    require(sluice::tunnels::parse_ip_packet(out, p) == kDropNone);
    if (p.flags & kPacketFragment) return require(before->size() == out.size());
    const bool source = end == kNlbSource;
    require(is_translated(*before, out, source ? kNlbSource : kNlbDestination,
                          source ? p.tuple.source : p.tuple.destination,
                          source ? p.tuple.source_port : p.tuple.destination_port));
  }

  // Behind its tags, however many, there is no packet but one of neighbour discovery.
  static void check_crosses(const Bytes& in) {
    size_t type = 12;
    while (type + 6 <= in.size() && is_tag(load_be16(&in[type]))) type += 4;
    require(!is_tag(load_be16(&in[type])));
    if (load_be16(&in[type]) == kEtherTypeIpv6)
      return require(in[type + 2 + 7] == 255 && type <= 20);
    require(load_be16(&in[type]) != kEtherTypeIpv4);
  }
  static bool is_tag(uint16_t type) { return type == kEtherTypeVlan || type == kEtherTypeQinQ; }

  // A packet may pass uninspected: a group fails open, or its flow says so.
  void check_passes(const Bytes& in, uint32_t attachment_index) const {
    for (uint32_t i = 0; i < kGroups; i++)
      if (tables_.groups[i].flags & kGroupFailsOpen) return;
    packet p{};
    require(sluice::tunnels::parse_ip_packet(*packet_of(in), p) == kDropNone);
    if (p.flags & kPacketFragment) return;
    flow_query query{};
    flow_query_from_tuple(&query, tables_.settings, &p.tuple, attachment_index, 0);
    const auto is_there = [&](uint32_t i) { return i == attachment_index; };
    const uint32_t place = find_flow(tables_, query.key, is_there);
    require(place != kFlowNotFound);
    const flow_record& record = *table_flow_records(&tables_, place);
    require(record.flags & (kFlowBypass | kFlowAlias));
  }

  // Whatever the slow path ends is counted as one.
  template <class Do>
  void check_slow(Do work) {
    const Ends before = ends_of(tables_);
    slow_ends_ = slow_drops_ = 0;
    work();
    const Ends after = ends_of(tables_);
    require(after.verdicts == before.verdicts + slow_ends_);
    require(after.drops == before.drops + slow_drops_);
  }

  void slow_end(const Outcome& outcome, std::span<const uint8_t> out) {
    slow_ends_++;
    slow_drops_ += is_drop(outcome) ? 1 : 0;
    require(outcome.verdict != kVerdictSlowPath);
    require(is_drop(outcome) == (outcome.reason != kDropNone));
    if (outcome.verdict != kVerdictTarget) return;
    const Bytes bytes(out.begin(), out.end());
    check_sent(tables_, outcome, bytes, world().now_ms());
    sent_.push_front(bytes);
    if (sent_.size() > 8) sent_.pop_back();
  }

  Tables& tables_;
  std::deque<Bytes> sent_;  // to targets, the last first
  Bytes last_copied_;
  uint64_t slow_ends_ = 0, slow_drops_ = 0;
  SlowPath slow_;
  MirrorCopies copies_;
  mirror_taker taker_{
      [](void* self, const mirror_head* head, const __u8* bytes) {
        static_cast<MirrorCopies*>(self)->take(*head, {bytes, head->length}, host().now_ms());
      },
      &copies_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run run;
  sluice::tunnels::Reader reader({data, size});
  for (int step = 0; step < 64 && reader.remaining() >= 3; step++) {
    const uint8_t first = reader.u8();
    const uint16_t word = reader.be16();
    const auto bytes = reader.bytes(std::min<size_t>(word & 0x7ff, reader.remaining()));
    run.step(first, word, Bytes(bytes.begin(), bytes.end()));
  }
  return 0;
}
