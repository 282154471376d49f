// SPDX-License-Identifier: Apache-2.0
// Turns the configuration, and what is known about the world, into table contents and attached
// interfaces. Nothing else writes these tables. Calling it again with the same input writes
// nothing, and looks at nothing that is as it was: an object of the configuration is known by its
// address (ObjectList), and who knows that the world has changed says so.
//
// Who gets a group's flows: its healthy targets; when none is healthy, what sluice.all_unhealthy
// says; when none is registered, nobody, and packets drop as `no_target`. Flows that exist stay
// where they are, or move, or end, when their target is unhealthy or deregistered: failover.h.
// A target that was deregistered stays in use for its group's deregistration delay, and then until
// nothing has been sent to it for as long as a flow can be idle, unless its flows move.
// While cross-zone load balancing is off, each zone of a group has rows of its own, and what is
// said above is said of the group's targets in that zone (zones.h).
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/control/policy_writer.h"
#include "gateway/control/world.h"
#include "gateway/control/zones.h"
#include "gateway/datapath/host.h"
#include "gateway/targets/rendezvous.h"

namespace sluice::gateway {

inline constexpr uint32_t kIdleOtherMs = 120'000;
// Targets whose way is looked up again in one reconcile(), after the network has changed.
inline constexpr uint32_t kNextHopsPerTurnMax = 1024;
// Buckets of the flow table in which one looks for the flows of attachments that are gone.
inline constexpr uint32_t kFlowBucketsPerTurnMax = 1 << 13;

// Which of the keys derived from the gateway's one. Gateways with the same key derive the same
// ones.
enum class KeyUse { kFlowHash = 1, kCookie = 2, kRendezvous = 3, kTunnelProbe = 4 };
tunnels::siphash_key derive_key(const tunnels::siphash_key& key, KeyUse use);

// The settings that a configuration stands for after `former`; the host's own fields are left zero.
settings make_settings(const Config& config, const settings& former);

class Reconciler {
 public:
  explicit Reconciler(DataPathHost& host);

  // What to do when an interface of the configuration is not there: refuse, and everything is as it
  // was; or go on without it until it comes back (missing() tells). Any other error leaves what it
  // is about undone and the rest done; the next call tries again.
  enum class OnMissing { kRefuse, kGoOn };
  Result<> reconcile(const Config& config, World& world, OnMissing on_missing = OnMissing::kRefuse);

  // What the next reconcile() has to look at again.
  void health_changed(std::string_view group);
  void interfaces_changed() { interfaces_stale_ = true; }
  void network_changed();  // interfaces, and the ways to all targets

  // After network_changed() among many targets, and when an attachment has gone: it takes more
  // calls of reconcile() to see all of them, and all flows.
  bool has_more_to_do() const { return next_hops_stale_ != 0 || left_buckets_ != 0; }

  // Groups, and zones of groups, without a healthy target: each target's state is known, and none
  // gets traffic.
  struct Lost {
    std::string group;
    std::string zone;  // empty: all
    auto operator<=>(const Lost&) const = default;
  };
  const std::set<Lost>& lost_groups() const { return lost_groups_; }

  // What the last reconcile() went on without, or nothing.
  const Result<>& missing() const { return interfaces_.missing; }

  // Detaches every interface.
  void detach_all();

  // Where an interface's packets are taken; nothing if they are not.
  std::optional<Entry> entry_of(uint32_t interface_index) const;
  // The same of both interfaces of an attachment, and of one of `tunnel_interfaces`.
  std::optional<Entry> entry_of_attachment(std::string_view name) const;
  std::optional<Entry> entry_of_tunnel(size_t place) const;

  // For those who show the tables to people.
  std::string_view attachment_name(uint16_t index) const;
  std::string_view group_name(uint16_t index) const;
  std::optional<uint16_t> group_index(std::string_view name, std::string_view zone = {}) const;
  // The place of a group's target in the table.
  std::optional<uint16_t> target_index(Protocol protocol, const Target& target) const;
  // Whether packets are steered to the group.
  bool steers_to(std::string_view group) const { return groups_.contains(group); }
  const PolicyWriter& policy() const { return policy_; }
  // A target that was deregistered, and still may have flows.
  struct Draining {
    std::string group;  // that it left; empty after a restart, which forgets it
    Target target;
    uint16_t index;
    uint64_t left_ms;  // of its deregistration delay; then it waits for its flows to end
  };
  std::vector<Draining> draining() const;
  std::vector<Draining> draining(std::string_view group) const;
  // Until the place in the table is free again.
  std::optional<uint64_t> draining_ms(uint16_t target) const;

