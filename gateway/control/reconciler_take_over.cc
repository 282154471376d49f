// SPDX-License-Identifier: Apache-2.0
// A reconciler over tables that an earlier process has filled and the packet path is using: every
// target, group, listener and attachment keeps its place, because flow records name them by place.
// What that process did not finish writing when it was killed is finished or taken back.
#include <algorithm>
#include <cstring>

#include "gateway/control/reconciler.h"
#include "tunnels/packet.h"

namespace sluice::gateway {

void Reconciler::take_over(const Config& config) {
  take_over_targets();
  take_over_sources();
  take_over_groups();
  take_over_listeners();
  take_over_attachments(config);
  policy_.take_over();
}

void Reconciler::take_over_targets() {
  for (uint32_t i = 0; i < kTargetsMax; i++) {
    const target& place = tables_.targets[i];
    if (!(place.flags & kTargetInUse)) continue;
    const TargetKey key{(place.flags & kTargetAppliance) != 0,
                        {ip_address(place.address, place.version), swap_be16(place.port)}};
    const auto index = static_cast<uint16_t>(i);
    const uint64_t id = rendezvous_id(rendezvous_key_, key.target.address.words, key.target.port);
    const TargetSlot slot{
        .index = index,
        .id = id,
        .delay_ms = place.delay_s * uint64_t{1000},
        .failover = place.failover,
        .marks = static_cast<uint16_t>(place.flags & (kTargetMoves | kTargetResets)),
        .profile = place.profile};
    const auto [at, first] = targets_.try_emplace(key, slot);
    if (first)
      places_[i] = at;
    else
      tables_.targets[i].flags = 0;
  }
  next_hops_stale_ = kTargetsMax;
}

void Reconciler::drain_leftovers() {
  for (auto& [key, slot] : targets_)
    if (slot.shares.empty()) drain(slot, slot.delay_ms);
}

void Reconciler::take_over_groups() {
  for (uint16_t i = 0; i < kGroupsMax; i++) {
    group& place = tables_.groups[i];
    if (!place.in_use) continue;
    const auto* name = reinterpret_cast<const char*>(place.name);
    const std::string text(name, strnlen(name, kGroupNameLength));
    if (place.zone != 0) continue;
    if (text.empty() || !groups_.try_emplace(text, GroupSlot{{i, {}, true}, {}, {}, {}, {}}).second)
      place = {};
  }
  for (uint16_t i = 0; i < kGroupsMax; i++) {
    group& place = tables_.groups[i];
    if (!place.in_use || place.zone == 0) continue;
    const auto at = groups_.find(group_name(i));
    const bool known =
        at != groups_.end() && at->second.zones.try_emplace(place.zone, Rows{i, {}, true}).second;
    if (!known) place = {};
  }
}

void Reconciler::take_over_listeners() {
  for (uint32_t i = 0; i < kListenersMax; i++) {
    const listener& place = tables_.listeners[i];
    if (!place.in_use || place.protocol == 0) continue;
    listeners_[{ip_address(place.address, place.version), place.port, place.protocol}] =
        static_cast<uint16_t>(i);
  }
}

// By endpoint id, which is unique; an attachment of the same name may be another one now. That
// process may have been killed before the flows of a place were gone.
void Reconciler::take_over_attachments(const Config& config) {
  for (uint16_t i = 0; i < kAttachmentsMax; i++) {
    const struct attachment& place = tables_.attachments[i];
    const auto same =
        std::ranges::find(config.attachments, place.endpoint_id, &Attachment::endpoint_id);
    if (!place.in_use || same == config.attachments.end() ||
        !attachments_.emplace(same->name, i).second)
      leave_attachment(i);
  }
}

// Interfaces that the configuration does not mention any more.
void Reconciler::detach_leftovers() {
  for (const uint32_t index : host_.left_attached()) {
    (void)host_.detach(index);
    if (index < kPortsMax) tables_.ports[index] = {};
  }
}

}  // namespace sluice::gateway
