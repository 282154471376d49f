// SPDX-License-Identifier: Apache-2.0
// A DNS query and its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "inspect/app/dns_message.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

class DnsTransaction final : public Transaction {
 public:
  explicit DnsTransaction(uint64_t id) : Transaction(AppProtocol::kDns, id) {}

  std::string_view event_type() const override { return "dns"; }
  bool logs_itself() const override { return true; }
  // "dns":{...}. While it is logged in version 2: a query's name ("type":"query"), or the answer.
  // Otherwise, as in alerts, all that the latest message holds, in version 3 ("type":"request" or
  // "response"), where the queries are a list.
  void write(JsonLine& line) const override;

  // What went in a direction; nullptr: nothing yet.
  const DnsMessage* message(Direction direction) const {
    const auto& message = messages_[static_cast<size_t>(direction)];
    return message ? &*message : nullptr;
  }
  // What dns.opcode, dns.rcode and dns.rrtype ask. `rrtype`: of a query in the client's direction,
  // of a record of the answers in the server's; nothing: there is no such one.
  std::optional<uint8_t> opcode(Direction direction) const;
  std::optional<uint8_t> rcode(Direction direction) const;
  std::optional<uint16_t> rrtype(Direction direction, size_t index) const;

  size_t memory() const;

  // Takes the message and tells all of it. `number`: which message of its connection it is.
  void tell(Direction direction, DnsMessage message, uint64_t number, TransactionSink& sink);

 private:
  void tell_names(Direction direction, const DnsMessage& message, TransactionSink& sink);
  void log_queries(const DnsMessage& message, TransactionSink& sink);

  void write_query(JsonLine& line, const DnsMessage& message) const;
  void write_message(JsonLine& line, const DnsMessage& message, bool alert) const;

  enum class Logging : uint8_t { kNo, kQuery, kAnswer };

  std::optional<DnsMessage> messages_[2];  // by Direction
  uint64_t numbers_[2] = {};
  Logging logging_ = Logging::kNo;
  size_t logged_query_ = 0;
};

}  // namespace sluice::inspect
