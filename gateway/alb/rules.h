// SPDX-License-Identifier: Apache-2.0
// Which target group a request goes to: the rules of a listener, lowest priority first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"

namespace sluice::gateway {

// * stands for any characters or none, ? for exactly one. Time is at most pattern times text.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case);

class RuleTable {
 public:
  struct Match {
    uint32_t priority;  // 0: the default action
    size_t group;       // as numbered by `group_number`
  };

  RuleTable() = default;

  // group_number: from the name of a target group to whatever number the caller keeps it under.
  template <class GroupNumber>
  RuleTable(const Listener& listener, GroupNumber group_number)
      : default_group_(group_number(listener.default_action.target_group)) {
    for (const Rule& rule : listener.rules) {
      entries_.push_back({rule.priority, rule.conditions, group_number(rule.action.target_group)});
    }
    sort();
  }

  // All conditions of a rule must hold, each with any of its values. Host names compare without
  // case and without a port, paths with case and without the query.
  Match route(std::string_view host_name, std::string_view path) const;

 private:
  struct Entry {
    uint32_t priority;
    std::vector<Condition> conditions;
    size_t group;
  };
  void sort();

  std::vector<Entry> entries_;
  size_t default_group_ = 0;
};

}  // namespace sluice::gateway
