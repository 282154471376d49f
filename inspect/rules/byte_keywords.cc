// SPDX-License-Identifier: Apache-2.0
// Numbers in bytes (byte_test, byte_jump, byte_extract, byte_math), sizes (isdataat, bsize,
// urilen), and base64. Suricata userguide, "Payload Keywords".
#include <algorithm>
#include <bit>

#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

constexpr int64_t kOffsetMax = 65535;
constexpr int64_t kValueMax = INT64_MAX;
constexpr uint32_t kSizeMax = 1 << 30;

// One more than the value, or nothing, if the word is not that option: "multiplier 4".
std::optional<std::string_view> value_of(std::string_view option, std::string_view name) {
  if (!option.starts_with(name) || option.size() <= name.size()) return std::nullopt;
  const char next = option[name.size()];
  if (next != ' ' && next != ':') return std::nullopt;
  return trimmed_option(option.substr(name.size() + 1));
}

Result<uint64_t> hex_number(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size())
    return fail("'" + std::string(text) + "' is not a hexadecimal number");
  return out;
}

// Of numbers in text; 0: the word names none.
int base_named(std::string_view word) {
  return word == "hex" ? 16 : word == "dec" ? 10 : word == "oct" ? 8 : 0;
}

// An option that all of them have; false: it is not one.
Result<bool> read_common(std::string_view option, ByteReader& read) {
  const auto of_text = value_of(option, "string");
  if (const int base = base_named(of_text.value_or(option)); base != 0) {
    if (read.base != 0) return fail("two bases");
    read.base = base;
    read.text |= of_text.has_value();
  } else if (option == "relative") {
    read.relative = true;
  } else if (option == "little" || option == "endian little") {
    read.little_endian = true;
  } else if (option == "big" || option == "endian big") {
    read.little_endian = false;
  } else if (option == "string") {
    read.text = true;
  } else if (const auto mask = value_of(option, "bitmask")) {
    SLUICE_TRY(read.mask, hex_number(*mask));
    if (read.mask == 0) return fail("a bitmask of nothing");
  } else {
    return false;
  }
  return true;
}

Result<> check_reader(const ByteReader& read) {
  if (read.base != 0 && !read.text) return fail("hex, dec and oct are for numbers in text: string");
  if (read.count.variable) return {};
  const int64_t most = read.text ? 23 : 8;
  // 0 digits: as many as there are.
  const int64_t least = read.text ? 0 : 1;
  if (read.count.value < least || read.count.value > most)
    return fail("reads 1 to " + std::to_string(most) + " bytes");
  return {};
}

Result<> not_known(std::string_view option) {
  return fail("'" + std::string(option) + "' is not supported");
}

Result<uint8_t> new_variable(RuleDraft& draft, std::string_view name) {
  if (name.empty()) return fail("needs the name of a variable");
  const auto known = std::find(draft.variables.begin(), draft.variables.end(), name);
  if (known != draft.variables.end()) return static_cast<uint8_t>(known - draft.variables.begin());
  if (draft.variables.size() == kVariablesMax) return fail("more than 16 variables in one rule");
  draft.variables.emplace_back(name);
  draft.rule.variables = draft.variables.size();
  return static_cast<uint8_t>(draft.variables.size() - 1);
}

Result<ByteTest::Op> test_op(std::string_view text) {
  static constexpr std::pair<std::string_view, ByteTest::Op> kOps[] = {
      {"<", ByteTest::Op::kLess},
      {">", ByteTest::Op::kGreater},
      {"=", ByteTest::Op::kEqual},
      {"<=", ByteTest::Op::kLessEqual},
      {">=", ByteTest::Op::kGreaterEqual},
      {"&", ByteTest::Op::kAnd},
      {"^", ByteTest::Op::kOr},
  };
  for (const auto& [name, op] : kOps) {
    if (name == text) return op;
  }
  return fail("operator '" + std::string(text) + "' is not one of < > = <= >= & ^");
}

// A value in decimal, or hexadecimal with 0x, or a variable.
Result<Operand> value_operand(const RuleDraft& draft, std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    SLUICE_TRY(const uint64_t value, hex_number(text));
    return Operand{static_cast<int64_t>(value), {}};
  }
  return operand(draft, text, 0, kValueMax);
}

// count, [!]op, value, offset, ...
Result<> apply_byte_test(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 4) return fail("needs bytes, operator, value, offset");
  ByteTest test;
  SLUICE_TRY(test.read.count, operand(draft, parts[0], 0, 23));
  test.negated = parts[1].starts_with('!');
  const std::string_view op = trimmed_option(parts[1].substr(test.negated ? 1 : 0));
  if (!op.empty()) {
    SLUICE_TRY(test.op, test_op(op));
  }
  SLUICE_TRY(test.value, value_operand(draft, parts[2]));
  SLUICE_TRY(test.read.offset, operand(draft, parts[3], -kOffsetMax, kOffsetMax));
  for (size_t i = 4; i < parts.size(); i++) {
    SLUICE_TRY(const bool known, read_common(parts[i], test.read));
    if (!known) return not_known(parts[i]);
  }
  SLUICE_TRY_VOID(check_reader(test.read));
  return draft.add(test);
}

