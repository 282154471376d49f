// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/defrag.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "tunnels/checksum.h"
#include "tunnels/siphash.h"

namespace sluice::inspect {
namespace {

// What the length fields can say of a whole datagram.
constexpr uint32_t kIpv4PayloadMax = 65535 - 20;
constexpr uint32_t kIpv6PayloadMax = 65535;
constexpr uint16_t kIpv4MoreFragments = 0x2000;
constexpr uint16_t kIpv4OffsetMask = 0x1fff;
constexpr uint16_t kIpv6OffsetMask = 0xfff8;

// Not to be guessed, so that nobody can make other bytes that look like those that came first.
const tunnels::siphash_key& digest_key() {
  static const tunnels::siphash_key kKey = [] {
    std::random_device random;
    const auto word = [&] { return uint64_t{random()} << 32 | random(); };
    return tunnels::siphash_key{word(), word()};
  }();
  return kKey;
}

// Together with their number, which is remembered beside it.
uint64_t digest(std::span<const uint8_t> bytes) {
  tunnels::siphash_state state;
  siphash_init(&state, &digest_key());
  uint64_t word = 0;
  for (; bytes.size() >= sizeof(word); bytes = bytes.subspan(sizeof(word))) {
    std::memcpy(&word, bytes.data(), sizeof(word));
    siphash_word(&state, word);
  }
  word = 0;
  std::ranges::copy(bytes, reinterpret_cast<uint8_t*>(&word));
  return siphash_finish(&state, word, 0);
}

}  // namespace

Defragmenter::Added Defragmenter::add(std::span<const uint8_t> ip, const tunnels::packet& packet,
                                      int64_t time_us, uint64_t space) {
  counters_.fragments[packet.tuple.version == 6]++;
  expire(time_us);
  Key key{};
  key.space = space;
  Fragment fragment{};
  if (!read(ip, packet, key, fragment)) return refused(FragmentState::kInvalid, counters_.invalid);
  const auto at = datagrams_.find(key);
  if (at == datagrams_.end()) return put_first(key, fragment);

  Datagram& datagram = at->second;
  if (datagram.phase == Phase::kRefused)
    return refused(FragmentState::kOverlap, counters_.overlaps);
  switch (compare(datagram, fragment)) {
    case Match::kNew:
      return put(key, datagram, fragment);
    case Match::kRepeat:
      counters_.repeats++;
      touch(datagram);
      return {FragmentState::kHeld, {}, key};
    case Match::kConflict:
      break;
  }
  if (datagram.phase == Phase::kWaiting) become(datagram, Phase::kRefused);
  return refused(FragmentState::kOverlap, counters_.overlaps);
}

void Defragmenter::refuse(const Added& complete) {
  const auto at = datagrams_.find(complete.key);
  Datagram& datagram = at == datagrams_.end() ? start(complete.key) : at->second;
  become(datagram, Phase::kRefused);
}

Defragmenter::Added Defragmenter::refused(FragmentState why, uint64_t& counter) {
  counter++;
  return {why, {}, {}};
}

// RFC 791 section 3.2 and RFC 8200 section 4.5.
bool Defragmenter::read(std::span<const uint8_t> ip, const tunnels::packet& packet, Key& key,
                        Fragment& fragment) {
  const tunnels::tuple& t = packet.tuple;
  std::copy(t.source, t.source + 4, key.addresses);
  std::copy(t.destination, t.destination + 4, key.addresses + 4);
  key.version = t.version;
  const bool v4 = t.version == 4;
  if (v4) {
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
  fragment.protocol = t.protocol;
  fragment.payload = ip.subspan(packet.l4_offset, packet.l3_length - packet.l4_offset);
  const size_t size = fragment.payload.size();
  return size != 0 && !(fragment.more && size % 8 != 0) &&
         fragment.end() <= (v4 ? kIpv4PayloadMax : kIpv6PayloadMax);
}

// The end of the datagram may not move, nor may what it carries change: a receiver may have taken
// either fragment.
Defragmenter::Match Defragmenter::compare(const Datagram& datagram, const Fragment& fragment) {
  const uint32_t length = datagram.length;
  if (length != 0 && (fragment.end() > length || fragment.more == (fragment.end() == length)))
    return Match::kConflict;
  const Match match = datagram.phase == Phase::kComplete ? compare_said(datagram, fragment)
                                                         : compare_parts(datagram, fragment);
  const bool other_protocol = fragment.offset == 0 && fragment.protocol != datagram.protocol;
  return match == Match::kRepeat && other_protocol ? Match::kConflict : match;
}

Defragmenter::Match Defragmenter::compare_parts(const Datagram& datagram,
                                                const Fragment& fragment) {
  const auto& parts = datagram.parts;
  const auto after = parts.lower_bound(fragment.offset);
  const bool is_end = datagram.length == 0 && !fragment.more;
  if (after != parts.end() && is_end) return Match::kConflict;
  if (after != parts.end() && after->first == fragment.offset)
    return std::ranges::equal(after->second, fragment.payload) ? Match::kRepeat : Match::kConflict;
  if (after != parts.end() && after->first < fragment.end()) return Match::kConflict;
  if (after == parts.begin()) return Match::kNew;
  const auto& [offset, bytes] = *std::prev(after);
  return offset + bytes.size() > fragment.offset ? Match::kConflict : Match::kNew;
}

Defragmenter::Match Defragmenter::compare_said(const Datagram& datagram, const Fragment& fragment) {
  const auto said = std::ranges::lower_bound(datagram.said, fragment.offset, {}, &Said::offset);
  const bool same = said != datagram.said.end() && said->offset == fragment.offset &&
                    said->length == fragment.payload.size() &&
                    said->digest == digest(fragment.payload);
  return same ? Match::kRepeat : Match::kConflict;
}

Defragmenter::Added Defragmenter::put_first(const Key& key, const Fragment& fragment) {
  if (uint64_t* const counter = lacks_room(fragment, true))
    return refused(FragmentState::kNoRoom, *counter);
  return put(key, start(key), fragment);
}

Defragmenter::Added Defragmenter::put(const Key& key, Datagram& datagram,
                                      const Fragment& fragment) {
  // That is no lack of room, for which a datagram may be let pass as it is.
  if (datagram.parts.size() == kFragmentsPerDatagramMax) {
    become(datagram, Phase::kRefused);
    return refused(FragmentState::kInvalid, counters_.invalid);
  }
  if (uint64_t* const counter = lacks_room(fragment, false))
    return refused(FragmentState::kNoRoom, *counter);
  datagram.parts.emplace(fragment.offset,
                         std::vector<uint8_t>(fragment.payload.begin(), fragment.payload.end()));
  fragments_++;
  memory_ += fragment.payload.size() + kFragmentOverhead;
  datagram.received += fragment.end() - fragment.offset;
  if (fragment.offset == 0) datagram.protocol = fragment.protocol;
  if (!fragment.more) datagram.length = fragment.end();
  touch(datagram);
  if (datagram.length == 0 || datagram.received < datagram.length)
    return {FragmentState::kHeld, {}, key};
  counters_.datagrams[key.version == 6]++;
  Added out{FragmentState::kComplete, assemble(key, datagram), key};
  become(datagram, Phase::kComplete);
  return out;
}

// The counter of the limit that stands in the way.
uint64_t* Defragmenter::lacks_room(const Fragment& fragment, bool new_datagram) {
  if (new_datagram && datagrams_.size() >= limits_.datagrams_max && !forget_oldest_complete())
    return &counters_.datagrams_full;
  if (fragments_ >= limits_.fragments_max) return &counters_.fragments_full;
  const size_t needed =
      fragment.payload.size() + kFragmentOverhead + (new_datagram ? kDatagramOverhead : 0);
  while (memory_ + needed > limits_.memory_max) {
    if (!forget_oldest_complete()) return &counters_.no_memory;
  }
  return nullptr;
}

Defragmenter::Datagram& Defragmenter::start(const Key& key) {
  Datagram& datagram = datagrams_[key];
  datagram.age = others_.insert(others_.end(), key);
  datagram.last_us = now_us_;
  memory_ += kDatagramOverhead;
  return datagram;
}

std::vector<uint8_t> Defragmenter::assemble(const Key& key, const Datagram& datagram) {
  const bool v4 = key.version == 4;
  std::vector<uint8_t> whole(v4 ? 20 : 40, 0);
  whole.reserve(whole.size() + datagram.length);
  const auto total = static_cast<uint16_t>(datagram.length + (v4 ? 20 : 0));
  const auto* addresses = reinterpret_cast<const uint8_t*>(key.addresses);
  if (v4) {
    whole[0] = 0x45;
    tunnels::store_be16(&whole[2], total);
    tunnels::store_be16(&whole[4], static_cast<uint16_t>(key.identification));
    whole[8] = 64;
    whole[9] = datagram.protocol;
    std::copy(addresses, addresses + 4, &whole[12]);
    std::copy(addresses + 16, addresses + 20, &whole[16]);
    tunnels::store_u16(&whole[10],
                       tunnels::checksum_fold(tunnels::checksum_add(0, whole.data(), 20)));
  } else {
    whole[0] = 0x60;
    tunnels::store_be16(&whole[4], total);
    whole[6] = datagram.protocol;
    whole[7] = 64;
    std::copy(addresses, addresses + 32, &whole[8]);
  }
  for (const auto& [offset, bytes] : datagram.parts)
    whole.insert(whole.end(), bytes.begin(), bytes.end());
  return whole;
}

// Waiting no more: its bytes are given back; of a complete one it stays known what was said.
void Defragmenter::become(Datagram& datagram, Phase phase) {
  std::list<Key>& from = ages_of(datagram);
  memory_ -= datagram.said.size() * sizeof(Said);
  datagram.said = {};
  if (phase == Phase::kComplete) {
    datagram.said.reserve(datagram.parts.size());
    for (const auto& [offset, bytes] : datagram.parts)
      datagram.said.push_back({offset, static_cast<uint32_t>(bytes.size()), digest(bytes)});
    memory_ += datagram.said.size() * sizeof(Said);
  }
  memory_ -= datagram.received + datagram.parts.size() * kFragmentOverhead;
  fragments_ -= datagram.parts.size();
  datagram.received = 0;
  datagram.parts.clear();
  datagram.phase = phase;
  ages_of(datagram).splice(ages_of(datagram).end(), from, datagram.age);
  if (complete_.size() > kCompleteDatagramsMax) forget_oldest_complete();
}

// Who passes may be the first that its receiver gets.
void Defragmenter::touch(Datagram& datagram) {
  datagram.last_us = now_us_;
  std::list<Key>& ages = ages_of(datagram);
  ages.splice(ages.end(), ages, datagram.age);
}

bool Defragmenter::forget_oldest_complete() {
  if (complete_.empty()) return false;
  counters_.forgotten++;
  forget(datagrams_.find(complete_.front()));
  return true;
}

void Defragmenter::forget(Datagrams::iterator at) {
  Datagram& datagram = at->second;
  memory_ -= kDatagramOverhead + datagram.received + datagram.parts.size() * kFragmentOverhead +
             datagram.said.size() * sizeof(Said);
  fragments_ -= datagram.parts.size();
  ages_of(datagram).erase(datagram.age);
  datagrams_.erase(at);
}

void Defragmenter::expire(int64_t time_us) {
  now_us_ = std::max(now_us_, time_us);
  for (std::list<Key>* const ages : {&complete_, &others_}) {
    while (!ages->empty()) {
      const auto oldest = datagrams_.find(ages->front());
      if (now_us_ - oldest->second.last_us < limits_.timeout_us) break;
      if (oldest->second.phase == Phase::kWaiting) counters_.timed_out++;
      forget(oldest);
    }
  }
}

}  // namespace sluice::inspect
