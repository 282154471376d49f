// SPDX-License-Identifier: Apache-2.0
// What the value of a setting says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::ids {

// Whether a setting was understood; an error: it was, and its value cannot be honoured.
using Applied = Result<bool>;

Failure out_of_range(std::string_view name, std::string_view value, uint64_t least, uint64_t most);
Failure bad_value(std::string_view name, std::string_view value, std::string_view why = {});

// "yes", "true", "on", "1" and their opposites.
std::optional<bool> boolean(std::string_view text);
// "4096", "32kb", "100 KiB", "1gb".
std::optional<uint64_t> size(std::string_view text);

Applied set(bool& out, std::string_view name, std::string_view value);

template <class Number>
Applied set_size(Number& out, std::string_view name, std::string_view value, uint64_t least,
                 uint64_t most) {
  const auto read = size(value);
  if (!read || *read < least || *read > most) return out_of_range(name, value, least, most);
  out = static_cast<Number>(*read);
  return true;
}

}  // namespace sluice::ids
