// SPDX-License-Identifier: Apache-2.0
// Which content of a rule is searched for: the one that occurs least where nobody attacks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/buffer_match.h"

namespace sluice::inspect {

// A content of fewer bytes is found too often to be searched for in everything that passes, if its
// place is known.
inline constexpr size_t kPatternMin = 4;

// About how many bits such bytes tell: letters of English text less than others, zeros least, a
// byte that is repeated next to nothing, words that every request has little.
int rarity_of(std::string_view bytes);

// The content that a buffer must hold for these matches, as rare as possible: the one marked
// fast_pattern or the best positive one. nullptr if there is none.
const Content* fast_pattern_of(const std::vector<BufferMatch>& matches);
// Whether searching for `content` names fewer rules in vain than for `other`; either may be null.
bool is_better_pattern(const Content* content, const Content* other);
// The bytes of it to look for: as the rule chops it, or the part that suits the search best.
std::string fast_pattern_bytes(const Content& content);

// False: to look at the few places where it may be costs less than to search for it.
bool is_worth_searching(const Content& content);

}  // namespace sluice::inspect
