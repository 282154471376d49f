// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/slow_path.h"

#include <utility>

#include "gateway/datapath/cut.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {

void SlowPath::take(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> bytes,
                    uint64_t now_ms) {
  if (mtu != 0) return cut(interface_index, mtu, bytes, now_ms);
  const uint64_t datagram = datagram_of(interface_index, bytes);
  if (!run(interface_index, bytes, now_ms)) {
    wait({datagram, now_ms, interface_index, {bytes.begin(), bytes.end()}});
    return;
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->datagram != datagram || !run(it->interface, it->bytes, now_ms)) {
      ++it;
      continue;
    }
    bytes_ -= it->bytes.size();
    it = waiting_.erase(it);
  }
}

bool SlowPath::run(uint32_t interface_index, std::span<const uint8_t> bytes, uint64_t now_ms) {
  buffer_.assign(bytes);
  const Outcome outcome = run_path(tables_, buffer_, interface_index, now_ms, kSlowWhole);
  if (outcome.verdict != kVerdictSlowPath) {
    end(outcome, buffer_.bytes());
    return true;
  }
  if (outcome.mtu == 0) return false;
  const std::vector<uint8_t> too_big(buffer_.bytes().begin(), buffer_.bytes().end());
  cut(interface_index, outcome.mtu, too_big, now_ms);
  return true;
}

void SlowPath::cut(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> bytes,
                   uint64_t now_ms) {
  buffer_.assign(bytes);
  packet p{};
  passage way;
  passage_begin(&way, &tables_, kSlowPathCpu, static_cast<__u32>(now_ms));
  if (frame_parse(buffer_.raw(), &p) == kDropNone) checksum_settle(&way, buffer_.raw(), &p);
  const auto pieces = cut_into_fragments(buffer_.bytes(), mtu);
  if (pieces.empty()) return drop(kDropTooBig, bytes);
  counters& count = tables_.counters[kSlowPathCpu];
  count.event[kEventFragmented]++;
  count.event[kEventFragmentMade] += pieces.size();
  for (const auto& piece : pieces) {
    buffer_.assign(piece);
    const Outcome outcome = run_path(tables_, buffer_, interface_index, now_ms, kSlowPiece);
    if (outcome.verdict == kVerdictSlowPath)
      drop(kDropFragmentEarly, piece);  // another has just taken the place of its trail
    else
      end(outcome, buffer_.bytes());
  }
}

uint64_t SlowPath::datagram_of(uint32_t interface_index, std::span<const uint8_t> bytes) {
  const port* in = table_ports(&tables_, interface_index);
  const attachment* at = in ? table_attachments(&tables_, in->attachment) : nullptr;
  buffer_.assign(bytes);
  packet p{};
  fragment piece{};
  if (!at || frame_parse(buffer_.raw(), &p) != kDropNone || !(p.flags & kPacketFragment) ||
      fragment_read(buffer_.raw(), &p, &piece) != kDropNone)
    return 0;
  fragment_name(&tables_, &p.tuple, at->endpoint_id, &piece);
  return piece.name;
}

void SlowPath::wait(Waiting waiting) {
  bytes_ += waiting.bytes.size();
  waiting_.push_back(std::move(waiting));
  while (waiting_.size() > kWaitingMax || bytes_ > kWaitingBytesMax)
    give_up_oldest(kDropSlowPathFull);
}

void SlowPath::expire(uint64_t now_ms) {
  while (!waiting_.empty() && now_ms - waiting_.front().since_ms >= kFragmentMs)
    give_up_oldest(kDropFragmentEarly);
}

std::optional<uint64_t> SlowPath::next_ms() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.front().since_ms + kFragmentMs;
}

void SlowPath::give_up_oldest(DropReason reason) {
  const Waiting oldest = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= oldest.bytes.size();
  drop(reason, oldest.bytes);
}

void SlowPath::drop(DropReason reason, std::span<const uint8_t> bytes) {
  counters& count = tables_.counters[kSlowPathCpu];
  count.verdict[kVerdictDrop]++;
  count.drop[reason]++;
  end({kVerdictDrop, reason}, bytes);
}

void SlowPath::end(const Outcome& outcome, std::span<const uint8_t> bytes) {
  if (!done_(outcome, bytes)) tables_.counters[kSlowPathCpu].event[kEventSlowPathUnsent]++;
}

}  // namespace sluice::gateway
