// SPDX-License-Identifier: Apache-2.0
// What a TLS handshake says beside its names: versions, and for how long a certificate is valid.
// Suricata userguide, "SSL/TLS Keywords".
#include <algorithm>
#include <ctime>

#include "inspect/app/tls_transaction.h"
#include "inspect/rules/keywords.h"
#include "inspect/rules/transaction_condition.h"

namespace sluice::inspect {
namespace {

template <class Test>
Result<> require_of_tls(RuleDraft& draft, Test test) {
  return require_of_transaction<TlsTransaction, AppProtocol::kTls>(draft, std::move(test));
}

// Of the direction that the rule is asked about; what is not known yet is none of them.
Result<> require_version(RuleDraft& draft, std::vector<uint16_t> versions, bool negated) {
  return require_of_tls(
      draft, [versions, negated](const TlsTransaction& tls, const RuleContext& c) {
        const uint16_t version = tls.version(c.direction);
        return version != 0 && (std::ranges::find(versions, version) != versions.end()) != negated;
      });
}

constexpr std::pair<std::string_view, uint16_t> kVersions[] = {
    {"sslv2", 0x0002},  {"sslv3", 0x0300},  {"tls1.0", 0x0301},
    {"tls1.1", 0x0302}, {"tls1.2", 0x0303}, {"tls1.3", 0x0304},
};

Result<uint16_t> version_named(const std::string& name) {
  for (const auto& [known, version] : kVersions)
    if (known == name) return version;
  return fail("version '" + name + "' is not supported");
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// [!]sslv3,tls1.0: the ! is about all of them.
Result<> apply_ssl_version(RuleDraft& draft, std::string_view value) {
  const bool negated = value.starts_with('!');
  std::vector<uint16_t> versions;
  for (const std::string_view name : comma_parts(value.substr(negated ? 1 : 0))) {
    SLUICE_TRY(const uint16_t version, version_named(lower_case(name)));
    versions.push_back(version);
  }
  if (versions.empty()) return fail("needs a version");
  return require_version(draft, std::move(versions), negated);
}

// [!]1.2, also in quotes.
Result<> apply_tls_version(RuleDraft& draft, std::string_view value) {
  const bool negated = value.starts_with('!');
  std::string name(trimmed_option(value.substr(negated ? 1 : 0)));
  if (name.starts_with('"')) {
    SLUICE_TRY(name, quoted_text(name));
  }
  SLUICE_TRY(const uint16_t version, version_named("tls" + name));
  return require_version(draft, {version}, negated);
}

// --- the server's certificate ---

// `test` takes the transaction and the time; asked about the server's direction alone.
template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  return require_of_tls(draft, [test](const TlsTransaction& tls, const RuleContext& c) {
    return c.direction == Direction::kToClient && test(tls, c.time_us);
  });
}

// As tls::Certificate writes times, so that they compare as texts.
std::string time_text(int64_t time_us) {
  const auto seconds = static_cast<time_t>(time_us / 1'000'000);
  std::tm parts{};
  char text[32];
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts)};
}

// 2015, 2015-10, 2015-10-22, and with T or a blank 23:59, 23:59:59: the first second of it.
Result<std::string> first_second(std::string_view value) {
  static constexpr std::string_view kFirst = "0000-01-01T00:00:00";
  static constexpr size_t kLengths[] = {4, 7, 10, 16, 19};
  std::string out(trimmed_option(value));
  const auto fits = [&](size_t i) {
    if (kFirst[i] == 'T') return out[i] == 'T' || out[i] == ' ';
    const bool digit = kFirst[i] != '-' && kFirst[i] != ':';
    return digit ? out[i] >= '0' && out[i] <= '9' : out[i] == kFirst[i];
  };
  bool good = std::ranges::find(kLengths, out.size()) != std::end(kLengths);
  for (size_t i = 0; good && i < out.size(); i++) good = fits(i);
  if (!good) return fail("'" + std::string(value) + "' is no time like 2015-10-22 23:59:59");
  if (out.size() > 10) out[10] = 'T';
  return out + std::string(kFirst.substr(out.size()));
}

// Strictly between the two; empty: no bound. Both the same: exactly then.
struct TimeRange {
  std::string after, before;
  bool contains(const std::string& time) const {
    if (time.empty()) return false;
    if (!after.empty() && after == before) return time == after;
    return time > after && (before.empty() || time < before);
  }
};

Result<TimeRange> time_range(std::string_view value) {
  TimeRange out;
  const size_t between = value.find("<>");
  if (between != std::string_view::npos) {
    SLUICE_TRY(out.after, first_second(value.substr(0, between)));
    SLUICE_TRY(out.before, first_second(value.substr(between + 2)));
    if (out.after >= out.before) return fail("the later time comes last");
    return out;
  }
  const char sign = value.empty() ? ' ' : value.front();
  SLUICE_TRY(const std::string time,
             first_second(value.substr(sign == '<' || sign == '>' ? 1 : 0)));
  if (sign != '<') out.after = time;
  if (sign != '>') out.before = time;
  return out;
}

Result<> require_time(RuleDraft& draft, std::string_view value,
                      std::string tls::Certificate::*which) {
  SLUICE_TRY(const TimeRange range, time_range(value));
  return require(draft, [range, which](const TlsTransaction& tls, int64_t) {
    const tls::Certificate* const found = tls.certificate(Direction::kToClient);
    return found != nullptr && range.contains(found->*which);
  });
}

Result<> apply_not_before(RuleDraft& draft, std::string_view value) {
  return require_time(draft, value, &tls::Certificate::not_before);
}
Result<> apply_not_after(RuleDraft& draft, std::string_view value) {
  return require_time(draft, value, &tls::Certificate::not_after);
}

Result<> require_expired(RuleDraft& draft, bool expired) {
  return require(draft, [expired](const TlsTransaction& tls, int64_t now_us) {
    const tls::Certificate* const found = tls.certificate(Direction::kToClient);
    return found != nullptr && !found->not_after.empty() &&
           (found->not_after < time_text(now_us)) == expired;
  });
}

Result<> apply_expired(RuleDraft& draft, std::string_view) { return require_expired(draft, true); }
Result<> apply_valid(RuleDraft& draft, std::string_view) { return require_expired(draft, false); }

Result<> apply_chain_length(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, kTlsChainMax - 1));
  return require(draft, [range](const TlsTransaction& tls, int64_t) {
    const size_t shown = tls.certificates_shown(Direction::kToClient);
    return shown != 0 && range.contains(shown);
  });
}

constexpr Keyword kKeywords[] = {
    {"ssl_version", KeywordValue::kRequired, apply_ssl_version,
     "any of sslv2, sslv3, tls1.0 to tls1.3; ! : none of them"},
    {"tls.version", KeywordValue::kRequired, apply_tls_version, "1.0 to 1.3; ! : another one"},
    {"tls_cert_notbefore", KeywordValue::kRequired, apply_not_before,
     "when it becomes valid: TIME, <TIME, >TIME, TIME<>TIME (2015-10-22, 2015-10-22 23:59:59)"},
    {"tls_cert_notafter", KeywordValue::kRequired, apply_not_after, "when it ends, the same"},
    {"tls_cert_expired", KeywordValue::kNone, apply_expired, "it has ended"},
    {"tls_cert_valid", KeywordValue::kNone, apply_valid, "it has not ended"},
    {"tls.cert_chain_len", KeywordValue::kRequired, apply_chain_length,
     "certificates that the server has shown"},
};

}  // namespace

std::span<const Keyword> tls_keywords() { return kKeywords; }

}  // namespace sluice::inspect