Result<> read_jump_option(const RuleDraft& draft, std::string_view option, ByteJump& jump) {
  SLUICE_TRY(const bool known, read_common(option, jump.read));
  if (known) return {};
  if (option == "align") {
    jump.align = 4;
  } else if (option.starts_with("from_") && jump.from != ByteJump::From::kHere) {
    return fail("from two places");
  } else if (option == "from_beginning") {
    jump.from = ByteJump::From::kBeginning;
  } else if (option == "from_end") {
    jump.from = ByteJump::From::kEnd;
  } else if (const auto factor = value_of(option, "multiplier")) {
    SLUICE_TRY(jump.multiplier, option_number<int64_t>(*factor, 1, 65535));
  } else if (const auto post = value_of(option, "post_offset")) {
    SLUICE_TRY(jump.post_offset, operand(draft, *post, -kOffsetMax, kOffsetMax));
  } else {
    return not_known(option);
  }
  return {};
}

// count, offset, ...
Result<> apply_byte_jump(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 2) return fail("needs bytes, offset");
  ByteJump jump;
  SLUICE_TRY(jump.read.count, operand(draft, parts[0], 0, 23));
  SLUICE_TRY(jump.read.offset, operand(draft, parts[1], -kOffsetMax, kOffsetMax));
  for (size_t i = 2; i < parts.size(); i++)
    SLUICE_TRY_VOID(read_jump_option(draft, parts[i], jump));
  // No bytes: the jump is by post_offset alone.
  if (jump.read.count.variable || jump.read.count.value != 0)
    SLUICE_TRY_VOID(check_reader(jump.read));
  return draft.add(jump);
}

// count, offset, name, ...
Result<> apply_byte_extract(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.size() < 3) return fail("needs bytes, offset, name");
  ByteExtract extract;
  SLUICE_TRY(extract.read.count, operand(draft, parts[0], 0, 23));
  SLUICE_TRY(extract.read.offset, operand(draft, parts[1], -kOffsetMax, kOffsetMax));
  SLUICE_TRY(extract.variable, new_variable(draft, parts[2]));
  for (size_t i = 3; i < parts.size(); i++) {
    SLUICE_TRY(const bool known, read_common(parts[i], extract.read));
    if (known) continue;
    if (const auto factor = value_of(parts[i], "multiplier")) {
      SLUICE_TRY(extract.multiplier, option_number<int64_t>(*factor, 1, 65535));
    } else if (const auto align = value_of(parts[i], "align")) {
      SLUICE_TRY(extract.align, option_number<uint8_t>(*align, 2, 4));
      if (extract.align == 3) return fail("align: 2 or 4");
    } else {
      return not_known(parts[i]);
    }
  }
  SLUICE_TRY_VOID(check_reader(extract.read));
  return draft.add(extract);
}

Result<ByteMath::Op> math_op(std::string_view text) {
  static constexpr std::pair<std::string_view, ByteMath::Op> kOps[] = {
      {"+", ByteMath::Op::kAdd},        {"-", ByteMath::Op::kSubtract},
      {"*", ByteMath::Op::kMultiply},   {"/", ByteMath::Op::kDivide},
      {"<<", ByteMath::Op::kShiftLeft}, {">>", ByteMath::Op::kShiftRight},
  };
  for (const auto& [name, op] : kOps) {
    if (name == text) return op;
  }
  return fail("operator '" + std::string(text) + "' is not one of + - * / << >>");
}

Result<bool> read_math_option(RuleDraft& draft, std::string_view option, ByteMath& math,
                              std::string& result) {
  if (const auto bytes = value_of(option, "bytes")) {
    SLUICE_TRY(math.read.count, operand(draft, *bytes, 1, 23));
  } else if (const auto offset = value_of(option, "offset")) {
    SLUICE_TRY(math.read.offset, operand(draft, *offset, -kOffsetMax, kOffsetMax));
  } else if (const auto oper = value_of(option, "oper")) {
    SLUICE_TRY(math.op, math_op(*oper));
  } else if (const auto rvalue = value_of(option, "rvalue")) {
    SLUICE_TRY(math.value, value_operand(draft, *rvalue));
  } else if (const auto name = value_of(option, "result")) {
    result = std::string(*name);
  } else {
    return read_common(option, math.read);
  }
  return true;
}

// bytes N, offset N, oper +, rvalue N, result NAME, ...
Result<> apply_byte_math(RuleDraft& draft, std::string_view value) {
  ByteMath math;
  std::string result;
  const auto options = comma_parts(value);
  for (const std::string_view option : options) {
    SLUICE_TRY(const bool known, read_math_option(draft, option, math, result));
    if (!known) return not_known(option);
  }
  for (const std::string_view name : {"bytes", "offset", "oper", "rvalue", "result"})
    if (std::ranges::count_if(options, [&](auto o) { return value_of(o, name).has_value(); }) != 1)
      return fail("needs " + std::string(name) + ", once");
  if (math.op == ByteMath::Op::kDivide && !math.value.variable && math.value.value == 0)
    return fail("divides by 0");
  SLUICE_TRY(math.variable, new_variable(draft, result));
  SLUICE_TRY_VOID(check_reader(math.read));
  return draft.add(math);
}

