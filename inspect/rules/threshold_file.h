// SPDX-License-Identifier: Apache-2.0
// Suricata's threshold.config: how often rules speak, without a change to the rules.
//
//   threshold gen_id 1, sig_id 2010, type limit, track by_src, count 1, seconds 60
//   rate_filter gen_id 1, sig_id 2011, track by_dst, count 9, seconds 5, new_action drop, timeout
//   30 suppress gen_id 1, sig_id 2012, track by_src, ip [10.0.0.0/8,!10.1.1.1]
//
// sig_id 0: all rules of that gen_id; both 0: all rules. event_filter is another word for
// threshold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "inspect/rules/loader.h"
#include "inspect/rules/threshold.h"
#include "inspect/rules/variables.h"
#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kThresholdFileMax = 16u << 20;
inline constexpr size_t kThresholdLinesMax = 65536;
inline constexpr size_t kThresholdLengthMax = 16 * 1024;
// Lines about more than one rule.
inline constexpr size_t kThresholdsForManyMax = 64;
// Of one rule.
inline constexpr size_t kSuppressionsMax = 256;

// No alert at all.
struct Silence {};

struct ThresholdLine {
  uint32_t gid = 0;  // 0: of any group
  uint32_t sid = 0;  // 0: all of the group
  std::variant<Threshold, RateFilter, std::shared_ptr<const Suppression>, Silence> what;
  std::string file;
  int line = 0;
};

struct ThresholdFile {
  std::vector<ThresholdLine> lines;
  std::vector<RefusedRule> refused;  // lines that cannot be honoured
};

// `name` stands for the file in messages.
ThresholdFile parse_thresholds(std::string_view text, const std::string& name,
                               const Variables& variables);
Result<ThresholdFile> read_thresholds(const std::string& path, const Variables& variables);

// As Suricata does: a threshold for one rule takes the place of the rule's own threshold or
// detection_filter; a rate_filter, and what is said of many rules at once, gives way to them. Lines
// that were refused, and those about a rule that is not there, join set.refused.
void apply_thresholds(ThresholdFile thresholds, RuleSet& set);

}  // namespace sluice::inspect