 private:
  struct Interfaces {
    struct Pair {
      uint32_t outside, inside;
      bool operator==(const Pair&) const = default;
    };
    std::vector<Pair> attachments;  // like config.attachments
    std::vector<uint32_t> tunnels;
    Result<> missing;  // the first that is not there; its number is 0
    bool same_numbers(const Interfaces& other) const {
      return attachments == other.attachments && tunnels == other.tunnels;
    }
  };
  // A target's identity in the table: one place serves all groups that have it.
  struct TargetKey {
    bool appliance;
    Target target;
    auto operator<=>(const TargetKey&) const = default;
  };
  // What one group says about a target of its own.
  struct Share {
    std::string_view group;
    uint64_t delay_ms;
    uint8_t failover;    // DrainedFailover
    uint16_t marks = 0;  // TargetFlags of failover
    uint8_t profile = 0;
  };
  struct TargetSlot {
    uint16_t index;
    uint64_t id;                // for rendezvous hashing
    std::vector<Share> shares;  // of the groups that have it
    // The longest, and all, of the shares; of a target without a share, of those that it lost last.
    uint64_t delay_ms = 0;
    uint8_t failover = 0;
    uint16_t marks = 0;
    uint8_t profile = 0;   // all of them agree
    uint64_t left_in = 0;  // the number of the reconcile() in which a share was lost last
    std::optional<uint64_t> drain_until_ms;
    // After that: since when nothing has been sent to it, and how much until then.
    uint64_t quiet_since_ms = 0;
    uint64_t sent = 0;
  };
  using TargetMap = std::map<TargetKey, TargetSlot>;
  using SharedGroup = ObjectList<TargetGroup>::Shared;
  // The rows of a group, or of one of its zones.
  struct Rows {
    uint16_t index;                            // of the table of groups
    std::vector<RendezvousTarget> candidates;  // what the rows were filled with, by index
    // An earlier process has filled the rows: they stay until the health of all targets is known.
    bool kept = false;
  };
  struct GroupSlot {
    Rows rows;                                 // of all its targets
    std::map<uint64_t, Rows> zones;            // by zone_id()
    SharedGroup applied;                       // what the members are of
    std::vector<TargetMap::iterator> members;  // like its targets
    std::map<Target, uint64_t> leaving;        // deregistered targets, until when
  };
  using GroupMap = std::map<std::string, GroupSlot, std::less<>>;
  struct ListenerKey {
    IpAddress address;
    uint16_t port;
    uint8_t protocol;
    auto operator<=>(const ListenerKey&) const = default;
  };

  // reconciler_take_over.cc: knows again what an earlier process has left in the tables.
  void take_over(const Config& config);
  void take_over_targets();
  void take_over_groups();
  void take_over_listeners();
  void take_over_attachments(const Config& config);
  void detach_leftovers();
  // Once the groups have taken theirs: the other targets drain.
  void drain_leftovers();

  // reconciler.cc
  bool look_at_interfaces(const Config& config, World& world, OnMissing on_missing);
  void look_at_steering(const Config& config);
  void look_at_zones(const Config& config);
  Interfaces find_interfaces(const Config& config, World& world) const;
  void write_settings(const Config& config);
  void write_hints(const Config& config);
  Result<> write_policy(const Config& config);
  Result<> write_ports(const Config& config, World& world);
  Result<> attach(uint32_t interface_index, Entry entry);
  Result<> attach_both(Interfaces::Pair both, const Attachment& attachment, EntryChoice tunnel,
                       World& world);
  void detach_all_but(const std::set<uint32_t>& wanted);
  Result<> finish_packets(const Config& config, World& world);
  void set_port(uint32_t interface_index, uint16_t role, uint16_t attachment);

  // reconciler_attachments.cc
  Result<> write_attachments(const Config& config);
  struct attachment wanted_attachment(const Config& config, const Attachment& attachment,
                                      Interfaces::Pair interfaces) const;
  Result<uint16_t> take_attachment(const std::string& name);
  void spare_unknown(bool begin);
  void leave_attachment(uint16_t place);
  void close_left_flows(uint32_t buckets_most);

