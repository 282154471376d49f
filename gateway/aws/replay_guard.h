// SPDX-License-Identifier: Apache-2.0
// Tells a signed request from its copy. Within the five minutes that a signature is good for, who
// listens on the wire could send a change again; so the signatures of changes are remembered until
// they expire.
//
// What cannot be remembered is not trusted either: a request that was signed before this began, or
// before the oldest one that had to be forgotten for want of room, is as good as seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

namespace sluice::gateway {

class ReplayGuard {
 public:
  static constexpr size_t kRememberedMax = 1 << 16;

  explicit ReplayGuard(int64_t now_s, size_t remembered_max = kRememberedMax)
      : remembered_max_(remembered_max), trusted_from_s_(now_s) {}

  // Whether the signature (64 hexadecimal digits, verified) is new; then it is remembered. Times
  // are Unix time.
  bool is_first(std::string_view signature, int64_t signed_s, int64_t now_s);

  size_t remembered() const { return seen_.size(); }

 private:
  static constexpr size_t kKept = 32;  // of the digits: 128 bits
  using Seen = std::pair<int64_t, std::array<char, kKept>>;

  size_t remembered_max_;
  int64_t trusted_from_s_;
  std::set<Seen> seen_;  // the oldest first
};

}  // namespace sluice::gateway
