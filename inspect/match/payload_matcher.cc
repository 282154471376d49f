// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/payload_matcher.h"

#include <algorithm>
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

// The first place of `wanted` (lower case if nocase), or haystack.size().
size_t search(std::span<const uint8_t> haystack, std::string_view wanted, bool nocase) {
  const size_t none = haystack.size();
  if (wanted.size() > haystack.size()) return none;
  if (!nocase) {
    const void* at = memmem(haystack.data(), haystack.size(), wanted.data(), wanted.size());
    return at == nullptr ? none
                         : static_cast<size_t>(static_cast<const uint8_t*>(at) - haystack.data());
  }
  const size_t last = haystack.size() - wanted.size();
  const auto first_byte = static_cast<uint8_t>(wanted[0]);
  for (size_t i = 0; i <= last; i++) {
    if (lower(haystack[i]) == first_byte && equal_nocase(&haystack[i], wanted)) return i;
  }
  return none;
}

}  // namespace

PayloadPlan::PayloadPlan(const std::vector<PayloadMatch>& payload) {
  for (const PayloadMatch& match : payload) {
    Step step;
    if (const auto* content = std::get_if<Content>(&match)) {
      step = {content, nullptr, content->negated, content->relative};
    } else {
      const Pcre& pcre = std::get<Pcre>(match);
      step = {nullptr, &pcre, pcre.negated, pcre.relative};
    }
    if (!steps_.empty() && !step.relative && !step.negated) chain_ends_.push_back(steps_.size());
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

bool PayloadMatcher::matches(const PayloadPlan& plan, const Payload& payload) {
  payload_ = payload;
  cost_ = 0;
  size_t begin = 0;
  for (const size_t end : plan.chain_ends_) {
    if (run(plan, begin, end, 0) != Outcome::kYes) {
      if (cost_ > kMatchCostMax) cost_limit_hits_++;
      return false;
    }
    begin = end;
  }
  return true;
}

PayloadMatcher::Outcome PayloadMatcher::run(const PayloadPlan& plan, size_t step, size_t end,
                                            uint64_t previous) {
  if (step == end) return Outcome::kYes;
  return plan.steps_[step].content != nullptr ? run_content(plan, step, end, previous)
                                              : run_pcre(plan, step, end, previous);
}

PayloadMatcher::Outcome PayloadMatcher::run_content(const PayloadPlan& plan, size_t step,
                                                    size_t end, uint64_t previous) {
  const PayloadPlan::Step& self = plan.steps_[step];
  const Content& content = *self.content;
  Range range = range_of(content, previous);
  if (content.negated)
    return find(content, range) == kNowhere ? run(plan, step + 1, end, previous) : Outcome::kNo;
  bool found = false;
  for (uint64_t at = find(content, range); at != kNowhere; at = find(content, range)) {
    found = true;
    const Outcome rest = run(plan, step + 1, end, at + content.bytes.size());
    if (rest != Outcome::kNo || !self.retry) return rest;
    range.first = at + 1;
  }
  if (cost_ > kMatchCostMax) return Outcome::kNever;
  // Nothing from `previous` to the end: nothing from any later `previous` either.
  const bool open = !content.within && !content.ends;
  return content.relative && open && !found ? Outcome::kNever : Outcome::kNo;
}

PayloadMatcher::Outcome PayloadMatcher::run_pcre(const PayloadPlan& plan, size_t step, size_t end,
                                                 uint64_t previous) {
  const PayloadPlan::Step& self = plan.steps_[step];
  // A relative pattern sees nothing before the match that it follows: ^ is there.
  const uint64_t subject_start =
      self.relative ? std::clamp(previous, payload_.start, payload_.end()) : payload_.start;
  const auto subject = payload_.bytes.subspan(subject_start - payload_.start);
  const bool not_begin = !self.relative && payload_.start != 0;
  size_t from = 0;
  while (true) {
    cost_ += 1 + static_cast<uint32_t>(subject.size() / 64);
    if (cost_ > kMatchCostMax) return Outcome::kNever;
    const auto match = self.pcre->regex.find(subject, from, not_begin, scratch_);
    if (self.negated) return match ? Outcome::kNo : run(plan, step + 1, end, previous);
    if (!match) return Outcome::kNo;
    const Outcome rest = run(plan, step + 1, end, subject_start + match->end);
    // A later start can still end earlier, so "never" of the rest is only "no" here.
    if (rest == Outcome::kYes || !self.retry) return rest;
    from = match->begin + 1;
  }
}

PayloadMatcher::Range PayloadMatcher::range_of(const Content& content, uint64_t previous) const {
  uint64_t first = content.offset;
  uint64_t last = content.depth ? first + *content.depth : kNowhere;
  if (content.relative) {
    const int64_t from = static_cast<int64_t>(previous) + content.distance;
    first = static_cast<uint64_t>(std::max<int64_t>(from, 0));
    last = content.within ? static_cast<uint64_t>(std::max<int64_t>(from + *content.within, 0))
                          : kNowhere;
  }
  return {std::max(first, payload_.start), std::min(last, payload_.end())};
}

uint64_t PayloadMatcher::find(const Content& content, const Range& range) {
  const size_t length = content.bytes.size();
  cost_++;
  if (cost_ > kMatchCostMax || range.first > range.last || range.last - range.first < length)
    return kNowhere;
  uint64_t first = range.first;
  if (content.ends) {
    // One place only: at the very end.
    if (range.last != payload_.end()) return kNowhere;
    first = payload_.end() - length;
  }
  const auto place = payload_.bytes.subspan(first - payload_.start, range.last - first);
  const size_t at = search(place, content.bytes, content.nocase);
  const size_t searched = at == place.size() ? at : at + length;
  cost_ += static_cast<uint32_t>(searched / 64);
  return at == place.size() ? kNowhere : first + at;
}

}  // namespace sluice::inspect
