// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/defrag.h"

#include <algorithm>

#include "tunnels/checksum.h"

namespace sluice::inspect {
namespace {

constexpr uint32_t kPayloadMax = 65535 - 40;
constexpr uint16_t kIpv4MoreFragments = 0x2000;
constexpr uint16_t kIpv4OffsetMask = 0x1fff;
constexpr uint16_t kIpv6OffsetMask = 0xfff8;

}  // namespace

Defragmenter::Added Defragmenter::add(std::span<const uint8_t> ip, const tunnels::packet& packet,
                                      int64_t time_us) {
  counters_.fragments++;
  expire(time_us);
  Key key{};
  Fragment fragment{};
  if (!read(ip, packet, key, fragment)) return refuse(FragmentState::kInvalid, counters_.invalid);
  auto at = datagrams_.find(key);
  if (at == datagrams_.end()) {
    if (datagrams_.size() == kDatagramsMax || bytes_ + fragment.payload.size() > kFragmentBytesMax)
      return refuse(FragmentState::kNoRoom, counters_.no_room);
    start(key, time_us);
    at = datagrams_.find(key);
  }
  Datagram& datagram = at->second;
  if (datagram.refused) return refuse(FragmentState::kOverlap, counters_.overlaps);
  if (datagram.parts.size() == kFragmentsPerDatagramMax ||
      bytes_ + fragment.payload.size() > kFragmentBytesMax)
    return refuse(FragmentState::kNoRoom, counters_.no_room);
  if (!put(datagram, fragment)) {
    release_parts(datagram);
    datagram.refused = true;
    return refuse(FragmentState::kOverlap, counters_.overlaps);
  }
  if (fragment.offset == 0) datagram.protocol = packet.tuple.protocol;
  if (datagram.length == 0 || datagram.received < datagram.length)
    return {FragmentState::kHeld, {}};
  assemble(key, datagram);
  last_ = key;
  last_us_ = time_us;
  forget(at);
  counters_.datagrams++;
  return {FragmentState::kComplete, whole_};
}

void Defragmenter::refuse_last() { start(last_, last_us_).refused = true; }

Defragmenter::Added Defragmenter::refuse(FragmentState why, uint64_t& counter) {
  counter++;
  return {why, {}};
}

// RFC 791 section 3.2 and RFC 8200 section 4.5.
bool Defragmenter::read(std::span<const uint8_t> ip, const tunnels::packet& packet, Key& key,
                        Fragment& fragment) {
  const tunnels::tuple& t = packet.tuple;
  std::copy(t.source, t.source + 4, key.addresses);
  std::copy(t.destination, t.destination + 4, key.addresses + 4);
  key.version = t.version;
  if (t.version == 4) {
    const uint16_t field = tunnels::load_be16(&ip[6]);
    key.identification = tunnels::load_be16(&ip[4]);
    key.protocol = t.protocol;
    fragment.offset = (field & kIpv4OffsetMask) * 8u;
    fragment.more = field & kIpv4MoreFragments;
  } else {
    const uint8_t* header = &ip[packet.l4_offset - 8];
    const uint16_t field = tunnels::load_be16(header + 2);
    key.identification = tunnels::load_be32(header + 4);
    fragment.offset = field & kIpv6OffsetMask;
    fragment.more = field & 1;
  }
  fragment.payload = ip.subspan(packet.l4_offset, packet.l3_length - packet.l4_offset);
  const size_t size = fragment.payload.size();
  return size != 0 && !(fragment.more && size % 8 != 0) && fragment.offset + size <= kPayloadMax;
}

// False if the fragment contradicts what came before. The same fragment again is no contradiction.
bool Defragmenter::put(Datagram& datagram, const Fragment& fragment) {
  const uint32_t end = fragment.offset + static_cast<uint32_t>(fragment.payload.size());
  if (datagram.length != 0 && (end > datagram.length || (!fragment.more && end != datagram.length)))
    return false;
  auto after = datagram.parts.lower_bound(fragment.offset);
  if (after != datagram.parts.end() && after->first == fragment.offset)
    return std::ranges::equal(after->second, fragment.payload);
  if (after != datagram.parts.end() && (after->first < end || !fragment.more)) return false;
  if (after != datagram.parts.begin()) {
    const auto& [offset, bytes] = *std::prev(after);
    if (offset + bytes.size() > fragment.offset) return false;
  }
  datagram.parts.emplace(fragment.offset,
                         std::vector<uint8_t>(fragment.payload.begin(), fragment.payload.end()));
  datagram.received += end - fragment.offset;
  bytes_ += end - fragment.offset;
  if (!fragment.more) datagram.length = end;
  return true;
}

Defragmenter::Datagram& Defragmenter::start(const Key& key, int64_t time_us) {
  Datagram& datagram = datagrams_[key];
  datagram.age = ages_.insert(ages_.end(), key);
  datagram.start_us = time_us;
  return datagram;
}

void Defragmenter::assemble(const Key& key, const Datagram& datagram) {
  const bool v4 = key.version == 4;
  whole_.assign(v4 ? 20 : 40, 0);
  const auto total = static_cast<uint16_t>(datagram.length + (v4 ? 20 : 0));
  const auto* addresses = reinterpret_cast<const uint8_t*>(key.addresses);
  if (v4) {
    whole_[0] = 0x45;
    tunnels::store_be16(&whole_[2], total);
    tunnels::store_be16(&whole_[4], static_cast<uint16_t>(key.identification));
    whole_[8] = 64;
    whole_[9] = datagram.protocol;
    std::copy(addresses, addresses + 4, &whole_[12]);
    std::copy(addresses + 16, addresses + 20, &whole_[16]);
    tunnels::store_u16(&whole_[10],
                       tunnels::checksum_fold(tunnels::checksum_add(0, whole_.data(), 20)));
  } else {
    whole_[0] = 0x60;
    tunnels::store_be16(&whole_[4], total);
    whole_[6] = datagram.protocol;
    whole_[7] = 64;
    std::copy(addresses, addresses + 32, &whole_[8]);
  }
  for (const auto& [offset, bytes] : datagram.parts)
    whole_.insert(whole_.end(), bytes.begin(), bytes.end());
}

void Defragmenter::release_parts(Datagram& datagram) {
  bytes_ -= datagram.received;
  datagram.received = 0;
  datagram.parts.clear();
}

void Defragmenter::forget(Datagrams::iterator at) {
  release_parts(at->second);
  ages_.erase(at->second.age);
  datagrams_.erase(at);
}

void Defragmenter::expire(int64_t time_us) {
  while (!ages_.empty()) {
    const auto oldest = datagrams_.find(ages_.front());
    if (time_us - oldest->second.start_us < kFragmentTimeoutUs) return;
    counters_.timed_out++;
    forget(oldest);
  }
}

}  // namespace sluice::inspect
