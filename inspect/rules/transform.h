// SPDX-License-Identifier: Apache-2.0
// What a rule does to a buffer before it looks at it (Suricata userguide, "Transformations").
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kTransformsMax = 8;  // of one buffer
// The longest buffer that is transformed; what is behind it is not looked at.
inline constexpr size_t kTransformBytesMax = 1 << 20;

struct Transform {
  enum class Kind : uint8_t {
    kDotPrefix,
    kToLowercase,
    kToUppercase,
    kUrlDecode,
    kStripWhitespace,
    kCompressWhitespace,
    kStripPseudoHeaders,
    kHeaderLowercase,
    kFromBase64,
    kXor,
    kMd5,
    kSha1,
    kSha256,
    kDomain,
    kTopLevelDomain,
  };
  Kind kind;
  std::string argument;  // kXor: the key

  bool operator==(const Transform&) const = default;
};

// By the rule keyword's name, with its value ("" if it has none).
Result<Transform> parse_transform(std::string_view keyword, std::string_view value);
bool is_transform(std::string_view keyword);
std::vector<std::string_view> transform_keywords();

// All of them in order. What cannot be transformed comes out empty.
std::vector<uint8_t> transformed(std::span<const uint8_t> bytes,
                                 std::span<const Transform> transforms);

}  // namespace sluice::inspect
