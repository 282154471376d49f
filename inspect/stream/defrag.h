// SPDX-License-Identifier: Apache-2.0
// Puts IP fragments together, so that the whole datagram can be inspected before its last fragment
// leaves.
//
// The fragments themselves pass, all but the one that completes the datagram: that one shares the
// verdict on the whole. Fragments that overlap with other bytes are refused (RFC 5722 forbids any
// overlap), and so is every later fragment of a datagram that was refused: whoever waits for it
// never gets it whole. When there is no room, new datagrams are refused rather than old ones
// forgotten, because the receiver would still remember those.
//
//   auto fragment = defragmenter.add(ip, packet, time_us);
//   if (fragment.state == FragmentState::kComplete && !inspect(fragment.datagram))
//   defragmenter.refuse_last();
#pragma once

#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <vector>

#include "tunnels/packet.h"

namespace sluice::inspect {

// Datagrams not yet whole, per worker.
inline constexpr size_t kDatagramsMax = 1024;
inline constexpr size_t kFragmentsPerDatagramMax = 1024;
// Bytes of all of them.
inline constexpr size_t kFragmentBytesMax = 16u << 20;
// Longer than any receiver waits (Linux 30 s, RFC 8200 section 4.5: 60 s).
inline constexpr int64_t kFragmentTimeoutUs = 65'000'000;

enum class FragmentState : uint8_t {
  kHeld,      // more must come
  kComplete,  // the datagram is whole
  kOverlap,   // other bytes for the same place, or a datagram that was refused: drop
  kInvalid,   // no fragment that a receiver would take: drop
  kNoRoom,    // a limit: drop
};

struct FragmentCounters {
  uint64_t fragments = 0;
  uint64_t datagrams = 0;
  uint64_t overlaps = 0;
  uint64_t invalid = 0;
  uint64_t no_room = 0;
  uint64_t timed_out = 0;
};

class Defragmenter {
 public:
  struct Added {
    FragmentState state;
    // An IP packet without fragmentation; valid until the next call.
    std::span<const uint8_t> datagram;
  };

  // `packet` is what parse_ip_packet made of `ip`, with kPacketFragment set.
  Added add(std::span<const uint8_t> ip, const tunnels::packet& packet, int64_t time_us);

  // The datagram that was just completed must not be received: its fragments are refused from now
  // on.
  void refuse_last();

  const FragmentCounters& counters() const { return counters_; }
  size_t bytes_held() const { return bytes_; }

 private:
  struct Key {
    uint32_t addresses[8];
    uint32_t identification;
    uint32_t protocol;  // IPv4 only
    uint32_t version;
    auto operator<=>(const Key&) const = default;
  };
  struct Fragment {
    uint32_t offset;
    bool more;
    std::span<const uint8_t> payload;
  };
  struct Datagram {
    std::map<uint32_t, std::vector<uint8_t>> parts;
    uint32_t length = 0;  // of the payload, once the last fragment has come
    uint32_t received = 0;
    uint8_t protocol = 0;  // as the first fragment says
    bool refused = false;
    std::list<Key>::iterator age;
    int64_t start_us = 0;
  };
  using Datagrams = std::map<Key, Datagram>;

  static bool read(std::span<const uint8_t> ip, const tunnels::packet& packet, Key& key,
                   Fragment& fragment);
  bool put(Datagram& datagram, const Fragment& fragment);
  Datagram& start(const Key& key, int64_t time_us);
  void assemble(const Key& key, const Datagram& datagram);
  void release_parts(Datagram& datagram);
  void forget(Datagrams::iterator at);
  void expire(int64_t time_us);
  Added refuse(FragmentState why, uint64_t& counter);

  Datagrams datagrams_;
  std::list<Key> ages_;  // oldest first
  Key last_{};
  int64_t last_us_ = 0;
  std::vector<uint8_t> whole_;
  size_t bytes_ = 0;
  FragmentCounters counters_;
};

}  // namespace sluice::inspect
