// SPDX-License-Identifier: Apache-2.0
// Whether a rule holds, apart from what Hyperscan has found out already: its header, its flow, its
// conditions, and then its buffers, exactly.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "inspect/match/buffer_matcher.h"
#include "inspect/match/engine.h"
#include "inspect/match/flow_state.h"
#include "inspect/match/latency.h"
#include "inspect/match/rule_profile.h"

namespace sluice::inspect {

struct RuleContext;

// A rule that holds for the packet in hand.
struct Match {
  uint32_t rule;
  bool in_stream = false;
  // Of a rule about a transaction, until its members are there.
  const Transaction* transaction = nullptr;
  // The members that tell of it in events, as it is behind the packet.
  std::string about_transaction{};
};

// One per worker.
class RuleCheck {
 public:
  explicit RuleCheck(const Engine& engine) {
    matched_.reserve(64);
    use(engine);
  }

  void use(const Engine& engine) {
    engine_ = &engine;
    matched_.clear();
    for (auto& known : known_) known.assign(engine.address_lists(), {});
  }

  void begin_packet() {
    matched_.clear();
    packet_++;
    app_events_ = {};
    stream_events_ = 0;
    if (guard_ != nullptr) guard_->begin_packet();
  }

  // All that the rule asks beside buffers. `direction`: of the packet, or of the transaction's
  // part.
  bool asks_for(const Current& current, Direction direction, const CompiledRule& rule,
                const Transaction* transaction);
  // The same of a rule about streams. kNotYet: it may come to ask for the bytes that are there;
  // kRefuses: what was noted so far lets it not.
  enum class Asks : uint8_t { kNotYet, kRefuses, kYes };
  Asks asks_for_stream(const Current& current, const CompiledRule& rule);
  // Only addresses and ports.
  bool addresses_match(const Current& current, Direction direction, const CompiledRule& rule);
  // Also about the packet's own headers.
  bool packet_matches(const Current& current, const CompiledRule& rule);
  bool payload_matches(const CompiledRule& rule, const Payload& payload);
  // What a rule about a transaction says about the payload: the stream's window, or the packet.
  bool payload_of_transaction_matches(const Current& current, const BufferPlan& plan);

  // The events of the transaction that rules are asked about from now on.
  void about_events(std::span<const uint16_t> events) { app_events_ = events; }

  // What the packet in hand does to its stream.
  void about_stream(StreamEvents events) { stream_events_ = events; }

  // The file, and who sends it, that rules are asked about from now on; nullptr: none.
  void about_file(const TrackedFile* file, Direction direction) {
    file_ = file;
    file_direction_ = direction;
  }

  // The rule has been tried, and begin_rule() began it.
  void tried(uint32_t rule, bool matched) {
    if (guard_ != nullptr) guard_->end_rule(engine_->rule(rule).rule.id());
    if (profile_ != nullptr) profile_->add(rule, matcher_.cost(), matched);
  }
  void set_verified(bool checksums) { checksums_verified_ = checksums; }
  void set_guard(LatencyGuard* guard) { guard_ = guard; }
  void set_profile(RuleProfile* profile) { profile_ = profile; }

  BufferMatcher& matcher() { return matcher_; }
  HostBits& host_bits() { return host_bits_; }

  // The rule holds: its effects take place now.
  void matched(const Current& current, Match match, const Transaction* transaction);
  std::vector<Match>& matches() { return matched_; }

 private:
  // Whether an address of the packet in hand is in a list.
  struct Known {
    uint64_t packet = 0;
    bool is_in = false;
  };
  // The packet's destination takes the place of its source.
  enum class Turned : bool { kNo, kYes };

  bool goes_for(const Current& current, Direction direction, const CompiledRule& rule,
                const Transaction* transaction);
  RuleContext context(const Current& current, Direction direction, const Transaction* transaction);
  bool is_file_of(const CompiledRule& rule, Direction direction) const;
  static bool is_of_protocols(const Rule& rule, const FlowUser& user,
                              const Transaction* transaction);
  bool ends_match(const PacketView& view, const CompiledRule& rule, Turned turned);
  bool is_in(const AddressList& list, uint32_t number, const PacketView& view, bool destination);

  const Engine* engine_;
  BufferMatcher matcher_;
  HostBits host_bits_;
  std::vector<Match> matched_;
  // Many rules ask for the same few lists. By their numbers; of the source, and of the destination.
  std::vector<Known> known_[2];
  uint64_t packet_ = 1;
  std::span<const uint16_t> app_events_;
  StreamEvents stream_events_ = 0;
  bool checksums_verified_ = true;
  const TrackedFile* file_ = nullptr;
  Direction file_direction_ = Direction::kToServer;
  RuleProfile* profile_ = nullptr;
  LatencyGuard* guard_ = nullptr;
};

}  // namespace sluice::inspect
