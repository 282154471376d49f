// SPDX-License-Identifier: Apache-2.0
// The events of IPv4 options (RFC 791, 3.1) and of IPv6 extension headers (RFC 8200, 4).
#include <algorithm>

#include "inspect/stream/header_events.h"
#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

using E = DecodeEvent;
using Bytes = std::span<const uint8_t>;

// --- IPv4 ---

constexpr uint8_t kEnd = 0;
constexpr uint8_t kNoOperation = 1;
constexpr uint8_t kRecordRoute = 7;
constexpr uint8_t kTimestamp = 68;
constexpr uint8_t kLooseRoute = 131;
constexpr uint8_t kStrictRoute = 137;
constexpr size_t kOptionsUnit = 8;  // Suricata's; they end at a multiple of 4 anyway

// With its kind and length.
struct OptionLength {
  uint8_t kind, min, max;
};
constexpr OptionLength kOptionLengths[] = {
    {kRecordRoute, 3, 39}, {25, 8, 8},   {kTimestamp, 5, 40}, {130, 3, 40},
    {kLooseRoute, 3, 39},  {133, 3, 40}, {134, 6, 40},        {136, 4, 4},
    {kStrictRoute, 3, 39}, {148, 4, 4},
};

// The pointer of a list of addresses or times leads to an entry, or behind the last one.
bool has_good_pointer(Bytes option) {
  const uint8_t kind = option[0];
  const size_t pointer = option[2];
  if (kind == kTimestamp) {
    const uint8_t form = option[3] & 0x0f;
    const bool known = form == 0 || form == 1 || form == 3;
    return known && pointer >= 5 && (pointer - 5) % (form == 0 ? 4 : 8) == 0 &&
           pointer <= option.size() + 1;
  }
  if (kind != kRecordRoute && kind != kLooseRoute && kind != kStrictRoute) return true;
  return pointer >= 4 && pointer % 4 == 0 && pointer <= option.size() + 1;
}

void add_option_events(Bytes option, DecodeEvents& events) {
  const auto* const known = std::ranges::find(kOptionLengths, option[0], &OptionLength::kind);
  if (known == std::end(kOptionLengths))
    add(events, E::kIpv4OptionInvalid);
  else if (option.size() < known->min || option.size() > known->max)
    add(events, E::kIpv4OptionLength);
  else if (!has_good_pointer(option))
    add(events, E::kIpv4OptionMalformed);
}

// --- IPv6 ---

constexpr size_t kIpv6HeaderLength = 40;
constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kAuthentication = 51;
constexpr uint8_t kDestination = 60;
constexpr uint8_t kPad1 = 0;
constexpr uint8_t kPadN = 1;

struct ExtensionOptionLength {
  uint8_t kind, length;
};
// Router alert, jumbo payload, home address.
constexpr ExtensionOptionLength kExtensionOptions[] = {{5, 2}, {0xc2, 4}, {0xc9, 16}};

struct ExtensionOptions {
  bool bad_length = false, unknown = false, any = false, empty_padding = false;
};

ExtensionOptions read_extension_options(Bytes rest) {
  ExtensionOptions out;
  while (!rest.empty()) {
    const uint8_t kind = rest[0];
    if (kind == kPad1) {
      rest = rest.subspan(1);
      continue;
    }
    const size_t length = rest.size() < 2 ? SIZE_MAX : rest[1];
    if (length > rest.size() - 2) {
      out.bad_length = true;
      break;
    }
    const auto* const known =
        std::ranges::find(kExtensionOptions, kind, &ExtensionOptionLength::kind);
    const bool is_known = known != std::end(kExtensionOptions);
    if (kind == kPadN) {
      out.empty_padding |= length == 0;
    } else {
      out.any = true;
      out.unknown |= !is_known;
      out.bad_length |= is_known && length != known->length;
    }
    rest = rest.subspan(2 + length);
  }
  return out;
}

void add_extension_option_events(bool hop_by_hop, Bytes options, DecodeEvents& events) {
  const ExtensionOptions read = read_extension_options(options);
  if (read.bad_length) add(events, E::kIpv6OptionLength);
  if (read.empty_padding) add(events, E::kIpv6EmptyPadding);
  if (read.unknown)
    add(events, hop_by_hop ? E::kIpv6HopOptionUnknown : E::kIpv6DestinationOptionUnknown);
  if (!read.any && !read.bad_length)
    add(events, hop_by_hop ? E::kIpv6HopOnlyPadding : E::kIpv6DestinationOnlyPadding);
}

void add_fragment_header_events(Bytes header, DecodeEvents& events) {
  if (header[1] != 0) add(events, E::kIpv6FragmentReserved);
  if ((tunnels::load_be16(&header[2]) & 0xfff9) == 0) add(events, E::kIpv6FragmentUseless);
}

// How often each may stand there, and the event of one more.
struct Repeated {
  uint8_t kind;
  int max;
  DecodeEvent event;
};
constexpr Repeated kRepeated[] = {{kHopByHop, 1, E::kIpv6HopTwice},
                                  {kRouting, 1, E::kIpv6RoutingTwice},
                                  {kFragment, 1, E::kIpv6FragmentTwice},
                                  {kAuthentication, 1, E::kIpv6AuthenticationTwice},
                                  {kDestination, 2, E::kIpv6DestinationTwice}};

void add_header_events(uint8_t kind, Bytes header, DecodeEvents& events) {
  if (kind == kHopByHop || kind == kDestination)
    add_extension_option_events(kind == kHopByHop, header.subspan(2), events);
  if (kind == kRouting && header[2] == 0) add(events, E::kIpv6RoutingType0);
  if (kind == kFragment) add_fragment_header_events(header, events);
  if (kind == kAuthentication && tunnels::load_be16(&header[2]) != 0)
    add(events, E::kIpv6AuthenticationReserved);
}

size_t length_of(uint8_t kind, Bytes header) {
  if (kind == kFragment) return 8;
  return kind == kAuthentication ? (header[1] + 2u) * 4 : (header[1] + 1u) * 8;
}

}  // namespace

void add_ipv4_option_events(Bytes options, DecodeEvents& events) {
  if (options.size() % kOptionsUnit != 0) add(events, E::kIpv4OptionPadding);
  std::bitset<256> had;
  while (!options.empty() && options[0] != kEnd) {
    const uint8_t kind = options[0];
    if (kind == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) return add(events, E::kIpv4OptionNoEnd);
    const size_t length = options[1];
    if (length < 2 || length > options.size()) return add(events, E::kIpv4OptionLength);
    if (had.test(kind)) add(events, E::kIpv4OptionTwice);
    had.set(kind);
    add_option_events(options.first(length), events);
    options = options.subspan(length);
  }
}

void add_extension_events(Bytes ip, DecodeEvents& events) {
  uint8_t kind = ip[6];
  int count[256] = {};
  for (Bytes rest = ip.subspan(kIpv6HeaderLength); rest.size() >= 8;) {
    const size_t length = std::min(length_of(kind, rest), rest.size());
    const auto* const repeated = std::ranges::find(kRepeated, kind, &Repeated::kind);
    if (repeated != std::end(kRepeated) && ++count[kind] > repeated->max)
      add(events, repeated->event);
    add_header_events(kind, rest.first(length), events);
    kind = rest[0];
    rest = rest.subspan(length);
  }
}

}  // namespace sluice::inspect
