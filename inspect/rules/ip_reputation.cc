// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/ip_reputation.h"

#include <algorithm>
#include <bit>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

std::array<uint32_t, 4> masked(const uint32_t (&words)[4], const Prefix& mask) {
  std::array<uint32_t, 4> out;
  for (size_t i = 0; i < 4; i++) out[i] = words[i] & mask.mask[i];
  return out;
}

unsigned open_bits(const Prefix& prefix) {
  unsigned set = 0;
  for (const uint32_t word : prefix.mask) set += static_cast<unsigned>(std::popcount(word));
  return 128 - set;
}

template <class Take>
Result<> for_each_line(std::string_view text, const std::string& file, Take take) {
  for (int line = 1; !text.empty(); line++) {
    const std::string_view entry = trimmed_option(take_line(text));
    if (entry.empty() || entry.front() == '#') continue;
    const Result<> taken = take(entry);
    if (!taken) return fail(taken.error().what, file + ":" + std::to_string(line));
  }
  return {};
}

}  // namespace

size_t IpReputation::Hash::operator()(const Key& key) const {
  uint64_t hash = 0;
  for (const uint32_t word : key) hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

Result<IpReputation> IpReputation::load(const ReputationOptions& options) {
  IpReputation out;
  if (options.categories_file.empty()) {
    if (!options.files.empty()) return fail("files of scores need a file of categories");
    return out;
  }
  SLUICE_TRY(const std::string categories,
             read_text_file(options.categories_file, kReputationFileMax, "categories"));
  SLUICE_TRY_VOID(out.read_categories(categories, options.categories_file));
  for (const std::string& file : options.files) {
    SLUICE_TRY(const std::string scores, read_text_file(file, kReputationFileMax, "scores"));
    SLUICE_TRY_VOID(out.read_scores(scores, file));
  }
  return out;
}

Result<> IpReputation::read_categories(std::string_view text, const std::string& file) {
  hash_ = hash_ * 31 + std::hash<std::string_view>{}(text);
  return for_each_line(text, file, [this](std::string_view line) { return read_category(line); });
}

Result<> IpReputation::read_scores(std::string_view text, const std::string& file) {
  hash_ = hash_ * 31 + std::hash<std::string_view>{}(text);
  return for_each_line(text, file, [this](std::string_view line) { return read_score(line); });
}

Result<> IpReputation::read_category(std::string_view line) {
  SLUICE_TRY(const auto number,
             option_number<uint8_t>(take_part(line, ','), 1, kReputationCategoriesMax));
  const std::string_view name = take_part(line, ',');
  if (name.empty()) return fail("needs number,short name,description");
  if (!categories_.emplace(name, number).second)
    return fail("category '" + std::string(name) + "' stands twice");
  return {};
}

Result<> IpReputation::read_score(std::string_view line) {
  SLUICE_TRY(const Prefix prefix, parse_prefix(take_part(line, ',')));
  SLUICE_TRY(const auto number,
             option_number<uint8_t>(take_part(line, ','), 1, kReputationCategoriesMax));
  SLUICE_TRY(const auto score, option_number<uint8_t>(line, 0, kReputationScoreMax));
  const bool known = std::ranges::any_of(
      categories_, [number](const auto& category) { return category.second == number; });
  if (!known) return fail("there is no category " + std::to_string(number));
  if (size_ == kReputationsMax) return fail("more than 1048576 scores");
  Length& length = lengths_[{prefix.version, open_bits(prefix)}];
  length.mask = prefix;
  auto& scores = length.scores[masked(prefix.words, prefix)];
  const auto same = std::ranges::find(scores, number, &std::pair<uint8_t, uint8_t>::first);
  if (same != scores.end()) {
    same->second = score;
    return {};
  }
  scores.emplace_back(number, score);
  size_++;
  return {};
}

std::optional<uint8_t> IpReputation::category(std::string_view short_name) const {
  const auto found = categories_.find(short_name);
  return found == categories_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<uint8_t> IpReputation::score(const Address& address, uint8_t category) const {
  for (const auto& [key, length] : lengths_) {
    if (key.first != address.version) continue;
    const auto found = length.scores.find(masked(address.words, length.mask));
    if (found == length.scores.end()) continue;
    for (const auto& [its, score] : found->second)
      if (its == category) return score;
  }
  return std::nullopt;
}

}  // namespace sluice::inspect
