// SPDX-License-Identifier: Apache-2.0
// The daemon's side: tells proxies the application load balancers, whole and then change by change,
// and hears what they say of them. A proxy parses hostile HTTP, so it is trusted with nothing: it
// learns no keys and no other objects, changes nothing, and what it says is bounded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "gateway/control/application_reports.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/events.h"
#include "gateway/follow/state_lines.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

class Publisher {
 public:
  static constexpr size_t kProxiesMax = 16;
  static constexpr size_t kTargetsReportedMax = 65'536;  // by one proxy

  // Whoever runs as `user`, as root or as this process may connect. All arguments outlive it.
  static Result<std::unique_ptr<Publisher>> create(EventLoop& loop, ControlPlane& plane,
                                                   ApplicationReports& reports, EventBus& events,
                                                   const std::string& path,
                                                   const std::string& user);
  ~Publisher();

  size_t proxies() const { return proxies_.size(); }
  uint64_t refused() const { return refused_; }  // strangers, and those over kProxiesMax
  uint64_t dropped() const { return dropped_; }  // for what they said, or for not reading

 private:
  struct Proxy {
    std::unique_ptr<LineSocket> socket;
  };
  Publisher(EventLoop& loop, ControlPlane& plane, ApplicationReports& reports, EventBus& events,
            uid_t user);
  void accept_some();
  bool may_connect(int fd) const;
  void add(UniqueFd fd);
  void publish();
  bool tell_all(LineSocket& socket, bool whole, const std::vector<ObjectChange>& changes);
  Result<> hear(uint64_t number, std::string_view line);
  void hear_target(uint64_t number, const TargetReport& report);
  void drop(uint64_t number);

  EventLoop& loop_;
  ControlPlane& plane_;
  ApplicationReports& reports_;
  EventBus& events_;
  uid_t user_;
  std::string path_;
  Config told_;  // what all proxies know
  uint64_t listener_;
  uint64_t next_number_ = 1;
  uint64_t refused_ = 0;
  uint64_t dropped_ = 0;
  std::map<uint64_t, Proxy> proxies_;
  Timer soon_;
  UniqueFd fd_;
  Watch watch_;
};

}  // namespace sluice::gateway
