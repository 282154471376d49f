// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/stats.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

nlohmann::ordered_json target_json(Alb& alb, const TargetPool& pool, const PooledTarget& target) {
  TargetHealth health = alb.health(pool, target);
  return {{"id", target.target().address.text()},        {"port", target.target().port},
          {"state", health_state_name(health.state)},    {"reason", health.reason},
          {"description", health.description},           {"requests", target.requests},
          {"connect_failures", target.connect_failures}, {"idle_connections", target.idle()}};
}

}  // namespace

std::string alb_stats_json(Alb& alb) {
  nlohmann::ordered_json stats;
  stats["load_balancer"] = alb.name();
  stats["draining"] = alb.draining();
  stats["clients"] = alb.clients();
  for (const auto& frontend : alb.frontends()) {
    stats["listeners"].push_back(frontend->address.text());
  }
  const AlbCounters& counters = alb.counters();
#define SLUICE_ALB_PRINT(name) stats["counters"][#name] = counters.name;
  SLUICE_ALB_COUNTERS(SLUICE_ALB_PRINT)
#undef SLUICE_ALB_PRINT
  for (TargetPool& pool : alb.pools()) {
    auto targets = nlohmann::ordered_json::array();
    for (PooledTarget& target : pool.targets()) targets.push_back(target_json(alb, pool, target));
    stats["target_groups"].push_back({{"name", pool.name()}, {"targets", targets}});
  }
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
