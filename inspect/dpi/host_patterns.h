// SPDX-License-Identifier: Apache-2.0
// Names of hosts to look for: all patterns in one Hyperscan database, found in one pass.
//
//   www.example.com     this name
//   *.example.com       any name below it, not itself
//   /^cdn[0-9]+\./      a regular expression (Hyperscan's; searched for anywhere in the name)
//
// Case does not matter, nor does a dot at the end of the name.
#pragma once

#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kHostLengthMax = 253;  // RFC 1035 section 2.3.4, as text
inline constexpr size_t kHostRegexLengthMax = 256;
inline constexpr size_t kHostPatternsMax = 10'000;
inline constexpr size_t kHostSetsMax = 1000;

// Bit n: a pattern of set n matches.
using HostSets = std::bitset<kHostSetsMax>;

class HostPatterns {
 public:
  // Finds nothing.
  HostPatterns() = default;

  // An error if the pattern is none of the three, or no name can match it.
  Result<> add(std::string_view pattern, uint16_t set);
  // After the last add(), once. An error if Hyperscan cannot take them all together.
  Result<> compile();

  size_t size() const { return patterns_.size(); }
  // Any thread; the thread's working memory is made the first time it meets this database.
  HostSets find(std::string_view host) const;

 private:
  enum class Kind : uint8_t { kName, kBelow, kRegex };
  struct Pattern {
    Kind kind;
    uint16_t set;
    size_t length;  // of the literal in the name
    std::string expression;
  };
  struct Database;
  std::vector<Pattern> patterns_;
  std::shared_ptr<const Database> database_;
};

}  // namespace sluice::inspect
