// SPDX-License-Identifier: Apache-2.0
// What rules remember and count: flowbits, flowint, xbits, hostbits, threshold, detection_filter;
// and the application protocol of a flow. Suricata userguide, "Flow Keywords", "Xbits Keyword",
// "Thresholding Keywords".
#include <algorithm>

#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

template <class Test>
class FlowCondition final : public Condition {
 public:
  explicit FlowCondition(Test test) : test_(std::move(test)) {}
  bool holds(const RuleContext& context) const override { return test_(context); }

 private:
  const Test test_;
};

class ProtocolCondition final : public Condition {
 public:
  ProtocolCondition(std::vector<AppProtocol> protocols, bool negated)
      : protocols_(std::move(protocols)), negated_(negated) {}
  bool holds(const RuleContext& context) const override {
    if (context.app_protocol == AppProtocol::kUnknown && negated_) return false;
    const bool is = std::ranges::find(protocols_, context.app_protocol) != protocols_.end();
    return is != negated_;
  }
  bool told_later() const override { return true; }

 private:
  const std::vector<AppProtocol> protocols_;
  const bool negated_;
};

template <class Act>
class FlowEffect final : public Effect {
 public:
  explicit FlowEffect(Act act) : act_(std::move(act)) {}
  void apply(const RuleContext& context) const override { act_(context); }

 private:
  const Act act_;
};

template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  draft.rule.conditions.push_back(std::make_shared<FlowCondition<Test>>(std::move(test)));
  return {};
}

template <class Act>
Result<> then(RuleDraft& draft, Act act) {
  draft.rule.effects.push_back(std::make_shared<FlowEffect<Act>>(std::move(act)));
  return {};
}

FlowNotes& notes_of(const RuleContext& context) {
  if (!context.flow_notes) context.flow_notes = std::make_unique<FlowNotes>();
  return *context.flow_notes;
}
bool has_bit(const RuleContext& context, uint32_t bit) {
  return context.flow_notes && context.flow_notes->has(bit);
}

// --- flowbits ---

Result<std::vector<uint32_t>> bit_numbers(RuleDraft& draft, std::string_view names,
                                          char separator) {
  std::vector<uint32_t> out;
  while (!names.empty()) {
    const std::string_view name = take_part(names, separator);
    if (name.empty() || name.find_first_of(" |") != std::string_view::npos)
      return fail("needs a name without blanks or |");
    SLUICE_TRY(const uint32_t number, draft.names.number("flowbit:" + std::string(name)));
    out.push_back(number);
  }
  if (out.empty()) return fail("needs a name");
  return out;
}

Result<> apply_flowbits(RuleDraft& draft, std::string_view value) {
  std::string_view names = value;
  const std::string_view command = take_part(names, ',');
  if (command == "noalert") {
    if (!trimmed_option(names).empty()) return fail("noalert takes no name");
    draft.rule.noalert = true;
    return {};
  }
  const bool asks = command == "isset" || command == "isnotset";
  SLUICE_TRY(const auto bits, bit_numbers(draft, names, asks ? '|' : ','));
  if (!asks && bits.size() != 1) return fail("takes one name");
  const uint32_t bit = bits.front();
  if (command == "isset")
    return require(draft, [bits](const RuleContext& c) {
      return std::any_of(bits.begin(), bits.end(), [&](uint32_t b) { return has_bit(c, b); });
    });
  if (command == "isnotset")
    return require(draft, [bits](const RuleContext& c) {
      return std::any_of(bits.begin(), bits.end(), [&](uint32_t b) { return !has_bit(c, b); });
    });
  if (command == "set") return then(draft, [bit](const RuleContext& c) { notes_of(c).set(bit); });
  if (command == "unset")
    return then(draft, [bit](const RuleContext& c) { notes_of(c).unset(bit); });
  if (command == "toggle")
    return then(draft, [bit](const RuleContext& c) {
      has_bit(c, bit) ? notes_of(c).unset(bit) : notes_of(c).set(bit);
    });
  return fail("'" + std::string(command) + "' is not supported");
}

// --- flowint ---

Result<> compare_flowint(RuleDraft& draft, uint32_t name, std::string_view op, uint32_t value) {
  const auto with = [&](auto compare) {
    return require(draft, [name, value, compare](const RuleContext& c) {
      const auto number = c.flow_notes ? c.flow_notes->number(name) : std::nullopt;
      return number && compare(*number, value);
    });
  };
  if (op == "==") return with(std::equal_to<>());
  if (op == "!=") return with(std::not_equal_to<>());
  if (op == "<") return with(std::less<>());
  if (op == ">") return with(std::greater<>());
  if (op == "<=") return with(std::less_equal<>());
  if (op == ">=") return with(std::greater_equal<>());
  return fail("'" + std::string(op) + "' is not one of + - = == != < > <= >= isset notset");
}

