// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/engine.h"

#include <algorithm>
#include <map>

#include "inspect/app/app_event.h"
#include "inspect/match/fast_pattern.h"
#include "inspect/match/ndpi_names.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/threshold_file.h"

namespace sluice::inspect {
namespace {

constexpr Direction kDirections[] = {Direction::kToServer, Direction::kToClient};

bool goes(const Rule& rule, Direction direction) {
  return direction == Direction::kToServer ? !rule.flow.to_client : !rule.flow.to_server;
}

// The ports of the server, in packets of that direction.
const PortList& server_ports(const Rule& rule, Direction direction) {
  static const PortList kAny;
  if (rule.both_ways) return kAny;
  return direction == Direction::kToServer ? rule.destination_port : rule.source_port;
}

// Suricata's "IP only" rules, which may name ports.
bool looks_only_at_ends(const Rule& rule) {
  const FlowOption& flow = rule.flow;
  const auto about_addresses = [](const auto& c) { return c->about_addresses(); };
  return rule.parts.empty() && std::ranges::all_of(rule.conditions, about_addresses) &&
         rule.app_protocols.empty() && !flow.to_server && !flow.to_client && !flow.established &&
         !flow.not_established;
}

bool looks_only_at_classification(const Rule& rule) {
  const auto about_classification = [](const auto& c) { return c->about_classification(); };
  const auto fits = [](const auto& c) { return c->about_classification() || c->about_addresses(); };
  return rule.parts.empty() && rule.app_protocols.empty() && rule.scope != Scope::kTransaction &&
         std::ranges::any_of(rule.conditions, about_classification) &&
         std::ranges::all_of(rule.conditions, fits);
}

// Two lists that are spelled alike hold the same addresses.
void spell(const AddressList& list, std::string& out) {
  out += '[';
  for (const AddressList::Entry& entry : list.entries) {
    out += entry.negated ? '!' : ' ';
    for (const Prefix& prefix : entry.leaf) {
      out += static_cast<char>(prefix.version);
      out.append(reinterpret_cast<const char*>(prefix.words), sizeof(prefix.words));
      out.append(reinterpret_cast<const char*>(prefix.mask), sizeof(prefix.mask));
    }
    for (const AddressList& inner : entry.list) spell(inner, out);
  }
  out += ']';
}

const Content* payload_pattern(const Rule& rule) {
  const RulePart* part = rule.payload();
  const Content* content = part == nullptr ? nullptr : fast_pattern_of(part->matches);
  return content != nullptr && is_worth_searching(*content) ? content : nullptr;
}

// The buffer that calls a rule, and the content there; part -1: none, it is asked at the end.
struct Caller {
  std::optional<size_t> part;
  const Content* content = nullptr;
};

Caller caller_of(const Rule& rule) {
  Caller best;
  for (size_t i = 0; i < rule.parts.size(); i++) {
    const RulePart& part = rule.parts[i];
    if (is_packet_buffer(part.buffer) || part.absent) continue;
    const Content* content = fast_pattern_of(part.matches);
    if (!best.part || is_better_pattern(content, best.content)) best = {i, content};
  }
  return best;
}

// The protocols whose transactions a rule without a calling buffer is asked about.
std::vector<AppProtocol> protocols_of(const Rule& rule) {
  if (!rule.app_protocols.empty()) return rule.app_protocols;
  for (const auto& condition : rule.conditions) {
    if (condition->about_transaction() != AppProtocol::kUnknown)
      return {condition->about_transaction()};
  }
  return {};
}

// Conditions about TLS do not hold for what is not known yet.
bool is_asked_early(const Rule& rule) {
  const auto about_tls = [](const auto& c) { return c->about_transaction() == AppProtocol::kTls; };
  return std::ranges::any_of(rule.parts, &RulePart::absent) ||
         std::ranges::any_of(rule.conditions, about_tls);
}

// The first event that a rule asks for.
std::optional<uint16_t> event_of(const Rule& rule) {
  for (const auto& condition : rule.conditions) {
    if (const auto event = condition->about_event()) return event;
  }
  return std::nullopt;
}

bool asks_for_file(const Rule& rule) {
  return std::ranges::any_of(rule.conditions, [](const auto& c) { return c->about_file(); });
}

}  // namespace

const BufferPlan* CompiledRule::payload_plan() const {
  for (size_t i = 0; i < parts.size(); i++) {
    if (rule.parts[i].buffer == Buffer::kPayload) return &parts[i].plan;
  }
  return nullptr;
}

bool CompiledRule::has_buffers_of(Direction direction) const {
  const auto has = [&](const RulePart& part) {
    const BufferInfo& info = info_of(part.buffer);
    return direction == Direction::kToServer ? info.to_server : info.to_client;
  };
  return rule.parts.empty() || std::ranges::any_of(rule.parts, has);
}

// Of no bytes nothing is said.
uint64_t CompiledRule::payload_end_min() const {
  const BufferPlan* const plan = payload_plan();
  return plan == nullptr ? 0 : std::max<uint64_t>(plan->end_min(), 1);
}

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

Result<std::shared_ptr<const Engine>> Engine::create(const EngineOptions& options,
                                                     const Engine* previous) {
  Classification classification = default_classification();
  if (!options.classification_file.empty())
    SLUICE_TRY_VOID(load_classification(options.classification_file, classification));
  const auto names = previous != nullptr ? previous->names_ : std::make_shared<Names>();
  auto datasets = std::make_unique<Datasets>(
      options.data_directory, previous != nullptr ? previous->datasets_.get() : nullptr);
  SLUICE_TRY(auto reputation, IpReputation::load(options.reputation));
  NdpiNames applications;
  const RuleSources sources{
      datasets.get(), std::make_shared<const IpReputation>(std::move(reputation)), &applications};
  RuleLoader loader(options.variables, std::move(classification), *names, sources);
  for (const std::string& file : options.rule_files) SLUICE_TRY_VOID(loader.load_file(file));
  for (const auto& [name, text] : options.rule_texts) SLUICE_TRY_VOID(loader.load_text(text, name));
  RuleSet set = loader.take(options.order);
  if (!options.threshold_file.empty()) {
    SLUICE_TRY(auto thresholds, read_thresholds(options.threshold_file, options.variables));
    apply_thresholds(std::move(thresholds), set);
  }

  std::shared_ptr<Engine> engine(new Engine);
  engine->names_ = names;
  engine->datasets_ = std::move(datasets);
  if (previous != nullptr) engine->generation_ = previous->generation_ + 1;
  engine->refused_ = std::move(set.refused);
  engine->skipped_ = std::move(set.skipped);
  engine->warned_ = std::move(set.warned);
  engine->rules_.reserve(set.rules.size());
  for (Rule& rule : set.rules) engine->compile(std::move(rule));
  if (previous != nullptr) engine->note_since(*previous);
  engine->note_wanted(previous);
  std::optional<DatabaseCache> cache;
  if (!options.cache_directory.empty()) {
    SLUICE_TRY(cache, DatabaseCache::open(options.cache_directory));
  }
  SLUICE_TRY_VOID(engine->build_groups(cache ? &*cache : nullptr));
  if (cache) engine->cache_counters_ = cache->counters();
  return std::shared_ptr<const Engine>(std::move(engine));
}

void Engine::compile(Rule rule) {
  CompiledRule& compiled = rules_.emplace_back();
  compiled.rule = std::move(rule);
  compiled.source_list = number_of(compiled.rule.source);
  compiled.destination_list = number_of(compiled.rule.destination);
  compiled.once_per_flow = looks_only_at_ends(compiled.rule);
  compiled.on_classification = looks_only_at_classification(compiled.rule);
  compiled.since = generation_;
  uint64_t asked = 0;
  compiled.asked_early = is_asked_early(compiled.rule);
  asks_early_ |= compiled.asked_early;
  note_conditions(compiled, static_cast<uint32_t>(rules_.size() - 1));
  for (const RulePart& part : compiled.rule.parts) {
    const uint16_t view = is_packet_buffer(part.buffer) ? uint16_t{0} : view_number(part);
    compiled.parts.push_back({BufferPlan(part.matches), view});
    if (!is_packet_buffer(part.buffer)) asked |= bit_of_view(view);
  }
  asked_views_.push_back(asked);
}

uint32_t Engine::number_of(const AddressList& list) {
  std::string text;
  spell(list, text);
  return address_lists_.emplace(text, static_cast<uint32_t>(address_lists_.size())).first->second;
}

// What rules ask for that nobody would look at otherwise.
void Engine::note_conditions(CompiledRule& compiled, uint32_t index) {
  bool about_stream = false;
  bool about_fragments = false;
  for (const auto& condition : compiled.rule.conditions) {
    asks_for_classification_ |= condition->about_classification();
    asks_for_events_ |= condition->about_event().has_value();
    asks_for_files_ |= condition->about_file();
    if (const auto hash = condition->about_digest())
      file_hashes_[static_cast<size_t>(*hash)] = true;
    about_stream |= condition->about_stream_event();
    about_fragments |= condition->about_fragment();
    compiled.on_decode_event |= condition->about_decode_event();
  }
  if (about_stream) stream_event_rules_.push_back(index);
  if (about_fragments) fragment_rules_.push_back(index);
  if (compiled.on_decode_event) decode_event_rules_.push_back(index);
  if (compiled.on_classification) classification_rules_.push_back(index);
}

// A flow that goes on is asked about rules that it has not met, not again about the others.
void Engine::note_since(const Engine& previous) {
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> known;
  for (const CompiledRule& old : previous.rules_)
    if (old.once_per_flow || old.on_classification)
      known[{old.rule.id(), old.rule.text_hash}] = old.since;
  for (CompiledRule& compiled : rules_) {
    const auto found = known.find({compiled.rule.id(), compiled.rule.text_hash});
    if (found != known.end()) compiled.since = found->second;
  }
}

void Engine::note_wanted(const Engine* previous) {
  for (size_t b = 0; b < kBuffers; b++) {
    const bool before = previous != nullptr && !previous->views_of_[b].empty();
    wanted_since_[b] = before ? previous->wanted_since_[b] : generation_;
  }
}

uint16_t Engine::view_number(const RulePart& part) {
  auto& known = views_of_[static_cast<size_t>(part.buffer)];
  for (const uint16_t view : known) {
    if (views_[view].transforms == part.transforms) return view;
  }
  views_.push_back({part.buffer, part.transforms});
  known.push_back(static_cast<uint16_t>(views_.size() - 1));
  return known.back();
}

Result<> Engine::build_groups(DatabaseCache* cache) {
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    for (size_t kind = 0; kind < kKinds; kind++) {
      SLUICE_TRY(packet_groups_[kind][d],
                 build_packet_groups(static_cast<Kind>(kind), direction, cache));
      build_address_rules(static_cast<Kind>(kind), direction);
    }
    SLUICE_TRY(stream_groups_[d], build_stream_groups(direction, cache));
  }
  return build_view_groups(cache);
}

