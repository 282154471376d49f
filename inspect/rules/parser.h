// SPDX-License-Identifier: Apache-2.0
// One rule in Suricata's language: action protocol source port -> destination port (options;).
//
// A rule is taken whole or refused whole, with the first reason found: an unsupported keyword, flag
// or protocol never leaves a rule that means something else than was written.
#pragma once

#include <string_view>

#include "inspect/rules/classification.h"
#include "inspect/rules/notes.h"
#include "inspect/rules/rule.h"
#include "inspect/rules/sources.h"
#include "inspect/rules/variables.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// Of one rule, continuation lines included.
inline constexpr size_t kRuleLengthMax = 16 * 1024;
inline constexpr size_t kRuleOptionsMax = 256;

// Of the rule's `requires` which one is not met; empty: all are. Asked before parse_rule(), because
// such a rule may say what is known elsewhere only.
Result<std::string> unmet_requirement_of(std::string_view rule);

Result<Rule> parse_rule(std::string_view text, const Variables& variables,
                        const Classification& classification, Names& names,
                        const RuleSources& sources = {});

}  // namespace sluice::inspect
