// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/tunnel_room.h"

#include <algorithm>

#include "gateway/targets/header.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kIpv6Least = 1280;  // RFC 8200 section 5

// The appliance in use with the least room; nullptr: none has a route.
const target* narrowest(const Tables& tables) {
  constexpr uint16_t kWanted = kTargetInUse | kTargetAppliance;
  const target* out = nullptr;
  for (uint32_t i = 0; i < kAppliancesMax; i++) {
    const target& t = tables.targets[i];
    if ((t.flags & kWanted) != kWanted || t.interface == 0) continue;
    if (out == nullptr || t.mtu < out->mtu) out = &t;
  }
  return out;
}

std::string trouble_of(const Attachment& attachment, uint32_t comes, const target& narrow,
                       bool clamped) {
  const bool for_ipv6 = narrow.mtu >= kIpv6Least;
  if (comes <= narrow.mtu || (clamped && for_ipv6)) return {};
  const uint32_t wanted = comes + encapsulation_overhead(narrow.profile, narrow.version);
  return "attachment " + attachment.name + ": packets of up to " + std::to_string(comes) +
         " bytes come, but only " + std::to_string(narrow.mtu) + " fit the tunnel to " +
         ip_address(narrow.address, narrow.version).text() +
         (for_ipv6 ? "" : ", which is too little for IPv6") + "; give the way there an MTU of " +
         std::to_string(wanted) +
         (clamped ? "" : ", or have TCP send less: gateway.mss_clamp: true");
}

}  // namespace

void TunnelRoom::look(const Config& config, const Tables& tables, NextHops& hops) {
  const target* narrow = narrowest(tables);
  if (narrow == nullptr) return;
  const auto before = std::exchange(told_, {});
  for (const Attachment& attachment : config.attachments) {
    const auto known = before.find(attachment.name);
    const std::string last = known == before.end() ? std::string() : known->second;
    const uint32_t comes = std::max(hops.interface_mtu(attachment.outside).value_or(0),
                                    hops.interface_mtu(attachment.inside).value_or(0));
    std::string now = trouble_of(attachment, comes, *narrow, config.gateway.mss_clamp);
    if (now != last && !now.empty())
      events_.publish(EventKind::kTunnelMtu, EventLevel::kWarning, now,
                      {{"attachment", attachment.name},
                       {"comes", std::to_string(comes)},
                       {"fits", std::to_string(narrow->mtu)}});
    if (now != last && now.empty())
      events_.publish(EventKind::kTunnelMtu, EventLevel::kInfo,
                      "attachment " + attachment.name + ": what comes fits the tunnels now",
                      {{"attachment", attachment.name}});
    if (!now.empty()) told_[attachment.name] = std::move(now);
  }
}

}  // namespace sluice::gateway
