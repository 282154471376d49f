// SPDX-License-Identifier: Apache-2.0
// Sets of values and scores of addresses: dataset, datarep, iprep. Suricata userguide, "Datasets"
// and "IP Reputation Rules".
#include <algorithm>

#include "inspect/app/buffer.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/dataset.h"
#include "inspect/rules/ip_reputation.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

enum class SetCommand : uint8_t { kIsSet, kIsNotSet, kSet, kUnset };

class SetUse final : public DatasetUse {
 public:
  SetUse(std::shared_ptr<Dataset> set, SetCommand command)
      : set_(std::move(set)), command_(command) {}
  // What would change nothing does not hold, as in Suricata.
  bool holds(std::span<const uint8_t> whole) const override {
    const bool wanted = command_ == SetCommand::kIsSet || command_ == SetCommand::kUnset;
    return set_->contains(whole) == wanted;
  }
  void apply(std::span<const uint8_t> whole) const override {
    if (command_ == SetCommand::kSet) set_->add(whole);
    if (command_ == SetCommand::kUnset) set_->remove(whole);
  }
  bool changes() const override {
    return command_ == SetCommand::kSet || command_ == SetCommand::kUnset;
  }

 private:
  const std::shared_ptr<Dataset> set_;
  const SetCommand command_;
};

class ReputationUse final : public DatasetUse {
 public:
  ReputationUse(std::shared_ptr<Dataset> set, const SizeRange& range)
      : set_(std::move(set)), range_(range) {}
  bool holds(std::span<const uint8_t> whole) const override {
    const auto number = set_->reputation(whole);
    return number && range_.contains(*number);
  }
  void apply(std::span<const uint8_t>) const override {}
  bool changes() const override { return false; }

 private:
  const std::shared_ptr<Dataset> set_;
  const SizeRange range_;
};

// "100", "64kb", "10mb", "1gb".
Result<size_t> bytes_of(std::string_view text) {
  constexpr std::pair<std::string_view, unsigned> kUnits[] = {{"kb", 10}, {"mb", 20}, {"gb", 30}};
  unsigned shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    shift = bits;
    text.remove_suffix(unit.size());
  }
  SLUICE_TRY(const auto number, option_number<uint64_t>(text, 1, kDatasetMemoryMax));
  if (number > kDatasetMemoryMax >> shift)
    return fail("more than " + std::to_string(kDatasetMemoryMax) + " bytes");
  return number << shift;
}

// "type string", "load FILE" ...
Result<> read_set_option(std::string_view option, DatasetSpec& spec) {
  std::string_view value = option;
  const std::string_view name = take_part(value, ' ');
  value = trimmed_option(value);
  if (value.empty()) return fail("'" + std::string(option) + "' needs a value");
  if (name == "type") {
    SLUICE_TRY(spec.type, find_dataset_type(value));
  } else if (name == "load") {
    spec.load = value;
  } else if (name == "save" && !spec.reputation) {
    spec.save = value;
  } else if (name == "state" && !spec.reputation) {
    spec.load = spec.save = value;
  } else if (name == "memcap") {
    SLUICE_TRY(spec.memory_max, bytes_of(value));
  } else if (name == "hashsize") {
    // Only a hint there; here tables grow as they must, up to memcap.
    SLUICE_TRY_VOID(option_number<uint32_t>(value, 1, kDatasetHashSizeMax));
  } else {
    return fail("'" + std::string(name) + "' is not supported");
  }
  return {};
}

Result<std::shared_ptr<Dataset>> set_of(RuleDraft& draft, DatasetSpec spec,
                                        std::span<const std::string_view> options) {
  if (spec.name.empty() || spec.name.size() > kDatasetNameMax)
    return fail("needs a name of at most 63 characters");
  for (const std::string_view option : options) SLUICE_TRY_VOID(read_set_option(option, spec));
  if (!draft.sticky || draft.in_base64) return fail("needs a sticky buffer before it");
  if (draft.sources.datasets == nullptr) return fail("there are no sets here");
  return draft.sources.datasets->get(spec);
}

// command,name[,type ...][,load ...][,save ...][,state ...][,memcap ...][,hashsize ...]
Result<> apply_dataset(RuleDraft& draft, std::string_view value) {
  static constexpr std::string_view kCommands[] = {"isset", "isnotset", "set", "unset"};
  const auto parts = comma_parts(value);
  if (parts.size() < 2) return fail("needs a command and a name");
  const auto* const command = std::ranges::find(kCommands, parts[0]);
  if (command == std::end(kCommands))
    return fail("'" + std::string(parts[0]) + "' is not supported");
  DatasetSpec spec;
  spec.name = parts[1];
  SLUICE_TRY(auto set, set_of(draft, spec, std::span(parts).subspan(2)));
  return draft.add(DatasetTest{std::make_shared<SetUse>(
      std::move(set), static_cast<SetCommand>(command - std::begin(kCommands)))});
}

