// SPDX-License-Identifier: Apache-2.0
// A bounds-checked cursor to read bytes with and one to write them with, for user-space code.
// Integers are big-endian unless the name says otherwise. A read or write past the end returns
// nothing, moves nothing, and leaves ok() false from then on, so a decoder may check once at its
// end.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "tunnels/integers.h"

namespace sluice::tunnels {

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return bytes_.size() - at_; }
  size_t offset() const { return at_; }

  uint8_t u8() { return take(1) ? bytes_[at_ - 1] : 0; }
  uint16_t be16() { return take(2) ? load_be16(&bytes_[at_ - 2]) : 0; }
  uint32_t be24() {
    return take(3)
               ? uint32_t{bytes_[at_ - 3]} << 16 | uint32_t{bytes_[at_ - 2]} << 8 | bytes_[at_ - 1]
               : 0;
  }
  uint32_t be32() { return take(4) ? load_be32(&bytes_[at_ - 4]) : 0; }
  uint64_t be64() { return take(8) ? load_be64(&bytes_[at_ - 8]) : 0; }
  std::span<const uint8_t> bytes(size_t count) {
    return take(count) ? bytes_.subspan(at_ - count, count) : std::span<const uint8_t>{};
  }
  void skip(size_t count) { (void)take(count); }
  std::span<const uint8_t> rest() { return bytes(remaining()); }

 private:
  bool take(size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return false;
    }
    at_ += count;
    return true;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(std::span<uint8_t> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t written() const { return at_; }

  void u8(uint8_t v) {
    if (take(1)) bytes_[at_ - 1] = v;
  }
  void be16(uint16_t v) {
    if (take(2)) store_be16(&bytes_[at_ - 2], v);
  }
  void be32(uint32_t v) {
    if (take(4)) store_be32(&bytes_[at_ - 4], v);
  }
  void be64(uint64_t v) {
    if (take(8)) store_be64(&bytes_[at_ - 8], v);
  }
  void bytes(std::span<const uint8_t> source) {
    if (take(source.size()) && !source.empty())
      std::memcpy(&bytes_[at_ - source.size()], source.data(), source.size());
  }
  void zeros(size_t count) {
    if (take(count) && count != 0) std::memset(&bytes_[at_ - count], 0, count);
  }

 private:
  bool take(size_t count) {
    if (!ok_ || count > bytes_.size() - at_) {
      ok_ = false;
      return false;
    }
    at_ += count;
    return true;
  }

  std::span<uint8_t> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace sluice::tunnels
