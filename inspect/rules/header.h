// SPDX-License-Identifier: Apache-2.0
// The address and port parts of a rule header: any, !, nested [lists], prefixes (also with
// netmasks), ranges, $variables.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "inspect/rules/variables.h"
#include "tunnels/packet.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// Lists in lists, and variables in variables.
inline constexpr int kListDepthMax = 16;
// Entries of one list.
inline constexpr size_t kListEntriesMax = 4096;

// `[a, b, ![c, d]]`: in any of the positive entries (or there are none), and in none of the negated
// ones.
template <class Leaf>
struct ListOf {
  struct Entry {
    bool negated = false;
    std::vector<Leaf> leaf;    // one, or
    std::vector<ListOf> list;  // one
  };
  std::vector<Entry> entries;  // empty: any

  bool any() const { return entries.empty(); }

  template <class Value>
  bool contains(const Value& value) const {
    bool wanted = false;
    bool positives = false;
    for (const Entry& entry : entries) {
      const bool in = entry.leaf.empty() ? entry.list.front().contains(value)
                                         : entry.leaf.front().contains(value);
      if (entry.negated && in) return false;
      if (entry.negated) continue;
      positives = true;
      wanted |= in;
    }
    return wanted || !positives;
  }
};

struct Address {
  const uint32_t (&words)[4];  // as in tunnels::tuple
  uint8_t version;
};

struct Prefix {
  uint32_t words[4] = {};
  uint32_t mask[4] = {};
  uint8_t version = 4;

  bool contains(const Address& address) const;
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65535;

  bool contains(uint16_t port) const { return port >= first && port <= last; }
};

using AddressList = ListOf<Prefix>;
using PortList = ListOf<PortRange>;

// "10.1.0.0/16", "10.1.0.0/255.255.0.0", "2001:db8::1".
Result<Prefix> parse_prefix(std::string_view text);
Result<AddressList> parse_addresses(std::string_view text, const Variables& variables);
Result<PortList> parse_ports(std::string_view text, const Variables& variables);

}  // namespace sluice::inspect
