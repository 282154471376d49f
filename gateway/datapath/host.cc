// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/host.h"

#include <algorithm>
#include <bit>
#include <charconv>
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

Result<> cpus_fit(std::string_view present) {
  const size_t before = present.find_last_of("-,");
  if (before != std::string_view::npos) present.remove_prefix(before + 1);
  uint32_t last = 0;
  std::from_chars(present.data(), present.data() + present.size(), last);
  if (last < kSlowPathCpu) return {};
  return fail("the packet path counts for CPUs 0 to " + std::to_string(kSlowPathCpu - 1) +
              ", and this machine has one numbered " + std::to_string(last));
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
