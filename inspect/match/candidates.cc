// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/candidates.h"

#include <algorithm>

namespace sluice::inspect {

const std::vector<uint32_t>& Candidates::sorted() {
  std::sort(list_.begin(), list_.end());
  return list_;
}

}  // namespace sluice::inspect
