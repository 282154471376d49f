// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/nudger.h"

#include <algorithm>
#include <cstring>

#include "gateway/datapath/answer.h"
#include "gateway/datapath/layer2.h"

namespace sluice::gateway {
namespace {

constexpr uint8_t kHopLimit = 64;

bool is_from_client(const flow_record& record, uint32_t direction) {
  return (direction == 0) == ((record.flags & kFlowClientFirst) != 0);
}

// Who is at the two ends, as the one that the direction leads to knows them.
struct tuple tuple_of(const Tables& tables, const flow_record& record, uint32_t direction) {
  struct tuple out {};
  const flow_key& key = record.key;
  flow_key_address(&key, direction, out.source);
  flow_key_address(&key, direction ^ 1, out.destination);
  out.source_port = key.port[direction];
  out.destination_port = key.port[direction ^ 1];
  out.protocol = key.protocol;
  out.version = key.version;
  if ((record.flags & kFlowNlb) && is_from_client(record, direction)) {
    const target& backend = tables.targets[record.backend % kTargetsMax];
    std::memcpy(out.destination, backend.address, sizeof(out.destination));
    if (backend.port != 0) out.destination_port = backend.port;
  }
  return out;
}

void append_ip(std::vector<uint8_t>& out, const struct tuple& t) {
  const size_t at = out.size();
  if (t.version == 4) {
    out.resize(at + 20);
    uint8_t* ip = &out[at];
    store_be32(ip, 0x45000000 | 40);
    store_be32(ip + 4, 0x00004000);
    store_be32(ip + 8, kHopLimit << 24 | kProtocolTcp << 16);
    store_u32(ip + 12, t.source[0]);
    store_u32(ip + 16, t.destination[0]);
    store_u16(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
    return;
  }
  out.resize(at + 40);
  uint8_t* ip = &out[at];
  store_be32(ip, 0x60000000);
  store_be32(ip + 4, 20 << 16 | kProtocolTcp << 8 | kHopLimit);
  std::memcpy(ip + 8, t.source, 16);
  std::memcpy(ip + 24, t.destination, 16);
}

}  // namespace

std::vector<uint8_t> make_nudge(const Tables& tables, const flow_record& record,
                                uint32_t direction) {
  const layer2* header = layer2_get(&tables, record.layer2[direction]);
  const bool swapped = header == nullptr;
  if (swapped) header = layer2_get(&tables, record.layer2[direction ^ 1]);
  if (header == nullptr || header->length > sizeof(header->header)) return {};
  std::vector<uint8_t> out(sizeof(header->header));
  layer2_write(out.data(), header, header->length, swapped);
  out.resize(header->length);
  if ((record.flags & kFlowNlb) && is_from_client(record, direction)) {
    const auto& mac = tables.targets[record.backend % kTargetsMax].mac;
    if (std::ranges::any_of(mac, [](uint8_t byte) { return byte != 0; }))
      std::copy(std::begin(mac), std::end(mac), out.begin());
  }
  const struct tuple t = tuple_of(tables, record, direction);
  append_ip(out, t);
  // answer_tcp() turns round what it answers.
  struct tuple back = t;
  std::swap(back.source_port, back.destination_port);
  const reset numbers{0, 0, kTcpAck};
  out.resize(out.size() + 20);
  const uint64_t sum = checksum_add(checksum_add(0, t.source, 16), t.destination, 16);
  answer_tcp(&out[out.size() - 20], &numbers, &back, sum);
  return out;
}

Nudger::Nudger(EventLoop& loop, DataPathHost& host, SendFrame send)
    : host_(host), send_(std::move(send)), timer_(loop, [this] { slice(); }) {}

void Nudger::look() {
  const Tables& tables = host_.tables();
  std::set<uint16_t> marked;
  for (uint32_t i = 0; i < kAppliancesMax; i++)
    if (tables.targets[i].flags & kTargetResets) marked.insert(static_cast<uint16_t>(i));
  for (const uint16_t index : marked)
    if (!marked_.contains(index)) waiting_.insert(index);
  marked_ = std::move(marked);
  if (!waiting_.empty() && !timer_.armed()) timer_.set_after(0);
}

void Nudger::slice() {
  const Tables& tables = host_.tables();
  if (next_bucket_ == 0) now_ = std::exchange(waiting_, {});
  uint32_t frames = 0;
  for (uint32_t i = 0; i < kBucketsPerSliceMax && frames < kFramesPerSliceMax; i++) {
    if (next_bucket_ >= tables.flow_buckets_count) break;
    frames += nudge_bucket(next_bucket_++);
  }
  if (next_bucket_ >= tables.flow_buckets_count) next_bucket_ = 0;
  if (next_bucket_ != 0 || !waiting_.empty()) timer_.set_after(kSliceMs);
}

uint32_t Nudger::nudge_bucket(uint32_t index) {
  const Tables& tables = host_.tables();
  const auto now_ms = static_cast<uint32_t>(host_.now_ms());
  uint32_t frames = 0;
  for (uint32_t way = 0; way < kFlowWays; way++) {
    const uint32_t state = flow_entry_state(tables.flow_buckets[index].entry[way]);
    if (state == kFlowEmpty || state == kFlowClosed) continue;
    // A copy: the packet path may give the place to another flow meanwhile.
    const flow_record record = tables.flow_buckets[index].record[way];
    const auto waits = [&](uint16_t target) { return now_.contains(target); };
    if (record.key.protocol != kProtocolTcp || std::ranges::none_of(appliances_of(record), waits))
      continue;
    if (record.key.port[0] == 0 || record.flags & (kFlowAlias | kFlowBypass)) continue;
    if (flow_is_expired(tables.settings, &record, now_ms)) continue;
    for (const uint32_t direction : {0, 1}) frames += nudge(record, direction);
  }
  return frames;
}

bool Nudger::nudge(const flow_record& record, uint32_t direction) {
  const Tables& tables = host_.tables();
  const attachment& at = tables.attachments[record.attachment % kAttachmentsMax];
  const std::vector<uint8_t> bytes = make_nudge(tables, record, direction);
  if (!at.in_use || bytes.empty()) return false;
  const bool from_outside = (direction == 0) == ((record.flags & kFlowFirstEndOutside) != 0);
  const uint32_t interface = at.interface[from_outside ? 1 : 0];
  if (interface == 0 || !send_(interface, bytes)) return false;
  sent_++;
  return true;
}

}  // namespace sluice::gateway
