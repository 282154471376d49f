// SPDX-License-Identifier: Apache-2.0
// What the headers of a packet say, and how large its flow is. Suricata userguide, "Header
// Keywords" and "Flow Keywords".
#include <algorithm>
#include <array>
#include <charconv>

#include "inspect/rules/keywords.h"
#include "inspect/rules/packet_condition.h"
#include "inspect/stream/tcp_options.h"

namespace sluice::inspect {
namespace {

template <class Test>
Result<> require(RuleDraft& draft, Test test) {
  draft.rule.conditions.push_back(std::make_shared<PacketCondition<Test>>(std::move(test)));
  return {};
}

std::span<const uint8_t> transport(const PacketView& view) {
  return view.ip.subspan(view.packet.l4_offset);
}
bool is_whole_tcp(const PacketView& view) { return view.is_tcp() && transport(view).size() >= 20; }
bool has_icmp_header(const PacketView& view) {
  return icmp_kind(view) && transport(view).size() >= 8;
}

// --- IP ---

Result<> apply_ttl(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 255));
  return require(draft, [range](const RuleContext& c) {
    return range.contains(c.view.ip[is_v4(c.view) ? 8 : 7]);
  });
}

// As size_range(), and [!]xHEX.
Result<SizeRange> tos_range(std::string_view value) {
  const bool negated = value.starts_with('!');
  std::string_view digits = trimmed_option(value.substr(negated ? 1 : 0));
  if (!digits.starts_with('x') && !digits.starts_with('X')) return size_range(value, 255);
  digits.remove_prefix(1);
  uint8_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc() || end != digits.data() + digits.size())
    return fail("'" + std::string(value) + "' is not x and a hexadecimal number of up to xff");
  return SizeRange{number, number, negated};
}

Result<> apply_tos(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, tos_range(value));
  return require(draft, [range](const RuleContext& c) {
    return is_v4(c.view) && range.contains(c.view.ip[1]);
  });
}

Result<> apply_id(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, 65535));
  return require(draft, [range](const RuleContext& c) {
    return is_v4(c.view) && range.contains(tunnels::load_be16(&c.view.ip[4]));
  });
}

constexpr uint8_t kAnyIpOption = UINT8_MAX;

// Whether the header has such an option. What follows one of a wrong length is not read.
bool has_ip_option(const PacketView& view, uint8_t wanted) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1;
  if (!is_v4(view)) return false;
  auto options = view.ip.first((view.ip[0] & 0x0fu) * 4u).subspan(20);
  while (!options.empty()) {
    const uint8_t kind = options[0];
    if (kind == wanted || wanted == kAnyIpOption) return true;
    if (kind == kEnd) return false;
    const size_t length = kind == kNoOperation ? 1 : options.size() < 2 ? 0 : options[1];
    if (length == 0 || length > options.size()) return false;
    options = options.subspan(length);
  }
  return false;
}

Result<> apply_ipopts(RuleDraft& draft, std::string_view value) {
  static constexpr std::pair<std::string_view, uint8_t> kNames[] = {
      {"eol", 0},
      {"nop", 1},
      {"rr", 7},
      {"qs", 25},
      {"ts", 68},
      {"sec", 130},
      {"lsrr", 131},
      {"esec", 133},
      {"cipso", 134},
      {"satid", 136},
      {"ssrr", 137},
      {"rtralt", 148},
      {"any", kAnyIpOption},
  };
  for (const auto& [name, kind] : kNames) {
    if (name != value) continue;
    return require(draft,
                   [kind = kind](const RuleContext& c) { return has_ip_option(c.view, kind); });
  }
  return fail("'" + std::string(value) + "' is no option of IPv4 that is known here");
}

Result<uint32_t> protocol_number(std::string_view text) {
  static constexpr std::pair<std::string_view, uint32_t> kNames[] = {
      {"ICMP", 1},  {"IGMP", 2},  {"TCP", 6},    {"UDP", 17},       {"IPv6", 41},
      {"GRE", 47},  {"ESP", 50},  {"AH", 51},    {"IPv6-ICMP", 58}, {"EIGRP", 88},
      {"OSPF", 89}, {"PIM", 103}, {"VRRP", 112}, {"SCTP", 132},
  };
  const auto same = [&](const auto& entry) {
    return std::equal(entry.first.begin(), entry.first.end(), text.begin(), text.end(),
                      [](unsigned char a, unsigned char b) { return (a | 32) == (b | 32); });
  };
  const auto* const found = std::find_if(std::begin(kNames), std::end(kNames), same);
  if (found != std::end(kNames)) return found->second;
  return option_number<uint32_t>(text, 0, 255);
}

