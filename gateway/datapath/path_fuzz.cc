// SPDX-License-Identifier: Apache-2.0
// Any sequence of frames through the process host: no memory error, and never a packet delivered
// that its appliance did not return with the flow's cookie (in a profile without one: that the
// flow's own appliance did not return), with or without a record, or allowed past inspection by a
// hint; and of a flow with a chain none that the last hop on its way did not return. What is made
// of the copies for a shadow is never delivered.
//
// Input: records of one byte (0 outside, 1 inside, 2 tunnel, 3 tunnel with what was last
// encapsulated around these bytes as its change mask, or with what was last copied if bit 11 of the
// length is set), two bytes of length, and the bytes.
#include <algorithm>
#include <cstdlib>

#include "gateway/datapath/chain.h"
#include "gateway/datapath/mirror_copies.h"
#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/profiles_fixture.h"
#include "gateway/datapath/slow_path.h"
#include "gateway/datapath/unrecorded.h"
#include "tunnels/bytes.h"
#include "tunnels/geneve.h"

namespace {

using namespace sluice::gateway;  // NOLINT
using sluice::gateway::fixture::Bytes;

void require(bool condition) {
  if (!condition) std::abort();
}

// UDP to port 53 visits two appliances.
void add_chain(Tables& tables) {
  policy_rule& rule = tables.policy_rules[1];
  rule.in_use = 1;
  rule.hops = 2;
  rule.hop[0] = {{0xffffffff}, {0}, 1};
  rule.hop[1] = {{0xffffffff}, {fixture::kOtherGroup}, 1};
  policy_entry& entry = tables.policy_entries[0];
  entry.attachments[0] = 1;
  entry.port_first = entry.port_last = 53;
  entry.protocol = kProtocolUdp;
  entry.rule = 1;
  entry.share = 0xffffffff;
  tables.settings[0].policy = 1;
  tables.attachments[0].flags |= kAttachmentPolicy;
}

// All else of UDP has a shadow.
void add_shadow(Tables& tables) {
  policy_rule& rule = tables.policy_rules[2];
  rule.in_use = 1;
  rule.hops = 1;
  rule.hop[0] = {{0xffffffff}, {0}, 1};
  rule.mirror = fixture::kOtherGroup + 1;
  rule.shadow = 1;
  policy_entry& entry = tables.policy_entries[1];
  entry = tables.policy_entries[0];
  entry.port_first = 0;
  entry.port_last = 0xffff;
  entry.rule = 2;
  tables.settings[0].policy = 2;
}

// Whether no other hop of its flow comes after a hop, in one direction.
bool is_at_an_end(const flow_record& record, uint32_t hop) {
  int before = 0, behind = 0;
  for (uint32_t i = 1; i <= chain_hops(&record); i++) {
    if (chain_skips(&record, i)) continue;
    before += i < hop;
    behind += i > hop;
  }
  return before == 0 || behind == 0;
}

// The same of the hop that a cookie is of.
bool is_last_hop(const Tables& tables, const flow_record& record, uint32_t hop, uint32_t cookie) {
  const auto hash = flow_hash(&tables.settings->hash_key, &record.key, kFlowHash5Tuple);
  return flow_cookie(tables.settings, hash, chain_target(&record, hop), record.cookie >> 28, hop) ==
             cookie &&
         is_at_an_end(record, hop);
}

// Whether a cookie is that of a flow without record which has gone to `target`.
bool fits_unrecorded(const Tables& tables, const unrecorded_flow& flow, const flow_query& query,
                     uint32_t target, uint32_t cookie) {
  return unrecorded_target(&flow) == target &&
         tables.attachments[unrecorded_attachment(&flow)].endpoint_id == query.endpoint_id &&
         unrecorded_cookie_fits(&tables, &query, cookie, target, static_cast<uint32_t>(flow.seen));
}

// The same for a datagram, whose inner packet is `inner` bytes from its start.
bool is_unrecorded(const Tables& tables, const Bytes& datagram, size_t inner, uint32_t target,
                   const geneve& header, uint32_t now_ms) {
  packet p{};
  if (parse_ip(datagram.data() + inner, datagram.data() + datagram.size(),
               header.protocol == kEtherTypeIpv4 ? 4 : 6, &p) != kDropNone)
    return false;
  flow_query query{};
  flow_query_from_tuple(&query, tables.settings, &p.tuple, kNone16, header.endpoint_id);
  const uint32_t place = unrecorded_find(&tables, &query, now_ms);
  if (place != kFlowNotFound)
    return fits_unrecorded(tables, *unrecorded_at(&tables, place), query, target,
                           header.flow_cookie);
  if (!(p.flags & kPacketFragment)) return false;
  // Its ports are not in it: all flows are tried, and the ten bits of their hashes that are not in
  // the table.
  for (uint32_t i = 0; i < kUnrecordedBuckets * kUnrecordedWays; i++) {
    const unrecorded_flow& flow = *unrecorded_at(&tables, i);
    if (flow.way == 0) continue;
    query.hash =
        (flow.seen >> 32 << 32) | (flow.way >> kUnrecordedCheckShift << 24) | i / kUnrecordedWays;
    for (int missing = 0; missing < 1 << 10; missing++, query.hash += kUnrecordedBuckets)
      if (fits_unrecorded(tables, flow, query, target, header.flow_cookie)) return true;
  }
  return false;
}

// Whether a target may say something about a flow of the table.
bool has_hop_at_an_end(const flow_record& record, uint32_t target) {
  if (!flow_is_chain(&record)) return record.target == target;
  for (uint32_t hop = 1; hop <= chain_hops(&record); hop++)
    if (chain_target(&record, hop) == target && is_at_an_end(record, hop)) return true;
  return false;
}

// Whether a datagram of a target without cookies is of a flow that this one has: the flow of the
// packet inside, or, of a fragment, which does not say, any.
bool tuple_is_known(const Tables& tables, const Bytes& datagram, size_t start, uint32_t target,
                    uint32_t now_ms) {
  const geneve_profile& profile = kGeneveProfiles[tables.targets[target].profile];
  const uint8_t* end = datagram.data() + datagram.size();
  geneve header{};
  if (geneve_decode(&datagram[start], end, &profile, &header) != kDropNone) return false;
  (void)geneve_hear(&profile, &header);
  packet p{};
  if (parse_ip(&datagram[start + header.header_length], end,
               header.protocol == kEtherTypeIpv4 ? 4 : 6, &p) != kDropNone)
    return false;
  if (p.flags & kPacketFragment) {
    for (uint32_t i = 0; i < tables.flow_buckets_count * kFlowWays; i++)
      if (has_hop_at_an_end(*table_flow_records(&tables, i), target)) return true;
    for (uint32_t i = 0; i < kUnrecordedBuckets * kUnrecordedWays; i++)
      if (unrecorded_target(unrecorded_at(&tables, i)) == target) return true;
    return false;
  }
  flow_query query{};
  flow_query_from_tuple(&query, tables.settings, &p.tuple, kNone16, header.endpoint_id);
  if (const auto* record = table_flow_records(&tables, flow_find(&tables, &query)))
    return has_hop_at_an_end(*record, target);
  const uint32_t place = unrecorded_find(&tables, &query, now_ms);
  return place != kFlowNotFound && unrecorded_target(unrecorded_at(&tables, place)) == target;
}

bool is_over_ipv6(const Bytes& datagram) { return load_be16(&datagram[12]) == kEtherTypeIpv6; }

// Whether a datagram comes from a target's address.
bool is_from(const Bytes& datagram, const target& t) {
  if (is_over_ipv6(datagram) != (t.version == 6)) return false;
  for (size_t i = 0; i < (t.version == 6 ? 4 : 1); i++)
    if (t.address[i] != load_u32(&datagram[(t.version == 6 ? 22 : 26) + i * 4])) return false;
  return true;
}

// Whether a datagram carries the cookie of a record of the table, for a target at its source; or
// one that was made for that target, which only the path can do, under the key.
bool cookie_is_known(const Tables& tables, const Bytes& datagram, uint32_t now_ms) {
  const geneve_profile profile = SLUICE_GENEVE_AWS;
  geneve header{};
  const size_t udp = is_over_ipv6(datagram) ? 54 : 14 + (datagram[14] & 15) * 4u;
  for (uint32_t i = 0; i < fixture::kAppliances; i++)
    if (tables.targets[i].profile != kProfileAws && is_from(datagram, tables.targets[i]))
      return tuple_is_known(tables, datagram, udp + 8, i, now_ms);
  if (geneve_decode(&datagram[udp + 8], datagram.data() + datagram.size(), &profile, &header) !=
      kDropNone)
    return false;
  const uint32_t maker = header.flow_cookie >> 16 & 0xfff;
  if (!is_from(datagram, tables.targets[maker])) return false;
  for (uint32_t i = 0; i < tables.flow_buckets_count * kFlowWays; i++) {
    const flow_record& record = *table_flow_records(&tables, i);
    for (uint32_t hop = 1; flow_is_chain(&record) && hop <= chain_hops(&record); hop++)
      if (is_last_hop(tables, record, hop, header.flow_cookie)) return true;
    if (!flow_is_chain(&record) && record.cookie == header.flow_cookie &&
        is_from(datagram, tables.targets[record.target]))
      return true;
  }
  return is_unrecorded(tables, datagram, udp + 8 + header.header_length, maker, header, now_ms);
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<ProcessHost> host = [] {
    auto created = ProcessHost::create({.flows_max = kFlowsMaxLeast});
    require(created.has_value());
    fixture::configure((*created)->tables());
    add_chain((*created)->tables());
    fixture::move_to_ipv6((*created)->tables(), 1);
    fixture::speak((*created)->tables(), 2, kProfileGoogle);
    fixture::speak((*created)->tables(), 3, kProfilePlain);
    add_shadow((*created)->tables());
    (*created)->tables().watches[0].watch[1] = {0, {}, 0xff, 100, kNone16, 0, kWatchAnyProtocol,
                                                0, 0};
    (*created)->tables().settings[0].watching = 2;
    (*created)->tables().sightings = &kTaker;
    return std::move(*created);
  }();
  Tables& tables = host->tables();
  static SlowPath slow(tables, [](const Outcome& outcome, std::span<const uint8_t>) {
    require(outcome.verdict != kVerdictSlowPath);
    require((outcome.verdict == kVerdictDrop || outcome.verdict == kVerdictAnswered) ==
            (outcome.reason != kDropNone));
  });
  // Plain knows only small ids of endpoints.
  tables.attachments[0].endpoint_id = size % 4 < 2 ? fixture::kEndpoint : fixture::kSmallEndpoint;
  // Flows of every other input go without a record.
  tables.attachments[0].new_flows_per_second = size % 2;
  if (size % 2 != 0)  // what is_unrecorded() looks through
    std::fill_n(tables.unrecorded_buckets, int{kUnrecordedBuckets}, unrecorded_bucket{});
  Bytes last, last_copied;
  MirrorCopies copies(tables, [&](uint32_t interface, std::span<const uint8_t> copy) {
    require(interface == fixture::kTunnel);
    last_copied.assign(copy.begin(), copy.end());
    return true;
  });
  const mirror_taker taker{
      [](void* self, const mirror_head* head, const __u8* bytes) {
        static_cast<MirrorCopies*>(self)->take(*head, {bytes, head->length}, host->now_ms());
      },
      &copies};
  tables.mirrors = &taker;
  sluice::tunnels::Reader reader({data, size});
  for (int step = 0; step < 64 && reader.remaining() >= 3; step++) {
    const uint8_t kind = reader.u8() & 3;
    const uint16_t word = reader.be16();
    const size_t length = std::min<size_t>(word & 0x7ff, reader.remaining());
    const auto bytes = reader.bytes(length);
    Bytes in(bytes.begin(), bytes.end());
    if (kind == 3) {
      Bytes mask = std::move(in);
      const Bytes& base = word & 0x800 ? last_copied : last;
      in = base.empty() ? Bytes(60, 0) : fixture::returned(base);
      for (size_t i = 0; i < std::min(mask.size(), in.size()); i++) in[i] ^= mask[i];
    }
    const uint32_t interface_index = kind == 0   ? fixture::kOutside
                                     : kind == 1 ? fixture::kInside
                                                 : fixture::kTunnel;
    FrameBuffer buffer;
    buffer.assign(in);
    host->set_now_ms(host->now_ms() + 17);
    const uint64_t bypassed = tables.counters[0].event[kEventBypassed];
    const uint64_t hints = tables.counters[0].event[kEventHintTaken];
    const uint64_t former = tables.counters[0].event[kEventFormerCookie];
    const Outcome outcome = host->run(buffer, interface_index);
    require((outcome.verdict == kVerdictDrop || outcome.verdict == kVerdictAnswered) ==
            (outcome.reason != kDropNone));
    if (interface_index == fixture::kTunnel) {
      require(outcome.verdict == kVerdictStack || outcome.verdict == kVerdictDrop ||
              outcome.verdict == kVerdictSlowPath || outcome.verdict == kVerdictInside ||
              outcome.verdict == kVerdictOutside || outcome.verdict == kVerdictTarget ||
              outcome.verdict == kVerdictMirror);
      if (outcome.verdict == kVerdictInside || outcome.verdict == kVerdictOutside)
        require(tables.counters[0].event[kEventHintTaken] != hints ||  // it may have moved its flow
                tables.counters[0].event[kEventFormerCookie] != former ||
                cookie_is_known(tables, in, static_cast<uint32_t>(host->now_ms())));
      if (outcome.verdict == kVerdictTarget)
        last.assign(buffer.bytes().begin(), buffer.bytes().end());
    } else {
      require(outcome.verdict == kVerdictCross || outcome.verdict == kVerdictDrop ||
              outcome.verdict == kVerdictTarget || outcome.verdict == kVerdictAnswered ||
              outcome.verdict == kVerdictSlowPath || outcome.verdict == kVerdictInside ||
              outcome.verdict == kVerdictOutside);
      if (outcome.verdict == kVerdictInside || outcome.verdict == kVerdictOutside)
        require(tables.counters[0].event[kEventBypassed] == bypassed + 1);
      if (outcome.verdict == kVerdictTarget)
        last.assign(buffer.bytes().begin(), buffer.bytes().end());
    }
    if (outcome.verdict == kVerdictSlowPath)
      slow.take(interface_index, outcome.mtu, buffer.bytes(), host->now_ms());
    slow.expire(host->now_ms());
    require(slow.waiting() <= SlowPath::kWaitingMax);
    copies.turn(host->now_ms());
  }
  tables.mirrors = nullptr;
  return 0;
}
