// SPDX-License-Identifier: Apache-2.0
// Rules that look at the same kind of bytes in the same direction, and how they are found.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inspect/match/prefilter.h"
#include "inspect/rules/buffer_match.h"
#include "inspect/rules/header.h"

namespace sluice::inspect {

// A rule that no search names.
struct UnsearchedRule {
  uint32_t rule;
  uint64_t end_min;  // of bytes that it may hold for
};

struct RuleGroup {
  std::optional<Prefilter> prefilter;  // for rules with a content that must occur
  std::vector<UnsearchedRule> always;  // for the others, by end_min

  // Calls with those of `always` that may hold for bytes that end at that position.
  template <class Call>
  void call_always(uint64_t end, Call call) const {
    for (const UnsearchedRule& unsearched : always) {
      if (unsearched.end_min > end) break;
      call(unsearched.rule);
    }
  }

  bool empty() const { return !prefilter && always.empty(); }
  size_t database_bytes() const { return prefilter ? prefilter->database_bytes() : 0; }
  Result<> prepare(PrefilterScratch& scratch) const;
};

class GroupBuilder {
 public:
  // `content` is what must occur; nullptr: nothing. Then the rule is for bytes from `end_min` on.
  void add(const Content* content, uint32_t index, uint64_t end_min = 0);
  Result<RuleGroup> build(DatabaseCache* cache);

 private:
  RuleGroup group_;
  std::vector<Prefilter::Pattern> patterns_;
};

// ... by the server's port: a packet is looked at by the rules of any port, and by those that name
// its own.
class PortGroups {
 public:
  const RuleGroup& any() const { return any_; }
  // nullptr: no rule names that port.
  const RuleGroup* named(uint16_t port) const {
    return class_of_.empty() || class_of_[port] == 0 ? nullptr : &named_[class_of_[port]];
  }

  size_t database_bytes() const;
  Result<> prepare(PrefilterScratch& scratch) const;

 private:
  friend class PortGroupsBuilder;
  RuleGroup any_;
  std::vector<RuleGroup> named_;
  std::vector<uint8_t> class_of_;  // by port; empty: 0
};

class PortGroupsBuilder {
 public:
  // `ports` of the server; they must live until build().
  void add(const PortList& ports, const Content* content, uint32_t index, uint64_t end_min);
  Result<PortGroups> build(DatabaseCache* cache);

 private:
  struct Entry {
    const PortList* ports;
    const Content* content;
    uint32_t rule;
    uint64_t end_min;
  };
  std::vector<Entry> entries_;
};

}  // namespace sluice::inspect