Result<> apply_ip_proto(RuleDraft& draft, std::string_view value) {
  const char sign = value.empty() ? ' ' : value.front();
  const bool has_sign = sign == '!' || sign == '<' || sign == '>';
  SLUICE_TRY(const uint32_t number,
             protocol_number(trimmed_option(value.substr(has_sign ? 1 : 0))));
  SizeRange range{number, number};
  if (sign == '!') range.outside = true;
  if (sign == '<') range = {0, number == 0 ? 0 : number - 1};
  if (sign == '>') range = {number + 1, UINT32_MAX};
  return require(draft, [range](const RuleContext& c) {
    return range.contains(c.view.packet.tuple.protocol);
  });
}

Result<> apply_sameip(RuleDraft& draft, std::string_view) {
  return require(draft, [](const RuleContext& c) {
    const tunnels::tuple& t = c.view.packet.tuple;
    return std::equal(std::begin(t.source), std::end(t.source), std::begin(t.destination));
  });
}

// --- TCP ---

struct FlagTest {
  uint8_t wanted = 0;
  uint8_t ignored = 0;
  char how = '=';  // = exactly, + these and others, * any of these, ! not all of these

  bool holds(uint8_t flags) const {
    const auto seen = static_cast<uint8_t>(flags & ~ignored);
    if (how == '+') return (seen & wanted) == wanted;
    if (how == '*') return (seen & wanted) != 0;
    if (how == '!') return (seen & wanted) != wanted;
    return seen == wanted;
  }
};

Result<uint8_t> flag_bits(std::string_view letters) {
  static constexpr std::pair<char, uint8_t> kBits[] = {
      {'F', 1},  {'S', 2},  {'R', 4},   {'P', 8},   {'A', 16}, {'U', 32},
      {'E', 64}, {'2', 64}, {'C', 128}, {'1', 128}, {'0', 0},
  };
  uint8_t out = 0;
  for (const char c : letters) {
    const auto* const found = std::find_if(std::begin(kBits), std::end(kBits),
                                           [c](const auto& bit) { return bit.first == c; });
    if (found == std::end(kBits)) return fail(std::string("'") + c + "' is not one of FSRPAUEC120");
    out |= found->second;
  }
  return out;
}

Result<> apply_flags(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  FlagTest test;
  std::string_view rest = value;
  std::string_view letters = take_part(rest, ',');
  for (const bool front : {true, false}) {
    if (letters.empty()) break;
    const char c = front ? letters.front() : letters.back();
    if (c != '+' && c != '*' && c != '!') continue;
    test.how = c;
    front ? letters.remove_prefix(1) : letters.remove_suffix(1);
    break;
  }
  if (letters.empty()) return fail("needs at least one flag, or 0");
  SLUICE_TRY(test.wanted, flag_bits(letters));
  SLUICE_TRY(test.ignored, flag_bits(rest));
  return require(draft, [test](const RuleContext& c) {
    return c.view.is_tcp() && test.holds(c.view.packet.tcp_flags);
  });
}

Result<> apply_seq(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  SLUICE_TRY(const auto number, option_number<uint32_t>(value, 0, UINT32_MAX));
  return require(draft, [number](const RuleContext& c) {
    return c.view.is_tcp() && c.view.sequence == number;
  });
}

Result<> apply_ack(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  SLUICE_TRY(const auto number, option_number<uint32_t>(value, 0, UINT32_MAX));
  return require(draft, [number](const RuleContext& c) {
    return c.view.is_tcp() && c.view.acknowledgement == number;
  });
}

Result<> apply_window(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  SLUICE_TRY(const SizeRange range, size_range(value, 65535));
  return require(draft, [range](const RuleContext& c) {
    return is_whole_tcp(c.view) && range.contains(tunnels::load_be16(&transport(c.view)[14]));
  });
}

