// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/capture_source.h"

#include <net/if.h>

#include <algorithm>

#include "gateway/api/flows.h"
#include "gateway/api/sighting_text.h"
#include "gateway/control/controller.h"
#include "gateway/control/digest.h"
#include "tunnels/pcapng.h"

namespace sluice::gateway {
namespace {

// "out0"
std::string interface_name(const Controller& controller, uint32_t index) {
  const Config& config = controller.config();
  if (index < kPortsMax) {
    const port& at = controller.tables().ports[index];
    if (at.role == kPortTunnel && config.gateway.tunnel_interfaces.size() == 1)
      return config.gateway.tunnel_interfaces.front();
    const auto name = controller.reconciler().attachment_name(at.attachment);
    for (const Attachment& attachment : config.attachments) {
      if (attachment.name != name) continue;
      if (at.role == kPortOutside) return attachment.outside;
      if (at.role == kPortInside) return attachment.inside;
    }
  }
  char name[IF_NAMESIZE] = "";
  return ::if_indextoname(index, name) != nullptr ? name : "interface " + std::to_string(index);
}

bool leaves(const sighting& seen) {
  return seen.stage == kSeenEncapsulated || seen.stage == kSeenDelivered ||
         seen.stage == kSeenCrossed || seen.verdict == kVerdictAnswered;
}

// "delivered: to inside of front; verdict inside, endpoint vpce-00000000000000007"
std::string comment(const Controller& controller, const sighting& seen,
                    std::span<const uint8_t> bytes) {
  std::string out =
      std::string(stage_name(seen.stage)) + ": " + sighting_text(controller, seen, bytes);
  const bool ends = seen.stage != kSeenIn && seen.stage != kSeenReturned;
  if (ends) out += std::string("; verdict ") + verdict_name(static_cast<Verdict>(seen.verdict));
  if (seen.flow.attachment < kAttachmentsMax) {
    const auto& at = controller.tables().attachments[seen.flow.attachment];
    out += std::string(ends ? "," : ";") + " endpoint vpce-0" + hexadecimal(at.endpoint_id);
  }
  return out;
}

}  // namespace

std::string CaptureSource::interface(uint32_t index) const {
  return tunnels::pcapng_interface(
      {interface_name(controller(), index), port_text(controller(), index), bytes_});
}

std::string CaptureSource::head() {
  std::string out = tunnels::pcapng_head("sluice");
  for (uint32_t index = 0; index < kPortsMax; index++) {
    if (controller().tables().ports[index].role == kPortUnused) continue;
    const auto number = static_cast<uint32_t>(interfaces_.size());
    interfaces_[index] = {number, 0};
    out += interface(index);
  }
  return out;
}

std::string CaptureSource::text(const sighting& seen, std::span<const uint8_t> bytes,
                                uint64_t lost) {
  last_ = leaves(seen) ? seen.leaves_by : seen.came_in;
  const auto known = interfaces_.find(last_);
  tunnels::PcapngPacket packet;
  packet.interface =
      known != interfaces_.end() ? known->second.number : static_cast<uint32_t>(interfaces_.size());
  packet.time_ns = unix_ns(seen.time_ns);
  packet.length = seen.length;
  packet.bytes = bytes.first(std::min<size_t>(bytes.size(), bytes_));
  packet.outbound = leaves(seen);
  packet.lost = lost;
  packet.comment = comment(controller(), seen, bytes);
  return (known != interfaces_.end() ? "" : interface(last_)) + tunnels::pcapng_packet(packet);
}

void CaptureSource::sent() {
  const auto number = static_cast<uint32_t>(interfaces_.size());
  interfaces_.try_emplace(last_, Interface{number, 0}).first->second.packets++;
}

// Where the lost ones were is not known: they are told of the first interface.
std::string CaptureSource::tail(uint64_t) {
  std::string out;
  uint64_t lost = lost_of_all();
  for (const auto& [index, at] : interfaces_) {
    out += tunnels::pcapng_statistics({at.number, unix_now_ns(), at.packets + lost, lost});
    lost = 0;
  }
  return out;
}

}  // namespace sluice::gateway
