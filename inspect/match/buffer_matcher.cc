// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/buffer_matcher.h"

#include <algorithm>
#include <bit>

#include "inspect/match/content_search.h"
#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

constexpr int64_t kDigitsMax = 23;

int digit_value(uint8_t c, int base) {
  const int digit = hex_digit(static_cast<char>(c));
  return digit < base ? digit : -1;
}

// Digits from the beginning on, blanks before them, 0x and 0 where the base is open (C17 7.22.1.4);
// how many characters they are, 0: no number.
size_t parse_digits(std::span<const uint8_t> text, int base, uint64_t& value) {
  size_t at = 0;
  while (at < text.size() && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r'))) at++;
  const bool zero = at < text.size() && text[at] == '0';
  const bool x = zero && at + 1 < text.size() && (text[at + 1] | 32) == 'x';
  if (base == 0) base = x ? 16 : zero ? 8 : 10;
  if (base == 16 && x) at += 2;
  const size_t first = at;
  value = 0;
  for (; at < text.size() && digit_value(text[at], base) >= 0; at++)
    value =
        value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit_value(text[at], base));
  return at == first ? 0 : at;
}

bool compare(ByteTest::Op op, uint64_t left, uint64_t right) {
  switch (op) {
    case ByteTest::Op::kLess:
      return left < right;
    case ByteTest::Op::kGreater:
      return left > right;
    case ByteTest::Op::kEqual:
      return left == right;
    case ByteTest::Op::kLessEqual:
      return left <= right;
    case ByteTest::Op::kGreaterEqual:
      return left >= right;
    case ByteTest::Op::kAnd:
      return (left & right) != 0;
    case ByteTest::Op::kOr:
      return (left ^ right) != 0;
  }
  return false;
}

// Nothing where there is no result: a division by 0.
std::optional<uint64_t> calculate(ByteMath::Op op, uint64_t left, uint64_t right) {
  switch (op) {
    case ByteMath::Op::kAdd:
      return left + right;
    case ByteMath::Op::kSubtract:
      return left - right;
    case ByteMath::Op::kMultiply:
      return left * right;
    case ByteMath::Op::kDivide:
      if (right == 0) return std::nullopt;
      return left / right;
    case ByteMath::Op::kShiftLeft:
      return right < 64 ? left << right : 0;
    case ByteMath::Op::kShiftRight:
      return right < 64 ? left >> right : 0;
  }
  return std::nullopt;
}

}  // namespace

bool BufferMatcher::matches(const BufferPlan& plan, const Payload& payload) {
  const size_t changes = changes_.size();
  may_hold_at_ = kNowhere;
  const bool yes = run_chains(plan, payload);
  if (!yes) changes_.resize(changes);
  if (cost_ > kMatchCostMax) cost_limit_hits_++;
  return yes;
}

bool BufferMatcher::run_chains(const BufferPlan& plan, const Payload& payload) {
  payload_ = payload;
  size_t begin = 0;
  for (const size_t end : plan.chain_ends_) {
    if (run({plan, begin, end}, 0) != Outcome::kYes) return false;
    begin = end;
  }
  return true;
}

void BufferMatcher::apply_changes() {
  for (const Change& change : changes_) change.use->apply(change.value);
  changes_.clear();
}

