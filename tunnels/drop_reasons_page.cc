// SPDX-License-Identifier: Apache-2.0
// Prints docs/drop-reasons.md from the one list of drop reasons.
#include <iostream>

#include "tunnels/drop_reasons.h"

int main() {
  using namespace sluice::tunnels;
  std::cout << "# Drop reasons\n"
               "\n"
               "Every packet that the gateway drops is counted under exactly one of these names;\n"
               "`sluice counters` shows them. This page is printed from the list in "
               "`tunnels/drop_reasons.h`\n"
               "(`ninja -C build/dev drop_reasons_page`), and a test keeps the two equal.\n"
               "\n"
               "| name | what happened |\n"
               "|---|---|\n";
  for (int i = kDropNone + 1; i < kDropReasonCount; i++) {
    const auto reason = static_cast<DropReason>(i);
    std::cout << "| `" << drop_reason_name(reason) << "` | " << drop_reason_text(reason) << " |\n";
  }
  return 0;
}