Result<> apply_flowint(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 2 || parts.size() > 3) return fail("needs name, operator and a number");
  SLUICE_TRY(const uint32_t name, draft.names.number("flowint:" + std::string(parts[0])));
  const std::string_view op = parts[1];
  if (op == "isset" || op == "notset" || op == "isnotset") {
    const bool wanted = op == "isset";
    return require(draft, [name, wanted](const RuleContext& c) {
      return (c.flow_notes && c.flow_notes->number(name)) == wanted;
    });
  }
  if (parts.size() != 3) return fail("needs a number");
  SLUICE_TRY(const auto number, option_number<uint32_t>(parts[2], 0, UINT32_MAX));
  if (op != "+" && op != "-" && op != "=") return compare_flowint(draft, name, op, number);
  const char how = op.front();
  return then(draft, [name, number, how](const RuleContext& c) {
    FlowNotes& notes = notes_of(c);
    const uint32_t old = notes.number(name).value_or(0);
    notes.set_number(name, how == '=' ? number : how == '+' ? old + number : old - number);
  });
}

// --- xbits, hostbits ---

constexpr int64_t kSecondUs = 1'000'000;
constexpr uint32_t kBitSecondsDefault = 30;

Result<> apply_bit(RuleDraft& draft, std::string_view command, uint32_t bit, HostBits::Who who,
                   uint32_t seconds) {
  const auto key = [bit, who](const RuleContext& c) {
    return HostBits::key(bit, c.view.packet.tuple, who);
  };
  if (command == "isset" || command == "isnotset") {
    const bool wanted = command == "isset";
    return require(draft, [key, wanted](const RuleContext& c) {
      return c.host_bits.has(key(c), c.time_us) == wanted;
    });
  }
  if (command == "set")
    return then(draft, [key, seconds](const RuleContext& c) {
      c.host_bits.set(key(c), c.time_us + seconds * kSecondUs);
    });
  if (command == "unset")
    return then(draft, [key](const RuleContext& c) { c.host_bits.unset(key(c)); });
  if (command == "toggle")
    return then(draft, [key, seconds](const RuleContext& c) {
      if (c.host_bits.has(key(c), c.time_us)) {
        c.host_bits.unset(key(c));
      } else {
        c.host_bits.set(key(c), c.time_us + seconds * kSecondUs);
      }
    });
  return fail("'" + std::string(command) + "' is not supported");
}

Result<HostBits::Who> who_of(std::string_view word) {
  if (word == "ip_src" || word == "src") return HostBits::Who::kSource;
  if (word == "ip_dst" || word == "dst") return HostBits::Who::kDestination;
  if (word == "ip_pair" || word == "both") return HostBits::Who::kBoth;
  return fail("'" + std::string(word) + "' is not supported");
}

// command, name, track ip_src | ip_dst | ip_pair [, expire N]
Result<> apply_xbits(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 3) return fail("needs command, name and track");
  if (parts.size() > 4) return fail("takes command, name, track and expire");
  SLUICE_TRY(const uint32_t bit, draft.names.number("xbit:" + std::string(parts[1])));
  std::string_view track = parts[2];
  if (take_part(track, ' ') != "track") return fail("needs track ip_src, ip_dst or ip_pair");
  SLUICE_TRY(const auto who, who_of(trimmed_option(track)));
  uint32_t seconds = kBitSecondsDefault;
  if (parts.size() > 3) {
    std::string_view expire = parts[3];
    if (take_part(expire, ' ') != "expire") return fail("needs expire and seconds");
    SLUICE_TRY(seconds, option_number<uint32_t>(expire, 1, UINT32_MAX));
  }
  return apply_bit(draft, parts[0], bit, who, seconds);
}

// command, name [, src | dst | both]
Result<> apply_hostbits(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 2) return fail("needs command and name");
  if (parts.size() > 3) return fail("takes command, name and whose");
  SLUICE_TRY(const uint32_t bit, draft.names.number("hostbit:" + std::string(parts[1])));
  HostBits::Who who = HostBits::Who::kSource;
  if (parts.size() > 2) {
    SLUICE_TRY(who, who_of(parts[2]));
  }
  return apply_bit(draft, parts[0], bit, who, 300);
}

// --- threshold, detection_filter ---

