// SPDX-License-Identifier: Apache-2.0
// Rule files: every rule that can be honoured, and every one that cannot with its reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/classification.h"
#include "inspect/rules/notes.h"
#include "inspect/rules/rule.h"
#include "inspect/rules/sources.h"
#include "inspect/rules/text.h"
#include "inspect/rules/variables.h"
#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kRulesMax = 200'000;
inline constexpr size_t kRuleFileMax = 256u << 20;
// Bytes of a reason, which may quote the rule.
inline constexpr size_t kRefusedReasonMax = 512;

struct RefusedRule {
  std::string file;
  int line = 0;
  std::string reason;
  uint32_t sid = 0;  // 0: it could not be told

  // "file:line: reason"
  std::string text() const { return file + ":" + std::to_string(line) + ": " + reason; }
};

struct RuleSet {
  std::vector<Rule> rules;
  std::vector<RefusedRule> refused;
  // They require what is not here, and say so.
  std::vector<RefusedRule> skipped;
  // They run, and something about them is not as they say.
  std::vector<RefusedRule> warned;
};

class RuleLoader {
 public:
  // `names` goes on being used by the rules that know its numbers.
  RuleLoader(Variables variables, Classification classification, Names& names,
             RuleSources sources = {})
      : variables_(std::move(variables)),
        classification_(std::move(classification)),
        names_(names),
        sources_(std::move(sources)) {}

  // A file that cannot be read is an error; rules in it that cannot be honoured are in refused.
  Result<> load_file(const std::string& path);
  // `name` stands for the file in messages.
  Result<> load_text(std::string_view text, const std::string& name);

  // The rules in the order in which they win. Of a sid the newest revision is kept, of two equal
  // ones that which was loaded first; the other is refused.
  RuleSet take(const RuleOrder& order = {});

 private:
  WholeLines lines_of(const std::string& name);
  void add(std::string_view text, const std::string& name, int line);

  const Variables variables_;
  const Classification classification_;
  Names& names_;
  const RuleSources sources_;
  RuleSet set_;
};

}  // namespace sluice::inspect
