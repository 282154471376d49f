// SPDX-License-Identifier: Apache-2.0
// The reconciler's attachments. Flows know theirs by its place, so a place is nobody's until the
// flows of who had it are gone.
#include <algorithm>
#include <cstring>

#include "gateway/control/attributes.h"
#include "gateway/control/reconciler.h"
#include "gateway/datapath/unrecorded.h"

namespace sluice::gateway {
namespace {

// Those that a CPU is just writing are of an attachment that is there.
void close_flows(flow_bucket& bucket, const std::bitset<kAttachmentsMax>& of) {
  for (uint32_t way = 0; way < kFlowWays; way++) {
    const uint64_t entry = __atomic_load_n(&bucket.entry[way], __ATOMIC_ACQUIRE);
    if (flow_entry_state(entry) == kFlowEmpty) continue;
    if (of.test(bucket.record[way].attachment)) compare_and_swap(&bucket.entry[way], entry, 0);
  }
}

void close_flows(unrecorded_bucket& bucket, const std::bitset<kAttachmentsMax>& of) {
  for (unrecorded_flow& flow : bucket.flow) {
    const unrecorded_flow seen{0, __atomic_load_n(&flow.way, __ATOMIC_ACQUIRE)};
    if (static_cast<uint32_t>(seen.way) != 0 && of.test(unrecorded_attachment(&seen)))
      compare_and_swap(&flow.way, seen.way, 0);
  }
}

}  // namespace

void Reconciler::leave_attachment(uint16_t place) {
  tables_.attachments[place] = {};
  left_attachments_.set(place);
  left_buckets_ = tables_.flow_buckets_count;
}

// A part of the table at a time, so that nobody has to wait for all of it.
void Reconciler::close_left_flows(uint32_t buckets_most) {
  if (left_buckets_ == 0) return;
  const uint32_t buckets = std::min(left_buckets_, buckets_most);
  for (uint32_t i = 0; i < buckets; i++) {
    close_flows(tables_.flow_buckets[next_bucket_], left_attachments_);
    next_bucket_ = (next_bucket_ + 1) % tables_.flow_buckets_count;
  }
  left_buckets_ -= buckets;
  if (left_buckets_ != 0) return;
  for (uint32_t i = 0; i < kUnrecordedBuckets; i++)
    close_flows(tables_.unrecorded_buckets[i], left_attachments_);
  left_attachments_.reset();
}

Result<uint16_t> Reconciler::take_attachment(const std::string& name) {
  for (uint32_t i = 0; i < kAttachmentsMax; i++) {
    const auto place = static_cast<uint16_t>((next_attachment_ + i) % kAttachmentsMax);
    if (tables_.attachments[place].in_use || left_attachments_.test(place)) continue;
    next_attachment_ = static_cast<uint16_t>((place + 1) % kAttachmentsMax);
    return place;
  }
  if (left_buckets_ == 0) return fail("no place for attachment " + name);
  close_left_flows(left_buckets_);
  return take_attachment(name);
}

Result<> Reconciler::write_attachments(const Config& config) {
  for (auto at = attachments_.begin(); at != attachments_.end();) {
    const Attachment* same = config.attachments.find(at->first);
    const bool gone =
        same == nullptr || same->endpoint_id != tables_.attachments[at->second].endpoint_id;
    if (gone) leave_attachment(at->second);
    at = gone ? attachments_.erase(at) : std::next(at);
  }
  for (size_t i = 0; i < config.attachments.size(); i++) {
    const Attachment& attachment = config.attachments[i];
    auto at = attachments_.find(attachment.name);
    if (at == attachments_.end()) {
      SLUICE_TRY(const uint16_t place, take_attachment(attachment.name));
      at = attachments_.emplace(attachment.name, place).first;
    }
    const struct attachment wanted =
        wanted_attachment(config, attachment, interfaces_.attachments[i]);
    struct attachment& place = tables_.attachments[at->second];
    if (std::memcmp(&place, &wanted, sizeof(wanted)) != 0) place = wanted;
  }
  return {};
}

// The connections of tables that could not be read are unknown, but were not made up: until those
// of them that live have spoken, none is refused.
void Reconciler::spare_unknown(bool begin) {
  settings& s = tables_.settings[0];
  const uint64_t now_ms = host_.now_ms();
  if (begin) s.spared_until_ms = now_ms + *std::ranges::max_element(s.idle_ms);
  if (s.spared_until_ms == 0 || now_ms < s.spared_until_ms) return;
  s.spared_until_ms = 0;
  attachments_stale_ = true;
}

struct attachment Reconciler::wanted_attachment(const Config& config, const Attachment& attachment,
                                                Interfaces::Pair interfaces) const {
  struct attachment wanted {};
  wanted.endpoint_id = attachment.endpoint_id;
  wanted.attachment_id = attachment.attachment_id;
  wanted.interface[0] = interfaces.outside;
  wanted.interface[1] = interfaces.inside;
  wanted.group = kNone16;
  const LoadBalancer* lb = config.load_balancer(attachment.load_balancer);
  if (lb != nullptr && !lb->listeners.empty()) {
    const Listener& listener = lb->listeners[0];
    const bool is_sparing = tables_.settings[0].spared_until_ms != 0;
    wanted.flags = (resets_when_idle(listener) ? kAttachmentResets : 0) |
                   (drops_unknown_tcp(listener) && !is_sparing ? kAttachmentDropsUnknown : 0);
    wanted.new_flows_per_second = new_flows_per_second(listener);
    if (const auto* group = config.target_group(listener.default_action.target_group))
      wanted.group =
          group_index(group->name, zone_of_endpoint(config, attachment, *group)).value_or(kNone16);
  }
  if (has_policy(config, attachment)) wanted.flags |= kAttachmentPolicy;
  wanted.in_use = 1;
  return wanted;
}

}  // namespace sluice::gateway
