// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/comparison.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "gateway/datapath/frame.h"
#include "tunnels/packet.h"
#include "tunnels/siphash.h"

namespace sluice::gateway {
namespace {

uint64_t siphash(const siphash_key& key, uint64_t first, std::span<const uint8_t> bytes) {
  siphash_state s;
  siphash_init(&s, &key);
  siphash_word(&s, first);
  while (bytes.size() >= 8) {
    siphash_word(&s, load_u64(bytes.data()));
    bytes = bytes.subspan(8);
  }
  uint64_t last = 0;
  for (size_t i = 0; i < bytes.size(); i++) last |= uint64_t{bytes[i]} << 8 * i;
  return siphash_finish(&s, last, static_cast<uint32_t>(bytes.size()));
}

void clear(std::vector<uint8_t>& bytes, size_t at, size_t length) {
  for (size_t i = at; i < at + length && i < bytes.size(); i++) bytes[i] = 0;
}

// Where a transport protocol has its checksum.
size_t checksum_place(uint8_t protocol) {
  if (protocol == kProtocolTcp) return 16;
  return protocol == kProtocolUdp ? 6 : 2;
}

bool is_icmp(uint8_t protocol) { return protocol == kProtocolIcmp || protocol == kProtocolIcmpv6; }

// What tells a packet from the others of its flow and direction.
uint64_t mark_of(std::span<const uint8_t> bytes, const packet& p) {
  const bool four = p.tuple.version == 4;
  const uint64_t id = four ? load_u16(&bytes[4]) : 0;
  const size_t left = bytes.size() - std::min<size_t>(bytes.size(), p.l4_offset);
  if (p.flags & kPacketFragment) {
    const uint64_t place = four ? load_u16(&bytes[6]) : 0;
    const bool header = !four && p.l4_offset >= 8 && p.l4_offset <= bytes.size();
    return id | place << 16 | (header ? load_u64(&bytes[p.l4_offset - 8]) : 0);
  }
  if (p.tuple.protocol == kProtocolTcp && left >= 8)
    return load_u32(&bytes[p.l4_offset + 4]) | uint64_t{1} << 32;
  if (is_icmp(p.tuple.protocol) && left >= 8)
    return load_u32(&bytes[p.l4_offset + 4]) | uint64_t{2} << 32 | id << 48;
  return id;
}

}  // namespace

Comparison::Digest Comparison::digest(uint64_t hash, uint8_t rule, std::span<const uint8_t> bytes) {
  const siphash_key key = tables_.settings[0].cookie_key;
  plain_.assign(bytes.begin(), bytes.end());
  packet p{};
  if (parse_ip_packet(bytes, p) != kDropNone) return {0, siphash(key, rule, plain_)};
  if (p.tuple.version == 4) {
    clear(plain_, 1, 1);  // traffic class
    if (p.tuple.protocol == kProtocolTcp && !(p.flags & kPacketFragment)) clear(plain_, 4, 2);
    clear(plain_, 8, 1);
    clear(plain_, 10, 2);
  } else {
    plain_[0] &= 0xf0;
    plain_[1] &= 0x0f;
    clear(plain_, 7, 1);
  }
  if (!(p.flags & kPacketFragment) || (p.flags & kPacketFirstFragment))
    clear(plain_, p.l4_offset + checksum_place(p.tuple.protocol), 2);
  uint8_t name[48] = {};
  std::memcpy(name, p.tuple.source, 16);
  std::memcpy(name + 16, p.tuple.destination, 16);
  store_u16(name + 32, p.tuple.source_port);
  store_u16(name + 34, p.tuple.destination_port);
  name[36] = p.tuple.protocol;
  name[37] = p.tuple.version;
  store_u64(name + 40, mark_of(bytes, p));
  return {siphash(key, hash ^ rule, name), siphash(key, hash ^ rule, plain_)};
}

void Comparison::sent(uint8_t rule, Digest digest, bool passing, uint64_t now_ms) {
  if (waiting_.size() >= kWaitingMax || by_content_.count(digest.content) >= kAlikeMax) {
    count(rule).uncompared++;
    return;
  }
  waiting_.push_back({digest, now_ms, {digest.content, 0}, {passing, false}, rule});
  const auto at = std::prev(waiting_.end());
  by_content_.emplace(digest.content, at);
  if (by_name_.count(digest.name) < kAlikeMax) by_name_.emplace(digest.name, at);
}

// The oldest that this side has not returned yet.
Comparison::List::iterator Comparison::find(const Index& index, uint64_t digest, Side side) {
  auto found = waiting_.end();
  const auto [first, last] = index.equal_range(digest);
  for (auto it = first; it != last; ++it) {
    const Waiting& one = *it->second;
    if (one.came[static_cast<size_t>(side)]) continue;
    if (found == waiting_.end() || one.since_ms < found->since_ms) found = it->second;
  }
  return found;
}

void Comparison::returned(uint8_t rule, Digest digest, Side side) {
  auto at = find(by_content_, digest.content, side);
  if (at == waiting_.end()) at = find(by_name_, digest.name, side);
  const bool shadow = side == Side::kShadow;
  if (at == waiting_.end()) {
    if (shadow) count(rule).unasked++;
    return;
  }
  at->came[static_cast<size_t>(side)] = true;
  at->content[static_cast<size_t>(side)] = digest.content;
  if (shadow) (digest.content == at->sent.content ? count(rule).approved : count(rule).altered)++;
  if (at->came[0] && at->came[1]) settle(at);
}

void Comparison::expire(uint64_t now_ms) {
  while (!waiting_.empty() && waiting_.front().since_ms + kAnswerMs <= now_ms)
    settle(waiting_.begin());
}

void Comparison::settle(List::iterator at) {
  mirror_counters& counts = count(at->rule);
  const auto [real, shadow] = at->came;
  if (!shadow) counts.missing++;
  if (real != shadow)
    (real ? counts.would_drop : counts.would_pass)++;
  else if (real && at->content[0] != at->content[1])
    counts.would_change++;
  else
    counts.agreed++;
  forget(by_content_, at->sent.content, at);
  forget(by_name_, at->sent.name, at);
  waiting_.erase(at);
}

void Comparison::forget(Index& index, uint64_t digest, List::iterator at) {
  const auto [first, last] = index.equal_range(digest);
  const auto it = std::find_if(first, last, [&](const auto& one) { return one.second == at; });
  if (it != last) index.erase(it);
}

}  // namespace sluice::gateway
