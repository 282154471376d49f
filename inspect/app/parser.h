// SPDX-License-Identifier: Apache-2.0
// One connection's parser: bytes in order in, transactions out. It never throws, never blocks, and
// holds a bounded number of bytes whatever it is fed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "inspect/app/protocol.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

enum class Parsed : uint8_t {
  kMore,    // goes on
  kDone,    // nothing more to learn: what follows is encrypted, or of another kind
  kFailed,  // not this protocol, or too broken to go on
  kChange,  // from here on it is Parser::next_protocol() (STARTTLS, CONNECT, Upgrade); see rest()
};

class Parser {
 public:
  virtual ~Parser() = default;

  // The next bytes of one direction of a TCP connection, or one UDP datagram. After anything but
  // kMore it is not fed again.
  virtual Parsed feed(Direction direction, std::span<const uint8_t> bytes,
                      TransactionSink& sink) = 0;
  // `length` bytes were never seen here, though their receiver has them.
  virtual Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) = 0;
  // This direction has ended; at the end of the flow both. Open transactions are finished, and
  // ended when both directions are.
  virtual void end(Direction direction, TransactionSink& sink) = 0;

  // Bytes that it holds, about, itself among them; see memory.h.
  virtual size_t memory() const = 0;
  // The connection is silent: gives back what can be made again.
  virtual void rest() {}

  // kUnknown: any; kFailed: none that is understood, it says, but it may be wrong.
  virtual AppProtocol next_protocol() const { return AppProtocol::kUnknown; }
  // After kChange: what was fed and is of the next protocol, e.g. because both came in one segment.
  // It comes before what is fed next; valid as long as the parser.
  virtual std::span<const uint8_t> rest(Direction) const { return {}; }
};

// What the first bytes of a direction say.
enum class Probe : uint8_t { kMore, kNo, kYes };

// A protocol as the detector sees it. Recognised by content; ports are only a hint where the
// content cannot decide (an FTP and an SMTP banner both begin "220 ").
struct ProtocolEntry {
  AppProtocol protocol;
  bool tcp, udp;
  // `bytes` are the first ones of `direction`; `server_port` in host order.
  Probe (*probe)(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port);
  std::unique_ptr<Parser> (*make)();
  // A server refuses what is no such request and goes on: whatever its client has said, its own
  // first bytes tell.
  bool server_decides = false;
  // A server says nothing before it was asked.
  bool client_first = false;
};

// What each protocol's file offers; protocols.cc lists them.
ProtocolEntry http_entry();
ProtocolEntry http2_entry();
ProtocolEntry tls_entry();
ProtocolEntry dns_entry();      // over UDP
ProtocolEntry dns_tcp_entry();  // over TCP, where each message comes after its length
ProtocolEntry ssh_entry();
ProtocolEntry smtp_entry();
ProtocolEntry ftp_entry();
ProtocolEntry imap_entry();
ProtocolEntry smb_entry();

}  // namespace sluice::inspect
