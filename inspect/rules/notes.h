// SPDX-License-Identifier: Apache-2.0
// What rules note for other rules: flowbits and flowints of a flow, xbits and hostbits of
// addresses. Names are numbers here; Names keeps them the same over a reload.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tunnels/packet.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// Names in all rules: what one flow can note at most.
inline constexpr size_t kNamesMax = 65536;
inline constexpr size_t kHostBitsMax = 1 << 16;

// Any thread.
class Names {
 public:
  // "flowbit:seen" and the like; the same number for the same name.
  Result<uint32_t> number(const std::string& name);
  // "seen" of a number that "flowbit:seen" has.
  std::string bare_name(uint32_t number) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<const std::string*> names_;  // by number; in numbers_, which does not move them
};

// There is room for every name, so that nobody can keep a bit from being set by having others set
// before: 8 KB of bits at most, and as much as the highest one set needs.
class FlowNotes {
 public:
  bool has(uint32_t bit) const;
  void set(uint32_t bit);
  void unset(uint32_t bit);

  // Those that are set, the one named first by the rules first.
  std::vector<uint32_t> bits() const;

  std::optional<uint32_t> number(uint32_t name) const;
  std::span<const std::pair<uint32_t, uint32_t>> numbers() const { return numbers_; }
  void set_number(uint32_t name, uint32_t value);

 private:
  std::vector<uint64_t> bits_;  // 64 in each
  std::vector<std::pair<uint32_t, uint32_t>> numbers_;
};

// One worker's.
class HostBits {
 public:
  // A bit of one address, or of two whatever their order.
  struct Key {
    uint32_t bit = 0;
    std::array<uint32_t, 8> addresses{};
    auto operator<=>(const Key&) const = default;
  };
  enum class Who : uint8_t { kSource, kDestination, kBoth };
  static Key key(uint32_t bit, const tunnels::tuple& tuple, Who who);

  bool has(const Key& key, int64_t now_us) const;
  // Full, the one that ends first makes room, and is counted.
  void set(const Key& key, int64_t until_us);
  void unset(const Key& key);
  void expire(int64_t now_us);

  size_t size() const { return bits_.size(); }
  uint64_t evicted() const { return evicted_; }

 private:
  std::map<Key, int64_t> bits_;  // until when
  std::set<std::pair<int64_t, Key>> by_end_;
  uint64_t evicted_ = 0;
};

}  // namespace sluice::inspect
