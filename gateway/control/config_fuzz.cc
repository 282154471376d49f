// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = sluice::gateway::parse_config(text, "fuzz");
  if (!config && config.error().empty()) __builtin_trap();
  return 0;
}
