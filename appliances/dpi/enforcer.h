// SPDX-License-Identifier: Apache-2.0
// Limits and quotas: whether one more packet of a flow is covered by its rule.
#pragma once

#include "appliances/dpi/dpi_flow.h"
#include "appliances/dpi/meters.h"

namespace sluice::dpi {

enum class Coverage {
  kCovered,
  kOverLimit,
  kOverQuota,        // and the quota says drop
  kOverQuotaReject,  // and the quota says reject
};

class Enforcer {
 public:
  // The meters outlive this.
  explicit Enforcer(Meters& meters);

  // Charges a packet of `bytes` to the flow's rule. `today`: the calendar's day and minute in the
  // policy's zone.
  Coverage charge(DpiRecord& record, uint32_t bytes, int64_t now_us,
                  const inspect::CivilMinute& today);

 private:
  bool within(DpiRecord& record, const inspect::Limit& limit, uint32_t bytes, int64_t now_us);
  uint64_t key_of(const DpiRecord& record, inspect::Per per) const;

  Meters& meters_;
};

}  // namespace sluice::dpi
