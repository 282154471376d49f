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

}  // namespace sluice::inspect::testing
