// SPDX-License-Identifier: Apache-2.0
// A connection that all protocols are asked about, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/recording_sink_for_test.h"
#include "inspect/app/session.h"

namespace sluice::inspect {

class AppSessionTest : public ::testing::Test {
 protected:
  // Cut into pieces of so many bytes.
  void feed(Direction direction, std::string_view text, size_t piece = SIZE_MAX) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
      session_->feed(direction, bytes_of(text.substr(0, piece)), sink_);
  }
  // Another one, to that port.
  void again(bool tcp, uint16_t port) {
    session_ = std::make_unique<AppSession>(tcp, port);
    sink_ = RecordingSink();
  }
  // Of all transactions.
  std::vector<std::string> all(std::string_view name) const {
    return sink_.get_all(Recorded::kBuffer, name);
  }

  RecordingSink sink_;
  std::unique_ptr<AppSession> session_ = std::make_unique<AppSession>(true, 80);
};

}  // namespace sluice::inspect
