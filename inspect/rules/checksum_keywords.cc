// SPDX-License-Identifier: Apache-2.0
// Whether a packet's checksums are right. Suricata userguide, "Header Keywords". Where checksums
// are not verified (-k none) all are.
#include <algorithm>
#include <cctype>

#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"
#include "inspect/stream/segment_checksum.h"

namespace sluice::inspect {
namespace {

constexpr uint8_t kOwn = 0;  // that of the IP header itself

template <uint8_t kVersion, uint8_t kProtocol>
class ChecksumCondition final : public Condition {
 public:
  explicit ChecksumCondition(bool right) : right_(right) {}
  bool holds(const RuleContext& context) const override {
    const PacketView& view = context.view;
    const tunnels::tuple& tuple = view.packet.tuple;
    if (tuple.version != kVersion || (kProtocol != kOwn && tuple.protocol != kProtocol))
      return false;
    if (!context.checksums_verified) return right_;
    return right_ == (kProtocol == kOwn ? has_right_ip_checksum(view) : has_right_checksum(view));
  }
  bool about_packet() const override { return true; }
  // The packets that are kept back because of theirs.
  bool about_stream_event() const override {
    return kProtocol == tunnels::kProtocolTcp || kProtocol == kOwn;
  }

 private:
  const bool right_;
};

template <uint8_t kVersion, uint8_t kProtocol>
Result<> apply(RuleDraft& draft, std::string_view value) {
  constexpr bool kIcmp = kProtocol == tunnels::kProtocolIcmpv6;
  constexpr auto kHeaders = kIcmp ? uint8_t{tunnels::kProtocolIcmp} : kProtocol;
  if (kProtocol != kOwn) SLUICE_TRY_VOID(check_protocol(draft.rule, kHeaders));
  if (draft.rule.ip_version != 0 && draft.rule.ip_version != kVersion)
    return fail(std::string("only IPv") + (kVersion == 4 ? "4" : "6") + " has it");
  if (value.size() > 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  std::string word(value);
  std::ranges::transform(word, word.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (word != "valid" && word != "invalid") return fail("takes valid or invalid");
  draft.rule.conditions.push_back(
      std::make_shared<ChecksumCondition<kVersion, kProtocol>>(word == "valid"));
  return {};
}

constexpr Keyword kKeywords[] = {
    {"ipv4-csum", KeywordValue::kRequired, apply<4, kOwn>, "valid or invalid: of the IPv4 header"},
    {"tcpv4-csum", KeywordValue::kRequired, apply<4, tunnels::kProtocolTcp>, "of TCP over IPv4"},
    {"tcpv6-csum", KeywordValue::kRequired, apply<6, tunnels::kProtocolTcp>, "of TCP over IPv6"},
    {"udpv4-csum", KeywordValue::kRequired, apply<4, tunnels::kProtocolUdp>, "of UDP over IPv4"},
    {"udpv6-csum", KeywordValue::kRequired, apply<6, tunnels::kProtocolUdp>, "of UDP over IPv6"},
    {"icmpv4-csum", KeywordValue::kRequired, apply<4, tunnels::kProtocolIcmp>, "of ICMP"},
    {"icmpv6-csum", KeywordValue::kRequired, apply<6, tunnels::kProtocolIcmpv6>, "of ICMPv6"},
};

}  // namespace

std::span<const Keyword> checksum_keywords() { return kKeywords; }

}  // namespace sluice::inspect
