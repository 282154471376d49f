// SPDX-License-Identifier: Apache-2.0
// A request and its answer, as a parser tells them to whoever inspects and logs: piece by piece,
// while the packets that carry them can still be dropped.
//
//   HTTP: one request and its response.     DNS: one query and its response.
//   TLS: the handshake of a connection.     SMTP: one mail. FTP: one command and its reply.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "inspect/app/buffer.h"
#include "inspect/app/protocol.h"
#include "inspect/stream/flow.h"

namespace sluice::inspect {

class JsonLine;

// What the inspection remembers about a transaction; its own type, not the parser's affair.
class TransactionNotes {
 public:
  virtual ~TransactionNotes() = default;
};

class Transaction {
 public:
  Transaction(AppProtocol protocol, uint64_t id) : protocol_(protocol), id_(id) {}
  virtual ~Transaction() = default;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  AppProtocol protocol() const { return protocol_; }
  uint64_t id() const { return id_; }  // 0, 1, ... in its connection

  // EVE's event_type for it: "http", "dns", "tls" ...
  virtual std::string_view event_type() const = 0;
  // The objects that say what is known so far, e.g. "http":{...}, with Suricata's field names; in
  // events about this transaction, alerts included.
  virtual void write(JsonLine& line) const = 0;
  // The same in its own event if that is not `extended`.
  virtual void write_brief(JsonLine& line) const { write(line); }

  // True: its parser says when to log it, by TransactionSink::log. Else it is logged when it ends.
  virtual bool logs_itself() const { return false; }

  std::unique_ptr<TransactionNotes> notes;

 private:
  const AppProtocol protocol_;
  const uint64_t id_;
};

// How a file ended.
enum class FileEnd : uint8_t {
  kClosed,     // as its protocol says
  kTruncated,  // broken off, or longer than what is looked at
};

// Whom a parser tells. Everything is told as soon as it is known, in the order of the bytes.
class TransactionSink {
 public:
  virtual ~TransactionSink() = default;

  // False: nobody looks at this buffer, so that it need not be made.
  virtual bool wants(Buffer buffer) const = 0;

  // Whether a DNS message is logged as one event, as Suricata's version 3 of them says it; else, as
  // in version 2, each query is one.
  virtual bool logs_dns_messages() const { return false; }

  // A whole buffer (kWhole, kMany). `bytes` stay as they are until the transaction is destroyed.
  virtual void buffer(Transaction& transaction, Direction direction, Buffer buffer,
                      std::span<const uint8_t> bytes) = 0;
  // The next bytes of a streamed buffer, valid during the call. `begins`: of another file or body.
  virtual void piece(Transaction& transaction, Direction direction, Buffer buffer,
                     std::span<const uint8_t> bytes, bool begins) = 0;
  // The files of a direction, one after the other; their content comes as pieces of kFileData
  // between the first two. Who does not look at files need not know.
  virtual void file_begins(Transaction&, Direction, [[maybe_unused]] std::string_view name) {}
  virtual void file_gap(Transaction&, Direction, [[maybe_unused]] uint64_t length) {}
  virtual void file_ends(Transaction&, Direction, FileEnd) {}

  // HTTP: its headers have been told, so that a header that was not is not there.
  virtual void headers_known(Transaction&, Direction) {}
  // This direction of the transaction has said all: what was not told is not there.
  virtual void finished(Transaction& transaction, Direction direction) = 0;
  // Something to log now that is not one event at the end, e.g. a DNS query before its answer:
  // `write` on the transaction writes it.
  virtual void log(Transaction& transaction, Direction direction) = 0;
  // It is over and about to be destroyed.
  virtual void ended(Transaction& transaction) = 0;
  // Something that an honest peer does not do, by Suricata's event name without the protocol:
  // "request_header_repetition" (what `app-layer-event:http.NAME` asks). `transaction` may be null.
  virtual void event(Transaction* transaction, Direction direction, std::string_view name) = 0;
};

}  // namespace sluice::inspect
