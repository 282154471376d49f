// SPDX-License-Identifier: Apache-2.0
// Any text as a policy: a policy that decides, or errors that name the file.
#include <cstdlib>

#include "inspect/dpi/policy.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const DpiNames names = {{"Unknown", "TLS", "HTTP", "YouTube", "BitTorrent", "Z39.50"},
                                 {"Unspecified", "Web", "Video"}};
  const auto policy =
      Policy::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz", names);
  if (!policy) {
    if (!policy.error().text().starts_with("fuzz:")) std::abort();
    return 0;
  }
  for (uint16_t application = 0; application < 6; application++)
    if (policy->decide({1, application, 2}, true).rule.empty()) std::abort();
  return 0;
}