Result<PortGroups> Engine::build_packet_groups(Kind kind, Direction direction,
                                               DatabaseCache* cache) const {
  PortGroupsBuilder builder;
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const Rule& rule = rules_[i].rule;
    const bool stream_only = kind == Kind::kTcp && rule.scope == Scope::kStream;
    if ((rule.protocol == 0 || kind_of(rule.protocol) == kind) && goes(rule, direction) &&
        !rules_[i].once_per_flow && !rules_[i].on_classification && !rules_[i].on_decode_event &&
        !stream_only && rule.scope != Scope::kTransaction)
      builder.add(server_ports(rule, direction), payload_pattern(rule), i,
                  rules_[i].payload_end_min());
  }
  return builder.build(cache);
}

void Engine::build_address_rules(Kind kind, Direction direction) {
  AddressIndex& index = address_rules_[static_cast<size_t>(kind)][static_cast<size_t>(direction)];
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const Rule& rule = rules_[i].rule;
    if (rules_[i].once_per_flow && (rule.protocol == 0 || kind_of(rule.protocol) == kind))
      index.add(rule, i);
  }
}

Result<PortGroups> Engine::build_stream_groups(Direction direction, DatabaseCache* cache) const {
  PortGroupsBuilder builder;
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const Rule& rule = rules_[i].rule;
    const bool tcp = rule.protocol == 0 || rule.protocol == tunnels::kProtocolTcp;
    const Content* content = payload_pattern(rule);
    const bool of_packet = rule.scope == Scope::kPacket && content == nullptr;
    if (tcp && goes(rule, direction) && rule.scope != Scope::kTransaction && !of_packet)
      builder.add(server_ports(rule, direction), content, i, rules_[i].payload_end_min());
  }
  return builder.build(cache);
}

