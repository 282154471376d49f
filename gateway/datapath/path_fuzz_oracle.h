// SPDX-License-Identifier: Apache-2.0
// For path_fuzz.cc: what the path may do with a datagram that comes back, and whether it did that;
// worked out from the tables by other means than the path's own.
#pragma once

#include <optional>
#include <vector>

#include "gateway/datapath/chain.h"
#include "gateway/datapath/fragment.h"
#include "gateway/datapath/path_fuzz_packet.h"
#include "gateway/datapath/unrecorded.h"

namespace sluice::gateway::fuzz {

// What may become of a datagram: it is delivered like this, or goes to one of these targets, or is
// dropped; nothing else.
struct Approval {
  std::optional<Verdict> delivery;
  uint32_t interface = 0;
  uint32_t backend = kNone16;  // its destination becomes that NLB target
  std::vector<uint32_t> next;
};

// The place of a flow at one of the attachments that `is_there` says: whatever its name is, and
// wherever it stands.
template <class IsThere>
uint32_t find_flow(const Tables& tables, const flow_key& key, IsThere is_there) {
  for (uint32_t i = 0; i < tables.flow_buckets_count * kFlowWays; i++) {
    const flow_record& record = *table_flow_records(&tables, i);
    const uint64_t entry = tables.flow_buckets[i / kFlowWays].entry[i % kFlowWays];
    if (flow_entry_state(entry) != kFlowEmpty && flow_key_equal(&record.key, &key) &&
        is_there(record.attachment))
      return i;
  }
  return kFlowNotFound;
}

template <class IsThere>
const unrecorded_flow* find_unrecorded(const Tables& tables, uint64_t hash, IsThere is_there) {
  const uint32_t first = (hash & (kUnrecordedBuckets - 1)) * kUnrecordedWays;
  for (uint32_t i = first; i < first + kUnrecordedWays; i++) {
    const unrecorded_flow* flow = unrecorded_at(&tables, i);
    if (unrecorded_is(flow->seen, flow->way, hash) && is_there(unrecorded_attachment(flow)))
      return flow;
  }
  return nullptr;
}

// Whether the attachment's ids are those of the datagram, as far as the target's profile has them.
inline bool is_of(const Tables& tables, const Datagram& d, uint32_t attachment_index) {
  const attachment& at = tables.attachments[attachment_index];
  const geneve_profile& profile = kGeneveProfiles[tables.targets[d.target].profile];
  if ((profile.flags & kGeneveHasNetwork) && d.network != geneve_network(at.endpoint_id))
    return false;
  return at.in_use && at.endpoint_id == d.header.endpoint_id &&
         (!(profile.flags & kGeneveHasAttachment) || at.attachment_id == d.header.attachment_id);
}

inline bool is_unrecorded_cookie(const Tables& tables, const Datagram& d, uint32_t then_ms) {
  const uint32_t epoch = then_ms >> kUnrecordedEpochShift;
  for (uint32_t e : {epoch, epoch - 1})
    if (unrecorded_cookie(&tables, d.query.hash, d.header.endpoint_id, d.target, e) ==
        d.header.flow_cookie)
      return true;
  return false;
}

// Whether copies of the flow's packets go to a target, or did: it may know the former cookie.
inline bool gets_copies(const Tables& tables, const flow_record& record, const Datagram& d) {
  if (!(record.flags & kFlowMirror)) return false;
  const row& r = tables.rows[row_index(fixture::kOtherGroup, d.query.hash)];
  return r.target == d.target || r.previous == d.target;
}

// A flow and a datagram of it, at a time.
struct Claim {
  const Tables& tables;
  const Datagram& d;
  const flow_record& record;
  const flow_usage& usage;
  uint32_t now_ms;

  bool has_cookies() const {
    return kGeneveProfiles[tables.targets[d.target].profile].flags & kGeneveHasCookie;
  }
  bool is_young() const { return now_ms - usage.created_ms <= kFormerCookieMs; }
  uint32_t age() const { return ((record.cookie >> 28) - (d.header.flow_cookie >> 28)) & 15; }
  bool is_cookie_of(uint32_t hop) const {
    return d.header.flow_cookie ==
           flow_cookie(tables.settings, d.query.hash, d.target, d.header.flow_cookie >> 28, hop);
  }
  bool is_former() const {
    return age() == 1 && flow_had_another_cookie(&record) && is_young() &&
           !gets_copies(tables, record, d);
  }
  bool from_client() const {
    return (d.query.direction == 0) == ((record.flags & kFlowClientFirst) != 0);
  }

  // Of a flow without a chain.
  bool holds() const {
    if (!has_cookies()) return record.target == d.target;
    if (record.target == d.target && record.cookie == d.header.flow_cookie) return true;
    if (is_former() && is_cookie_of(0)) return true;
    return record.target == d.target && is_young() && !gets_copies(tables, record, d) &&
           is_unrecorded_cookie(tables, d, usage.created_ms);
  }

  // That it is a hop of the chain who speaks.
  bool holds_of(uint32_t hop) const {
    const bool is_here = chain_target(&record, hop) == d.target;
    if (has_cookies()) return is_cookie_of(hop) && ((age() == 0 && is_here) || is_former());
    for (uint32_t i = 1; i <= chain_hops(&record); i++)
      if (i != hop && chain_target(&record, i) == d.target) return false;
    return is_here;
  }

  bool passes_by(uint32_t hop) const {
    if (chain_skips(&record, hop)) return true;
    const target& t = tables.targets[chain_target(&record, hop)];
    constexpr uint16_t kAsked = kTargetInUse | kTargetAppliance | kTargetMoves | kTargetResets;
    const uint16_t group = tables.policy_rules[record.rule].hop[hop - 1].group[0];
    return (t.flags & kAsked) != (kTargetInUse | kTargetAppliance) &&
           (tables.groups[group].flags & kGroupFailsOpen);
  }

