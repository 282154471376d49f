// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "inspect/rules/regex.h"

#include <pcre2.h>

#include <utility>

namespace sluice::inspect {
namespace {

constexpr size_t kJitStackStart = 32 * 1024;
constexpr size_t kJitStackMax = 512 * 1024;

uint32_t pcre2_options(const Regex::Options& options) {
  uint32_t out = PCRE2_NEVER_BACKSLASH_C;
  if (options.caseless) out |= PCRE2_CASELESS;
  if (options.dot_all) out |= PCRE2_DOTALL;
  if (options.multi_line) out |= PCRE2_MULTILINE;
  if (options.extended) out |= PCRE2_EXTENDED;
  if (options.anchored) out |= PCRE2_ANCHORED;
  if (options.dollar_end) out |= PCRE2_DOLLAR_ENDONLY;
  if (options.ungreedy) out |= PCRE2_UNGREEDY;
  return out;
}

}  // namespace

struct RegexScratch::Parts {
  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr);

  Parts() {
    SLUICE_CHECK(match != nullptr && context != nullptr && stack != nullptr);
    pcre2_set_match_limit(context, kRegexMatchLimit);
    pcre2_set_depth_limit(context, kRegexDepthLimit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Parts() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
};

RegexScratch::RegexScratch() : parts_(std::make_unique<Parts>()) {}
RegexScratch::~RegexScratch() = default;
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch& RegexScratch::operator=(RegexScratch&&) noexcept = default;

struct Regex::Code {
  pcre2_code* code;
  explicit Code(pcre2_code* made) : code(made) {}
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
};

Result<Regex> Regex::compile(std::string_view pattern, const Options& options) {
  if (pattern.size() > kRegexLengthMax) return fail("longer than 8192 bytes");
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   pcre2_options(options), &error, &offset, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR text[256] = {};
    pcre2_get_error_message(error, text, sizeof(text));
    return fail(std::string(reinterpret_cast<const char*>(text)) + " at offset " +
                std::to_string(offset));
  }
  auto owned = std::make_shared<const Code>(code);
  // A pattern that the JIT cannot take runs in the interpreter, with the same limits.
  (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return Regex(std::move(owned));
}

std::optional<Regex::Match> Regex::find(std::span<const uint8_t> subject, size_t start,
                                        bool not_begin, RegexScratch& scratch) const {
  if (start > subject.size()) return std::nullopt;
  static constexpr uint8_t kNothing = 0;
  RegexScratch::Parts& parts = *scratch.parts_;
  const int count =
      pcre2_match(code_->code, subject.empty() ? &kNothing : subject.data(), subject.size(), start,
                  not_begin ? PCRE2_NOTBOL : 0, parts.match, parts.context);
  if (count < 0 && count != PCRE2_ERROR_NOMATCH) scratch.limit_hits++;
  if (count < 0) return std::nullopt;
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(parts.match);
  // \K can put the beginning behind the end; a chain goes on from the end either way.
  return Match{at[0] < at[1] ? at[0] : at[1], at[1]};
}

}  // namespace sluice::inspect
