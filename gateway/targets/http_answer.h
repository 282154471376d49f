// SPDX-License-Identifier: Apache-2.0
// The status of an answer to an HTTP/1 health check, from bytes that come in any pieces.
//
// Only the status line matters, and it is all that a target must get across: some appliances reset
// the connection right behind it. Lines may end with a bare LF, for the same appliances' sake; no
// other reader will ever look at these bytes. Interim answers (1xx) are passed over.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::gateway {

class HttpAnswer {
 public:
  static constexpr size_t kBytesMax = 16 * 1024;  // before the final status line has ended

  enum class State { kMore, kStatus, kBad };

  // The next bytes. After kStatus and kBad further ones change nothing.
  State add(std::string_view bytes);
  State state() const { return state_; }
  int status() const { return status_; }  // after kStatus: 101, 200-599

 private:
  State take_line(std::string_view line);

  State state_ = State::kMore;
  int status_ = 0;
  bool in_interim_ = false;  // in the head of a 1xx answer
  size_t taken_ = 0;
  std::string line_;  // what has come of the current one
};

}  // namespace sluice::gateway
