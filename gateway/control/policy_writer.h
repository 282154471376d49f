// SPDX-License-Identifier: Apache-2.0
// Brings the policy, and the weights of gateway listeners, into the tables of the packet path: into
// the copy that is not in use, which then becomes the one that is.
//
// A rule keeps its place as long as it has its name, because flow records and counters name it by
// that. A rule whose groups depend on the zone of an attachment has a place for each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/datapath/host.h"

namespace sluice::gateway {

class PolicyWriter {
 public:
  explicit PolicyWriter(Tables& tables) : tables_(tables) {}

  // Where things stand in the tables.
  struct Places {
    std::function<uint16_t(const Attachment&)> attachment;
    std::function<uint16_t(const TargetGroup&, std::string_view zone)> group;  // kNone16: nowhere
  };
  // Writes nothing if nothing has changed. On an error the policy stays as it was.
  Result<> write(const Config& config, const Places& places);

  // Finds the places of rules again that an earlier process has written.
  void take_over();

  // "" for 0 and for the weights of a listener, which are no rule; "(gone)" for one of the past.
  std::string_view rule_name(uint8_t place) const;
  // What all places of a rule have counted.
  policy_counters count(std::string_view rule) const;
  mirror_counters count_mirrored(std::string_view rule) const;
  // The group, by its place, that gets copies of the packets of a rule's flows; kNone16: none.
  uint16_t mirror_of(uint8_t place) const;

 private:
  struct Name {
    std::string rule;
    uint64_t zone = 0;
    bool of_listener = false;
    auto operator<=>(const Name&) const = default;
  };
  struct Copy {
    std::vector<policy_rule> rules;  // by place
    std::vector<policy_entry> entries;
    std::set<Name> names;
  };
  using Attachments = std::vector<const Attachment*>;

  Result<> add(const PolicyRule& rule, bool of_listener, const Attachments& scope,
               const Config& config, const Places& places, Copy& out);
  Result<> add(const PolicyRule& rule, const Name& name, const Attachments& scope,
               const std::vector<std::vector<uint16_t>>& groups, const Config& config,
               const Places& places, Copy& out);
  Result<uint8_t> place_of(const Name& name, const Copy& copy);
  bool is_written(const Copy& wanted) const;
  template <class Counters>
  Counters sum(const Counters* of_places, std::string_view rule) const;
  uint32_t copy_in_use() const { return tables_.settings[0].policy >> 32 != 0 ? 1 : 0; }

  Tables& tables_;
  std::map<Name, uint8_t> places_;
  uint8_t last_ = 0;  // the place that was taken last: the longest free comes next
};

// Which target groups the rules, or those that hold at an attachment, forward to.
std::set<std::string> policy_groups(const Config& config, const Attachment* at = nullptr);

// Whether rules, or weights of its listener, may be about the flows of an attachment.
bool has_policy(const Config& config, const Attachment& attachment);

}  // namespace sluice::gateway
