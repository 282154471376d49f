// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/dns_transaction.h"

#include <algorithm>

#include "inspect/app/dns_text.h"
#include "inspect/app/memory.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

struct Fault {
  uint8_t bit;
  std::string_view event;
};

constexpr Fault kFaults[] = {
    {kDnsMalformed, "malformed_data"},
    {kDnsNameTooLong, "name_too_long"},
    {kDnsPointerLoop, "infinite_loop"},
    {kDnsTooManyRecords, "too_many_records"},
};
constexpr uint8_t kOpcodeMax = 6;
constexpr size_t kQueriesLoggedMax = 32;  // of a message, an event each

size_t index_of(Direction direction) { return static_cast<size_t>(direction); }

Buffer buffer_of(DnsSection section) {
  switch (section) {
    case DnsSection::kAnswers:
      return Buffer::kDnsAnswersName;
    case DnsSection::kAuthorities:
      return Buffer::kDnsAuthoritiesName;
    case DnsSection::kAdditionals:
      break;
  }
  return Buffer::kDnsAdditionalsName;
}

}  // namespace

std::optional<uint8_t> DnsTransaction::opcode(Direction direction) const {
  const DnsMessage* const m = message(direction);
  return m == nullptr ? std::nullopt : std::optional(m->opcode());
}

std::optional<uint8_t> DnsTransaction::rcode(Direction direction) const {
  const DnsMessage* const m = message(direction);
  return m == nullptr ? std::nullopt : std::optional(m->rcode());
}

std::optional<uint16_t> DnsTransaction::rrtype(Direction direction, size_t index) const {
  const DnsMessage* const m = message(direction);
  if (m == nullptr) return std::nullopt;
  if (direction == Direction::kToServer)
    return index < m->queries.size() ? std::optional(m->queries[index].type) : std::nullopt;
  if (index >= m->records.size() || m->records[index].section != DnsSection::kAnswers)
    return std::nullopt;
  return m->records[index].type;
}

size_t DnsTransaction::memory() const {
  size_t bytes = sizeof(*this);
  for (const auto& message : messages_) {
    if (message)
      bytes += heap_of(message->text) + heap_of(message->queries) + heap_of(message->records);
  }
  return bytes;
}

void DnsTransaction::tell(Direction direction, DnsMessage message, uint64_t number,
                          TransactionSink& sink) {
  numbers_[index_of(direction)] = number;
  const DnsMessage& m = messages_[index_of(direction)].emplace(std::move(message));
  for (const Fault& fault : kFaults)
    if ((m.faults & fault.bit) != 0) sink.event(this, direction, fault.event);
  if ((m.flags & kDnsZ) != 0) sink.event(this, direction, "z_flag_set");
  if (m.opcode() > kOpcodeMax) sink.event(this, direction, "invalid_opcode");
  tell_names(direction, m, sink);
  sink.finished(*this, direction);
  if (sink.logs_dns_messages()) {
    sink.log(*this, direction);
    return;
  }
  if (direction == Direction::kToServer) {
    log_queries(m, sink);
    return;
  }
  logging_ = Logging::kAnswer;
  sink.log(*this, direction);
  logging_ = Logging::kNo;
}

void DnsTransaction::tell_names(Direction direction, const DnsMessage& message,
                                TransactionSink& sink) {
  const bool response = direction == Direction::kToClient;
  const bool wants_all = response && sink.wants(Buffer::kDnsResponseName);
  const auto tell_one = [&](Buffer buffer, DnsText name) {
    const std::string_view text = message.view(name);
    sink.buffer(*this, direction, buffer,
                {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  for (const DnsQuestion& query : message.queries) {
    if (!response && sink.wants(Buffer::kDnsQuery)) tell_one(Buffer::kDnsQuery, query.name);
    if (sink.wants(Buffer::kDnsQueriesName)) tell_one(Buffer::kDnsQueriesName, query.name);
    if (wants_all) tell_one(Buffer::kDnsResponseName, query.name);
  }
  for (const DnsRecord& record : message.records) {
    const Buffer buffer = buffer_of(record.section);
    if (sink.wants(buffer)) tell_one(buffer, record.name);
    if (!wants_all) continue;
    tell_one(Buffer::kDnsResponseName, record.name);
    if (record.target.length != 0) tell_one(Buffer::kDnsResponseName, record.target);
  }
}

void DnsTransaction::log_queries(const DnsMessage& message, TransactionSink& sink) {
  logging_ = Logging::kQuery;
  const size_t count = std::min(message.queries.size(), kQueriesLoggedMax);
  for (logged_query_ = 0; logged_query_ < count; logged_query_++)
    sink.log(*this, Direction::kToServer);
  logging_ = Logging::kNo;
}

void DnsTransaction::write(JsonLine& line) const {
  const DnsMessage* const query = message(Direction::kToServer);
  const DnsMessage* const answer = message(Direction::kToClient);
  line.open("dns");
  if (logging_ == Logging::kQuery)
    write_query(line, *query);
  else if (answer != nullptr || query != nullptr)
    write_message(line, answer != nullptr ? *answer : *query, logging_ == Logging::kNo);
  line.close();
}

void DnsTransaction::write_query(JsonLine& line, const DnsMessage& message) const {
  const DnsQuestion& query = message.queries[logged_query_];
  line.string("type", "query");
  line.unsigned_number("id", message.id);
  line.string("rrname", message.view(query.name));
  line.string("rrtype", dns_type_text(query.type));
  line.unsigned_number("tx_id", numbers_[index_of(Direction::kToServer)]);
  line.unsigned_number("opcode", message.opcode());
}

void DnsTransaction::write_message(JsonLine& line, const DnsMessage& message, bool alert) const {
  const bool response = message.is_response();
  line.unsigned_number("version", alert ? 3 : 2);
  line.string("type", !alert ? "answer" : response ? "response" : "request");
  if (alert) {
    const auto direction = response ? Direction::kToClient : Direction::kToServer;
    line.unsigned_number("tx_id", numbers_[index_of(direction)]);
  }
  line.unsigned_number("id", message.id);
  write_dns_flags(line, message);
  if (!alert && !message.queries.empty()) {
    line.string("rrname", message.view(message.queries[0].name));
    line.string("rrtype", dns_type_text(message.queries[0].type));
  }
  line.string("rcode", dns_rcode_text(message.rcode()));
  if (alert) write_dns_queries(line, message);
  write_dns_section(line, message, DnsSection::kAnswers, "answers");
  write_dns_grouped(line, message);
  write_dns_section(line, message, DnsSection::kAuthorities, "authorities");
  if (alert) write_dns_section(line, message, DnsSection::kAdditionals, "additionals");
}

}  // namespace sluice::inspect
