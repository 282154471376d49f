// SPDX-License-Identifier: Apache-2.0
// Any bytes as a rule file: every rule in it is taken or refused, none crashes.
#include "inspect/rules/loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const sluice::inspect::Variables variables = sluice::inspect::default_variables();
  static const sluice::inspect::Classification classes = sluice::inspect::default_classification();
  sluice::inspect::Names names;
  sluice::inspect::RuleLoader loader(variables, classes, names);
  (void)loader.load_text({reinterpret_cast<const char*>(data), size}, "fuzz");
  const auto set = loader.take();
  for (const auto& refused : set.refused) {
    if (refused.reason.empty()) __builtin_trap();
  }
  return 0;
}
