// SPDX-License-Identifier: Apache-2.0
// Where FTP's data go. Suricata userguide, "FTP/FTP-DATA Keywords".
#include <arpa/inet.h>

#include <algorithm>

#include "inspect/app/ftp_transaction.h"
#include "inspect/rules/keywords.h"
#include "inspect/rules/transaction_condition.h"

namespace sluice::inspect {
namespace {

// `test` takes what a command or its reply says of them, and where the rule is asked.
template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  return require_of_transaction<FtpTransaction, AppProtocol::kFtp>(
      draft, [test](const FtpTransaction& ftp, const RuleContext& context) {
        const auto& data = ftp.data_port();
        return data && test(*data, context);
      });
}

Result<> apply_dynamic_port(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 65535));
  return require(draft, [range](const FtpDataPort& data, const RuleContext&) {
    return range.contains(data.port);
  });
}

Result<> apply_mode(RuleDraft& draft, std::string_view value) {
  const bool active = value == "active";
  if (!active && value != "passive") return fail("the mode is active or passive");
  return require(draft, [active](const FtpDataPort& data, const RuleContext&) {
    return data.active == active;
  });
}

// The address as a flow has it; false: it is none.
bool read_address(const std::string& text, uint32_t (&words)[4]) {
  const bool v4 = text.find(':') == std::string::npos;
  return inet_pton(v4 ? AF_INET : AF_INET6, text.c_str(), words) == 1;
}

// A client that lets the server connect to somebody else.
Result<> apply_bounce(RuleDraft& draft, std::string_view) {
  return require(draft, [](const FtpDataPort& data, const RuleContext& context) {
    uint32_t words[4] = {};
    return data.active && read_address(data.address, words) &&
           !std::ranges::equal(words, context.flow.to_server.source);
  });
}

constexpr Keyword kKeywords[] = {
    {"ftp.dynamic_port", KeywordValue::kRequired, apply_dynamic_port, "the port for data"},
    {"ftp.mode", KeywordValue::kRequired, apply_mode,
     "active: the server connects for data; passive: the client"},
    {"ftpbounce", KeywordValue::kNone, apply_bounce,
     "the server is to connect to somebody else than its client"},
};

}  // namespace

std::span<const Keyword> ftp_keywords() { return kKeywords; }

}  // namespace sluice::inspect
