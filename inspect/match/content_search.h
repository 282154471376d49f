// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a content are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::inspect {

// The first place of `wanted`, which has at least one byte (in lower case if nocase), or
// haystack.size().
size_t find_content(std::span<const uint8_t> haystack, std::string_view wanted, bool nocase);

}  // namespace sluice::inspect
