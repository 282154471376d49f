// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/stats.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

using json = nlohmann::ordered_json;

json target_json(const Alb& alb, const std::string& group, const PooledTarget& target) {
  TargetHealth health = alb.health({group, target.target()});
  return {{"id", target.target().address.text()},        {"port", target.target().port},
          {"state", health_state_name(health.state)},    {"reason", health.reason},
          {"description", health.description},           {"requests", target.requests},
          {"connect_failures", target.connect_failures}, {"idle_connections", target.idle()}};
}

json balancer_json(const Alb& alb, const ServedBalancer& balancer) {
  json out{{"name", balancer.name}, {"clients", balancer.clients}};
  for (const auto& frontend : alb.frontends()) {
    if (frontend->site->balancer.get() != &balancer) continue;
    json listener{{"address", frontend->address.text()}};
    if (!frontend->trouble.empty()) listener["trouble"] = frontend->trouble;
    out["listeners"].push_back(std::move(listener));
  }
#define SLUICE_ALB_PRINT(name) out["counters"][#name] = balancer.counters.name;
  SLUICE_ALB_COUNTERS(SLUICE_ALB_PRINT)
#undef SLUICE_ALB_PRINT
  for (const auto& [name, pool] : balancer.pools) {
    auto targets = json::array();
    for (const auto& target : pool->targets()) targets.push_back(target_json(alb, name, *target));
    out["target_groups"].push_back({{"name", name}, {"targets", targets}});
  }
  return out;
}

}  // namespace

std::string alb_stats_json(const Alb& alb) {
  json stats{{"draining", alb.draining()}, {"load_balancers", json::array()}};
  for (const auto& [name, balancer] : alb.balancers())
    stats["load_balancers"].push_back(balancer_json(alb, *balancer));
  return stats.dump(2) + "\n";
}

Result<std::unique_ptr<StatsServer>> StatsServer::create(EventLoop& loop, Alb& alb,
                                                         const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("the path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  std::unique_ptr<StatsServer> server(new StatsServer(alb, path));
  server->fd_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!server->fd_) return fail_errno("cannot create a socket", path);
  struct stat there;
  if (lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) unlink(path.c_str());
  if (bind(server->fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(server->fd_.get(), 16) != 0) {
    return fail_errno("cannot listen", path);
  }
  StatsServer* self = server.get();
  SLUICE_TRY_VOID(self->watch_.start(loop, self->fd_.get(), EPOLLIN,
                                     [self](uint32_t) { self->answer_some(); }));
  return server;
}

StatsServer::~StatsServer() { unlink(path_.c_str()); }

// The socket's own buffer takes the whole answer, or what fits: nobody is waited for.
void StatsServer::answer_some() {
  UniqueFd reader(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!reader) return;
  std::string text = alb_stats_json(alb_);
  int bytes = static_cast<int>(text.size()) * 2;
  setsockopt(reader.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  (void)!send(reader.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace sluice::gateway
