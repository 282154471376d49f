// SPDX-License-Identifier: Apache-2.0
// Any bytes as a threshold.config: every line is taken or refused, and what is taken fits a rule.
#include "inspect/rules/threshold_file.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Variables variables = default_variables();
  RuleSet set;
  for (uint32_t sid = 1; sid <= 4; sid++) {
    set.rules.emplace_back().sid = sid;
    set.rules.back().gid = sid / 2 + 1;
  }
  apply_thresholds(parse_thresholds({reinterpret_cast<const char*>(data), size}, "fuzz", variables),
                   set);
  for (const RefusedRule& refused : set.refused)
    if (refused.reason.empty()) __builtin_trap();
  for (const Rule& rule : set.rules) {
    if (rule.suppressions.size() > kSuppressionsMax) __builtin_trap();
    if (rule.threshold && rule.rate_filter) __builtin_trap();
  }
  return 0;
}
