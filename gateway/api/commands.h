// SPDX-License-Identifier: Apache-2.0
// The requests of the API, as JSON objects: {"command": "targets"}. A reply has "ok": true, or
// "ok": false and "error"; behind some comes a stream. docs/features/api.md lists them.
#pragma once

#include <string_view>

#include "gateway/api/server.h"

namespace sluice::gateway {

class ControlPlane;

inline constexpr const char* kVersion = "0.1.0";
inline constexpr size_t kFlowsShownMax = 10'000;

// Answers one request; never fails: what is wrong with it is in the reply. One line, without its
// end.
ApiReply answer_request(ControlPlane& plane, std::string_view request);

}  // namespace sluice::gateway
