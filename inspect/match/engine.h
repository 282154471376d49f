// SPDX-License-Identifier: Apache-2.0
// The rules, compiled: shared by all workers and never changed. What a worker does with it is
// inspector.h.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/app/buffer.h"
#include "inspect/app/tracked_file.h"
#include "inspect/match/address_index.h"
#include "inspect/match/buffer_matcher.h"
#include "inspect/match/database_cache.h"
#include "inspect/match/rule_groups.h"
#include "inspect/rules/dataset.h"
#include "inspect/rules/ip_reputation.h"
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
  // How often rules speak, on top of what they say: Suricata's threshold.config; empty: none.
  std::string threshold_file;
  RuleOrder order;
  // Where rules may keep the files of their datasets; empty: nowhere.
  std::string data_directory;
  ReputationOptions reputation;
  // Lines `config classification: ...` on top of the built-in ones; empty: none.
  std::string classification_file;
  // Directory of compiled databases, for the next start; empty: none.
  std::string cache_directory;
};

// A buffer as rules look at it: as it is, or transformed.
struct BufferView {
  Buffer buffer;
  std::vector<Transform> transforms;
};

struct CompiledPart {
  BufferPlan plan;
  uint16_t view = 0;  // Engine::view(); of buffers of transactions
};

struct CompiledRule {
  Rule rule;
  std::vector<CompiledPart> parts;  // as in rule.parts
  // The numbers of its lists of addresses: rules that have the same ones have the same numbers.
  uint32_t source_list = 0, destination_list = 0;
  // Only addresses and ports to look at: decided once for each direction of a flow, and for the
  // flow.
  bool once_per_flow = false;
  // Only what nDPI says, and addresses: decided for each direction of a flow when nDPI has learned
  // something, and for the flow.
  bool on_classification = false;
  // About bytes that are no packet.
  bool on_decode_event = false;
  // A buffer must not be there, or it is about what a message of TLS says: decided when headers or
  // that message are known, before the transaction is over.
  bool asked_early = false;
  // The generation that brought it; of rules with one of these.
  uint32_t since = 0;

  // Of a rule about packets or streams; nullptr: it does not look at the payload.
  const BufferPlan* payload_plan() const;
  // False if all its buffers are of the other direction.
  bool has_buffers_of(Direction direction) const;
  // Where a payload ends at the earliest for which the rule may hold.
  uint64_t payload_end_min() const;
};

class Engine {
 public:
  // An error if a file cannot be read. Rules that cannot be honoured are not an error: see
  // refused(). `previous` is what this one is going to replace: what rules noted goes on to mean
  // the same.
  static Result<std::shared_ptr<const Engine>> create(const EngineOptions& options,
                                                      const Engine* previous = nullptr);

  size_t size() const { return rules_.size(); }
  // In the order in which rules win.
  const CompiledRule& rule(uint32_t index) const { return rules_[index]; }
  std::span<const RefusedRule> refused() const { return refused_; }
  std::span<const RefusedRule> skipped() const { return skipped_; }
  // Of those that run, what is not as they say.
  std::span<const RefusedRule> warned() const { return warned_; }
  // Of addresses, in all rules.
  size_t address_lists() const { return address_lists_.size(); }
  // 1, and 1 more for each that replaced another. What belongs to an engine (numbers of its rules
  // and views, what its databases have searched) is kept with this number beside it.
  uint32_t generation() const { return generation_; }
  // The generation from which on rules have looked at a buffer all the time: a connection whose
  // parsing began before it may have had the buffer, and nobody knows.
  uint32_t wanted_since(Buffer buffer) const { return wanted_since_[static_cast<size_t>(buffer)]; }
  // Of all databases.
  size_t database_bytes() const;

  // What the cache of databases did; all 0 without one.
  const CacheCounters& cache_counters() const { return cache_counters_; }

  const PortGroups& packet_groups(uint8_t protocol, Direction direction) const {
    return packet_groups_[static_cast<size_t>(kind_of(protocol))][static_cast<size_t>(direction)];
  }
  // By its header.
  static bool is_about(const Rule& rule, uint8_t protocol) {
    return rule.protocol == 0 || kind_of(rule.protocol) == kind_of(protocol);
  }
  // Rules with once_per_flow.
  const AddressIndex& address_rules(uint8_t protocol, Direction direction) const {
    return address_rules_[static_cast<size_t>(kind_of(protocol))][static_cast<size_t>(direction)];
  }
  // Also rules about TCP packets with a content: most payloads are the next bytes of their stream,
  // and one search does for both.
  const PortGroups& stream_groups(Direction direction) const {
    return stream_groups_[static_cast<size_t>(direction)];
  }

  // --- transactions ---