  // reconciler_groups.cc
  Result<> write_groups(const Config& config, World& world);
  std::vector<SharedGroup> changed_groups(const Config& config) const;
  Result<> write_group(const SharedGroup& group, const Config& config, World& world);
  Result<GroupMap::iterator> place_of(const TargetGroup& group, const Config& config, World& world);
  Result<uint16_t> take_rows(const TargetGroup& group, std::string_view zone, const Config& config,
                             World& world);
  std::optional<uint16_t> free_group(Protocol protocol) const;
  Result<> take_members(GroupMap::iterator at, const SharedGroup& group, const Config& config,
                        World& world);
  // The group as far as each of the zones that it is steered in has it.
  using ZoneParts = std::map<std::string_view, TargetGroup>;
  void write_health(GroupSlot& slot, const TargetGroup& group, const Config& config, World& world);
  void mark_members(GroupSlot& slot, const TargetGroup& group, const ZoneParts& parts,
                    const Config& config, World& world);
  Result<> write_zones(GroupSlot& slot, const TargetGroup& group, const Config& config,
                       World& world);
  void write_rows(Rows& rows, const TargetGroup& group, std::string_view zone, World& world);
  const std::set<std::string>& zones_of(std::string_view group) const;
  // Those that nothing is steered to any more.
  void remove_zones();
  void remove_groups(const Config& config, World& world);
  void remove_group(GroupMap::iterator at, const Config& config, World& world);

  // reconciler_targets.cc
  Result<TargetMap::iterator> take_target(const TargetKey& key, const Share& share,
                                          const Config& config, World& world);
  void leave_target(TargetMap::iterator at, std::string_view group, const Config& config,
                    World& world);
  void sum_up(TargetMap::iterator at, const Config& config, World& world);
  void drain(TargetSlot& slot, uint64_t delay_ms);
  Result<uint16_t> take_place(const TargetKey& key, uint8_t profile);
  void free_drained();
  bool has_become_quiet(TargetSlot& slot);
  bool free_quietest();
  void free_target(TargetMap::iterator at);
  void write_target(const TargetSlot& slot, const TargetKey& key, const Config& config,
                    World& world);
  void look_at_next_hops(const Config& config, World& world);
  Result<> write_listeners(const Config& config);
  void remove_listener(const ListenerKey& key);

  // reconciler_sources.cc
  // One that is there already is replaced.
  Result<> add_source(const IpAddress& address, uint16_t target, uint8_t profile);
  void remove_source(const IpAddress& address);
  void take_over_sources();

  DataPathHost& host_;
  Tables& tables_;
  Config last_;              // what reconcile() was called with last
  uint64_t turn_ = 0;        // how often
  bool taken_over_ = false;  // what is in the tables is known, or the tables were empty
  tunnels::siphash_key rendezvous_key_{};

  TargetMap targets_;
  std::vector<std::optional<TargetMap::iterator>> places_;  // of the table of targets
  // Where the search for a free one begins, so that the longest free comes first.
  uint16_t next_appliance_ = 0;
  uint16_t next_network_target_ = kAppliancesMax;
  std::multimap<uint64_t, uint16_t> drains_;  // when, and which place; stale ones are passed over
  std::set<uint16_t> lingering_;              // places of targets that have drained
  GroupMap groups_;
  std::set<Lost> lost_groups_;
  std::set<std::string, std::less<>> steered_;  // steered_groups() of last_
  SteeredZones zones_;                          // steered_zones() of last_
  std::map<ListenerKey, uint16_t> listeners_;
  std::map<std::string, uint16_t, std::less<>> attachments_;
  // Places of those that are gone, which flows may still refer to, and the buckets of the flow
  // table that are still to be looked through for them, from next_bucket_ on.
  std::bitset<kAttachmentsMax> left_attachments_;
  uint32_t left_buckets_ = 0;
  uint32_t next_bucket_ = 0;
  uint16_t next_attachment_ = 0;  // where the search for a free place begins
  PolicyWriter policy_;
  Interfaces interfaces_;
  std::map<uint32_t, Entry> ports_;  // attached, by interface
  std::set<uint32_t> finished_;      // interfaces that finish_packets() was called for

  // What is not, or may not be, as it should be.
  bool interfaces_stale_ = true;
  bool groups_stale_ = true;
  bool zones_stale_ = true;
  bool listeners_stale_ = true;
  bool attachments_stale_ = true;
  std::set<std::string, std::less<>> health_stale_;  // groups
  uint32_t next_hops_stale_ = 0;                     // places from next_hop_ on
  uint16_t next_hop_ = 0;
};

// Which target groups the packet path steers to: those of gateway and network listeners, and of
// hints and rules of the policy.
std::set<std::string, std::less<>> steered_groups(const Config& config);

}  // namespace sluice::gateway
