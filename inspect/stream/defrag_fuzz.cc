// SPDX-License-Identifier: Apache-2.0
// Fragments from the fuzzer: [how][datagram][offset in 8 bytes][length][bytes]. Beside the
// defragmenter runs a naive one that remembers each byte by itself: the first copy wins. Whatever
// has passed says the same of every byte, of the end and of the protocol, so that no receiver can
// put anything together but what was handed out; and that is handed out with its last fragment. A
// second defragmenter, with little room, keeps its limits.
#include <cstdlib>
#include <map>
#include <optional>

#include "inspect/stream/defrag.h"
#include "tunnels/bytes.h"

using namespace sluice;
using namespace sluice::inspect;

namespace {

using Bytes = std::vector<uint8_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Fragment {
  bool v6;
  bool more;
  uint8_t id;
  uint8_t protocol;
  uint16_t offset;
  std::span<const uint8_t> payload;

  Bytes packet() const {
    Bytes out(v6 ? 48 : 20);
    const auto field = static_cast<uint16_t>(v6 ? offset | more : offset / 8 | (more ? 0x2000 : 0));
    if (v6) {
      out[0] = 0x60;
      out[6] = 44;
      tunnels::store_be16(&out[4], static_cast<uint16_t>(8 + payload.size()));
      out[40] = protocol;
      tunnels::store_be16(&out[42], field);
      out[47] = id;
    } else {
      out[0] = 0x45;
      tunnels::store_be16(&out[2], static_cast<uint16_t>(20 + payload.size()));
      out[5] = id;
      tunnels::store_be16(&out[6], field);
      out[9] = protocol;
    }
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
  }
};

// One datagram, as anybody knows it who has got everything that passed.
class Naive {
 public:
  void refuse() { refused_ = true; }

  void passes(const Fragment& fragment, const Defragmenter::Added& added, int64_t now_us) {
    require(!refused_);
    last_us = now_us;
    for (size_t i = 0; i < fragment.payload.size(); i++) {
      const auto at = static_cast<uint32_t>(fragment.offset + i);
      require(bytes_.emplace(at, fragment.payload[i]).first->second == fragment.payload[i]);
    }
    const auto end = static_cast<uint32_t>(fragment.offset + fragment.payload.size());
    if (!fragment.more) require(end_.value_or(end) == end);
    if (!fragment.more) end_ = end;
    if (end_) require(bytes_.rbegin()->first < *end_ && !(fragment.more && end == *end_));
    if (fragment.offset == 0) require(protocol_.value_or(fragment.protocol) == fragment.protocol);
    if (fragment.offset == 0) protocol_ = fragment.protocol;
    const bool whole = end_ && bytes_.size() == *end_;
    require((added.state == FragmentState::kComplete) == (whole && !whole_));
    if (added.state == FragmentState::kComplete) check(added.datagram, fragment.v6);
    whole_ = whole;
  }

  int64_t last_us = 0;

 private:
  void check(const Bytes& datagram, bool v6) const {
    const size_t header = v6 ? 40 : 20;
    require(datagram.size() == header + bytes_.size() && datagram[v6 ? 6 : 9] == *protocol_);
    for (const auto& [at, byte] : bytes_) require(datagram[header + at] == byte);
  }

  std::map<uint32_t, uint8_t> bytes_;
  std::optional<uint32_t> end_;
  std::optional<uint8_t> protocol_;
  bool whole_ = false;
  bool refused_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const DefragLimits little{.datagrams_max = 4,
                            .fragments_max = 6,
                            .memory_max = 2048,
                            .timeout_us = DefragLimits().timeout_us};
  Defragmenter defragmenter;
  Defragmenter bounded(little);
  std::map<std::pair<bool, unsigned>, Naive> datagrams;
  int64_t now_us = 1;
  tunnels::Reader reader({data, size});
  while (reader.remaining() >= 4) {
    const uint8_t how = reader.u8();
    const uint8_t which = reader.u8();
    const auto offset = static_cast<uint16_t>(reader.u8() * 8);
    const size_t length = reader.u8();
    const bool v6 = how & 2;
    Fragment fragment{v6,
                      (how & 1) != 0,
                      static_cast<uint8_t>(which & 7),
                      static_cast<uint8_t>(v6 && (how & 4) ? 6 : 17),
                      offset,
                      reader.bytes(std::min(length, reader.remaining()))};
    const uint64_t space = which >> 3 & 1;
    now_us += (how >> 4) * 5'000'000;
    const Bytes ip = fragment.packet();
    tunnels::packet packet;
    if (parse_ip_packet(ip, packet) != tunnels::kDropNone) continue;
    if (!(packet.flags & tunnels::kPacketFragment)) continue;

    const auto few = bounded.add(ip, packet, now_us, space);
    if (few.state == FragmentState::kComplete && (how & 8)) bounded.refuse(few);
    require(bounded.memory_used() <= little.memory_max);
    require(bounded.datagrams_known() <= little.datagrams_max);

    Naive& naive = datagrams[{v6, which & 15u}];
    if (now_us - naive.last_us >= little.timeout_us) naive = {};
    const auto added = defragmenter.add(ip, packet, now_us, space);
    require(added.state != FragmentState::kNoRoom);
    if (added.state == FragmentState::kHeld || added.state == FragmentState::kComplete)
      naive.passes(fragment, added, now_us);
    if (added.state == FragmentState::kComplete && (how & 8)) {
      defragmenter.refuse(added);
      naive.refuse();
    }
  }
  for (Defragmenter* each : {&defragmenter, &bounded}) {
    each->expire(now_us + little.timeout_us);
    require(each->memory_used() == 0 && each->datagrams_known() == 0);
  }
  return 0;
}
