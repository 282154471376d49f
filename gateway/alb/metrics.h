// SPDX-License-Identifier: Apache-2.0
// GET /metrics of sluice-proxy, in Prometheus' text format: CloudWatch's metrics of application
// load balancers in snake case. docs/features/metrics.md says which is which.
#pragma once

#include <string>

#include "gateway/alb/alb.h"

namespace sluice::gateway {

std::string alb_metrics_text(const Alb& alb);

}  // namespace sluice::gateway
