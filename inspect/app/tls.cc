// SPDX-License-Identifier: Apache-2.0
// TLS over TCP: records, and the handshake messages in them, however they are cut. It is over when
// both sides encrypt.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "inspect/app/memory.h"
#include "inspect/app/parser.h"
#include "inspect/app/tls_transaction.h"
#include "tunnels/integers.h"

namespace sluice::inspect {
namespace {

constexpr size_t kRecordHeader = 5;
constexpr size_t kRecordLengthMax = 16384 + 2048;  // RFC 5246, 6.2.3
constexpr size_t kMessageHeader = 4;
constexpr size_t kMessageMax =
    64 << 10;  // of a handshake, but for a ClientHello; then it is skipped
constexpr size_t kFrontLength = 3;
constexpr size_t kHeartbeatPaddingMin = 16;  // RFC 6520, 4
constexpr uint8_t kAlertFatal = 2;
constexpr uint8_t kMajorVersion = 3;     // of a record; servers do not look at the minor one
constexpr uint8_t kMinorVersionMax = 4;  // that an SSLv2 hello offers
constexpr size_t kEmptyRecordsMax = 32;  // before a hello; OpenSSL takes no more

enum RecordType : uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
  kHeartbeat = 24,
};

enum HandshakeType : uint8_t {
  kClientHello = 1,
  kServerHello = 2,
  kCertificate = 11,
};

constexpr uint8_t kHandshakeTypeMax = 25;  // the last of IANA's registry but message_hash, 254
constexpr size_t kFaultsMax = 16;          // of a connection; then it is none of ours

// SSLv2: two bytes of length, the message's type, and the client's version or what the server says
// of the session and of its certificate.
constexpr size_t kSslv2Header = 5;
constexpr size_t kSslv2LengthMin = 9;
constexpr size_t kSslv2LengthMax = 4096;
constexpr uint8_t kSslv2ClientHello = 1;
constexpr uint8_t kSslv2ServerHello = 4;
constexpr uint16_t kVersionSslv2 = 2;

// The first bytes may be those of an SSLv2 hello; for five of them that is sure.
bool begins_sslv2(Direction direction, std::span<const uint8_t> bytes) {
  const bool client = direction == Direction::kToServer;
  if (!bytes.empty() && (bytes[0] & 0x80) == 0) return false;
  const uint8_t hello = client ? kSslv2ClientHello : kSslv2ServerHello;
  if (bytes.size() > 2 && bytes[2] != hello) return false;
  if (bytes.size() < kSslv2Header) return true;
  if (!client) return bytes[3] <= 1 && bytes[4] <= 1;
  return bytes[3] == kMajorVersion ? bytes[4] <= kMinorVersionMax
                                   : tunnels::load_be16(&bytes[3]) == kVersionSslv2;
}

class TlsParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    if (transaction_ == nullptr) transaction_ = std::make_unique<TlsTransaction>();
    Side& side = sides_[static_cast<size_t>(direction)];
    while (!bytes.empty()) {
      const bool good = side.in_record() ? body(direction, side, bytes, sink)
                                         : header(direction, side, bytes, sink);
      if (!good) return close(Parsed::kFailed, sink);
      if (sides_[0].encrypted && sides_[1].encrypted) return close(Parsed::kDone, sink);
    }
    return Parsed::kMore;
  }

  // What is missing may be where the next record begins.
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
    return sizeof(*this) + heap_of(sides_[0].message) + heap_of(sides_[1].message) +
           (transaction_ ? transaction_->memory() + kTransactionNotesBytes : 0);
  }

 private:
  struct Side {
    uint8_t header[kRecordHeader];
    size_t header_length = 0;
    size_t record_length = 0;
    size_t record_left = 0;
    bool sslv2 = false;            // the record is one of SSLv2
    bool begun = false;            // its first bytes have come
    std::vector<uint8_t> message;  // of the handshake, which goes on in later records
    size_t skip = 0;               // bytes of a message that is too long
    uint8_t front[kFrontLength];   // what an alert or a heartbeat begins with
    size_t front_length = 0;
    bool encrypted = false;
    bool finished = false;
    bool ended = false;

    bool in_record() const { return record_left != 0; }
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

  bool fail(Direction direction, std::string_view event, TransactionSink& sink) {
    sink.event(transaction_.get(), direction, event);
    return false;
  }

  bool header(Direction direction, Side& side, std::span<const uint8_t>& bytes,
              TransactionSink& sink) {
    const size_t count = std::min(kRecordHeader - side.header_length, bytes.size());
    std::memcpy(side.header + side.header_length, bytes.data(), count);
    side.header_length += count;
    bytes = bytes.subspan(count);
    const std::span<const uint8_t> header(side.header, side.header_length);
    if (!side.begun && begins_sslv2(direction, header))
      return header.size() < kRecordHeader || sslv2(direction, side, sink);
    if (header[0] < kChangeCipherSpec || header[0] > kHeartbeat)
      return fail(direction, "invalid_record_type", sink);
    if (header.size() > 1 && header[1] != kMajorVersion)
      return fail(direction, "invalid_record_version", sink);
    if (header.size() < kRecordHeader) return true;
    side.begun = true;
    side.header_length = 0;
    side.front_length = 0;
    side.sslv2 = false;
    side.record_length = side.record_left = tunnels::load_be16(&side.header[3]);
    if (side.record_left > kRecordLengthMax) return fail(direction, "invalid_tls_header", sink);
    if (header[0] == kApplicationData) encrypts(direction, side, sink);
    return true;
  }

  bool sslv2(Direction direction, Side& side, TransactionSink& sink) {
    const size_t length = size_t{side.header[0] & 0x7fu} << 8 | side.header[1];
    if (length < kSslv2LengthMin || length > kSslv2LengthMax)
      return fail(direction, "invalid_sslv2_header", sink);
    if (direction == Direction::kToClient) {  // all that follows is of SSLv2
      transaction_->sslv2_hello(direction, kVersionSslv2);
      sides_[0].encrypted = sides_[1].encrypted = true;
      return true;
    }
    transaction_->sslv2_hello(direction, tunnels::load_be16(&side.header[3]));
    side.begun = side.sslv2 = true;
    side.header_length = 0;
    side.record_left = length - (kSslv2Header - 2);
    return true;
  }

  // A part of a record's content, up to its end.
  bool body(Direction direction, Side& side, std::span<const uint8_t>& bytes,
            TransactionSink& sink) {
    const auto part = bytes.first(std::min(side.record_left, bytes.size()));
    bytes = bytes.subspan(part.size());
    side.record_left -= part.size();
    if (side.sslv2) return true;
    switch (side.header[0]) {
      case kHandshake:
        return side.encrypted || handshake(direction, side, part, sink);
      case kChangeCipherSpec:
        // In TLS 1.3 it means nothing and may come before a second ClientHello.
        if (!tls::is_tls13(transaction_->version(Direction::kToClient)))
          encrypts(direction, side, sink);
        return true;
      case kAlert:
      case kHeartbeat:
        return side.encrypted || front(direction, side, part, sink);
      default:
        return true;
    }
  }

  void encrypts(Direction direction, Side& side, TransactionSink& sink) {
    if (side.encrypted) return;
    side.encrypted = true;
    side.message = {};
    if (direction == Direction::kToClient) transaction_->server_encrypts();
    finish(direction, sink);
  }

  // Alerts and heartbeats are judged by their first bytes.
  bool front(Direction direction, Side& side, std::span<const uint8_t> part,
             TransactionSink& sink) {
    const size_t wanted = std::min(kFrontLength, side.record_length);
    if (side.front_length == wanted) return true;
    for (const uint8_t byte : part.first(std::min(part.size(), wanted - side.front_length)))
      side.front[side.front_length++] = byte;
    if (side.front_length < wanted) return true;
    if (side.header[0] == kHeartbeat) return heartbeat(direction, side, sink);
    return side.front[0] != kAlertFatal || fault(direction, "error_message_encountered", sink);
  }

  // RFC 6520, 4: a type, the length of the payload, the payload, padding. One that says it has more
  // than it brings asks for what is in the memory behind it.
  bool heartbeat(Direction direction, Side& side, TransactionSink& sink) {
    if (side.record_length < kFrontLength)
      return fault(direction, "invalid_heartbeat_message", sink);
    const size_t payload = tunnels::load_be16(&side.front[1]);
    if (kFrontLength + payload + kHeartbeatPaddingMin > side.record_length)
      return fault(direction, "overflow_heartbeat_message", sink);
    return fault(direction, "heartbeat_message", sink);
  }

  bool handshake(Direction direction, Side& side, std::span<const uint8_t> part,
                 TransactionSink& sink) {
    while (!part.empty()) {
      if (side.skip != 0) {
        const size_t count = std::min(side.skip, part.size());
        side.skip -= count;
        part = part.subspan(count);
        continue;
      }
      const bool whole = side.message.empty() && part.size() >= kMessageHeader &&
                         message_length(part) <= part.size();
      if (whole) {
        const auto message = part.first(message_length(part));
        part = part.subspan(message.size());
        if (!handshake_message(direction, message, sink)) return false;
      } else if (!gather(direction, side, part, sink)) {
        return false;
      }
    }
    return true;
  }

  // Adds to a message that does not lie in one piece.
  bool gather(Direction direction, Side& side, std::span<const uint8_t>& part,
              TransactionSink& sink) {
    const size_t have = side.message.size();
    const size_t wanted = have < kMessageHeader ? kMessageHeader : message_length(side.message);
    const auto taken = part.first(std::min(wanted - have, part.size()));
    side.message.insert(side.message.end(), taken.begin(), taken.end());
    part = part.subspan(taken.size());
    if (side.message.size() < kMessageHeader) return true;
    const size_t length = message_length(side.message);
    const bool hello = side.message[0] == kClientHello && direction == Direction::kToServer;
    if (length > (hello ? kMessageHeader + tls::kHelloLengthMax : kMessageMax)) {
      side.skip = length - side.message.size();
      side.message = {};
      return fault(direction, "handshake_invalid_length", sink);
    }
    if (side.message.size() < length) return true;
    const auto message = std::exchange(side.message, {});
    return handshake_message(direction, message, sink);
  }

  static size_t message_length(std::span<const uint8_t> message) {
    return kMessageHeader + (size_t{message[1]} << 16 | size_t{message[2]} << 8 | message[3]);
  }

  bool handshake_message(Direction direction, std::span<const uint8_t> message,
                         TransactionSink& sink) {
    const uint8_t type = message[0];
    if (type == kClientHello && direction == Direction::kToServer)
      return told(direction, transaction_->client_hello(message, sink), sink);
    if (type == kServerHello && direction == Direction::kToClient)
      return told(direction, transaction_->server_hello(message, sink), sink);
    if (type == kCertificate)
      return told(direction, transaction_->certificates(direction, message, sink), sink);
    if (type == kClientHello || type == kServerHello || type > kHandshakeTypeMax)
      return fault(direction, "invalid_handshake_message", sink);
    return true;
  }

  // Rules about what the message says need not wait for the rest of the handshake.
  bool told(Direction direction, bool good, TransactionSink& sink) {
    sink.headers_known(*transaction_, direction);
    return good || broken();
  }

  // What is wrong is told. False when that has happened too often.
  bool fault(Direction direction, std::string_view event, TransactionSink& sink) {
    sink.event(transaction_.get(), direction, event);
    return broken();
  }
  bool broken() { return ++faults_ < kFaultsMax; }

  std::unique_ptr<TlsTransaction> transaction_;
  Side sides_[2];  // by Direction
  size_t faults_ = 0;
};

