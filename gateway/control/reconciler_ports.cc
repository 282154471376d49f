// SPDX-License-Identifier: Apache-2.0
// Which interfaces the data path takes packets from, and at which entry.
#include <algorithm>

#include "gateway/control/reconciler.h"

namespace sluice::gateway {

void Reconciler::set_port(uint32_t interface_index, uint16_t role, uint16_t attachment) {
  if (interface_index == 0) return;
  port& place = tables_.ports[interface_index];
  if (place.role != role || place.attachment != attachment) place = {role, attachment, 0};
}

Result<> Reconciler::attach(uint32_t interface_index, Entry entry) {
  if (interface_index == 0) return {};
  SLUICE_TRY_VOID(host_.attach(interface_index, entry));
  ports_[interface_index] = entry;
  return {};
}

// Both interfaces of an attachment at one entry. What `auto` could not have at XDP stays at TC
// until its interfaces or its entry change: trying again could take the link of a card down.
Result<> Reconciler::attach_both(Interfaces::Pair both, const Attachment& attachment,
                                 EntryChoice tunnel, World& world) {
  const EntryChoice choice = attachment.entry;
  const Attachment* before = last_.attachments.find(attachment.name);
  const bool stays = before && before->entry == choice && choice == EntryChoice::kAuto &&
                     entry_of(both.outside) == Entry::kTc && entry_of(both.inside) == Entry::kTc;
  if (choice != EntryChoice::kTc && !stays) {
    Result<> attached = attach(both.outside, Entry::kXdp);
    if (attached) attached = attach(both.inside, Entry::kXdp);
    if (attached || choice == EntryChoice::kXdp) return attached;
    // What XDP at the tunnel sends to an interface without XDP is lost.
    if (tunnel == EntryChoice::kXdp)
      return fail(attached.error().text() +
                  "; TC would do, but what comes back needs `gateway.tunnel.entry: tc` then");
  }
  SLUICE_TRY_VOID(attach(both.outside, Entry::kTc));
  SLUICE_TRY_VOID(attach(both.inside, Entry::kTc));
  if (tunnel == EntryChoice::kTc) return {};
  // Only now: some cards take what XDP sends as long as they have a program of it themselves.
  for (const auto& [index, name] :
       {std::pair{both.outside, &attachment.outside}, std::pair{both.inside, &attachment.inside}})
    if (index != 0) SLUICE_TRY_VOID(world.check_redirects(*name));
  return {};
}

void Reconciler::detach_all_but(const std::set<uint32_t>& wanted) {
  for (auto at = ports_.begin(); at != ports_.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    finished_.erase(at->first);
    // An interface that was taken away is detached already; there is nobody to tell.
    (void)host_.detach(at->first);
    tables_.ports[at->first] = {};
    at = ports_.erase(at);
  }
}

Result<> Reconciler::write_ports(const Config& config, World& world) {
  std::set<uint32_t> wanted(interfaces_.tunnels.begin(), interfaces_.tunnels.end());
  for (uint32_t index : interfaces_.tunnels) set_port(index, kPortTunnel, kNone16);
  for (size_t i = 0; i < config.attachments.size(); i++) {
    const uint16_t attachment = attachments_.find(config.attachments[i].name)->second;
    const auto [outside, inside] = interfaces_.attachments[i];
    set_port(outside, kPortOutside, attachment);
    set_port(inside, kPortInside, attachment);
    wanted.insert({outside, inside});
  }
  detach_all_but(wanted);

  Result<> first;
  const auto keep = [&](Result<> result) {
    if (!result && first) first = std::move(result);
  };
  const bool whole = config.gateway.tunnel_entry == EntryChoice::kTc;
  for (uint32_t index : interfaces_.tunnels) keep(attach(index, whole ? Entry::kTc : Entry::kXdp));
  for (size_t i = 0; i < config.attachments.size(); i++)
    keep(attach_both(interfaces_.attachments[i], config.attachments[i], config.gateway.tunnel_entry,
                     world));
  for (uint32_t index : wanted)
    if (index != 0 && !ports_.contains(index)) tables_.ports[index] = {};
  keep(finish_packets(config, world));
  return first;
}

// What the TC entry sends to appliances may be super-packets and have unfinished checksums; their
// interfaces finish them, unless the tunnel is said to be whole.
Result<> Reconciler::finish_packets(const Config& config, World& world) {
  const bool some_tc =
      std::ranges::any_of(ports_, [](const auto& port) { return port.second == Entry::kTc; });
  const bool finish = some_tc && config.gateway.tunnel_entry == EntryChoice::kXdp;
  for (size_t i = 0; i < interfaces_.tunnels.size(); i++) {
    const uint32_t index = interfaces_.tunnels[i];
    if (index == 0 || finish == finished_.contains(index)) continue;
    SLUICE_TRY_VOID(world.finish_packets(config.gateway.tunnel_interfaces[i], finish));
    if (finish)
      finished_.insert(index);
    else
      finished_.erase(index);
  }
  return {};
}

void Reconciler::detach_all() { detach_all_but({}); }

std::optional<Entry> Reconciler::entry_of(uint32_t interface_index) const {
  const auto at = ports_.find(interface_index);
  if (at == ports_.end()) return {};
  return at->second;
}

std::optional<Entry> Reconciler::entry_of_attachment(std::string_view name) const {
  const auto at = attachments_.find(name);
  if (at == attachments_.end()) return {};
  const auto& both = tables_.attachments[at->second].interface;
  const std::optional<Entry> outside = entry_of(both[0]);
  return outside == entry_of(both[1]) ? outside : std::nullopt;
}

std::optional<Entry> Reconciler::entry_of_tunnel(size_t place) const {
  return place < interfaces_.tunnels.size() ? entry_of(interfaces_.tunnels[place]) : std::nullopt;
}

}  // namespace sluice::gateway
