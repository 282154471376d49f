// SPDX-License-Identifier: Apache-2.0
// Who carries how much of what: flows, packets and bytes by application and by client. A Usage
// belongs to one worker; merge() puts the reports of several together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "inspect/dpi/classifier.h"
#include "inspect/dpi/host_table.h"
#include "inspect/stream/flow.h"

namespace sluice::inspect {

// Applications counted by name; what is beyond is counted together as kOtherApplications.
inline constexpr size_t kUsageApplicationsMax = 512;
inline constexpr size_t kUsageHostsMax = 1024;
inline constexpr const char* kOtherApplications = "Other";
// How often a flow that goes on is counted. Not at each packet: a flow's own counters already are.
inline constexpr int64_t kUsageIntervalUs = 1'000'000;

// The part of a flow that has been counted already.
struct Accounted {
  Amount amount;
  int64_t at_us = 0;
};

struct ApplicationUsage {
  std::string application;  // "TLS.YouTube"
  std::string category;
  Amount amount;
};

struct UsageReport {
  std::vector<ApplicationUsage> applications;  // most bytes first
  std::vector<HostUsage> hosts;                // most bytes first
  uint64_t missed_bytes = 0;                   // that a host which is not here may have carried
};

class Usage {
 public:
  explicit Usage(const tunnels::siphash_key& key, size_t applications_max = kUsageApplicationsMax,
                 size_t hosts_max = kUsageHostsMax);

  // A flow that goes on should be counted again. Wait for a final application: what was counted
  // for one stays with it.
  static bool due(const Flow& flow, const Accounted& accounted, int64_t time_us) {
    return time_us - std::max(flow.start_us, accounted.at_us) >= kUsageIntervalUs;
  }
  // Counts what the flow has carried since the last time, for its application and its client.
  void account(const Flow& flow, const Application& application, bool blocked,
               uint64_t packets_blocked, Accounted& accounted);

  UsageReport report(const Classifier& classifier) const;

 private:
  struct Counted {
    uint16_t category = 0;
    Amount amount;
  };
  Amount& of(const Application& application);

  size_t applications_max_;
  std::unordered_map<uint32_t, Counted> applications_;  // by master and application
  Amount other_;
  HostTable hosts_;
};

// One report of all workers'. Each host's missed_bytes grows by what a worker that does not know it
// may have missed.
UsageReport merge(std::span<const UsageReport> reports);

}  // namespace sluice::inspect
