// SPDX-License-Identifier: Apache-2.0
// What the application load balancers are doing, as JSON on a unix socket: connect, read to the
// end.
#pragma once

#include <memory>
#include <string>

#include "gateway/alb/alb.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

std::string alb_stats_json(const Alb& alb);

class StatsServer {
 public:
  // Replaces a socket that a dead process has left at `path`.
  static Result<std::unique_ptr<StatsServer>> create(EventLoop& loop, Alb& alb,
                                                     const std::string& path);
  ~StatsServer();

 private:
  StatsServer(Alb& alb, std::string path) : alb_(alb), path_(std::move(path)) {}
  void answer_some();

  Alb& alb_;
  std::string path_;
  UniqueFd fd_;
  Watch watch_;
};

}  // namespace sluice::gateway
