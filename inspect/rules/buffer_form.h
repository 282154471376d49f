// SPDX-License-Identifier: Apache-2.0
// What the bytes of a buffer look like whatever the traffic is. A content that they can never be
// makes a rule that never matches, or one that always does: it is refused, mostly as in Suricata,
// which takes some more.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "inspect/rules/buffer_match.h"
#include "tunnels/result.h"

namespace sluice::inspect {

struct BufferForm {
  enum class Letters : uint8_t { kAny, kLower, kUpper };
  enum class Blanks : uint8_t { kAny, kNotAtTheEnds, kSingle, kNone };
  enum class Shape : uint8_t { kAny, kHex, kHexPairs };  // pairs with a colon between

  Letters letters = Letters::kAny;
  bool letters_follow =
      false;  // a content is brought into this case, as digests are written in any
  Blanks blanks = Blanks::kAny;
  Shape shape = Shape::kAny;
  size_t size_max = SIZE_MAX;
};

// With the transformations behind it.
BufferForm form_of(Buffer buffer, std::span<const Transform> transforms);

// Brings contents into the buffer's case where that is how it is compared, and refuses those that
// never occur there: by what they are, or because they do not fit in its size (bsize, urilen;
// `size_max` beside them).
Result<> fit_contents(RulePart& part, uint32_t size_max);

// Refuses a regular expression that keeps case and needs a capital where there are none.
Result<> check_regex(std::string_view pattern, const BufferForm& form);

}  // namespace sluice::inspect
