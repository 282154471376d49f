// SPDX-License-Identifier: Apache-2.0
// Scores of addresses by category, for the keyword iprep (Suricata userguide, "IP Reputation").
//
//   categories: number,short name,description      scores: address or prefix,number,score
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspect/rules/header.h"
#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kReputationsMax = 1 << 20;
inline constexpr size_t kReputationFileMax = 256u << 20;
inline constexpr uint8_t kReputationCategoriesMax = 60;
inline constexpr uint8_t kReputationScoreMax = 127;

struct ReputationOptions {
  std::string categories_file;  // empty: no reputation
  std::vector<std::string> files;
};

class IpReputation {
 public:
  // An error names file and line.
  static Result<IpReputation> load(const ReputationOptions& options);

  Result<> read_categories(std::string_view text, const std::string& file);
  Result<> read_scores(std::string_view text, const std::string& file);

  std::optional<uint8_t> category(std::string_view short_name) const;
  // Of the longest prefix that has one.
  std::optional<uint8_t> score(const Address& address, uint8_t category) const;
  size_t size() const { return size_; }
  // Of all that was read.
  uint64_t hash() const { return hash_; }

 private:
  using Key = std::array<uint32_t, 4>;
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  // The prefixes of one length, with a score for each category that has one.
  struct Length {
    Prefix mask;
    std::unordered_map<Key, std::vector<std::pair<uint8_t, uint8_t>>, Hash> scores;
  };

  Result<> read_category(std::string_view line);
  Result<> read_score(std::string_view line);

  std::map<std::string, uint8_t, std::less<>> categories_;
  // By version and bits that are not in the mask: the longest prefix first.
  std::map<std::pair<uint8_t, unsigned>, Length> lengths_;
  size_t size_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace sluice::inspect
