// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/mirror_copies.h"

#include <algorithm>
#include <utility>

#include "gateway/datapath/path.h"
#include "gateway/datapath/segment.h"

namespace sluice::gateway {
namespace {

bool is_copy(const mirror_head& head) {
  return head.kind == kMirrorCopy || head.kind == kMirrorPassing;
}

}  // namespace

void MirrorCopies::take(const mirror_head& head, std::span<const uint8_t> bytes, uint64_t now_ms) {
  const size_t end = size_t{head.l3_offset} + head.l3_length;
  const auto packet = bytes.first(std::min(end, bytes.size()))
                          .subspan(std::min<size_t>(head.l3_offset, bytes.size()));
  if (head.segment == 0) return take_packet(head, packet, now_ms);
  const auto pieces = cut_into_segments(packet, head.segment);
  for (const auto& piece : pieces) take_packet(head, piece, now_ms);
  if (pieces.empty() && is_copy(head)) tables_.mirror_counters[head.rule].unsent++;
}

void MirrorCopies::take_packet(const mirror_head& head, std::span<const uint8_t> packet,
                               uint64_t now_ms) {
  mirror_counters& count = tables_.mirror_counters[head.rule];
  if (is_copy(head)) {
    if (!send_copy(head, packet, now_ms)) {
      count.unsent++;
      return;
    }
    count.sent++;
    if (is_shadow(head.rule))
      comparison_.sent(head.rule, comparison_.digest(head.hash, head.rule, packet),
                       head.kind == kMirrorPassing, now_ms);
    return;
  }
  if (fresh_.size() >= kReturnedMax) {
    count.returns_lost++;
    return;
  }
  fresh_.push_back(
      {comparison_.digest(head.hash, head.rule, packet), head.rule,
       head.kind == kMirrorAnswer ? Comparison::Side::kShadow : Comparison::Side::kReal});
}

bool MirrorCopies::is_shadow(uint8_t rule) const {
  const policy_rule* r = policy_rule_at(&tables_, policy_rule_now(tables_.settings, rule));
  return r != nullptr && r->shadow != 0;
}

bool MirrorCopies::send_copy(const mirror_head& head, std::span<const uint8_t> packet,
                             uint64_t now_ms) {
  const target* to = table_targets(&tables_, head.target);
  const attachment* at = table_attachments(&tables_, head.attachment);
  constexpr uint16_t kReady = kTargetInUse | kTargetResolved | kTargetAppliance;
  if (to == nullptr || at == nullptr || (to->flags & kReady) != kReady) return false;
  if (packet.size() > FrameBuffer::kLengthMax || packet.size() > to->mtu) return false;
  buffer_.assign(packet);
  tunnels::packet p{};
  if (tunnels::parse_ip_packet(buffer_.bytes(), p) != kDropNone || p.l3_length != packet.size())
    return false;
  passage way;
  passage_begin(&way, &tables_, kSlowPathCpu, static_cast<__u32>(now_ms));
  checksum_settle(&way, buffer_.raw(), &p);
  flow_query query{};
  query.place = kFlowNotFound;
  query.hash = head.hash;
  query.attachment = head.attachment;
  return path_send(&way, buffer_.raw(), &p, to, head.target, at, &query, head.cookie, 0) ==
             kVerdictTarget &&
         send_(way.departure.interface, buffer_.bytes());
}

void MirrorCopies::turn(uint64_t now_ms) {
  for (const Returned& one : earlier_) comparison_.returned(one.rule, one.digest, one.side);
  earlier_ = std::exchange(fresh_, {});
  // All that had come back by then has been compared, however long ago that is.
  comparison_.expire(std::exchange(last_turn_ms_, now_ms));
}

}  // namespace sluice::gateway