  // The ways in which rules look at a buffer; none: nobody wants it.
  std::span<const uint16_t> views_of(Buffer buffer) const {
    return views_of_[static_cast<size_t>(buffer)];
  }
  const BufferView& view(uint16_t index) const { return views_[index]; }
  size_t views() const { return views_.size(); }
  const RuleGroup& view_group(uint16_t view, Direction direction) const {
    return view_groups_[view][static_cast<size_t>(direction)];
  }
  // Bits of the views that parts of the rule are about, modulo 64.
  uint64_t asked_views(uint32_t rule) const { return asked_views_[rule]; }
  static uint64_t bit_of_view(uint16_t view) { return uint64_t{1} << (view % 64); }
  // Rules that no buffer calls: they are asked when a direction of a transaction is over.
  std::span<const uint32_t> last_rules(AppProtocol protocol, Direction direction) const {
    return last_rules_[static_cast<size_t>(protocol)][static_cast<size_t>(direction)];
  }
  // Rules that an event of app_events() calls.
  std::span<const uint32_t> event_rules(uint16_t event, Direction direction) const {
    return event_rules_[event][static_cast<size_t>(direction)];
  }
  bool asks_for_events() const { return asks_for_events_; }
  bool asks_early() const { return asks_early_; }
  // Rules with on_classification.
  std::span<const uint32_t> classification_rules() const { return classification_rules_; }
  // Whether a rule asks what nDPI says.
  bool asks_for_classification() const { return asks_for_classification_; }
  // Rules that the end of a file calls.
  std::span<const uint32_t> file_rules(Direction direction) const {
    return file_rules_[static_cast<size_t>(direction)];
  }
  bool asks_for_files() const { return asks_for_files_; }
  // The digests of files that rules ask for.
  const FileHashes& file_hashes() const { return file_hashes_; }
  // Rules about what packets do to streams.
  std::span<const uint32_t> stream_event_rules() const { return stream_event_rules_; }
  // Rules about bytes that are no packet.
  std::span<const uint32_t> decode_event_rules() const { return decode_event_rules_; }
  std::span<const uint32_t> fragment_rules() const { return fragment_rules_; }

  // The names of what rules note.
  const Names& names() const { return *names_; }
  // The sets that rules look up and fill.
  const Datasets& datasets() const { return *datasets_; }

  // Makes a worker's scratch fit all databases.
  Result<> prepare(PrefilterScratch& scratch) const;

 private:
  enum class Kind { kTcp, kUdp, kIcmp, kOther };
  static constexpr size_t kKinds = 4;
  static Kind kind_of(uint8_t protocol);

  Engine() = default;
  void note_since(const Engine& previous);
  void compile(Rule rule);
  uint32_t number_of(const AddressList& list);
  void note_wanted(const Engine* previous);
  uint16_t view_number(const RulePart& part);
  Result<> build_groups(DatabaseCache* cache);
  void build_address_rules(Kind kind, Direction direction);
  Result<PortGroups> build_packet_groups(Kind kind, Direction direction,
                                         DatabaseCache* cache) const;
  Result<PortGroups> build_stream_groups(Direction direction, DatabaseCache* cache) const;
  Result<> build_view_groups(DatabaseCache* cache);
  void note_conditions(CompiledRule& compiled, uint32_t index);
  void call_without_buffer(const Rule& rule, uint32_t index, Direction direction);

  uint32_t generation_ = 1;
  std::array<uint32_t, kBuffers> wanted_since_{};
  std::vector<CompiledRule> rules_;
  std::map<std::string, uint32_t> address_lists_;  // their numbers, by all that they say
  std::vector<uint64_t> asked_views_;              // by rule
  std::vector<RefusedRule> refused_;
  std::vector<RefusedRule> skipped_;
  std::vector<RefusedRule> warned_;
  std::shared_ptr<Names> names_;
  std::unique_ptr<Datasets> datasets_;
  CacheCounters cache_counters_;
  std::array<std::array<PortGroups, 2>, kKinds> packet_groups_;
  std::array<std::array<AddressIndex, 2>, kKinds> address_rules_;
  std::array<PortGroups, 2> stream_groups_;
  std::vector<BufferView> views_;
  std::array<std::vector<uint16_t>, kBuffers> views_of_;
  std::vector<std::array<RuleGroup, 2>> view_groups_;
  std::array<std::array<std::vector<uint32_t>, 2>, static_cast<size_t>(AppProtocol::kCount)>
      last_rules_;
  std::vector<std::array<std::vector<uint32_t>, 2>> event_rules_;  // as app_events()
  bool asks_for_events_ = false;
  bool asks_early_ = false;
  std::array<std::vector<uint32_t>, 2> file_rules_;
  bool asks_for_files_ = false;
  std::vector<uint32_t> classification_rules_;
  bool asks_for_classification_ = false;
  FileHashes file_hashes_{};
  std::vector<uint32_t> stream_event_rules_;
  std::vector<uint32_t> decode_event_rules_;
  std::vector<uint32_t> fragment_rules_;
};

}  // namespace sluice::inspect
