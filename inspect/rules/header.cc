// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/header.h"

#include <arpa/inet.h>

#include <bit>
#include <charconv>
#include <string>

namespace sluice::inspect {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
bool whole_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

bool read_address(std::string_view text, Prefix& out) {
  const std::string address(text);
  out.version = address.find(':') == std::string::npos ? 4 : 6;
  return inet_pton(out.version == 4 ? AF_INET : AF_INET6, address.c_str(), out.words) == 1;
}

// "24", or "255.255.255.0" behind an IPv4 address.
bool read_prefix_length(std::string_view text, unsigned bits_max, unsigned& bits) {
  Prefix mask;
  if (bits_max != 32 || text.find('.') == std::string_view::npos)
    return whole_number(text, bits) && bits <= bits_max;
  if (!read_address(text, mask) || mask.version != 4) return false;
  bits = static_cast<unsigned>(std::countl_one(ntohl(mask.words[0])));
  return bits + static_cast<unsigned>(std::countr_zero(ntohl(mask.words[0]))) == 32;
}

void cut_to(Prefix& prefix, unsigned bits) {
  for (unsigned i = 0; i < 4; i++) {
    const unsigned left = bits > 32 * i ? bits - 32 * i : 0;
    prefix.mask[i] =
        left >= 32 ? ~0u : htonl(static_cast<uint32_t>(~(uint64_t{0xffffffff} >> left)));
    prefix.words[i] &= prefix.mask[i];
  }
}

// --- ranges of addresses ---

using Wide = unsigned __int128;

Wide number_of(const Prefix& address) {
  Wide out = 0;
  for (unsigned i = 0; i < (address.version == 4 ? 1 : 4); i++)
    out = out << 32 | ntohl(address.words[i]);
  return out;
}

Prefix address_of(Wide number, uint8_t version) {
  Prefix out;
  out.version = version;
  for (unsigned i = version == 4 ? 1 : 4; i-- > 0; number >>= 32)
    out.words[i] = htonl(static_cast<uint32_t>(number));
  return out;
}

// "10.1.0.2-10.1.0.9": the fewest prefixes that are it, 254 at most.
Result<AddressList> parse_range(std::string_view text) {
  const size_t dash = text.find('-');
  Prefix from, to;
  if (!read_address(trimmed(text.substr(0, dash)), from) ||
      !read_address(trimmed(text.substr(dash + 1)), to) || from.version != to.version)
    return fail("not a range of addresses: " + quoted(text));
  const unsigned bits_max = from.version == 4 ? 32 : 128;
  Wide first = number_of(from);
  const Wide last = number_of(to);
  if (first > last) return fail("range of addresses runs backwards: " + quoted(text));
  AddressList list;
  while (true) {
    unsigned free = 0;  // low bits that may be anything
    Wide size = 1;      // 2^free
    while (free < bits_max && (first & size) == 0 && last - first >= 2 * size - 1) {
      free++;
      size *= 2;
    }
    Prefix& prefix = list.entries.emplace_back().leaf.emplace_back(address_of(first, from.version));
    cut_to(prefix, bits_max - free);
    if (last - first == size - 1) return list;
    first += size;
  }
}

Result<PortRange> parse_port_range(std::string_view text) {
  PortRange range;
  const size_t colon = text.find(':');
  const std::string_view first = text.substr(0, colon);
  const std::string_view last = colon == std::string_view::npos ? first : text.substr(colon + 1);
  const bool open = colon != std::string_view::npos;
  const bool first_ok = (open && first.empty()) || whole_number(first, range.first);
  const bool last_ok = (open && last.empty()) || whole_number(last, range.last);
  if (!first_ok || !last_ok || (first.empty() && last.empty()))
    return fail("not a port or range: " + quoted(text));
  if (range.first > range.last) return fail("port range runs backwards: " + quoted(text));
  return range;
}

Result<> parse_leaf_into(std::string_view text, AddressList::Entry& entry) {
  if (text.find('-') != std::string_view::npos) {
    SLUICE_TRY(auto range, parse_range(text));
    entry.list.push_back(std::move(range));
    return {};
  }
  SLUICE_TRY(const Prefix prefix, parse_prefix(text));
  entry.leaf.push_back(prefix);
  return {};
}

Result<> parse_leaf_into(std::string_view text, PortList::Entry& entry) {
  SLUICE_TRY(const PortRange range, parse_port_range(text));
  entry.leaf.push_back(range);
  return {};
}

// Splits at the commas outside brackets; false if the brackets do not pair.
bool split_list(std::string_view text, std::vector<std::string_view>& out) {
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); i++) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      out.push_back(trimmed(text.substr(start, i - start)));
      start = i + 1;
    } else if (text[i] == '[') {
      depth++;
    } else if (text[i] == ']' && --depth < 0) {
      return false;
    }
  }
  return depth == 0;
}

