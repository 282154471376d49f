// SPDX-License-Identifier: Apache-2.0
// For path_fuzz.cc: the tables that frames meet, and what of them an input can change.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/process_host.h"
#include "gateway/datapath/profiles_fixture.h"

namespace sluice::gateway::fuzz {

using fixture::Bytes;

constexpr uint32_t kGroups = 2;  // of appliances: 0 and fixture::kOtherGroup
constexpr uint32_t kAttachments = 2;
constexpr uint32_t kInterface[kAttachments][2] = {{fixture::kOutside, fixture::kInside}, {20, 21}};
constexpr uint64_t kEndpoints[kAttachments] = {fixture::kEndpoint, 0x7700112233445566};
constexpr uint64_t kSmallEndpoints[kAttachments] = {fixture::kSmallEndpoint, 0xb1b2b3};
constexpr uint16_t kShadowRule = 2;

inline void require(bool condition) {
  if (!condition) std::abort();
}

// What may change before a frame: the upper six bits of a record's first byte. Each stands for as
// many numbers as there are places up to the next.
enum Change : uint8_t {
  kChangeClock = 1,  // jumps: kJumps
  kChangeMoves = 5,  // of an appliance: these flags, each the other way round
  kChangeResets = 9,
  kChangeInUse = 13,
  kChangeResolved = 17,
  kChangeMtu = 21,        // small, or large again
  kChangeFailsOpen = 25,  // of a group
  kChangeEmpties = 27,    // all rows of a group are nobody's, or somebody's again
  kChangeOwners = 29,     // each row of a group goes to the next appliance
  kChangeRate = 31,       // of an attachment: new flows go without a record, or with one
  kChangeAttached = 33,   // it is in use, or not
  kChangeEndpoint = 35,   // its id is small, or large
  kChangeFlags = 37,      // AttachmentFlags of both
  kChangeClamp = 40,
  kChangeBackend = 41,  // an NLB target is in use, or not
  kChanges = 43,
};
constexpr uint32_t kJumps[] = {1000, 11000, 121000, 351000};
constexpr uint16_t kSmallMtu = 300;

class World {
 public:
  static constexpr uint64_t kBegins = 1000000;

  World() : host_(make()) {
    Tables& t = tables();
    fixture::configure(t);
    fixture::speak(t, 2, kProfileGoogle);
    fixture::speak(t, 3, kProfilePlain);
    t.attachments[1] = {kEndpoints[1], 5, {kInterface[1][0], kInterface[1][1]}, 0, 1, 0};
    t.ports[kInterface[1][0]] = {kPortOutside, 1, 0};
    t.ports[kInterface[1][1]] = {kPortInside, 1, 0};
    for (uint32_t i = 0; i < kAttachments; i++) t.attachments[i].flags |= kAttachmentPolicy;
    fixture::move_to_ipv6(t, 1);
    add_policy();
    t.watches[0].watch[1] = {0, {}, 0xff, 100, kNone16, 0, kWatchAnyProtocol, 0, 0};
    t.settings[0].watching = 2;
    std::copy_n(t.targets, kept_targets_.size(), kept_targets_.begin());
    std::copy_n(t.groups, kGroups, kept_groups_.begin());
    std::copy_n(t.attachments, kAttachments, kept_attachments_.begin());
  }

  ProcessHost& host() { return *host_; }
  Tables& tables() { return host_->tables(); }
  uint32_t now_ms() const { return static_cast<uint32_t>(host_->now_ms()); }

  // As it was before the first input.
  void reset() {
    Tables& t = tables();
    std::ranges::copy(kept_targets_, t.targets);
    std::ranges::copy(kept_groups_, t.groups);
    std::ranges::copy(kept_attachments_, t.attachments);
    t.settings[0].mss_clamp = 0;
    for (uint32_t group = 0; group < kGroups; group++) {
      if (std::exchange(rows_[group], {}) == Rows{}) continue;
      write_rows(group);
      for (uint32_t i = 0; i < kApplianceRows; i++)
        t.rows[first_row(group) + i] = {t.rows[first_row(group) + i].target, kNone16, 0};
    }
    std::fill_n(t.flow_buckets, t.flow_buckets_count, flow_bucket{});
    std::fill_n(t.trail_buckets, int{kTrailBuckets}, trail_bucket{});
    std::fill_n(t.layer2s, int{kLayer2Max}, layer2{});
    if (std::exchange(is_limited_, false))
      std::fill_n(t.unrecorded_buckets, int{kUnrecordedBuckets}, unrecorded_bucket{});
    for (uint32_t cpu : {0u, uint32_t{kSlowPathCpu}}) {
      t.gates[cpu] = {};
      t.watch_states[cpu] = {};
      std::fill_n(&t.new_flow_guards[cpu * kAttachmentsMax], kAttachments, new_flow_guard{});
    }
    host_->set_now_ms(kBegins);
  }

