// SPDX-License-Identifier: Apache-2.0
// The reconciler's sources: from which addresses appliances may return packets, in a table for each
// IP version.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <span>

#include "gateway/control/probed_table.h"
#include "gateway/control/reconciler.h"

namespace sluice::gateway {
namespace {

IpAddress address_of(const source& entry) { return ip_address(&entry.address, 4); }
IpAddress address_of(const source6& entry) { return ip_address(entry.address, 6); }

void write(source& place, const IpAddress& address, uint16_t target) {
  const source entry{address.words[0], target, 1};
  std::memcpy(&place, &entry, sizeof(entry));
}

// What is longer than a store is read in the middle of it: in use last, and nobody's before.
void write(source6& place, const IpAddress& address, uint16_t target) {
  __atomic_store_n(&place.target, uint16_t{kNone16}, __ATOMIC_RELEASE);
  std::ranges::copy(address.words, place.address);
  __atomic_store_n(&place.target, target, __ATOMIC_RELEASE);
  __atomic_store_n(&place.in_use, uint16_t{1}, __ATOMIC_RELEASE);
}

// The sources of one version.
template <class Source>
class Sources {
 public:
  explicit Sources(Source* entries) : entries_(entries, kSourcesMax) {}

  Result<> add(const IpAddress& address, uint16_t target) {
    if (const auto at = find(address)) {
      __atomic_store_n(&entries_[*at].target, target, __ATOMIC_RELEASE);
      return {};
    }
    const auto at = table().place_for(home(address));
    if (!at) return fail("no place for another target near that of " + address.text());
    write(entries_[*at], address, target);
    return {};
  }
  void remove(const IpAddress& address) {
    if (const auto at = find(address)) bury(*at);
  }
  // Buries what is not `right`, or is there twice. What is left.
  template <class Right>
  std::set<IpAddress> keep(Right right) {
    std::set<IpAddress> known;
    for (uint32_t i = 0; i < kSourcesMax; i++) {
      const Source& entry = entries_[i];
      if (!entry.in_use || is_gravestone(entry)) continue;
      const IpAddress address = address_of(entry);
      if (!right(address, entry.target) || !known.insert(address).second) bury(i);
    }
    return known;
  }

 private:
  static bool is_gravestone(const Source& entry) { return entry.target == kNone16; }
  static uint32_t home(const IpAddress& address) {
    return address.version == 4 ? source_home(address.words[0]) : source6_home(address.words);
  }
  ProbedTable<Source> table() { return {entries_, is_gravestone}; }
  std::optional<uint32_t> find(const IpAddress& address) const {
    for (uint32_t i = 0; i < kProbesMax; i++) {
      const uint32_t at = (home(address) + i) & (kSourcesMax - 1);
      if (!entries_[at].in_use) return {};
      if (!is_gravestone(entries_[at]) && address_of(entries_[at]) == address) return at;
    }
    return {};
  }
  void bury(uint32_t at) {
    __atomic_store_n(&entries_[at].target, uint16_t{kNone16}, __ATOMIC_RELEASE);
    table().sweep(at);
  }

  std::span<Source> entries_;
};

}  // namespace

Result<> Reconciler::add_source(const IpAddress& address, uint16_t target, uint8_t profile) {
  const auto entry = static_cast<uint16_t>(target | profile << kSourceProfile);
  return address.version == 4 ? Sources(tables_.sources).add(address, entry)
                              : Sources(tables_.sources6).add(address, entry);
}

void Reconciler::remove_source(const IpAddress& address) {
  if (address.version == 4)
    Sources(tables_.sources).remove(address);
  else
    Sources(tables_.sources6).remove(address);
}

// Exactly one source for each appliance.
void Reconciler::take_over_sources() {
  const auto right = [&](const IpAddress& address, uint16_t entry) {
    const target& place = tables_.targets[entry % kAppliancesMax];
    return (place.flags & kTargetInUse) && (place.flags & kTargetAppliance) &&
           ip_address(place.address, place.version) == address &&
           entry >> kSourceProfile == place.profile;
  };
  std::set<IpAddress> known = Sources(tables_.sources).keep(right);
  known.merge(Sources(tables_.sources6).keep(right));
  for (const auto& [key, slot] : targets_)
    if (key.appliance && !known.contains(key.target.address))
      (void)add_source(key.target.address, slot.index, slot.profile);
}

}  // namespace sluice::gateway
