// SPDX-License-Identifier: Apache-2.0
// What a rule says about a buffer, put in order.
#include <algorithm>

#include "inspect/match/buffer_matcher.h"
#include "inspect/match/content_search.h"

namespace sluice::inspect {
namespace {

bool is_negated(const BufferMatch& match) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.negated; }) return m.negated;
        return false;
      },
      match);
}

// What matches relative to it follows it; the others only look.
bool moves(const BufferMatch& match) {
  if (std::holds_alternative<Content>(match) || std::holds_alternative<Pcre>(match))
    return !is_negated(match);
  return std::holds_alternative<ByteJump>(match) || std::holds_alternative<ByteExtract>(match) ||
         std::holds_alternative<ByteMath>(match);
}

bool asks_for_end(const BufferMatch& match) {
  if (const auto* content = std::get_if<Content>(&match)) return content->negated || content->ends;
  if (const auto* jump = std::get_if<ByteJump>(&match)) return jump->from == ByteJump::From::kEnd;
  return is_negated(match) || std::holds_alternative<BufferSize>(match) ||
         std::holds_alternative<DatasetTest>(match);
}

bool is_known_content(const BufferMatch& match) {
  const auto* content = std::get_if<Content>(&match);
  if (content == nullptr || content->negated) return false;
  return !content->offset.variable && !content->distance.variable &&
         !(content->depth && content->depth->variable) &&
         !(content->within && content->within->variable);
}

// Where a buffer ends at the earliest that holds the match.
uint64_t least_end(const BufferMatch& match) {
  if (const auto* size = std::get_if<BufferSize>(&match))
    return size->range.outside ? 0 : size->range.least;
  const auto* content = std::get_if<Content>(&match);
  if (content == nullptr || content->negated) return 0;
  const bool known = !content->relative && !content->offset.variable;
  const int64_t before = known ? std::max<int64_t>(content->offset.value, 0) : 0;
  return static_cast<uint64_t>(before) + content->bytes.size();
}

}  // namespace

BufferPlan::BufferPlan(const std::vector<BufferMatch>& matches) {
  for (const BufferMatch& match : matches) {
    Step step{&match, is_relative(match), false, 0};
    if (const auto* decode = std::get_if<Base64>(&match)) {
      step.inside = nested_.size();
      const BufferPlan& nested = nested_.emplace_back(decode->inside);
      asks_sets_ |= nested.asks_sets_;
      reads_numbers_ |= nested.reads_numbers_;
    }
    if (!steps_.empty() && !step.relative && moves(match)) chain_ends_.push_back(steps_.size());
    needs_end_ |= asks_for_end(match);
    asks_sets_ |= std::holds_alternative<DatasetTest>(match);
    only_contents_ &= is_known_content(match);
    reads_numbers_ |=
        std::holds_alternative<ByteExtract>(match) || std::holds_alternative<ByteMath>(match);
    end_min_ = std::max(end_min_, least_end(match));
    steps_.push_back(step);
  }
  chain_ends_.push_back(steps_.size());
  size_t begin = 0;
  for (const size_t end : chain_ends_) {
    bool relative_later = false;
    for (size_t i = end; i-- > begin;) {
      steps_[i].retry = relative_later;
      relative_later |= steps_[i].relative;
    }
    begin = end;
  }
}

bool BufferPlan::may_hold(uint8_t match, std::span<const uint8_t> bytes, size_t searched) const {
  const auto* content = std::get_if<Content>(steps_[match].match);
  if (content == nullptr || content->negated) return true;
  const size_t straddles = std::min(searched, content->bytes.size() - 1);
  const auto fresh = bytes.subspan(searched - straddles);
  return find_content(fresh, content->bytes, content->nocase) != fresh.size();
}

bool BufferPlan::may_come_to_hold(std::span<const uint8_t> bytes, size_t searched) const {
  if (!only_contents_) return true;
  for (uint8_t match = 0; match < size(); match++)
    if (may_hold(match, bytes, searched)) return true;
  return false;
}

bool BufferPlan::has_more_of_a_content(std::span<const uint8_t> bytes, size_t searched) const {
  for (uint8_t match = 0; match < size(); match++) {
    const auto* content = std::get_if<Content>(steps_[match].match);
    if (content != nullptr && !content->negated && may_hold(match, bytes, searched)) return true;
  }
  return false;
}

}  // namespace sluice::inspect
