// SPDX-License-Identifier: Apache-2.0
// DNS over UDP and over TCP. Queries wait for their answers in a small table by their ids.
#include <algorithm>
#include <deque>
#include <utility>

#include "inspect/app/dns_transaction.h"
#include "inspect/app/memory.h"
#include "inspect/app/parser.h"
#include "tunnels/integers.h"

namespace sluice::inspect {
namespace {

constexpr size_t kOpenQueriesMax = 64;  // of a connection; then the oldest ends unanswered
constexpr size_t kLengthBytes = 2;      // before each message over TCP
constexpr uint16_t kPort = 53;
constexpr uint16_t kPortNetbios = 137;  // what is there looks like DNS and is none
constexpr size_t kQuestionMax = 256 + 4;

// What both transports share: messages in, transactions out.
class Queries {
 public:
  void message(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) {
    DnsMessage message = read_dns_message(bytes);
    if (bytes.size() < kDnsHeaderLength) {
      sink.event(nullptr, direction, "malformed_data");
      return;
    }
    const bool response = direction == Direction::kToClient;
    if (message.is_response() != response) {
      sink.event(nullptr, direction, response ? "not_response" : "not_request");
      return;
    }
    const uint64_t number = messages_++;
    if (response)
      answer(std::move(message), number, sink);
    else
      query(std::move(message), number, sink);
  }

  void end(Direction direction, TransactionSink& sink) {
    if (direction == Direction::kToClient)
      for (const auto& transaction : open_) sink.finished(*transaction, direction);
    ended_[static_cast<size_t>(direction)] = true;
    if (!ended_[0] || !ended_[1]) return;
    for (const auto& transaction : open_) sink.ended(*transaction);
    open_.clear();
  }

  size_t memory() const {
    size_t bytes = 0;
    for (const auto& transaction : open_) bytes += transaction->memory() + kTransactionNotesBytes;
    return bytes;
  }

 private:
  void query(DnsMessage message, uint64_t number, TransactionSink& sink) {
    if (open_.size() == kOpenQueriesMax) {
      sink.ended(*open_.front());
      open_.pop_front();
    }
    open_.push_back(std::make_unique<DnsTransaction>(next_id_++));
    open_.back()->tell(Direction::kToServer, std::move(message), number, sink);
  }

  void answer(DnsMessage message, uint64_t number, TransactionSink& sink) {
    const auto asked = std::ranges::find_if(open_, [&](const auto& transaction) {
      return transaction->message(Direction::kToServer)->id == message.id;
    });
    std::unique_ptr<DnsTransaction> transaction;
    if (asked == open_.end()) {  // its query was not seen, or has been answered
      transaction = std::make_unique<DnsTransaction>(next_id_++);
    } else {
      transaction = std::move(*asked);
      open_.erase(asked);
    }
    transaction->tell(Direction::kToClient, std::move(message), number, sink);
    sink.ended(*transaction);
  }

  std::deque<std::unique_ptr<DnsTransaction>> open_;  // the oldest first
  uint64_t next_id_ = 0;
  uint64_t messages_ = 0;
  bool ended_[2] = {};
};

class DnsUdpParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    queries_.message(direction, bytes, sink);
    return Parsed::kMore;
  }
  Parsed gap(Direction, uint64_t, TransactionSink&) override { return Parsed::kMore; }
  void end(Direction direction, TransactionSink& sink) override { queries_.end(direction, sink); }
  size_t memory() const override { return sizeof(*this) + queries_.memory(); }

 private:
  Queries queries_;
};

class DnsTcpParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    Side& side = sides_[static_cast<size_t>(direction)];
    while (!bytes.empty()) {
      const size_t skipped = std::min(side.skip, bytes.size());
      side.skip -= skipped;
      bytes = bytes.subspan(skipped);
      const auto whole = side.next(bytes);
      if (!whole.empty()) queries_.message(direction, whole.subspan(kLengthBytes), sink);
    }
    return Parsed::kMore;
  }

  // Within a message only that one is lost. Beyond it, where the next one begins is not known.
  Parsed gap(Direction direction, uint64_t length, TransactionSink&) override {
    Side& side = sides_[static_cast<size_t>(direction)];
    const size_t missing = side.skip != 0 ? side.skip : side.missing();
    if (missing < length || side.part.size() == 1) return Parsed::kFailed;
    side.skip = missing - static_cast<size_t>(length);
    side.part.clear();
    return Parsed::kMore;
  }

  void end(Direction direction, TransactionSink& sink) override { queries_.end(direction, sink); }
  size_t memory() const override {
    size_t bytes = sizeof(*this) + queries_.memory();
    for (const Side& side : sides_) bytes += heap_of(side.part) + heap_of(side.gathered);
    return bytes;
  }

 private:
  struct Side {
    std::vector<uint8_t> part;  // of a message whose rest has not come, with its length
    std::vector<uint8_t> gathered;
    size_t skip = 0;  // bytes of a message that a gap has broken

    // How many bytes the message in `part` lacks, as far as is known.
    size_t missing() const {
      if (part.empty()) return 0;
      if (part.size() < kLengthBytes) return kLengthBytes - part.size();
      return kLengthBytes + tunnels::load_be16(part.data()) - part.size();
    }

    // Takes bytes away. A message that is whole, with its length; empty: none yet.
    std::span<const uint8_t> next(std::span<const uint8_t>& bytes) {
      if (part.empty() && bytes.size() >= kLengthBytes) {
        const size_t length = kLengthBytes + tunnels::load_be16(bytes.data());
        if (length <= bytes.size()) {
          const auto whole = bytes.first(length);
          bytes = bytes.subspan(length);
          return whole;
        }
      }
      while (!bytes.empty()) {
        const size_t wanted = part.empty() ? kLengthBytes : missing();
        const auto taken = bytes.first(std::min(wanted, bytes.size()));
        part.insert(part.end(), taken.begin(), taken.end());
        bytes = bytes.subspan(taken.size());
        if (part.size() < kLengthBytes || missing() != 0) continue;
        gathered = std::exchange(part, {});
        return gathered;
      }
      return {};
    }
  };

  Queries queries_;
  Side sides_[2];
};

// At its own port a message needs only be possible. Elsewhere it is also as common software writes
// it.
bool convincing(Direction direction, std::span<const uint8_t> bytes, size_t length, uint16_t port) {
  const uint16_t flags = tunnels::load_be16(&bytes[2]);
  if (((flags & kDnsResponse) != 0) != (direction == Direction::kToClient)) return false;
  if (port == kPortNetbios || !plausible_dns_header(bytes, length)) return false;
  if (port == kPort) return true;
  return tunnels::load_be16(&bytes[4]) == 1 && (flags & kDnsZ) == 0 &&
         plausible_dns_question(bytes);
}

Probe probe_udp(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  if (bytes.size() < kDnsHeaderLength) return Probe::kNo;
  return convincing(direction, bytes, bytes.size(), server_port) ? Probe::kYes : Probe::kNo;
}

Probe probe_message(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  if (bytes.size() < kLengthBytes) return Probe::kMore;
  const size_t length = tunnels::load_be16(bytes.data());
  if (length < kDnsHeaderLength) return Probe::kNo;
  const auto message = bytes.subspan(kLengthBytes);
  const size_t needed = server_port == kPort ? kDnsHeaderLength : kDnsHeaderLength + kQuestionMax;
  if (message.size() < kDnsHeaderLength) return Probe::kMore;
  if (convincing(direction, message.first(std::min(message.size(), length)), length, server_port))
    return Probe::kYes;
  const bool possible =
      plausible_dns_header(message, length) && message.size() < std::min(needed, length);
  return possible ? Probe::kMore : Probe::kNo;
}

// At its own port a server passes over messages that are none, and so does this.
Probe probe_tcp(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  for (;;) {
    const Probe answer = probe_message(direction, bytes, server_port);
    if (answer != Probe::kNo || server_port != kPort) return answer;
    const size_t length = kLengthBytes + tunnels::load_be16(bytes.data());
    if (length > bytes.size()) return Probe::kMore;
    bytes = bytes.subspan(length);
  }
}

}  // namespace

ProtocolEntry dns_entry() {
  return {AppProtocol::kDns, false, true, probe_udp,
          []() -> std::unique_ptr<Parser> { return std::make_unique<DnsUdpParser>(); }};
}

ProtocolEntry dns_tcp_entry() {
  return {AppProtocol::kDns, true, false, probe_tcp,
          []() -> std::unique_ptr<Parser> { return std::make_unique<DnsTcpParser>(); }};
}

}  // namespace sluice::inspect