  void change(uint8_t number) {
    Tables& t = tables();
    const auto nth = [&](Change first) { return static_cast<uint32_t>(number - first); };
    if (number >= kChanges || number < kChangeClock) return;
    if (number < kChangeMoves)
      return host_->set_now_ms(host_->now_ms() + kJumps[nth(kChangeClock)]);
    if (number < kChangeFailsOpen)
      return change_target(nth(kChangeMoves) / 4, nth(kChangeMoves) % 4);
    if (number < kChangeEmpties) {
      t.groups[nth(kChangeFailsOpen)].flags ^= kGroupFailsOpen;
    } else if (number < kChangeOwners) {
      rows_[nth(kChangeEmpties)].empty ^= true;
      write_rows(nth(kChangeEmpties));
    } else if (number < kChangeRate) {
      rows_[nth(kChangeOwners)].shift++;
      write_rows(nth(kChangeOwners));
    } else if (number < kChangeFlags) {
      change_attachment(number);
    } else if (number < kChangeClamp) {
      for (uint32_t i = 0; i < kAttachments; i++) t.attachments[i].flags ^= 1 << nth(kChangeFlags);
    } else if (number < kChangeBackend) {
      t.settings[0].mss_clamp ^= 1;
    } else {
      t.targets[fixture::kBackend + nth(kChangeBackend)].flags ^= kTargetInUse;
    }
  }

 private:
  struct Rows {
    bool empty = false;
    uint8_t shift = 0;
    bool operator==(const Rows&) const = default;
  };

  static std::unique_ptr<ProcessHost> make() {
    auto created = ProcessHost::create({.flows_max = kFlowsMaxLeast});
    require(created.has_value());
    return std::move(*created);
  }

  // One for UDP, or TCP, to some ports of both attachments.
  void add_rule(uint8_t rule, uint8_t protocol, uint16_t first, uint16_t last,
                PolicyAction action) {
    Tables& t = tables();
    policy_entry& entry = t.policy_entries[t.settings[0].policy++];
    entry = fixture::entry_for_all(rule);
    entry.attachments[0] = 3;
    entry.port_first = first;
    entry.port_last = last;
    entry.protocol = protocol;
    t.policy_rules[rule].in_use = 1;
    t.policy_rules[rule].action = action;
  }

  void add_hops(uint8_t rule, uint16_t hops) {
    policy_rule& r = tables().policy_rules[rule];
    r.hops = hops;
    for (uint16_t i = 0; i < hops; i++)
      r.hop[i] = {{0xffffffff}, {static_cast<uint16_t>(i % kGroups)}, 1};
  }

  // To port 53 of UDP by two appliances, of TCP by four hops, each appliance twice; all else of UDP
  // has a shadow. TCP to port 54 is not inspected, and to port 55 not let through.
  void add_policy() {
    add_rule(1, kProtocolUdp, 53, 53, kPolicyForward);
    add_hops(1, 2);
    add_rule(3, kProtocolTcp, 53, 53, kPolicyForward);
    add_hops(3, 4);
    add_rule(4, kProtocolTcp, 54, 54, kPolicyBypass);
    add_rule(5, kProtocolTcp, 55, 55, kPolicyDrop);
    add_rule(kShadowRule, kProtocolUdp, 0, 0xffff, kPolicyForward);
    add_hops(kShadowRule, 1);
    policy_rule& shadow = tables().policy_rules[kShadowRule];
    shadow.mirror = fixture::kOtherGroup + 1;
    shadow.shadow = 1;
  }

  void write_rows(uint32_t group) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[first_row(group) + i];
      const uint32_t owner = (i + group + rows_[group].shift) % fixture::kAppliances;
      r = {static_cast<uint16_t>(rows_[group].empty ? uint32_t{kNone16} : owner), r.target,
           now_ms() / 1000};
    }
  }

  void change_target(uint32_t what, uint32_t index) {
    target& t = tables().targets[index];
    constexpr uint16_t kFlags[] = {kTargetMoves, kTargetResets, kTargetInUse, kTargetResolved};
    if (what < 4)
      t.flags ^= kFlags[what];
    else
      t.mtu = t.mtu == kSmallMtu ? kept_targets_[index].mtu : kSmallMtu;
  }

  void change_attachment(uint8_t number) {
    const uint32_t which = (number - kChangeRate) % kAttachments;
    attachment& a = tables().attachments[which];
    if (number < kChangeAttached) {
      a.new_flows_per_second ^= 1;
      is_limited_ = true;
    } else if (number < kChangeEndpoint) {
      a.in_use ^= 1;
    } else {
      a.endpoint_id =
          a.endpoint_id == kEndpoints[which] ? kSmallEndpoints[which] : kEndpoints[which];
    }
  }

  std::unique_ptr<ProcessHost> host_;
  std::array<target, fixture::kBackend + 2> kept_targets_;
  std::array<group, kGroups> kept_groups_;
  std::array<attachment, kAttachments> kept_attachments_;
  Rows rows_[kGroups];
  bool is_limited_ = false;
};

}  // namespace sluice::gateway::fuzz
