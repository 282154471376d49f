// SPDX-License-Identifier: Apache-2.0
// The pages that show a running gateway and change nothing:
//
//   GET /health/live   200 while the daemon turns
//   GET /health/ready  200 when the data path is whole, else 503 and why
//   GET /metrics       Prometheus text
//   GET /stat;csv      as HAProxy's `show stat`
//   GET /events        server-sent events
#pragma once

#include "gateway/api/event_stream.h"
#include "gateway/api/http_server.h"
#include "gateway/control/controller.h"
#include "gateway/control/traffic.h"

namespace sluice::gateway {

class Discovery;
class FlowLog;

class StatusPages {
 public:
  // All outlive it. The health pages are open, the others guarded.
  StatusPages(EventLoop& loop, const Controller& controller, EventBus& events,
              const Discovery& discovery, const FlowLog& flow_log, HttpServer& server);

  const EventStream& stream() const { return stream_; }

 private:
  HttpResponse ready() const;

  const Controller& controller_;
  EventStream stream_;
  Traffic traffic_;
};

}  // namespace sluice::gateway
