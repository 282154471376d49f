// SPDX-License-Identifier: Apache-2.0
// The hosts that carry most, in bounded memory, whatever addresses come: space-saving (Metwally,
// Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams").
//
// A full table gives the place of its smallest host to the new one and remembers how much that one
// had: so much the new one may have carried before unseen. What carries more than its share of
// 1/hosts_max of all bytes is always in the table.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tunnels/packet.h"
#include "tunnels/siphash.h"

namespace sluice::inspect {

// What flows have carried, by Direction. Packets and bytes are those that came in, whether or not
// they were let through.
struct Amount {
  uint64_t flows = 0;
  uint64_t flows_blocked = 0;
  uint64_t packets[2] = {};
  uint64_t bytes[2] = {};  // of IP packets
  uint64_t packets_blocked = 0;

  uint64_t bytes_both() const { return bytes[0] + bytes[1]; }
  Amount& operator+=(const Amount& other);
  bool operator==(const Amount&) const = default;
};

// In packet byte order.
struct HostAddress {
  uint32_t words[4] = {};
  uint8_t version = 4;
  bool operator==(const HostAddress&) const = default;
};

struct HostUsage {
  HostAddress address;
  Amount amount;              // since the host is in the table
  uint64_t missed_bytes = 0;  // at most so many were before that
  uint64_t bytes_max() const { return amount.bytes_both() + missed_bytes; }
};

class HostTable {
 public:
  // The key keeps outsiders from aiming at one bucket.
  HostTable(size_t hosts_max, const tunnels::siphash_key& key);

  void add(const HostAddress& address, const Amount& amount);

  size_t size() const { return hosts_.size(); }
  // How many bytes a host that is not in the table may have carried.
  uint64_t missed_bytes() const;
  // In no order.
  const std::vector<HostUsage>& hosts() const { return hosts_; }

 private:
  struct Hash {
    tunnels::siphash_key key;
    size_t operator()(const HostAddress& address) const;
  };

  uint32_t place_of(const HostAddress& address);
  struct Place {
    uint64_t weight = 0;  // bytes_max() of the host
    uint32_t host = 0;
  };

  void put(size_t at, const Place& place);
  void sink(size_t at, const Place& place);
  void rise(uint32_t host);

  size_t hosts_max_;
  std::vector<HostUsage> hosts_;
  std::vector<Place> heap_;        // the smallest first
  std::vector<uint32_t> in_heap_;  // where a host is in heap_
  std::unordered_map<HostAddress, uint32_t, Hash> index_;
};

}  // namespace sluice::inspect
