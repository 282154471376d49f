// SPDX-License-Identifier: Apache-2.0
#include "tunnels/drop_reasons.h"

namespace sluice::tunnels {

std::string_view drop_reason_name(DropReason reason) {
  switch (reason) {
#define X(enumerator, name, text) \
  case enumerator:                \
    return name;
    SLUICE_DROP_REASONS(X)
#undef X
    case kDropReasonCount:
      break;
  }
  return "unknown";
}

std::string_view drop_reason_text(DropReason reason) {
  switch (reason) {
#define X(enumerator, name, text) \
  case enumerator:                \
    return text;
    SLUICE_DROP_REASONS(X)
#undef X
    case kDropReasonCount:
      break;
  }
  return "";
}

}  // namespace sluice::tunnels
