// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/replay_guard.h"

#include <algorithm>

#include "gateway/aws/signature.h"

namespace sluice::gateway {

bool ReplayGuard::is_first(std::string_view signature, int64_t signed_s, int64_t now_s) {
  while (!seen_.empty() && seen_.begin()->first < now_s - kSignatureSkewMaxS)
    seen_.erase(seen_.begin());  // verify_signature() refuses these by now
  if (signed_s < trusted_from_s_) return false;
  Seen seen{signed_s, {}};
  std::copy_n(signature.begin(), std::min(signature.size(), kKept), seen.second.begin());
  if (!seen_.insert(seen).second) return false;
  while (seen_.size() > remembered_max_) {
    trusted_from_s_ = std::max(trusted_from_s_, seen_.begin()->first + 1);
    seen_.erase(seen_.begin());
  }
  return true;
}

}  // namespace sluice::gateway
