// SPDX-License-Identifier: Apache-2.0
#include "gateway/follow/publisher.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/api/unix_listener.h"
#include "gateway/control/changes.h"
#include "gateway/control/controller.h"

namespace sluice::gateway {

Publisher::Publisher(EventLoop& loop, ControlPlane& plane, ApplicationReports& reports,
                     EventBus& events, uid_t user)
    : loop_(loop),
      plane_(plane),
      reports_(reports),
      events_(events),
      user_(user),
      told_(application_part(plane.config())),
      listener_(events.listen([this](const Event& event) {
        // A listener publishes nothing, and what is told may end in a report.
        if (event.kind == EventKind::kGeneration) soon_.set_after(0);
      })),
      soon_(loop, [this] { publish(); }) {}

Publisher::~Publisher() {
  events_.remove(listener_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<std::unique_ptr<Publisher>> Publisher::create(EventLoop& loop, ControlPlane& plane,
                                                     ApplicationReports& reports, EventBus& events,
                                                     const std::string& path,
                                                     const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return fail("there is no such user", "gateway.proxies.user: " + user);
  std::unique_ptr<Publisher> publisher(new Publisher(loop, plane, reports, events, entry->pw_uid));
  SLUICE_TRY(publisher->fd_, listen_unix(path, static_cast<int>(kProxiesMax)));
  publisher->path_ = path;
  // Anybody may try; may_connect() asks the kernel who it is.
  if (::chmod(path.c_str(), 0666) != 0)
    return fail_errno("cannot open the socket to proxies", path);
  SLUICE_TRY_VOID(
      publisher->watch_.start(loop, publisher->fd_.get(), EPOLLIN,
                              [raw = publisher.get()](uint32_t) { raw->accept_some(); }));
  return publisher;
}

bool Publisher::may_connect(int fd) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == user_ || peer.uid == ::geteuid();
}

void Publisher::accept_some() {
  for (size_t i = 0; i < kProxiesMax; i++) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    if (proxies_.size() >= kProxiesMax || !may_connect(fd.get()))
      ++refused_;
    else
      add(std::move(fd));
  }
}

void Publisher::add(UniqueFd fd) {
  publish();  // so that it gets what all others have
  const uint64_t number = next_number_++;
  auto socket = LineSocket::create(
      loop_, std::move(fd), {kReportLineMax, kStateUnsentMax},
      [this, number](std::string_view line) { return hear(number, line); },
      [this, number](const std::string&) { drop(number); });
  if (!socket) return;
  LineSocket& raw = **socket;
  proxies_[number].socket = std::move(*socket);
  if (!tell_all(raw, true, changes_between({}, told_))) drop(number);
}

void Publisher::publish() {
  Config now = application_part(plane_.config());
  const auto changes = changes_between(told_, now);
  if (changes.empty()) return;
  told_ = std::move(now);
  reports_.forget_targets_not_in(told_);
  std::vector<uint64_t> slow;
  for (auto& [number, proxy] : proxies_)
    if (!tell_all(*proxy.socket, false, changes)) slow.push_back(number);
  for (const uint64_t number : slow) {
    ++dropped_;
    drop(number);
  }
}

bool Publisher::tell_all(LineSocket& socket, bool whole, const std::vector<ObjectChange>& changes) {
  bool good = socket.write(begin_line(whole));
  for (const ObjectChange& change : changes) good = good && socket.write(object_line(change));
  return good && socket.write(end_line(plane_.generation())) && socket.flush();
}

Result<> Publisher::hear(uint64_t number, std::string_view line) {
  auto report = parse_report(line);
  if (!report) {
    ++dropped_;
    return tl::make_unexpected(std::move(report).error());
  }
  if (report->has_balancers) reports_.set_balancers(number, std::move(report->balancers));
  for (const TargetReport& target : report->targets) hear_target(number, target);
  return {};
}

// Of what is not registered only that it drains, or no longer does.
void Publisher::hear_target(uint64_t number, const TargetReport& report) {
  const auto& [name, health] = report;
  const TargetGroup* group = told_.target_group(name.group);
  const bool registered =
      group != nullptr && std::ranges::find(group->targets, name.target) != group->targets.end();
  const bool leaves =
      health.state == HealthState::kDraining || health.state == HealthState::kUnused;
  if (!registered && !leaves) return;
  if (reports_.targets(number) >= kTargetsReportedMax && health.state != HealthState::kUnused)
    return;
  const HealthState before =
      registered ? reports_.health(told_, *group, name.target).state : HealthState::kUnused;
  reports_.set_target(number, name, health);
  if (!registered) return;
  const TargetHealth now = reports_.health(told_, *group, name.target);
  if (now.state != before) tell_health(events_, name, before, now);
}

void Publisher::drop(uint64_t number) {
  reports_.forget(number);
  proxies_.erase(number);
}

}  // namespace sluice::gateway