struct Counting {
  bool type = false, track = false, count = false, seconds = false;
};

Result<> read_counting(std::string_view option, Threshold& out, Counting& given) {
  std::string_view value = option;
  const std::string_view name = take_part(value, ' ');
  value = trimmed_option(value);
  if (name == "type") {
    SLUICE_TRY(out.type, find_threshold_type(value));
    given.type = true;
  } else if (name == "track") {
    SLUICE_TRY(out.track, find_track(value));
    given.track = true;
  } else if (name == "count") {
    SLUICE_TRY(out.count, option_number<uint32_t>(value, 1, UINT32_MAX));
    given.count = true;
  } else if (name == "seconds") {
    SLUICE_TRY(out.seconds, option_number<uint32_t>(value, 1, UINT32_MAX));
    given.seconds = true;
  } else if (name == "unique_on") {
    if (value != "src_port" && value != "dst_port") return fail("unique_on src_port or dst_port");
    out.unique_on = value == "src_port" ? UniqueOn::kSourcePort : UniqueOn::kDestinationPort;
  } else {
    return fail("'" + std::string(name) + "' is not supported");
  }
  return {};
}

// `most`: the largest number that it has to tell from others.
Result<> check_unique(const Threshold& read, uint64_t most) {
  if (read.unique_on == UniqueOn::kNone || most <= kUniqueMax) return {};
  return fail("unique_on tells at most " + std::to_string(kUniqueMax) + " values: a smaller count");
}

Result<> apply_threshold(RuleDraft& draft, std::string_view value) {
  if (draft.rule.threshold || draft.rule.detection_filter)
    return fail("one threshold or detection_filter for each rule");
  Threshold threshold;
  Counting given;
  for (const std::string_view option : comma_parts(value))
    SLUICE_TRY_VOID(read_counting(option, threshold, given));
  if (!given.type || !given.track || !given.count || !given.seconds)
    return fail("needs type, track, count and seconds");
  const bool more = threshold.type == Threshold::Type::kLimit;  // it is silent about those
  SLUICE_TRY_VOID(check_unique(threshold, uint64_t{threshold.count} + (more ? 1 : 0)));
  draft.rule.threshold = threshold;
  return {};
}

Result<> apply_detection_filter(RuleDraft& draft, std::string_view value) {
  if (draft.rule.threshold || draft.rule.detection_filter)
    return fail("one threshold or detection_filter for each rule");
  Threshold read;
  Counting given;
  for (const std::string_view option : comma_parts(value))
    SLUICE_TRY_VOID(read_counting(option, read, given));
  if (given.type) return fail("takes no type");
  if (!given.track || !given.count || !given.seconds) return fail("needs track, count and seconds");
  SLUICE_TRY_VOID(check_unique(read, uint64_t{read.count} + 1));
  draft.rule.detection_filter =
      DetectionFilter{read.track, read.count, read.seconds, read.unique_on};
  return {};
}

// --- the application protocol ---

// [!]name[, exact]: http stands for both versions unless exact.
Result<> apply_app_layer_protocol(RuleDraft& draft, std::string_view value) {
  const bool negated = value.starts_with('!');
  const auto parts = comma_parts(value.substr(negated ? 1 : 0));
  if (parts.empty() || parts.size() > 2) return fail("needs the name of a protocol");
  if (parts.size() == 2 && parts[1] != "exact" && parts[1] != "either")
    return fail("'" + std::string(parts[1]) + "' is not supported");
  SLUICE_TRY(auto protocols, app_protocols_of(parts[0]));
  draft.rule.conditions.push_back(
      std::make_shared<ProtocolCondition>(std::move(protocols), negated));
  return {};
}

constexpr Keyword kKeywords[] = {
    {"flowbits", KeywordValue::kRequired, apply_flowbits,
     "set, unset, toggle, isset, isnotset a bit of the flow"},
    {"flowint", KeywordValue::kRequired, apply_flowint, "a number of the flow"},
    {"xbits", KeywordValue::kRequired, apply_xbits, "a bit of an address or a pair of them"},
    {"hostbits", KeywordValue::kRequired, apply_hostbits, "a bit of an address"},
    {"threshold", KeywordValue::kRequired, apply_threshold, "how often the rule alerts"},
    {"detection_filter", KeywordValue::kRequired, apply_detection_filter,
     "how many matches before it acts"},
    {"app-layer-protocol", KeywordValue::kRequired, apply_app_layer_protocol,
     "the protocol that was found"},
};

}  // namespace

std::span<const Keyword> state_keywords() { return kKeywords; }

}  // namespace sluice::inspect
