// SPDX-License-Identifier: Apache-2.0
// Any text as a suricata.yaml: what is understood is applied, and can be applied once more.
#include <cstdlib>

#include "appliances/ids/settings.h"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto settings = ids::settings_of(text, "fuzz.yaml");
  if (!settings) return 0;
  // Their patterns would be looked for in this machine's directories.
  std::erase_if(settings->all,
                [](const ids::Setting& s) { return s.name.starts_with("rule-files."); });
  ids::IdsOptions options;
  const auto others = ids::apply_settings(*settings, options);
  if (!others) return 0;
  if (others->size() > settings->all.size()) std::abort();
  const auto again = ids::apply_settings(*settings, options);
  if (!again || *again != *others) std::abort();
  return 0;
}