// ">", "<", "=" ... and a number.
Result<SizeRange> compared(std::string_view op, std::string_view number, uint32_t most) {
  if (op != "<" && op != ">" && op != "=" && op != "==" && op != "<=" && op != ">=" && op != "!=")
    return fail("'" + std::string(op) + "' is not an operator");
  const std::string sign = op.starts_with('=') ? "" : op == "!=" ? "!" : std::string(op);
  return size_range(sign + std::string(number), most);
}

// name,operator,number[,type ...][,load ...][,memcap ...][,hashsize ...]
Result<> apply_datarep(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 3) return fail("needs a name, an operator and a number");
  SLUICE_TRY(const SizeRange range, compared(parts[1], parts[2], UINT16_MAX));
  DatasetSpec spec;
  spec.name = parts[0];
  spec.reputation = true;
  SLUICE_TRY(auto set, set_of(draft, spec, std::span(parts).subspan(3)));
  return draft.add(DatasetTest{std::make_shared<ReputationUse>(std::move(set), range)});
}

// --- scores of addresses ---

enum class Side : uint8_t { kAny, kSource, kDestination, kBoth };

class IpReputationCondition final : public Condition {
 public:
  // Without a range: that there is no score.
  IpReputationCondition(std::shared_ptr<const IpReputation> reputation, Side side, uint8_t category,
                        const std::optional<SizeRange>& range)
      : reputation_(std::move(reputation)), side_(side), category_(category), range_(range) {}
  bool holds(const RuleContext& context) const override {
    const tunnels::tuple& t = context.view.packet.tuple;
    const bool source = side_ != Side::kDestination && fits({t.source, t.version});
    if (side_ == Side::kSource || (side_ == Side::kAny && source)) return source;
    if (side_ == Side::kBoth && !source) return false;
    return fits({t.destination, t.version});
  }
  bool about_packet() const override { return true; }
  bool about_addresses() const override { return true; }

 private:
  bool fits(const Address& address) const {
    const auto score = reputation_->score(address, category_);
    return score && range_ ? range_->contains(*score) : score.has_value() == range_.has_value();
  }

  const std::shared_ptr<const IpReputation> reputation_;
  const Side side_;
  const uint8_t category_;
  const std::optional<SizeRange> range_;
};

// "isset", "isnotset", or an operator and a number.
Result<std::optional<SizeRange>> score_range(std::span<const std::string_view> parts) {
  if (parts.size() == 1 && parts[0] == "isset") return SizeRange{0, kReputationScoreMax};
  if (parts.size() == 1 && parts[0] == "isnotset") return std::nullopt;
  if (parts.size() != 2) return fail("needs an operator and a number, isset or isnotset");
  return compared(parts[0], parts[1], kReputationScoreMax);
}

// any | src | dst | both, category, operator, number
Result<> apply_iprep(RuleDraft& draft, std::string_view value) {
  static constexpr std::string_view kSides[] = {"any", "src", "dst", "both"};
  const auto parts = comma_parts(value);
  if (parts.size() < 3) return fail("needs side, category, operator and number");
  const auto* const side = std::ranges::find(kSides, parts[0]);
  if (side == std::end(kSides)) return fail("the side is any, src, dst or both");
  if (draft.sources.reputation == nullptr) return fail("there are no categories here");
  const auto category = draft.sources.reputation->category(parts[1]);
  if (!category) return fail("there is no category '" + std::string(parts[1]) + "'");
  SLUICE_TRY(const auto range, score_range(std::span(parts).subspan(2)));
  draft.rule.conditions.push_back(std::make_shared<IpReputationCondition>(
      draft.sources.reputation, static_cast<Side>(side - std::begin(kSides)), *category, range));
  // With other scores it is another rule for flows that go on.
  draft.rule.text_hash = draft.sources.reputation->hash();
  return {};
}

constexpr Keyword kKeywords[] = {
    {"dataset", KeywordValue::kRequired, apply_dataset,
     "isset, isnotset: the buffer is in a set, or not; set, unset: put it there, take it out"},
    {"datarep", KeywordValue::kRequired, apply_datarep, "the number that a set gives the buffer"},
    {"iprep", KeywordValue::kRequired, apply_iprep, "the score of an address in a category"},
};

}  // namespace

std::span<const Keyword> dataset_keywords() { return kKeywords; }

}  // namespace sluice::inspect
