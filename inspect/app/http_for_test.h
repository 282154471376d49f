// SPDX-License-Identifier: Apache-2.0
// What the tests of the HTTP parser share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "inspect/app/conversation_for_test.h"
#include "inspect/app/http.h"

namespace sluice::inspect::testing {

inline constexpr Direction kToServer = Direction::kToServer;
inline constexpr Direction kToClient = Direction::kToClient;

inline std::unique_ptr<Parser> make() { return http_entry().make(); }

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

inline std::string get(std::string_view uri) {
  return "GET " + std::string(uri) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

struct Expected {
  Direction direction;
  std::string_view buffer;
  std::string_view bytes;
  uint64_t transaction = 0;
};

struct Case {
  std::string_view name;
  Conversation said;
  std::vector<Expected> expected;
  std::vector<std::string> events;
};

// The buffers and events of what was said, however it is cut.
inline void check(const Case& c) {
  SCOPED_TRACE(c.name);
  RecordingSink sink;
  const auto parser = make();
  converse(*parser, c.said, sink);
  for (const Expected& e : c.expected)
    EXPECT_EQ(sink.get(e.transaction, e.direction, e.buffer), e.bytes) << e.buffer;
  EXPECT_EQ(sink.events(), c.events);
  expect_same_when_cut(make, c.said);
}

}  // namespace sluice::inspect::testing
