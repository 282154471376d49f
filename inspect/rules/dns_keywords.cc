// SPDX-License-Identifier: Apache-2.0
// What a DNS message says beside its names. Suricata userguide, "DNS Keywords".
#include "inspect/app/dns_transaction.h"
#include "inspect/rules/keywords.h"
#include "inspect/rules/transaction_condition.h"

namespace sluice::inspect {
namespace {

// `test` takes the transaction and the direction of the message that the rule is asked about.
template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  return require_of_transaction<DnsTransaction, AppProtocol::kDns>(
      draft, [test](const DnsTransaction& dns, const RuleContext& context) {
        return test(dns, context.direction);
      });
}

Result<> apply_opcode(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 15));
  return require(draft, [range](const DnsTransaction& dns, Direction direction) {
    const auto opcode = dns.opcode(direction);
    return opcode && range.contains(*opcode);
  });
}

Result<> apply_rcode(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 15));
  return require(draft, [range](const DnsTransaction& dns, Direction direction) {
    const auto rcode = dns.rcode(direction);
    return rcode && range.contains(*rcode);
  });
}

// Of any question in a query, of any answer in a response.
Result<> apply_rrtype(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 65535));
  return require(draft, [range](const DnsTransaction& dns, Direction direction) {
    for (size_t i = 0;; i++) {
      const auto type = dns.rrtype(direction, i);
      if (!type || range.contains(*type)) return type.has_value();
    }
  });
}

constexpr Keyword kKeywords[] = {
    {"dns.opcode", KeywordValue::kRequired, apply_opcode, "the operation, a number"},
    {"dns.rcode", KeywordValue::kRequired, apply_rcode, "the response code, a number"},
    {"dns.rrtype", KeywordValue::kRequired, apply_rrtype,
     "the type of a question or of an answer, a number"},
};

}  // namespace

std::span<const Keyword> dns_keywords() { return kKeywords; }

}  // namespace sluice::inspect
