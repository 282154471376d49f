// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/content_search.h"

#include <cstring>

namespace sluice::inspect {
namespace {

uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; }

bool equal_nocase(const uint8_t* bytes, std::string_view wanted) {
  for (size_t i = 0; i < wanted.size(); i++) {
    if (lower(bytes[i]) != static_cast<uint8_t>(wanted[i])) return false;
  }
  return true;
}

// A byte in any case, in eight places.
struct AnyCase {
  explicit AnyCase(char c) : wanted(kOnes * static_cast<uint8_t>(c)) {
    if (c >= 'a' && c <= 'z') fold = kOnes * 0x20;
  }
  // 0 in each place where it is.
  uint64_t differs(const uint8_t* bytes) const {
    uint64_t eight = 0;
    std::memcpy(&eight, bytes, sizeof(eight));
    return (eight | fold) ^ wanted;
  }

  static constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t wanted;
  uint64_t fold = 0;
};

bool has_zero(uint64_t eight) {
  return ((eight - AnyCase::kOnes) & ~eight & 0x80 * AnyCase::kOnes) != 0;
}

// Eight places at a time, of which most have not both the first and the last byte.
size_t search_nocase(std::span<const uint8_t> haystack, std::string_view wanted) {
  const size_t places = haystack.size() - wanted.size() + 1;
  const AnyCase first(wanted.front());
  const AnyCase last(wanted.back());
  for (size_t at = 0; at < places;) {
    size_t end = at + 1;
    if (at + 8 <= places) {
      end = at + 8;
      const uint8_t* const bytes = haystack.data() + at;
      if (!has_zero(first.differs(bytes) | last.differs(bytes + wanted.size() - 1))) at = end;
    }
    for (; at < end; at++) {
      if (equal_nocase(&haystack[at], wanted)) return at;
    }
  }
  return haystack.size();
}

}  // namespace

size_t find_content(std::span<const uint8_t> haystack, std::string_view wanted, bool nocase) {
  const size_t none = haystack.size();
  if (wanted.size() > haystack.size()) return none;
  if (nocase) return search_nocase(haystack, wanted);
  const void* at = memmem(haystack.data(), haystack.size(), wanted.data(), wanted.size());
  return at == nullptr ? none
                       : static_cast<size_t>(static_cast<const uint8_t*>(at) - haystack.data());
}

}  // namespace sluice::inspect
