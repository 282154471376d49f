// SPDX-License-Identifier: Apache-2.0
// What the headers of a mail's part say of it.
#pragma once

#include <string>
#include <string_view>

namespace sluice::inspect {

// A longer value is cut: of a parameter, all its pieces together.
inline constexpr size_t kMimeValueMax = 1024;
inline constexpr size_t kMimePiecesMax = 64;  // of a parameter (RFC 2231, 3)

// The value before the parameters, in lower case, without quotes and comments: "multipart/mixed".
std::string mime_value(std::string_view header_value);
// A parameter (RFC 2045, 5.1), unquoted, put together from its pieces and decoded (RFC 2231);
// empty: it is not there. `name` in lower case.
std::string mime_parameter(std::string_view header_value, std::string_view name);

// Encoded words (RFC 2047, 2) decoded, wherever they stand; their bytes stay in their charset.
std::string mime_words(std::string_view text);

std::string lower_case(std::string_view text);
std::string_view trimmed(std::string_view text);  // without blanks around it

}  // namespace sluice::inspect