BufferMatcher::Outcome BufferMatcher::run(Rest rest, uint64_t previous) {
  if (rest.step == rest.end) return Outcome::kYes;
  if (++cost_ > kMatchCostMax) return Outcome::kNever;
  return std::visit([&](const auto& match) { return run_step(rest, match, previous); },
                    *rest.self().match);
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const Content& content,
                                               uint64_t previous) {
  Range range = range_of(content, previous);
  if (content.negated) {
    if (content.ends) depends_on_end();
    return find(content, range) == kNowhere ? run(rest.next(), previous) : Outcome::kNo;
  }
  bool found = false;
  for (uint64_t at = find(content, range); at != kNowhere; at = find(content, range)) {
    found = true;
    const Outcome outcome = run(rest.next(), at + content.bytes.size());
    if (outcome != Outcome::kNo) return outcome;
    if (!rest.self().retry) break;
    range.first = at + 1;
  }
  if (cost_ > kMatchCostMax) return Outcome::kNever;
  // From a later `previous` there are no other places than those that were tried to the end, and
  // what follows depends on the place alone, unless a number was read before it.
  const bool open = content.relative && !content.within && !content.ends;
  return open && (!found || !rest.plan.reads_numbers_) ? Outcome::kNever : Outcome::kNo;
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const Pcre& pcre, uint64_t previous) {
  // A relative pattern sees nothing before the match that it follows: ^ is there.
  const uint64_t subject_start =
      pcre.relative ? std::clamp(previous, payload_.start, payload_.end()) : payload_.start;
  const auto subject = payload_.bytes.subspan(subject_start - payload_.start);
  depends_on_end();
  const bool not_begin = !pcre.relative && payload_.start != 0;
  size_t from = 0;
  while (true) {
    cost_ += 1 + static_cast<uint32_t>(subject.size() / 64);
    if (cost_ > kMatchCostMax) return Outcome::kNever;
    const auto match = pcre.regex.find(subject, from, not_begin, scratch_);
    if (pcre.negated) return match ? Outcome::kNo : run(rest.next(), previous);
    if (!match) return Outcome::kNo;
    const Outcome outcome = run(rest.next(), subject_start + match->end);
    // A later start can still end earlier, so "never" of the rest is only "no" here.
    if (outcome == Outcome::kYes || !rest.self().retry) return outcome;
    from = match->begin + 1;
  }
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const BufferSize& size,
                                               uint64_t previous) {
  depends_on_end();
  return size.range.contains(payload_.end()) ? run(rest.next(), previous) : Outcome::kNo;
}

// As in Suricata: behind a match there must be so many bytes; from the beginning, one at that
// place.
BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const DataAt& at, uint64_t previous) {
  const auto wanted = static_cast<uint64_t>(std::max<int64_t>(value_of(at.position), 0));
  const bool there = at.relative ? wanted <= payload_.end() - std::min(previous, payload_.end())
                                 : wanted < payload_.end();
  if (!there && !at.negated) depends_on_end(at.relative ? previous + wanted : wanted + 1);
  return there != at.negated ? run(rest.next(), previous) : Outcome::kNo;
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const ByteTest& test, uint64_t previous) {
  const auto number = read_number(test.read, previous);
  if (!number) return Outcome::kNo;
  const bool holds = compare(test.op, number->value, static_cast<uint64_t>(value_of(test.value)));
  return holds != test.negated ? run(rest.next(), previous) : Outcome::kNo;
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const ByteJump& jump, uint64_t previous) {
  const auto target = jump_target(jump, previous);
  return target ? run(rest.next(), *target) : Outcome::kNo;
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const ByteExtract& extract,
                                               uint64_t previous) {
  const auto number = read_number(extract.read, previous);
  if (!number) return Outcome::kNo;
  uint64_t value = number->value * static_cast<uint64_t>(extract.multiplier);
  if (value % extract.align != 0) value += extract.align - value % extract.align;
  variables_[extract.variable] = value;
  return run(rest.next(), number->end);
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const ByteMath& math, uint64_t previous) {
  const auto number = read_number(math.read, previous);
  if (!number) return Outcome::kNo;
  auto result = calculate(math.op, number->value, static_cast<uint64_t>(value_of(math.value)));
  if (!result) return Outcome::kNo;
  variables_[math.variable] = *result;
  return run(rest.next(), number->end);
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const DatasetTest& test,
                                               uint64_t previous) {
  depends_on_end();
  const auto whole = payload_.bytes;
  if (!test.use->holds(whole)) return Outcome::kNever;
  if (test.use->changes()) changes_.push_back({test.use.get(), {whole.begin(), whole.end()}});
  return run(rest.next(), previous);
}

BufferMatcher::Outcome BufferMatcher::run_step(Rest rest, const Base64& decode, uint64_t previous) {
  const int64_t from =
      (decode.relative ? static_cast<int64_t>(previous) : 0) + value_of(decode.offset);
  auto text = bytes_at(from);
  depends_on_end();
  if (!text) return Outcome::kNo;
  if (decode.bytes) text = text->first(std::min<size_t>(text->size(), *decode.bytes));
  cost_ += static_cast<uint32_t>(text->size() / 64);
  const auto decoded = base64_decoded(*text);
  if (decoded.empty()) return Outcome::kNo;
  const Payload outside = payload_;
  const bool holds = run_chains(rest.plan.nested_[rest.self().inside], {decoded, 0});
  payload_ = outside;
  return holds ? run(rest.next(), previous) : Outcome::kNo;
}

