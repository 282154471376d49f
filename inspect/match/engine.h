// SPDX-License-Identifier: Apache-2.0
// The rules, compiled: shared by all workers and never changed. What a worker does with it is
// inspector.h.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/match/payload_matcher.h"
#include "inspect/match/prefilter.h"
#include "inspect/rules/loader.h"
#include "inspect/rules/rule.h"
#include "inspect/stream/flow.h"
#include "tunnels/result.h"

namespace sluice::inspect {

struct EngineOptions {
  std::vector<std::string> rule_files;
  // Rules given as text: a name for messages, and the rules.
  std::vector<std::pair<std::string, std::string>> rule_texts;
  Variables variables = default_variables();
  // Lines `config classification: ...` on top of the built-in ones; empty: none.
  std::string classification_file;
};

struct CompiledRule {
  Rule rule;
  PayloadPlan plan;
  // Only addresses to look at: decided once for each direction of a flow, and for the flow.
  bool once_per_flow = false;
};

// Rules that look at the same kind of payload in the same direction.
struct RuleGroup {
  std::optional<Prefilter> prefilter;  // for rules with a content that must occur
  std::vector<uint32_t> always;        // for the others
};

class Engine {
 public:
  // An error if a file cannot be read. Rules that cannot be honoured are not an error: see
  // refused().
  static Result<std::shared_ptr<const Engine>> create(const EngineOptions& options);

  size_t size() const { return rules_.size(); }
  // In the order in which rules win: by action, priority, as loaded.
  const CompiledRule& rule(uint32_t index) const { return rules_[index]; }
  std::span<const RefusedRule> refused() const { return refused_; }

  const RuleGroup& packet_group(uint8_t protocol, Direction direction) const {
    return packet_groups_[static_cast<size_t>(kind_of(protocol))][static_cast<size_t>(direction)];
  }
  const RuleGroup& stream_group(Direction direction) const {
    return stream_groups_[static_cast<size_t>(direction)];
  }

  // Makes a worker's scratch fit all databases.
  Result<> prepare(PrefilterScratch& scratch) const;

 private:
  enum class Kind { kTcp, kUdp, kIcmp, kOther };
  static constexpr size_t kKinds = 4;
  static Kind kind_of(uint8_t protocol);

  Engine() = default;
  Result<> build_groups();
  Result<RuleGroup> build_packet_group(Kind kind, Direction direction) const;
  Result<RuleGroup> build_stream_group(Direction direction) const;

  std::vector<CompiledRule> rules_;
  std::vector<RefusedRule> refused_;
  std::array<std::array<RuleGroup, 2>, kKinds> packet_groups_;
  std::array<RuleGroup, 2> stream_groups_;
};

}  // namespace sluice::inspect
