// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/rule_groups.h"

#include <algorithm>

#include "inspect/match/fast_pattern.h"
#include "inspect/match/port_classes.h"

namespace sluice::inspect {

Result<> RuleGroup::prepare(PrefilterScratch& scratch) const {
  return prefilter ? prefilter->prepare(scratch) : Result<>{};
}

void GroupBuilder::add(const Content* content, uint32_t index, uint64_t end_min) {
  if (content == nullptr) {
    group_.always.push_back({index, end_min});
  } else {
    patterns_.push_back({fast_pattern_bytes(*content), content->nocase, index});
  }
}

Result<RuleGroup> GroupBuilder::build(DatabaseCache* cache) {
  std::ranges::stable_sort(group_.always, {}, &UnsearchedRule::end_min);
  if (!patterns_.empty()) {
    SLUICE_TRY(group_.prefilter, Prefilter::compile(std::move(patterns_), cache));
  }
  return std::move(group_);
}

size_t PortGroups::database_bytes() const {
  size_t bytes = any_.database_bytes();
  for (const RuleGroup& group : named_) bytes += group.database_bytes();
  return bytes;
}

Result<> PortGroups::prepare(PrefilterScratch& scratch) const {
  for (const RuleGroup& group : named_) SLUICE_TRY_VOID(group.prepare(scratch));
  return any_.prepare(scratch);
}

void PortGroupsBuilder::add(const PortList& ports, const Content* content, uint32_t index,
                            uint64_t end_min) {
  entries_.push_back({&ports, content, index, end_min});
}

Result<PortGroups> PortGroupsBuilder::build(DatabaseCache* cache) {
  std::vector<PortRule> rules;
  for (uint32_t i = 0; i < entries_.size(); i++) rules.push_back({i, entries_[i].ports});
  PortClasses classes = classify_ports(rules);
  const auto group_of = [&](const std::vector<uint32_t>& numbers) {
    GroupBuilder builder;
    for (const uint32_t i : numbers)
      builder.add(entries_[i].content, entries_[i].rule, entries_[i].end_min);
    return builder.build(cache);
  };
  PortGroups out;
  SLUICE_TRY(out.any_, group_of(classes.any));
  for (const auto& numbers : classes.named) {
    SLUICE_TRY(RuleGroup group, group_of(numbers));
    out.named_.push_back(std::move(group));
  }
  out.class_of_ = std::move(classes.class_of);
  return out;
}

}  // namespace sluice::inspect
