// SPDX-License-Identifier: Apache-2.0
// Turns the configuration, and what is known about the world, into table contents and attached
// interfaces. Nothing else writes these tables. Calling it again with the same input writes
// nothing.
//
// Who gets a group's flows: its healthy targets; when none is healthy, what sluice.all_unhealthy
// says; when none is registered, nobody, and packets drop as `no_target`. Flows that exist stay
// where they are, or move, or end, when their target is unhealthy or deregistered: failover.h.
// A target that was deregistered stays in use for its group's deregistration delay, and then until
// nothing has been sent to it for as long as a flow can be idle, unless its flows move.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/control/world.h"
#include "gateway/datapath/host.h"

namespace sluice::gateway {

inline constexpr uint32_t kIdleOtherMs = 120'000;

// Which of the keys derived from the gateway's one. Gateways with the same key derive the same
// ones.
enum class KeyUse { kFlowHash = 1, kCookie = 2, kRendezvous = 3, kTunnelProbe = 4 };
tunnels::siphash_key derive_key(const tunnels::siphash_key& key, KeyUse use);

// The settings that a configuration stands for; the host's own fields are left zero.
settings make_settings(const Config& config);

class Reconciler {
 public:
  explicit Reconciler(DataPathHost& host);

  // What to do when an interface of the configuration is not there: refuse, and everything is as it
  // was; or go on without it until it comes back (missing() tells). Any other error leaves what it
  // is about undone and the rest done.
  enum class OnMissing { kRefuse, kGoOn };
  Result<> reconcile(const Config& config, World& world, OnMissing on_missing = OnMissing::kRefuse);

  // Groups without a healthy target: each target's state is known, and none gets traffic.
  const std::set<std::string, std::less<>>& lost_groups() const { return lost_groups_; }

  // What the last reconcile() went on without, or nothing.
  const Result<>& missing() const { return missing_; }

  // Detaches every interface.
  void detach_all();

  // For those who show the tables to people.
  std::string_view attachment_name(uint16_t index) const;
  std::string_view group_name(uint16_t index) const;
  std::optional<uint16_t> group_index(std::string_view name) const;
  // The place of a group's target in the table.
  std::optional<uint16_t> target_index(Protocol protocol, const Target& target) const;
  // Targets that were deregistered and still have flows: milliseconds until they are let go.
  std::optional<uint64_t> draining_ms(uint16_t target) const;

 private:
  struct Interfaces {
    struct Pair {
      uint32_t outside, inside;
    };
    std::vector<Pair> attachments;  // like config.attachments
    std::vector<uint32_t> tunnels;
    Result<> missing;  // the first that is not there; its number is 0
  };
  // A target's identity in the table: one place serves all groups that have it.
  struct TargetKey {
    bool appliance;
    Target target;
    auto operator<=>(const TargetKey&) const = default;
  };
  struct TargetSlot {
    uint16_t index;
    uint64_t delay_ms = 0;  // the longest of the groups that it is in, or was in last
    uint8_t failover = 0;   // DrainedFailover, of any of these groups
    uint16_t marks = 0;     // TargetFlags of failover
    std::optional<uint64_t> drain_until_ms;
    // After that: since when nothing has been sent to it, and how much until then.
    uint64_t quiet_since_ms = 0;
    uint64_t sent = 0;
  };
  struct ListenerKey {
    IpAddress address;
    uint16_t port;
    uint8_t protocol;
    auto operator<=>(const ListenerKey&) const = default;
  };

  // reconciler_take_over.cc: knows again what an earlier process has left in the tables.
  void take_over(const Config& config);
  void take_over_targets();
  void take_over_sources();
  void take_over_groups();
  void take_over_listeners();
  void take_over_attachments(const Config& config);
  void detach_leftovers();
  Interfaces find_interfaces(const Config& config, World& world) const;
  void write_settings(const Config& config);
  Result<> write_targets(const Config& config, World& world);
  // What the configuration and the health of groups say of each target.
  std::map<TargetKey, TargetSlot> wanted_targets(const Config& config, World& world) const;
  bool has_drained(const TargetKey& key, TargetSlot& slot);
  bool free_quietest();
  Result<uint16_t> take_target(const TargetKey& key);
  void free_target(const TargetKey& key, uint16_t index);
  void write_target(const TargetSlot& slot, const TargetKey& key, const Config& config,
                    World& world);
  Result<> add_source(uint32_t address, uint16_t target);
  void remove_source(uint32_t address);
  Result<> write_groups(const Config& config, World& world);
  void write_rows(uint16_t group, const TargetGroup& config, World& world,
                  const tunnels::siphash_key& key);
  void write_hints(const Config& config);
  Result<> write_listeners(const Config& config);
  void remove_listener(const ListenerKey& key);
  Result<> write_attachments(const Config& config, const Interfaces& interfaces);
  Result<> write_ports(const Config& config, const Interfaces& interfaces);
  void set_port(uint32_t interface_index, uint16_t role, uint16_t attachment);

  DataPathHost& host_;
  Tables& tables_;
  std::map<TargetKey, TargetSlot> targets_;
  uint16_t next_target_ =
      0;  // where the search for a free place begins: the longest free comes first
  std::map<std::string, uint16_t, std::less<>> groups_;
  std::map<uint16_t, std::vector<uint16_t>> candidates_;  // what a group's rows were filled with
  std::map<ListenerKey, uint16_t> listeners_;
  std::map<std::string, uint16_t, std::less<>> attachments_;
  std::set<uint32_t> ports_;
  bool taken_over_ = false;  // what is in the tables is known, or the tables were empty
  // Groups whose rows an earlier process filled: they stay until the health of all targets is
  // known.
  std::set<uint16_t> rows_kept_;
  std::set<std::string, std::less<>> lost_groups_;
  Result<> missing_;
};

// Which target groups the packet path steers to: those of gateway and network listeners, and of
// hints.
std::set<std::string, std::less<>> steered_groups(const Config& config);

}  // namespace sluice::gateway
