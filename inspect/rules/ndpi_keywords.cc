// SPDX-License-Identifier: Apache-2.0
// What nDPI says of a flow: ndpi-protocol, ndpi-risk. Suricata userguide, "nDPI".
#include <algorithm>

#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

// As long as nothing is known, a rule that says "not" does not hold either.
template <class Test>
class ClassificationCondition final : public Condition {
 public:
  ClassificationCondition(Test test, bool negated) : test_(std::move(test)), negated_(negated) {}
  bool holds(const RuleContext& context) const override {
    return context.classified.application != 0 && test_(context.classified) != negated_;
  }
  bool told_later() const override { return true; }
  bool about_packet() const override { return true; }
  bool about_classification() const override { return true; }

 private:
  const Test test_;
  const bool negated_;
};

template <class Test>
Result<> require(RuleDraft& draft, bool negated, Test test) {
  draft.rule.conditions.push_back(
      std::make_shared<ClassificationCondition<Test>>(std::move(test), negated));
  return {};
}

// [!]NAME[,NAME ...]
struct NameList {
  bool negated = false;
  std::vector<std::string_view> names;
};

Result<NameList> read_names(const RuleDraft& draft, std::string_view value) {
  if (draft.sources.applications == nullptr) return fail("nDPI is not here");
  NameList out;
  out.negated = value.starts_with('!');
  out.names = comma_parts(value.substr(out.negated ? 1 : 0));
  if (out.names.empty()) return fail("needs a name");
  return out;
}

bool fits(const ApplicationNames::Found& wanted, const Classified& is) {
  if (wanted.master != 0) return wanted.master == is.master && wanted.application == is.application;
  return wanted.application == is.application || wanted.application == is.master;
}

Result<> apply_ndpi_protocol(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const auto read, read_names(draft, value));
  std::vector<ApplicationNames::Found> wanted;
  for (const std::string_view name : read.names) {
    SLUICE_TRY(const auto found, draft.sources.applications->application(name));
    wanted.push_back(found);
  }
  return require(draft, read.negated, [wanted](const Classified& is) {
    return std::ranges::any_of(wanted, [&](const auto& one) { return fits(one, is); });
  });
}

Result<> apply_ndpi_risk(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const auto read, read_names(draft, value));
  uint64_t wanted = 0;
  for (const std::string_view name : read.names) {
    SLUICE_TRY(const uint8_t risk, draft.sources.applications->risk(name));
    wanted |= uint64_t{1} << risk;
  }
  return require(draft, read.negated,
                 [wanted](const Classified& is) { return (is.risks & wanted) != 0; });
}

constexpr Keyword kKeywords[] = {
    {"ndpi-protocol", KeywordValue::kRequired, apply_ndpi_protocol,
     "nDPI knows the flow as one of these: TLS.YouTube, YouTube; ! : as another"},
    {"ndpi-risk", KeywordValue::kRequired, apply_ndpi_risk,
     "nDPI sees one of these risks in the flow; ! : none of them"},
};

}  // namespace

std::span<const Keyword> ndpi_keywords() { return kKeywords; }

}  // namespace sluice::inspect