std::optional<std::span<const uint8_t>> BufferMatcher::bytes_at(int64_t position) const {
  if (position < static_cast<int64_t>(payload_.start) ||
      position > static_cast<int64_t>(payload_.end()))
    return std::nullopt;
  return payload_.bytes.subspan(static_cast<uint64_t>(position) - payload_.start);
}

std::optional<BufferMatcher::Number> BufferMatcher::read_number(const ByteReader& read,
                                                                uint64_t previous) {
  const int64_t from = (read.relative ? static_cast<int64_t>(previous) : 0) + value_of(read.offset);
  const auto bytes = bytes_at(from);
  int64_t count = value_of(read.count);
  const bool open = read.text && count == 0;
  const int64_t at_most = std::clamp<int64_t>(open ? kDigitsMax : count, 1, kDigitsMax);
  const auto behind = [&](int64_t length) {
    return static_cast<uint64_t>(from) + static_cast<uint64_t>(length);
  };
  if (from >= 0 && behind(at_most) > payload_.end()) depends_on_end(behind(open ? 1 : at_most));
  if (!bytes) return std::nullopt;
  if (open) count = std::min<int64_t>(kDigitsMax, bytes->size());
  if (count < 1 || count > (read.text ? kDigitsMax : 8) ||
      static_cast<size_t>(count) > bytes->size())
    return std::nullopt;
  const auto field = bytes->first(static_cast<size_t>(count));
  uint64_t value = 0;
  size_t length = field.size();
  if (read.text) {
    length = parse_digits(field, read.base, value);
    if (length == 0) return std::nullopt;
  } else {
    for (size_t i = 0; i < length; i++)
      value = value << 8 | field[read.little_endian ? length - 1 - i : i];
  }
  if (read.mask != 0) value = (value & read.mask) >> std::countr_zero(read.mask);
  return Number{value, static_cast<uint64_t>(from) + length};
}

std::optional<uint64_t> BufferMatcher::jump_target(const ByteJump& jump, uint64_t previous) {
  Number number{0, previous};
  if (jump.read.count.variable || jump.read.count.value != 0) {
    const auto read = read_number(jump.read, previous);
    if (!read) return std::nullopt;
    number = *read;
  }
  uint64_t by = number.value * static_cast<uint64_t>(jump.multiplier);
  if (by % jump.align != 0) by += jump.align - by % jump.align;
  if (by > INT32_MAX) return std::nullopt;
  const auto distance = static_cast<int64_t>(by);
  const auto end = static_cast<int64_t>(payload_.end());
  int64_t target = static_cast<int64_t>(number.end) + distance;
  if (jump.from == ByteJump::From::kBeginning) target = distance;
  if (jump.from == ByteJump::From::kEnd) {
    depends_on_end();
    target = end + distance;
  }
  target += value_of(jump.post_offset);
  if (target > end) {
    depends_on_end(static_cast<uint64_t>(target));
    return std::nullopt;
  }
  // As in Suricata, one that leads before the beginning leads there.
  return static_cast<uint64_t>(std::max(target, static_cast<int64_t>(payload_.start)));
}

BufferMatcher::Range BufferMatcher::range_of(const Content& content, uint64_t previous) const {
  const auto at_least_0 = [](int64_t n) { return static_cast<uint64_t>(std::max<int64_t>(n, 0)); };
  if (content.relative) {
    const int64_t from = static_cast<int64_t>(previous) + value_of(content.distance);
    const uint64_t last = content.within ? at_least_0(from + value_of(*content.within)) : kNowhere;
    return {std::max(at_least_0(from), payload_.start), std::min(last, payload_.end())};
  }
  const int64_t from = value_of(content.offset);
  const uint64_t last = content.depth ? at_least_0(from + value_of(*content.depth)) : kNowhere;
  return {std::max(at_least_0(from), payload_.start), std::min(last, payload_.end())};
}

uint64_t BufferMatcher::find(const Content& content, const Range& range) {
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
  const size_t at = find_content(place, content.bytes, content.nocase);
  const size_t searched = at == place.size() ? at : at + length;
  cost_ += static_cast<uint32_t>(searched / 64);
  return at == place.size() ? kNowhere : first + at;
}

}  // namespace sluice::inspect
