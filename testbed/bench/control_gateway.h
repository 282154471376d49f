// SPDX-License-Identifier: Apache-2.0
// A gateway of many target groups without a network, for benchmarks: the control plane with its
// store, the AWS API on a loopback port, and the packet path as a library.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "gateway/api/http_server.h"
#include "gateway/aws/aws_api.h"
#include "gateway/control/config.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/controller.h"
#include "gateway/datapath/process_host.h"

namespace sluice::testbed {

// `groups` of which each twentieth has appliances behind a gateway load balancer and an attachment
// of its own, and the others stand behind network load balancers of 50 listeners each. Nothing is
// health-checked. `more` more targets in the first group.
std::string make_large_yaml(uint32_t groups, uint32_t targets, uint32_t more = 0);

// Every target is one hop away; interface "outN" has number 2N + 1 and "inN" 2N + 2.
class NoNetwork : public gateway::NextHops {
 public:
  Result<gateway::NextHop> find(const gateway::IpAddress& target) override;
  Result<uint32_t> interface_index(const std::string& name) override;
  Result<uint32_t> interface_mtu(const std::string&) override { return 1500; }
};

class LargeGateway {
 public:
  // `store`: path of the database.
  static Result<std::unique_ptr<LargeGateway>> create(gateway::Config config,
                                                      const std::string& store);
  ~LargeGateway();
  // The server's loop turns on a thread of its own from here on; nothing else may touch the control
  // plane then.
  Result<uint16_t> serve();

  gateway::ControlPlane& plane() { return *plane_; }
  gateway::Controller& controller() { return *controller_; }
  gateway::ProcessHost& host() { return *host_; }
  void turn() { loop_->turn(0); }

 private:
  LargeGateway() = default;
  std::unique_ptr<gateway::EventLoop> loop_;
  std::unique_ptr<gateway::ProcessHost> host_;
  NoNetwork hops_;
  gateway::EventBus events_;
  std::optional<gateway::Controller> controller_;
  std::optional<gateway::ControlPlane> plane_;
  std::optional<gateway::AwsApi> aws_;
  std::unique_ptr<gateway::HttpServer> http_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::testbed
