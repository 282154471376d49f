// SPDX-License-Identifier: Apache-2.0
// Puts IP fragments together, so that the whole datagram can be inspected before its last fragment
// leaves.
//
// The fragments themselves pass, all but the one that completes the datagram: that one shares the
// verdict on the whole. Fragments that overlap with other bytes are refused (RFC 5722 forbids any
// overlap), and so is every later fragment of a datagram that was refused: whoever waits for it
// never gets it whole.
//
// A fragment that passed here may have been lost behind us, so that its receiver still waits when
// the datagram is complete. What it said is remembered for as long as a receiver can wait: the same
// fragment may come again, another one in its place would make a datagram there that nobody has
// inspected.
//
// Without room the oldest of the complete datagrams is forgotten, never one that is not: then new
// ones are refused, because the receiver would still remember those.
//
//   const auto fragment = defragmenter.add(ip, packet, time_us, space);
//   if (fragment.state == FragmentState::kComplete && !inspect(fragment.datagram))
//     defragmenter.refuse(fragment);
#pragma once

#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <vector>

#include "tunnels/packet.h"

namespace sluice::inspect {

// Of one worker. In Suricata's words trackers, max-frags, memcap and timeout.
struct DefragLimits {
  size_t datagrams_max = 65535;   // that are known, whole or not
  size_t fragments_max = 65535;   // that wait, of all datagrams
  size_t memory_max = 32u << 20;  // bytes, with what is needed to find them
  // From the last fragment on; longer than any receiver waits (Linux 30 s, RFC 8200 section 4.5:
  // 60 s).
  int64_t timeout_us = 65'000'000;
};

// No honest datagram has more; one that does is refused, however much room there is.
inline constexpr size_t kFragmentsPerDatagramMax = 1024;
// That are remembered when they are whole. Identifications of IPv4 have 16 bits, and senders of
// many fragments use them again after a few seconds: by then the datagram is forgotten here,
// because so many have come since.
inline constexpr size_t kCompleteDatagramsMax = 8192;

// What maps, lists and the heap add to a datagram, and to a fragment that waits.
inline constexpr size_t kDatagramOverhead = 320;
inline constexpr size_t kFragmentOverhead = 96;

enum class FragmentState : uint8_t {
  kHeld,      // more must come, or it came before
  kComplete,  // the datagram is whole
  kOverlap,   // other bytes for the same place, or a datagram that was refused: drop
  kInvalid,   // no fragment that a receiver would take: drop
  kNoRoom,    // a limit: drop
};

struct FragmentCounters {
  uint64_t fragments[2] = {};  // of IPv4, IPv6
  uint64_t datagrams[2] = {};  // that were completed
  uint64_t repeats = 0;        // fragments that came again, the same
  uint64_t overlaps = 0;
  uint64_t invalid = 0;
  uint64_t datagrams_full = 0;  // fragments refused by limit
  uint64_t fragments_full = 0;
  uint64_t no_memory = 0;
  uint64_t timed_out = 0;  // datagrams that were never whole
  uint64_t forgotten = 0;  // complete ones that made room for others
};

class Defragmenter {
 public:
  // Which datagram a fragment is of.
  struct Key {
    uint64_t space;  // equal addresses in different ones are different hosts
    uint32_t addresses[8];
    uint32_t identification;
    uint16_t protocol;  // IPv4 only
    uint16_t version;
    auto operator<=>(const Key&) const = default;
  };
  struct Added {
    FragmentState state = FragmentState::kHeld;
    std::vector<uint8_t> datagram;  // an IP packet without fragmentation, if it is complete
    Key key{};
  };

  explicit Defragmenter(const DefragLimits& limits = {}) : limits_(limits) {}

  // `packet` is what parse_ip_packet made of `ip`, with kPacketFragment set.
  Added add(std::span<const uint8_t> ip, const tunnels::packet& packet, int64_t time_us,
            uint64_t space = 0);

  // The datagram that was completed so must not be received: its fragments are refused from now on.
  void refuse(const Added& complete);

  // Ends what is too old; add() does so by itself.
  void expire(int64_t time_us);

  const FragmentCounters& counters() const { return counters_; }
  size_t memory_used() const { return memory_; }
  size_t datagrams_known() const { return datagrams_.size(); }

 private:
  struct Fragment {
    uint32_t offset;
    bool more;
    uint8_t protocol;
    std::span<const uint8_t> payload;
    uint32_t end() const { return offset + static_cast<uint32_t>(payload.size()); }
  };
  // What is remembered of a fragment when the datagram is complete.
  struct Said {
    uint32_t offset;
    uint32_t length;
    uint64_t digest;
  };
  enum class Phase : uint8_t { kWaiting, kComplete, kRefused };
  struct Datagram {
    std::map<uint32_t, std::vector<uint8_t>> parts;
    std::vector<Said> said;  // in the order of their offsets
    uint32_t length = 0;     // of the payload, once the last fragment has come
    uint32_t received = 0;
    uint8_t protocol = 0;  // as the first fragment says
    Phase phase = Phase::kWaiting;
    std::list<Key>::iterator age;
    int64_t last_us = 0;
  };
  using Datagrams = std::map<Key, Datagram>;

  enum class Match : uint8_t { kNew, kRepeat, kConflict };

  static bool read(std::span<const uint8_t> ip, const tunnels::packet& packet, Key& key,
                   Fragment& fragment);
  static Match compare(const Datagram& datagram, const Fragment& fragment);
  static Match compare_parts(const Datagram& datagram, const Fragment& fragment);
  static Match compare_said(const Datagram& datagram, const Fragment& fragment);
  static std::vector<uint8_t> assemble(const Key& key, const Datagram& datagram);
  static Added refused(FragmentState why, uint64_t& counter);
  Added put_first(const Key& key, const Fragment& fragment);
  Added put(const Key& key, Datagram& datagram, const Fragment& fragment);
  uint64_t* lacks_room(const Fragment& fragment, bool new_datagram);
  Datagram& start(const Key& key);
  void become(Datagram& datagram, Phase phase);
  void touch(Datagram& datagram);
  bool forget_oldest_complete();
  void forget(Datagrams::iterator at);
  std::list<Key>& ages_of(const Datagram& datagram) {
    return datagram.phase == Phase::kComplete ? complete_ : others_;
  }

  const DefragLimits limits_;
  Datagrams datagrams_;
  // Oldest first: what may be forgotten without room, and what may not.
  std::list<Key> complete_;
  std::list<Key> others_;
  int64_t now_us_ = 0;
  size_t fragments_ = 0;  // that wait
  size_t memory_ = 0;
  FragmentCounters counters_;
};

}  // namespace sluice::inspect
