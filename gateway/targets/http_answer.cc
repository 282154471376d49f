// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/http_answer.h"

#include "gateway/proxy/http1.h"

namespace sluice::gateway {

HttpAnswer::State HttpAnswer::add(std::string_view bytes) {
  while (state_ == State::kMore && !bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    taken_ += piece.size() + 1;
    if (taken_ > kBytesMax) return state_ = State::kBad;
    line_ += piece;
    if (end == std::string_view::npos) return state_;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    state_ = take_line(line_);
    line_.clear();
  }
  return state_;
}

HttpAnswer::State HttpAnswer::take_line(std::string_view line) {
  if (in_interim_) {
    in_interim_ = !line.empty();
    return State::kMore;
  }
  const auto parsed = parse_status_line(line);
  if (!parsed) return State::kBad;
  status_ = parsed->status;
  in_interim_ = status_ < 200 && status_ != 101;
  return in_interim_ ? State::kMore : State::kStatus;
}

}  // namespace sluice::gateway