template <class Leaf>
Result<typename ListOf<Leaf>::Entry> parse_entry(std::string_view text, const Variables& variables,
                                                 int depth);

template <class Leaf>
Result<ListOf<Leaf>> parse_list(std::string_view text, const Variables& variables, int depth) {
  std::vector<std::string_view> parts;
  if (!split_list(text, parts)) return fail("brackets do not pair: " + quoted(text));
  if (parts.size() > kListEntriesMax) return fail("list of more than 4096 entries");
  ListOf<Leaf> list;
  for (const std::string_view part : parts) {
    SLUICE_TRY(auto entry, parse_entry<Leaf>(part, variables, depth));
    const bool any = entry.leaf.empty() && entry.list.front().any();
    if (any && entry.negated) return fail("'!any' matches nothing");
    if (any && parts.size() == 1) return ListOf<Leaf>{};
    list.entries.push_back(std::move(entry));
  }
  return list;
}

template <class Leaf>
Result<typename ListOf<Leaf>::Entry> parse_entry(std::string_view text, const Variables& variables,
                                                 int depth) {
  if (depth >= kListDepthMax) return fail("lists or variables nested more than 16 deep");
  typename ListOf<Leaf>::Entry entry;
  while (!text.empty() && text.front() == '!') {
    entry.negated = !entry.negated;
    text = trimmed(text.substr(1));
  }
  if (text.empty()) return fail("empty entry in a list");
  if (text == "any") {
    entry.list.emplace_back();
  } else if (text.front() == '$') {
    const auto variable = variables.find(text.substr(1));
    if (variable == variables.end()) return fail("unknown variable " + quoted(text));
    SLUICE_TRY(auto list, parse_list<Leaf>(variable->second, variables, depth + 1));
    entry.list.push_back(std::move(list));
  } else if (text.front() == '[') {
    if (text.back() != ']') return fail("brackets do not pair: " + quoted(text));
    SLUICE_TRY(auto list, parse_list<Leaf>(text.substr(1, text.size() - 2), variables, depth + 1));
    entry.list.push_back(std::move(list));
  } else {
    SLUICE_TRY_VOID(parse_leaf_into(text, entry));
  }
  return entry;
}

}  // namespace

bool Prefix::contains(const Address& address) const {
  if (address.version != version) return false;
  for (int i = 0; i < 4; i++) {
    if ((address.words[i] & mask[i]) != words[i]) return false;
  }
  return true;
}

Result<Prefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  Prefix prefix;
  if (!read_address(text.substr(0, slash), prefix))
    return fail("not an address or prefix: " + quoted(text));
  const unsigned bits_max = prefix.version == 4 ? 32 : 128;
  unsigned bits = bits_max;
  if (slash != std::string_view::npos &&
      !read_prefix_length(text.substr(slash + 1), bits_max, bits))
    return fail("not a prefix length: " + quoted(text));
  cut_to(prefix, bits);
  return prefix;
}

Result<AddressList> parse_addresses(std::string_view text, const Variables& variables) {
  return parse_list<Prefix>(trimmed(text), variables, 0);
}

Result<PortList> parse_ports(std::string_view text, const Variables& variables) {
  return parse_list<PortRange>(trimmed(text), variables, 0);
}

}  // namespace sluice::inspect
