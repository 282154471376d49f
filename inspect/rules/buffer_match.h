// SPDX-License-Identifier: Apache-2.0
// What a rule asks about the bytes of one buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "inspect/app/buffer.h"
#include "inspect/rules/regex.h"
#include "inspect/rules/transform.h"

namespace sluice::inspect {

// A number as the rule writes it, or the variable that byte_extract or byte_math has filled.
struct Operand {
  int64_t value = 0;
  std::optional<uint8_t> variable;
};

// Of one rule.
inline constexpr size_t kVariablesMax = 16;

struct Content {
  std::string bytes;  // lower case if nocase
  bool nocase = false;
  bool negated = false;
  bool relative = false;  // distance or within: counts from the end of the match before
  bool starts = false;    // startswith
  bool ends = false;      // endswith
  bool fast_pattern = false;
  bool positioned = false;  // offset, depth or startswith
  Operand offset;
  std::optional<Operand> depth;  // from offset
  Operand distance;
  std::optional<Operand> within;  // from the end of the match before, plus distance
  uint16_t chop_offset = 0;       // fast_pattern:offset,length
  uint16_t chop_length = 0;       // 0: all
};

struct Pcre {
  Regex regex;
  bool negated = false;
  bool relative = false;  // R
};

// A size in bytes: bsize, urilen, dsize.
struct SizeRange {
  uint32_t least = 0;
  uint32_t most = UINT32_MAX;
  bool outside = false;  // negated

  bool contains(size_t size) const { return (size >= least && size <= most) != outside; }
  // That one, and each that is greater.
  bool contains_all_from(size_t size) const {
    return outside ? size > most : size >= least && most == UINT32_MAX;
  }
};

struct BufferSize {
  SizeRange range;
};

// isdataat: there are bytes up to that position, or not.
struct DataAt {
  Operand position;
  bool relative = false;
  bool negated = false;
};

// How byte_* keywords read a number.
struct ByteReader {
  Operand count;  // bytes, 1-8, or digits, 1-23
  Operand offset;
  bool relative = false;
  bool little_endian = false;
  bool text = false;  // digits
  int base = 0;       // of text: 8, 10, 16; 0: by its prefix
  uint64_t mask = 0;  // 0: none; the result is shifted down by its trailing zeros
};

struct ByteTest {
  enum class Op : uint8_t { kLess, kGreater, kEqual, kLessEqual, kGreaterEqual, kAnd, kOr };
  ByteReader read;
  Op op = Op::kEqual;
  bool negated = false;
  Operand value;
};

struct ByteJump {
  enum class From : uint8_t { kHere, kBeginning, kEnd };
  ByteReader read;
  From from = From::kHere;  // kHere: behind the bytes that were read
  int64_t multiplier = 1;
  uint8_t align = 1;
  Operand post_offset;
};

struct ByteExtract {
  ByteReader read;
  uint8_t variable = 0;
  int64_t multiplier = 1;
  uint8_t align = 1;
};

struct ByteMath {
  enum class Op : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kShiftLeft, kShiftRight };
  ByteReader read;
  Op op = Op::kAdd;
  Operand value;
  uint8_t variable = 0;
};

// dataset, datarep: what a set says about the whole buffer.
class DatasetUse {
 public:
  virtual ~DatasetUse() = default;
  virtual bool holds(std::span<const uint8_t> whole) const = 0;
  // When the rule holds; nothing for one that only asks.
  virtual void apply(std::span<const uint8_t> whole) const = 0;
  virtual bool changes() const = 0;
};

struct DatasetTest {
  std::shared_ptr<const DatasetUse> use;
};

struct Base64;

using BufferMatch = std::variant<Content, Pcre, BufferSize, DataAt, ByteTest, ByteJump, ByteExtract,
                                 ByteMath, DatasetTest, Base64>;

// base64_decode, and what base64_data says about the bytes that come out.
struct Base64 {
  std::optional<uint32_t> bytes;  // of the encoded text; else to its end
  Operand offset;
  bool relative = false;
  std::vector<BufferMatch> inside;
};

// Whether its place counts from the match before it.
bool is_relative(const BufferMatch& match);

// All that a rule says about one buffer.
struct RulePart {
  Buffer buffer = Buffer::kPayload;
  std::vector<Transform> transforms;
  std::vector<BufferMatch> matches;
  // absent: the buffer must not be there; with or_else it may be, and then matches decide.
  bool absent = false;
  bool or_else = false;
};

}  // namespace sluice::inspect
