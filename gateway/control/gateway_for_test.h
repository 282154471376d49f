// SPDX-License-Identifier: Apache-2.0
// For tests: a control plane over the process host and a made-up network. A fixture inherits it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/config.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/controller.h"
#include "gateway/control/hops_for_test.h"
#include "gateway/datapath/process_host.h"
#include "gateway/store/store.h"

namespace sluice::gateway {

struct GatewayForTest {
  explicit GatewayForTest(ControlPlane::Also also = {}, std::unique_ptr<Store> store = {})
      : loop(std::move(*EventLoop::create())),
        host(std::move(*ProcessHost::create({1024}))),
        controller(*loop, *host, hops, events),
        plane(controller, std::move(also), std::move(store)) {
    host->set_now_ms(1'000'000);
  }

  // With this file; gives back what was wrong with it where the store's state runs without it.
  std::vector<Error> start(const std::string& yaml) {
    auto config = parse_config(yaml, "f");
    EXPECT_TRUE(config) << (config ? "" : config.error()[0].text());
    if (!config) return {};
    auto started = plane.start(*std::move(config));
    EXPECT_TRUE(started) << (started ? "" : started.error().text());
    return started ? *std::move(started) : std::vector<Error>{};
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<ProcessHost> host;
  MadeUpHops hops;
  EventBus events;
  Controller controller;
  ControlPlane plane;
};

}  // namespace sluice::gateway