// The value of an option of TCP, a number of so many bytes (1 or 2); nothing: it has none.
std::optional<uint16_t> tcp_option(const PacketView& view, uint8_t wanted, size_t width) {
  if (!is_whole_tcp(view)) return std::nullopt;
  const auto segment = transport(view);
  std::optional<uint16_t> out;
  each_tcp_option(segment.subspan(20, segment.size() - view.payload.size() - 20),
                  [&](uint8_t kind, std::span<const uint8_t> value) {
                    if (kind == wanted && value.size() == width)
                      out = width == 1 ? value[0] : tunnels::load_be16(value.data());
                    return !out;
                  });
  return out;
}

Result<> require_tcp_option(RuleDraft& draft, std::string_view value, uint8_t kind, size_t width) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  SLUICE_TRY(const SizeRange range, size_range(value, width == 1 ? 255 : 65535));
  return require(draft, [range, kind, width](const RuleContext& c) {
    const auto number = tcp_option(c.view, kind, width);
    return number && range.contains(*number);
  });
}

Result<> apply_mss(RuleDraft& draft, std::string_view value) {
  return require_tcp_option(draft, value, kTcpOptionSegmentSize, 2);
}
Result<> apply_wscale(RuleDraft& draft, std::string_view value) {
  return require_tcp_option(draft, value, kTcpOptionWindowScale, 1);
}

// --- ICMP ---

// A field of the header: its place, its width of one or two bytes.
Result<> require_icmp(RuleDraft& draft, std::string_view value, size_t place, size_t width) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolIcmp));
  SLUICE_TRY(const SizeRange range, size_range(value, width == 1 ? 255 : 65535));
  return require(draft, [range, place, width](const RuleContext& c) {
    if (!has_icmp_header(c.view)) return false;
    const uint8_t* at = &transport(c.view)[place];
    return range.contains(width == 1 ? *at : tunnels::load_be16(at));
  });
}

Result<> apply_itype(RuleDraft& draft, std::string_view value) {
  return require_icmp(draft, value, 0, 1);
}
Result<> apply_icode(RuleDraft& draft, std::string_view value) {
  return require_icmp(draft, value, 1, 1);
}

bool is_echo(const PacketView& view) {
  const uint8_t type = transport(view)[0];
  return is_v4(view) ? type == 0 || type == 8 : type == 128 || type == 129;
}

// Only echoes have an identifier and a number (RFC 792, RFC 4443 section 4).
Result<> require_echo(RuleDraft& draft, std::string_view value, size_t place) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolIcmp));
  SLUICE_TRY(const auto number, option_number<uint16_t>(value, 0, 65535));
  return require(draft, [number, place](const RuleContext& c) {
    return has_icmp_header(c.view) && is_echo(c.view) &&
           tunnels::load_be16(&transport(c.view)[place]) == number;
  });
}

Result<> apply_icmp_id(RuleDraft& draft, std::string_view value) {
  return require_echo(draft, value, 4);
}
Result<> apply_icmp_seq(RuleDraft& draft, std::string_view value) {
  return require_echo(draft, value, 6);
}

// Of "packet too big" (RFC 4443 section 3.2).
Result<> apply_icmpv6_mtu(RuleDraft& draft, std::string_view value) {
  constexpr uint8_t kPacketTooBig = 2;
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolIcmp));
  SLUICE_TRY(const SizeRange range, size_range(value, UINT32_MAX - 1));
  return require(draft, [range](const RuleContext& c) {
    return has_icmp_header(c.view) && !is_v4(c.view) && transport(c.view)[0] == kPacketTooBig &&
           range.contains(tunnels::load_be32(&transport(c.view)[4]));
  });
}

// --- the flow ---

// server | client | both | either, operator, bytes. Counted as sequence numbers are: the SYN is
// one.
Result<> apply_stream_size(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY_VOID(check_protocol(draft.rule, tunnels::kProtocolTcp));
  const auto parts = comma_parts(value);
  if (parts.size() != 3) return fail("needs side, operator, bytes");
  static constexpr std::string_view kSides[] = {"server", "client", "both", "either"};
  const auto* const side = std::find(std::begin(kSides), std::end(kSides), parts[0]);
  if (side == std::end(kSides)) return fail("the side is server, client, both or either");
  SizeRange range;
  if (parts[1] == "=" || parts[1] == "!=") {
    SLUICE_TRY(range, size_range((parts[1] == "=" ? "" : "!") + std::string(parts[2]), 1u << 31));
  } else {
    SLUICE_TRY(range, size_range(std::string(parts[1]) + std::string(parts[2]), 1u << 31));
  }
  const std::string_view who = *side;
  return require(draft, [range, who](const RuleContext& c) {
    if (!c.view.is_tcp()) return false;
    const bool client = range.contains(c.stream_bytes[0]);
    const bool server = range.contains(c.stream_bytes[1]);
    if (who == "client") return client;
    if (who == "server") return server;
    return who == "both" ? client && server : client || server;
  });
}