// [!]N[, relative][, rawbytes]
Result<> apply_isdataat(RuleDraft& draft, std::string_view value) {
  DataAt at;
  at.negated = value.starts_with('!');
  const auto parts = comma_parts(value.substr(at.negated ? 1 : 0));
  if (parts.empty()) return fail("needs a position");
  SLUICE_TRY(at.position, operand(draft, parts[0], 0, kOffsetMax));
  for (size_t i = 1; i < parts.size(); i++) {
    if (parts[i] == "relative") {
      at.relative = true;
    } else if (parts[i] != "rawbytes") {
      return not_known(parts[i]);
    }
  }
  return draft.add(at);
}

Result<> apply_bsize(RuleDraft& draft, std::string_view value) {
  if (!draft.sticky || draft.in_base64) return fail("needs a sticky buffer before it");
  SLUICE_TRY(const SizeRange range, size_range(value, kSizeMax));
  return draft.add(BufferSize{range});
}

// N[, norm | raw]
Result<> apply_urilen(RuleDraft& draft, std::string_view value) {
  const auto parts = comma_parts(value);
  if (parts.empty() || parts.size() > 2) return fail("takes a size and then norm or raw");
  const bool raw = parts.size() == 2 && parts[1] == "raw";
  if (parts.size() == 2 && !raw && parts[1] != "norm") return not_known(parts[1]);
  SLUICE_TRY(const SizeRange range, size_range(parts[0], kSizeMax));
  const size_t part = draft.part_of(raw ? Buffer::kHttpUriRaw : Buffer::kHttpUri);
  draft.rule.parts[part].matches.push_back(BufferSize{range});
  return {};
}

// or_else
Result<> apply_absent(RuleDraft& draft, std::string_view value) {
  if (!draft.sticky) return fail("needs a sticky buffer before it");
  RulePart& part = draft.rule.parts[*draft.sticky];
  if (!part.matches.empty()) return fail("comes first behind its buffer");
  if (!value.empty() && value != "or_else") return fail("takes nothing or or_else");
  part.absent = true;
  part.or_else = !value.empty();
  return {};
}

Result<> apply_base64_decode(RuleDraft& draft, std::string_view value) {
  if (draft.in_base64) return fail("does not go inside base64_data");
  Base64 decode;
  for (const std::string_view option : comma_parts(value)) {
    if (option == "relative") {
      decode.relative = true;
    } else if (const auto bytes = value_of(option, "bytes")) {
      SLUICE_TRY(decode.bytes, option_number<uint32_t>(*bytes, 1, 1 << 20));
    } else if (const auto offset = value_of(option, "offset")) {
      SLUICE_TRY(decode.offset, operand(draft, *offset, 0, kOffsetMax));
    } else {
      return not_known(option);
    }
  }
  return draft.add(std::move(decode));
}

Result<> apply_base64_data(RuleDraft& draft, std::string_view) {
  const auto& list = draft.last_part ? draft.matches_of(*draft.last_part) : draft.matches();
  const bool decoded = std::any_of(list.begin(), list.end(), [](const BufferMatch& m) {
    return std::holds_alternative<Base64>(m);
  });
  if (!decoded || draft.in_base64) return fail("needs base64_decode before it");
  draft.sticky = draft.last_part;
  draft.in_base64 = true;
  draft.last_part.reset();
  return {};
}

constexpr Keyword kKeywords[] = {
    {"byte_test", KeywordValue::kRequired, apply_byte_test, "compares a number"},
    {"byte_jump", KeywordValue::kRequired, apply_byte_jump, "goes on behind so many bytes"},
    {"byte_extract", KeywordValue::kRequired, apply_byte_extract, "gives a number a name"},
    {"byte_math", KeywordValue::kRequired, apply_byte_math, "... after calculating with it"},
    {"isdataat", KeywordValue::kRequired, apply_isdataat,
     "there are bytes there; ! : there are none"},
    {"bsize", KeywordValue::kRequired, apply_bsize, "the size of the buffer"},
    {"urilen", KeywordValue::kRequired, apply_urilen,
     "the size of http.uri, or with raw of http.uri.raw"},
    {"absent", KeywordValue::kOptional, apply_absent,
     "the buffer is not there; or_else: or what follows holds"},
    {"base64_decode", KeywordValue::kOptional, apply_base64_decode,
     "decodes; base64_data looks at the result"},
    {"base64_data", KeywordValue::kNone, apply_base64_data,
     "what follows looks at the decoded bytes"},
};

}  // namespace

std::span<const Keyword> byte_keywords() { return kKeywords; }

}  // namespace sluice::inspect
