// SPDX-License-Identifier: Apache-2.0
// GET /metrics: what the gateway counts, in Prometheus' text format. docs/features/metrics.md says
// which of AWS's metrics each one is.
#pragma once

#include <string>
#include <vector>

namespace sluice::gateway {

class Controller;
class Discovery;
class EventBus;
class EventStream;
class FlowLog;
class HttpServer;
class Traffic;

struct MetricsSources {
  const Controller& controller;
  const EventBus& events;
  const EventStream* stream = nullptr;  // what is not there is left out
  const HttpServer* server = nullptr;
  const Discovery* discovery = nullptr;
  const Traffic* traffic = nullptr;
  const FlowLog* flow_log = nullptr;
};

std::string metrics_text(const MetricsSources& sources);

// Flows that are not over. Exact for tables of up to kFlowBucketsRead buckets; of larger ones so
// many, evenly spread, are read, and the count is scaled up.
inline constexpr uint32_t kFlowBucketsRead = 1 << 14;
struct ActiveFlows {
  double all = 0;
  // By index in the tables.
  std::vector<double> of_target, of_attachment, of_listener;
};
ActiveFlows active_flows(const Controller& controller);

}  // namespace sluice::gateway
