// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/engine.h"

namespace sluice::inspect {
namespace {

constexpr Direction kDirections[] = {Direction::kToServer, Direction::kToClient};

bool goes(const Rule& rule, Direction direction) {
  return direction == Direction::kToServer ? !rule.flow.to_client : !rule.flow.to_server;
}

bool looks_only_at_addresses(const Rule& rule) {
  const FlowOption& flow = rule.flow;
  return rule.payload.empty() && !rule.payload_size && rule.source_port.any() &&
         rule.destination_port.any() && !flow.to_server && !flow.to_client && !flow.established &&
         !flow.not_established;
}

// Collects the rules of one group.
class GroupBuilder {
 public:
  void add(const Rule& rule, uint32_t index) {
    const Content* content = fast_pattern_of(rule);
    if (content == nullptr) {
      group_.always.push_back(index);
    } else {
      patterns_.push_back({fast_pattern_bytes(*content), content->nocase, index});
    }
  }

  Result<RuleGroup> build(Prefilter::Mode mode) {
    if (!patterns_.empty()) {
      SLUICE_TRY(group_.prefilter, Prefilter::compile(std::move(patterns_), mode));
    }
    return std::move(group_);
  }

 private:
  RuleGroup group_;
  std::vector<Prefilter::Pattern> patterns_;
};

}  // namespace

Engine::Kind Engine::kind_of(uint8_t protocol) {
  switch (protocol) {
    case tunnels::kProtocolTcp:
      return Kind::kTcp;
    case tunnels::kProtocolUdp:
      return Kind::kUdp;
    case tunnels::kProtocolIcmp:
    case tunnels::kProtocolIcmpv6:
      return Kind::kIcmp;
    default:
      return Kind::kOther;
  }
}

Result<std::shared_ptr<const Engine>> Engine::create(const EngineOptions& options) {
  Classification classification = default_classification();
  if (!options.classification_file.empty())
    SLUICE_TRY_VOID(load_classification(options.classification_file, classification));
  RuleLoader loader(options.variables, std::move(classification));
  for (const std::string& file : options.rule_files) SLUICE_TRY_VOID(loader.load_file(file));
  for (const auto& [name, text] : options.rule_texts) SLUICE_TRY_VOID(loader.load_text(text, name));
  RuleSet set = loader.take();

  std::shared_ptr<Engine> engine(new Engine);
  engine->refused_ = std::move(set.refused);
  engine->rules_.reserve(set.rules.size());
  for (Rule& rule : set.rules) {
    CompiledRule& compiled = engine->rules_.emplace_back();
    compiled.once_per_flow = looks_only_at_addresses(rule);
    compiled.rule = std::move(rule);
    compiled.plan = PayloadPlan(compiled.rule.payload);
  }
  SLUICE_TRY_VOID(engine->build_groups());
  return std::shared_ptr<const Engine>(std::move(engine));
}

Result<> Engine::build_groups() {
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    for (size_t kind = 0; kind < kKinds; kind++) {
      SLUICE_TRY(packet_groups_[kind][d], build_packet_group(static_cast<Kind>(kind), direction));
    }
    SLUICE_TRY(stream_groups_[d], build_stream_group(direction));
  }
  return {};
}

Result<RuleGroup> Engine::build_packet_group(Kind kind, Direction direction) const {
  GroupBuilder builder;
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const Rule& rule = rules_[i].rule;
    const bool stream_only = kind == Kind::kTcp && rule.tcp_scope == TcpScope::kStream;
    if ((rule.protocol == 0 || kind_of(rule.protocol) == kind) && goes(rule, direction) &&
        !stream_only)
      builder.add(rule, i);
  }
  return builder.build(Prefilter::Mode::kBlock);
}

Result<RuleGroup> Engine::build_stream_group(Direction direction) const {
  GroupBuilder builder;
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const Rule& rule = rules_[i].rule;
    if ((rule.protocol == 0 || rule.protocol == tunnels::kProtocolTcp) && goes(rule, direction) &&
        rule.tcp_scope != TcpScope::kPacket)
      builder.add(rule, i);
  }
  return builder.build(Prefilter::Mode::kStream);
}

Result<> Engine::prepare(PrefilterScratch& scratch) const {
  const auto prepare_group = [&](const RuleGroup& group) -> Result<> {
    return group.prefilter ? group.prefilter->prepare(scratch) : Result<>{};
  };
  for (const auto& groups : packet_groups_) {
    for (const RuleGroup& group : groups) SLUICE_TRY_VOID(prepare_group(group));
  }
  for (const RuleGroup& group : stream_groups_) SLUICE_TRY_VOID(prepare_group(group));
  return {};
}

}  // namespace sluice::inspect
