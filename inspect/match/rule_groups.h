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

struct RuleGroup {
  std::optional<Prefilter> prefilter;  // for rules with a content that must occur
  std::vector<uint32_t> always;        // for the others

  bool empty() const { return !prefilter && always.empty(); }
  size_t database_bytes() const { return prefilter ? prefilter->database_bytes() : 0; }
  Result<> prepare(PrefilterScratch& scratch) const;
};

class GroupBuilder {
 public:
  // `content` is what must occur; nullptr: nothing.
  void add(const Content* content, uint32_t index);
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
  void add(const PortList& ports, const Content* content, uint32_t index);
  Result<PortGroups> build(DatabaseCache* cache);

 private:
  struct Entry {
    const PortList* ports;
    const Content* content;
    uint32_t rule;
  };
  std::vector<Entry> entries_;
};

}  // namespace sluice::inspect
