// SPDX-License-Identifier: Apache-2.0
// How libhtp is set up: one configuration for all connections, never changed after it is made.
#pragma once

#include <htp/htp.h>

#include <string_view>

namespace sluice::inspect {

htp_cfg_t* http_config();

inline std::string_view view_of(const bstr* text) {
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(bstr_ptr(text)), bstr_len(text)};
}

}  // namespace sluice::inspect
