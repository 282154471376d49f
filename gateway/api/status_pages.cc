// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/status_pages.h"

#include "gateway/api/metrics.h"
#include "gateway/api/stat_csv.h"

namespace sluice::gateway {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

}  // namespace

StatusPages::StatusPages(EventLoop& loop, const Controller& controller, EventBus& events,
                         const Discovery& discovery, const FlowLog& flow_log, HttpServer& server)
    : controller_(controller), stream_(loop, events), traffic_(loop, controller) {
  using Access = HttpServer::Access;
  server.route("GET", "/health/live", Access::kOpen, [](const HttpRequest&) {
    return HttpResponse{200, kText, "live\n", {}, {}};
  });
  server.route("GET", "/health/ready", Access::kOpen,
               [this](const HttpRequest&) { return ready(); });
  server.route("GET", "/metrics", Access::kGuarded,
               [this, &events, &discovery, &flow_log, &server](const HttpRequest&) {
                 traffic_.look();
                 return HttpResponse{200,
                                     "text/plain; version=0.0.4; charset=utf-8",
                                     metrics_text({controller_, events, &stream_, &server,
                                                   &discovery, &traffic_, &flow_log}),
                                     {},
                                     {}};
               });
  server.route("GET", "/stat;csv", Access::kGuarded, [this](const HttpRequest&) {
    return HttpResponse{200, kText, stat_csv(controller_), {}, {}};
  });
  server.route("GET", "/events", Access::kGuarded,
               [this](const HttpRequest& request) { return stream_.answer(request); });
}

HttpResponse StatusPages::ready() const {
  if (controller_.config().gateway.name.empty())
    return {503, kText, "no configuration is applied yet\n", {}, {}};
  if (const Result<>& missing = controller_.reconciler().missing(); !missing)
    return {503, kText, missing.error().text() + "\n", {}, {}};
  return {200, kText, "ready\n", {}, {}};
}

}  // namespace sluice::gateway