template <class Number>
Result<> require_of_flow(RuleDraft& draft, std::string_view value, Number number) {
  SLUICE_TRY(const SizeRange range, size_range(value, UINT32_MAX - 1));
  return require(draft,
                 [range, number](const RuleContext& c) { return range.contains(number(c.flow)); });
}

Result<> apply_flow_age(RuleDraft& draft, std::string_view value) {
  return require_of_flow(draft, value, [](const Flow& flow) {
    return static_cast<size_t>(flow.last_us / 1'000'000 - flow.start_us / 1'000'000);
  });
}
Result<> apply_pkts_toserver(RuleDraft& draft, std::string_view value) {
  return require_of_flow(draft, value, [](const Flow& flow) { return flow.packets[0]; });
}
Result<> apply_pkts_toclient(RuleDraft& draft, std::string_view value) {
  return require_of_flow(draft, value, [](const Flow& flow) { return flow.packets[1]; });
}
Result<> apply_bytes_toserver(RuleDraft& draft, std::string_view value) {
  return require_of_flow(draft, value, [](const Flow& flow) { return flow.bytes[0]; });
}
Result<> apply_bytes_toclient(RuleDraft& draft, std::string_view value) {
  return require_of_flow(draft, value, [](const Flow& flow) { return flow.bytes[1]; });
}

constexpr Keyword kKeywords[] = {
    {"ttl", KeywordValue::kRequired, apply_ttl, "time to live, hop limit"},
    {"tos", KeywordValue::kRequired, apply_tos, "type of service, IPv4"},
    {"id", KeywordValue::kRequired, apply_id, "identification, IPv4"},
    {"ip_proto", KeywordValue::kRequired, apply_ip_proto, "the protocol by number or name"},
    {"ipopts", KeywordValue::kRequired, apply_ipopts,
     "an option of IPv4: any, eol, nop, rr, qs, ts, sec, esec, lsrr, ssrr, satid, cipso, rtralt"},
    {"sameip", KeywordValue::kNone, apply_sameip, "source and destination are the same"},
    {"flags", KeywordValue::kRequired, apply_flags, "flags of TCP; + * ! , and those to ignore"},
    {"tcp.flags", KeywordValue::kRequired, apply_flags, "the same"},
    {"seq", KeywordValue::kRequired, apply_seq, "sequence number of TCP"},
    {"ack", KeywordValue::kRequired, apply_ack, "acknowledgement number of TCP"},
    {"window", KeywordValue::kRequired, apply_window, "window of TCP"},
    {"tcp.mss", KeywordValue::kRequired, apply_mss, "announced maximum segment size"},
    {"tcp.wscale", KeywordValue::kRequired, apply_wscale, "announced shift of TCP's windows"},
    {"itype", KeywordValue::kRequired, apply_itype, "type of ICMP"},
    {"icode", KeywordValue::kRequired, apply_icode, "code of ICMP"},
    {"icmp_id", KeywordValue::kRequired, apply_icmp_id, "identifier of an ICMP echo"},
    {"icmp_seq", KeywordValue::kRequired, apply_icmp_seq, "number of an ICMP echo"},
    {"icmpv6.mtu", KeywordValue::kRequired, apply_icmpv6_mtu, "of a packet that was too big"},
    {"stream_size", KeywordValue::kRequired, apply_stream_size,
     "side,operator,bytes of a connection"},
    {"flow.age", KeywordValue::kRequired, apply_flow_age, "seconds"},
    {"flow.pkts_toserver", KeywordValue::kRequired, apply_pkts_toserver, "packets so far"},
    {"flow.pkts_toclient", KeywordValue::kRequired, apply_pkts_toclient, "packets so far"},
    {"flow.bytes_toserver", KeywordValue::kRequired, apply_bytes_toserver, "bytes so far"},
    {"flow.bytes_toclient", KeywordValue::kRequired, apply_bytes_toclient, "bytes so far"},
};

}  // namespace

std::span<const Keyword> packet_keywords() { return kKeywords; }

}  // namespace sluice::inspect
