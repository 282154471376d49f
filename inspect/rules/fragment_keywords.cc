// SPDX-License-Identifier: Apache-2.0
// What a packet says of being a fragment. Suricata userguide, "IP Keywords". Such a rule is asked
// about fragments as they come, too, which are no packets for any other.
#include <algorithm>

#include "inspect/rules/keywords.h"
#include "inspect/rules/packet_condition.h"

namespace sluice::inspect {
namespace {

template <class Test>
class FragmentCondition final : public PacketCondition<Test> {
 public:
  using PacketCondition<Test>::PacketCondition;
  bool about_fragment() const override { return true; }
};

template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  draft.rule.conditions.push_back(std::make_shared<FragmentCondition<Test>>(std::move(test)));
  return {};
}

// [*+!] and some of M, D, R. As with `flags`: any of them, these and maybe others, not all of them.
Result<> apply_fragbits(RuleDraft& draft, std::string_view value) {
  static constexpr std::pair<char, uint8_t> kBits[] = {{'M', 0x20}, {'D', 0x40}, {'R', 0x80}};
  constexpr uint8_t kAll = 0xe0;
  const char how = value.front();
  if (how == '*' || how == '+' || how == '!') value = trimmed_option(value.substr(1));
  if (value.empty()) return fail("needs some of M, D and R");
  uint8_t wanted = 0;
  for (const char c : value) {
    const auto* const bit = std::ranges::find(kBits, c & ~0x20, &std::pair<char, uint8_t>::first);
    if (bit == std::end(kBits)) return fail(std::string("'") + c + "' is not one of M, D and R");
    wanted |= bit->second;
  }
  return require(draft, [wanted, how](const RuleContext& context) {
    const PacketView& view = context.view;
    if (!is_v4(view)) return false;
    const auto bits = static_cast<uint8_t>(view.ip[6] & kAll);
    if (how == '*') return (bits & wanted) != 0;
    if (how == '+') return (bits & wanted) == wanted;
    if (how == '!') return (bits & wanted) != wanted;
    return bits == wanted;
  });
}

// In units of eight bytes. What is no fragment has none in IPv6, 0 in IPv4.
Result<> apply_fragoffset(RuleDraft& draft, std::string_view value) {
  constexpr uint32_t kMost = 0x1fff;
  SLUICE_TRY(const SizeRange range, size_range(value, kMost));
  return require(draft, [range](const RuleContext& context) {
    const PacketView& view = context.view;
    if (is_v4(view)) return range.contains(tunnels::load_be16(&view.ip[6]) & kMost);
    if (!(view.packet.flags & tunnels::kPacketFragment)) return false;
    return range.contains(tunnels::load_be16(&view.ip[view.packet.l4_offset - 6]) >> 3);
  });
}

constexpr Keyword kKeywords[] = {
    {"fragbits", KeywordValue::kRequired, apply_fragbits,
     "M, D, R: more fragments, don't fragment, reserved; IPv4; * + ! before them"},
    {"fragoffset", KeywordValue::kRequired, apply_fragoffset,
     "where a fragment begins, in units of eight bytes"},
};

}  // namespace

std::span<const Keyword> fragment_keywords() { return kKeywords; }

}  // namespace sluice::inspect
