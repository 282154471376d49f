// SPDX-License-Identifier: Apache-2.0
// What a rule does to a buffer before it looks at it (Suricata userguide, "Transformations").
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/text.h"
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
  std::string argument{};   // kXor: the key; empty: it is in the buffer
  uint32_t offset = 0;      // kXor, kFromBase64: the bytes before it are not touched
  uint32_t length = 0;      // kXor: of the key in the buffer; kFromBase64: of the text,
                            // 0: all of it
  uint32_t key_offset = 0;  // kXor: where the key is
  Base64Mode mode = Base64Mode::kRfc4648;

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