  // Where the packet goes from a hop; 0: it has been everywhere.
  uint32_t hop_after(uint32_t hop) const {
    const int step = from_client() ? 1 : -1;
    for (int next = static_cast<int>(hop) + step;
         next >= 1 && next <= static_cast<int>(chain_hops(&record)); next += step)
      if (!passes_by(static_cast<uint32_t>(next))) return static_cast<uint32_t>(next);
    return 0;
  }
};

inline void approve_delivery(const Tables& tables, uint32_t attachment_index, bool from_outside,
                             Approval& out) {
  out.delivery = from_outside ? kVerdictInside : kVerdictOutside;
  out.interface = tables.attachments[attachment_index].interface[from_outside ? 1 : 0];
}

inline Approval approve_by_record(const Claim& claim) {
  Approval out;
  const flow_record& record = claim.record;
  if ((record.flags & kFlowAlias) || !is_of(claim.tables, claim.d, record.attachment)) return out;
  bool delivered = !flow_is_chain(&record) && claim.holds();
  for (uint32_t hop = 1; flow_is_chain(&record) && hop <= chain_hops(&record); hop++) {
    if (!claim.holds_of(hop)) continue;
    const uint32_t next = claim.hop_after(hop);
    delivered |= next == 0;
    if (next != 0) out.next.push_back(chain_target(&record, next));
  }
  if (!delivered) return out;
  const bool from_outside =
      (claim.d.query.direction == 0) == ((record.flags & kFlowFirstEndOutside) != 0);
  approve_delivery(claim.tables, record.attachment, from_outside, out);
  if ((record.flags & kFlowNlb) && claim.from_client()) out.backend = record.backend;
  return out;
}

// What may become of a datagram that comes in now.
inline Approval approve(const Tables& tables, const Datagram& d, uint32_t now_ms) {
  if (!d.is_named) return {};
  const auto is_there = [&](uint32_t attachment_index) {
    return tables.attachments[attachment_index].endpoint_id == d.header.endpoint_id;
  };
  const uint32_t place = find_flow(tables, d.query.key, is_there);
  if (place != kFlowNotFound) {
    const Approval out = approve_by_record({tables, d, *table_flow_records(&tables, place),
                                            *table_flow_usages(&tables, place), now_ms});
    if (out.delivery || !out.next.empty()) return out;
  }
  const unrecorded_flow* flow = find_unrecorded(tables, d.query.hash, is_there);
  if (!flow || unrecorded_target(flow) != d.target ||
      !is_of(tables, d, unrecorded_attachment(flow)))
    return {};
  const uint32_t flags = kGeneveProfiles[tables.targets[d.target].profile].flags;
  if ((flags & kGeneveHasCookie) &&
      !is_unrecorded_cookie(tables, d, static_cast<uint32_t>(flow->seen)))
    return {};
  Approval out;
  approve_delivery(tables, unrecorded_attachment(flow),
                   (d.query.direction == 0) == (unrecorded_first_end_outside(flow) != 0), out);
  return out;
}

// What has left for an outside or inside is the packet of the datagram, as it was approved.
inline void check_delivered(const Tables& tables, const Datagram& d, const Approval& approval,
                            const Outcome& outcome, const Bytes& out) {
  require(approval.delivery == outcome.verdict && approval.interface == outcome.interface);
  const size_t header = out.size() - d.bytes.size();
  require(out.size() > d.bytes.size() && (header == 14 || header == 18 || header == 22));
  const Bytes packet_out(out.begin() + static_cast<ptrdiff_t>(header), out.end());
  if (approval.backend == kNone16) return require(packet_out == d.bytes);
  const target& backend = tables.targets[approval.backend];
  require(is_translated(d.bytes, packet_out, kNlbDestination, backend.address, backend.port));
}

// What leaves for a target is of a flow that this target has, under its cookie.
inline void check_sent(const Tables& tables, const Outcome& outcome, const Bytes& out,
                       uint32_t now_ms) {
  const auto read = read_datagram(tables, out, kToTarget);
  require(read.has_value());
  const Datagram& d = *read;
  const target& t = tables.targets[d.target];
  require((t.flags & kTargetInUse) && (t.flags & kTargetResolved));
  require(outcome.interface == t.interface && d.bytes.size() <= t.mtu);
  if (t.profile == kProfilePlain || !d.is_named) return;  // it does not say whose it is
  const auto is_there = [&](uint32_t attachment_index) {
    return is_of(tables, d, attachment_index);
  };
  const uint32_t place = find_flow(tables, d.query.key, is_there);
  if (place == kFlowNotFound) {
    const unrecorded_flow* flow = find_unrecorded(tables, d.query.hash, is_there);
    require(flow && unrecorded_target(flow) == d.target);
    return require(t.profile != kProfileAws || is_unrecorded_cookie(tables, d, now_ms));
  }
  const flow_record& record = *table_flow_records(&tables, place);
  require(!(record.flags & kFlowAlias));
  if (!flow_is_chain(&record)) {
    require(record.target == d.target);
    return require(t.profile != kProfileAws || record.cookie == d.header.flow_cookie);
  }
  const Claim claim{tables, d, record, *table_flow_usages(&tables, place), now_ms};
  bool is_hop = false;
  for (uint32_t hop = 1; hop <= chain_hops(&record); hop++)
    is_hop |= chain_target(&record, hop) == d.target && !chain_skips(&record, hop) &&
              (t.profile != kProfileAws || (claim.age() == 0 && claim.is_cookie_of(hop)));
  require(is_hop);
}

}  // namespace sluice::gateway::fuzz
