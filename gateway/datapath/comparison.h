// SPDX-License-Identifier: Apache-2.0
// What two groups of targets have made of the same packets: a flow's own, and a shadow, which is
// sent copies.
//
// A packet is remembered by two keyed digests: one of its content, without what changes on any way
// (TTL, checksums, traffic class), and one of its name, which it keeps when its content is altered:
// addresses, ports, and the sequence number of TCP, or else the identification of IP. What comes
// back belongs to a packet of its content, or, altered, to one of its name. That is exact but for
// packets of one flow that nothing tells apart (UDP over IPv6): which of those was altered is a
// guess, how many is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "gateway/datapath/host.h"

namespace sluice::gateway {

class Comparison {
 public:
  static constexpr size_t kWaitingMax = 1 << 15;  // packets that are remembered
  static constexpr size_t kAlikeMax = 64;         // of the same content, or found by one name
  static constexpr uint64_t kAnswerMs = 5000;     // what has not come back by then has been dropped

  // Which of the two has returned a packet.
  enum class Side : uint8_t { kReal = 0, kShadow = 1 };
  struct Digest {
    uint64_t name;
    uint64_t content;
  };

  // Counts into tables.mirror_counters; they outlive it.
  explicit Comparison(const Tables& tables) : tables_(tables) {}

  // Of an IP packet; `hash` is its flow's.
  Digest digest(uint64_t hash, uint8_t rule, std::span<const uint8_t> packet);

  // A copy went to the shadow. `passing`: the packet itself is delivered as it is.
  void sent(uint8_t rule, Digest digest, bool passing, uint64_t now_ms);
  void returned(uint8_t rule, Digest digest, Side side);
  // Judges what has waited for long enough.
  void expire(uint64_t now_ms);

  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    Digest sent;
    uint64_t since_ms;
    uint64_t content[2];  // as each side has returned it
    bool came[2];
    uint8_t rule;
  };
  using List = std::list<Waiting>;
  using Index = std::unordered_multimap<uint64_t, List::iterator>;

  List::iterator find(const Index& index, uint64_t digest, Side side);
  void settle(List::iterator at);
  void forget(Index& index, uint64_t digest, List::iterator at);
  mirror_counters& count(uint8_t rule) const { return tables_.mirror_counters[rule]; }

  const Tables& tables_;
  List waiting_;  // the oldest first
  Index by_content_;
  Index by_name_;
  std::vector<uint8_t> plain_;  // a packet without what changes on its way
};

}  // namespace sluice::gateway
