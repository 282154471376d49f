// SPDX-License-Identifier: Apache-2.0
// SSH over TCP: the banners and the first key exchange. What follows it is encrypted.
#include <algorithm>
#include <vector>

#include "inspect/app/lines.h"
#include "inspect/app/parser.h"
#include "inspect/app/ssh_transaction.h"
#include "tunnels/integers.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kBannerStart = "SSH-";
constexpr size_t kBannerMax = 256;      // RFC 4253, 4.2: 255 with its end
constexpr size_t kLinesBeforeMax = 64;  // that a server may send before its banner
constexpr size_t kPacketMax = 35000;    // RFC 4253, 6.1
constexpr size_t kPacketMin = 2;        // a length of padding, a message number
constexpr size_t kPacketHeader = 6;     // with both
constexpr size_t kLengthBytes = 4;
constexpr uint8_t kKeyExchange = 20;  // SSH_MSG_KEXINIT
constexpr uint8_t kNewKeys = 21;

class SshParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    if (transaction_ == nullptr) transaction_ = std::make_unique<SshTransaction>();
    Side& side = sides_[static_cast<size_t>(direction)];
    while (!bytes.empty() && side.stage != Stage::kOver) {
      const std::string_view event = side.stage == Stage::kBanner
                                         ? banner(direction, side, bytes, sink)
                                         : packet(direction, side, bytes, sink);
      if (event.empty()) continue;
      sink.event(transaction_.get(), direction, event);
      return close(Parsed::kFailed, sink);
    }
    if (side.stage == Stage::kOver) finish(direction, sink);
    const bool over = sides_[0].stage == Stage::kOver && sides_[1].stage == Stage::kOver;
    return over ? close(Parsed::kDone, sink) : Parsed::kMore;
  }

  Parsed gap(Direction, uint64_t, TransactionSink& sink) override {
    return close(Parsed::kFailed, sink);
  }

  void end(Direction direction, TransactionSink& sink) override {
    if (transaction_ == nullptr) return;
    finish(direction, sink);
    sides_[static_cast<size_t>(direction)].ended = true;
    if (sides_[0].ended && sides_[1].ended) close(Parsed::kDone, sink);
  }

  size_t memory() const override {
    size_t bytes = sizeof(*this);
    for (const Side& side : sides_) bytes += side.lines.memory() + heap_of(side.packet);
    return bytes + (transaction_ ? transaction_->memory() + kTransactionNotesBytes : 0);
  }

 private:
  enum class Stage : uint8_t { kBanner, kPackets, kOver };

  struct Side {
    Stage stage = Stage::kBanner;
    LineReader lines{kBannerMax};
    size_t lines_before = 0;
    std::vector<uint8_t> packet;  // that has begun
    size_t skip = 0;              // bytes of one that is of no interest
    bool finished = false;
    bool ended = false;
  };

  void finish(Direction direction, TransactionSink& sink) {
    Side& side = sides_[static_cast<size_t>(direction)];
    if (!side.finished) sink.finished(*transaction_, direction);
    side.finished = true;
  }

  Parsed close(Parsed result, TransactionSink& sink) {
    if (transaction_ == nullptr) return result;
    finish(Direction::kToServer, sink);
    finish(Direction::kToClient, sink);
    sink.ended(*transaction_);
    transaction_.reset();
    return result;
  }

  // These return the event of what is wrong; empty: nothing.
  std::string_view banner(Direction direction, Side& side, std::span<const uint8_t>& bytes,
                          TransactionSink& sink) {
    const auto line = side.lines.next(bytes);
    if (!line) return {};
    if (line->cut) sink.event(transaction_.get(), direction, "long_banner");
    if (!line->text.starts_with(kBannerStart) && direction == Direction::kToClient)
      return ++side.lines_before > kLinesBeforeMax ? "invalid_banner" : std::string_view();
    if (!transaction_->banner(direction, line->text, sink)) return "invalid_banner";
    const bool old = transaction_->protocol_version(direction).starts_with("1.") &&
                     transaction_->protocol_version(direction) != "1.99";
    side.stage = old ? Stage::kOver : Stage::kPackets;
    return {};
  }

  std::string_view packet(Direction direction, Side& side, std::span<const uint8_t>& bytes,
                          TransactionSink& sink) {
    if (side.skip != 0) {
      const size_t count = std::min(side.skip, bytes.size());
      side.skip -= count;
      bytes = bytes.subspan(count);
      return {};
    }
    const size_t have = side.packet.size();
    const size_t wanted = have < kPacketHeader ? kPacketHeader : packet_length(side.packet);
    const auto taken = bytes.first(std::min(wanted - have, bytes.size()));
    side.packet.insert(side.packet.end(), taken.begin(), taken.end());
    bytes = bytes.subspan(taken.size());
    if (side.packet.size() < kPacketHeader) return {};
    const size_t length = packet_length(side.packet);
    if (length < kLengthBytes + kPacketMin || length > kPacketMax) return "invalid_record";
    if (side.packet[kPacketHeader - 1] != kKeyExchange) {
      if (side.packet[kPacketHeader - 1] == kNewKeys) side.stage = Stage::kOver;
      side.skip = length - side.packet.size();
      side.packet.clear();
      return {};
    }
    if (side.packet.size() < length) return {};
    const auto message = std::span(side.packet).subspan(kPacketHeader - 1);
    const bool good = transaction_->key_exchange(direction, message, sink);
    side.packet = {};
    side.stage = Stage::kOver;
    return good ? std::string_view() : "invalid_record";
  }

  static size_t packet_length(std::span<const uint8_t> packet) {
    return kLengthBytes + size_t{tunnels::load_be32(packet.data())};
  }

  std::unique_ptr<SshTransaction> transaction_;
  Side sides_[2];  // by Direction
};

// A server may send lines of text before its banner (RFC 4253, 4.2).
Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t lines = 0; lines <= kLinesBeforeMax; lines++) {
    if (text.starts_with(kBannerStart)) return Probe::kYes;
    if (kBannerStart.starts_with(text)) return Probe::kMore;
    const size_t end = text.find('\n');
    if (direction == Direction::kToServer || !is_text(text.substr(0, end))) return Probe::kNo;
    if (end == std::string_view::npos) return Probe::kMore;
    text.remove_prefix(end + 1);
  }
  return Probe::kNo;
}

}  // namespace

ProtocolEntry ssh_entry() {
  return {AppProtocol::kSsh, true, false, probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<SshParser>(); }};
}

}  // namespace sluice::inspect
