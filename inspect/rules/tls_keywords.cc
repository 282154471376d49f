// SPDX-License-Identifier: Apache-2.0
// What a TLS handshake says beside its names: ssl_version, tls.version. Suricata userguide,
// "SSL/TLS Keywords".
#include <algorithm>

#include "inspect/app/tls_transaction.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

// Of the direction that the rule is asked about; what is not known yet is none of them.
class TlsVersionCondition final : public Condition {
 public:
  TlsVersionCondition(std::vector<uint16_t> versions, bool negated)
      : versions_(std::move(versions)), negated_(negated) {}
  bool holds(const RuleContext& context) const override {
    if (context.transaction == nullptr || context.transaction->protocol() != AppProtocol::kTls)
      return false;
    const auto& tls = static_cast<const TlsTransaction&>(*context.transaction);
    const uint16_t version = tls.version(context.direction);
    if (version == 0) return false;
    return (std::ranges::find(versions_, version) != versions_.end()) != negated_;
  }
  AppProtocol about_transaction() const override { return AppProtocol::kTls; }

 private:
  const std::vector<uint16_t> versions_;
  const bool negated_;
};

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
  draft.rule.conditions.push_back(
      std::make_shared<TlsVersionCondition>(std::move(versions), negated));
  return {};
}

// [!]1.2, also in quotes.
Result<> apply_tls_version(RuleDraft& draft, std::string_view value) {
  const bool negated = value.starts_with('!');
  std::string name(trimmed_option(value.substr(negated ? 1 : 0)));
  if (name.starts_with('"')) {
    SLUICE_TRY(name, quoted_text(name));
  }
  SLUICE_TRY(const uint16_t version, version_named("tls" + name));
  draft.rule.conditions.push_back(
      std::make_shared<TlsVersionCondition>(std::vector{version}, negated));
  return {};
}

constexpr Keyword kKeywords[] = {
    {"ssl_version", KeywordValue::kRequired, apply_ssl_version,
     "any of sslv2, sslv3, tls1.0 to tls1.3; ! : none of them"},
    {"tls.version", KeywordValue::kRequired, apply_tls_version, "1.0 to 1.3; ! : another one"},
};

}  // namespace

std::span<const Keyword> tls_keywords() { return kKeywords; }

}  // namespace sluice::inspect
