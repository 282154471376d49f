// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/host.h"

#include <algorithm>
#include <bit>
#include <string>

#include "gateway/datapath/chain.h"

namespace sluice::gateway {

// The kernel host's arrays have their entries at multiples of 8 bytes.
#define X(name, type, count) static_assert(sizeof(struct type) % 8 == 0, #name);
SLUICE_TABLES(X)
#undef X

Result<uint32_t> flow_buckets_for(const HostOptions& options) {
  if (options.flows_max < kFlowsMaxLeast || options.flows_max > kFlowsMaxMost)
    return fail("flows_max must be between " + std::to_string(kFlowsMaxLeast) + " and " +
                    std::to_string(kFlowsMaxMost) + ", not " + std::to_string(options.flows_max),
                "flow_table.flows_max");
  return std::bit_ceil(options.flows_max) / kFlowWays;
}

void write_profiles(Tables& tables) {
  std::copy_n(kGeneveProfiles, int{kProfiles}, tables.profiles);
}

const char* path_event_name(PathEvent event) {
#define X(enumerator, name) name,
  constexpr const char* kNames[] = {SLUICE_PATH_EVENTS(X)};
#undef X
  return kNames[event];
}

std::vector<uint16_t> appliances_of(const flow_record& record) {
  std::vector<uint16_t> out;
  const uint32_t hops = flow_is_chain(&record) ? chain_hops(&record) : 0;
  for (uint32_t hop = 1; hop <= hops; hop++)
    if (!chain_skips(&record, hop))
      out.push_back(static_cast<uint16_t>(chain_target(&record, hop)));
  if (hops == 0 && record.target < kTargetsMax) out.push_back(record.target);
  return out;
}

}  // namespace sluice::gateway