Result<> Engine::build_view_groups(DatabaseCache* cache) {
  std::vector<std::array<GroupBuilder, 2>> builders(views_.size());
  event_rules_.resize(app_events().size());
  for (uint32_t i = 0; i < rules_.size(); i++) {
    const CompiledRule& compiled = rules_[i];
    if (compiled.rule.scope != Scope::kTransaction) continue;
    const Caller caller = caller_of(compiled.rule);
    for (const Direction direction : kDirections) {
      const auto d = static_cast<size_t>(direction);
      if (!goes(compiled.rule, direction)) continue;
      if (caller.part) {
        builders[compiled.parts[*caller.part].view][d].add(caller.content, i);
        continue;
      }
      if (compiled.has_buffers_of(direction)) call_without_buffer(compiled.rule, i, direction);
    }
  }
  view_groups_.resize(views_.size());
  for (size_t view = 0; view < views_.size(); view++) {
    for (size_t d = 0; d < 2; d++) {
      SLUICE_TRY(view_groups_[view][d], builders[view][d].build(cache));
    }
  }
  return {};
}

void Engine::call_without_buffer(const Rule& rule, uint32_t index, Direction direction) {
  const auto d = static_cast<size_t>(direction);
  if (const auto event = event_of(rule)) {
    event_rules_[*event][d].push_back(index);
    return;
  }
  if (asks_for_file(rule)) {
    file_rules_[d].push_back(index);
    return;
  }
  for (const AppProtocol protocol : protocols_of(rule))
    last_rules_[static_cast<size_t>(protocol)][d].push_back(index);
}

size_t Engine::database_bytes() const {
  size_t bytes = 0;
  for (const auto& groups : packet_groups_) {
    for (const PortGroups& group : groups) bytes += group.database_bytes();
  }
  for (const PortGroups& group : stream_groups_) bytes += group.database_bytes();
  for (const auto& groups : view_groups_) {
    for (const RuleGroup& group : groups) bytes += group.database_bytes();
  }
  return bytes;
}

Result<> Engine::prepare(PrefilterScratch& scratch) const {
  for (const auto& groups : packet_groups_) {
    for (const PortGroups& group : groups) SLUICE_TRY_VOID(group.prepare(scratch));
  }
  for (const PortGroups& group : stream_groups_) SLUICE_TRY_VOID(group.prepare(scratch));
  for (const auto& groups : view_groups_) {
    for (const RuleGroup& group : groups) SLUICE_TRY_VOID(group.prepare(scratch));
  }
  return {};
}

}  // namespace sluice::inspect