// What a record with nothing in it would begin with, up to the end of `bytes` or of that header.
// Servers pass over those of a handshake and of ChangeCipherSpec.
bool begins_empty(std::span<const uint8_t> bytes) {
  static constexpr uint8_t kEmpty[] = {kHandshake, kMajorVersion, 0, 0, 0};
  for (size_t i = 0; i < std::min(bytes.size(), kRecordHeader); i++) {
    const bool passes = i == 2 || (i == 0 && bytes[0] == kChangeCipherSpec);
    if (!passes && bytes[i] != kEmpty[i]) return false;
  }
  return true;
}

Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t) {
  const uint8_t hello = direction == Direction::kToServer ? kClientHello : kServerHello;
  if (begins_sslv2(direction, bytes) && !bytes.empty())
    return bytes.size() < kSslv2Header ? Probe::kMore : Probe::kYes;
  for (size_t i = 0; i < kEmptyRecordsMax && begins_empty(bytes); i++)
    bytes = bytes.subspan(std::min(bytes.size(), kRecordHeader));
  if (bytes.empty()) return Probe::kMore;
  if (bytes[0] != kHandshake && (bytes[0] != kAlert || direction == Direction::kToServer))
    return Probe::kNo;
  if (bytes.size() > 1 && bytes[1] != kMajorVersion) return Probe::kNo;
  if (bytes.size() <= kRecordHeader) return Probe::kMore;
  const size_t length = tunnels::load_be16(&bytes[3]);
  if (length == 0 || length > kRecordLengthMax) return Probe::kNo;
  if (bytes[0] == kAlert) return length == 2 ? Probe::kYes : Probe::kNo;
  return bytes[kRecordHeader] == hello ? Probe::kYes : Probe::kNo;
}

}  // namespace

ProtocolEntry tls_entry() {
  return {AppProtocol::kTls,
          true,
          false,
          probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<TlsParser>(); },
          /*server_decides=*/false,
          /*client_first=*/true};
}

}  // namespace sluice::inspect
