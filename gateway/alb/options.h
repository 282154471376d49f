// SPDX-License-Identifier: Apache-2.0
// Times and limits of an application load balancer; the times have ELBv2's names and defaults.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::gateway {

struct AlbOptions {
  // These two unless the load balancer's attributes say otherwise.
  uint32_t idle_timeout_ms = 60'000;          // idle_timeout: nothing moves on either side
  uint32_t client_keep_alive_ms = 3'600'000;  // client_keep_alive.seconds: then after a response
  uint32_t connect_timeout_ms = 10'000;       // to a target; then 504
  uint32_t target_idle_ms = 15'000;           // how long an unused connection to a target is kept
  uint32_t drain_ms = 30'000;                 // how long a stop waits for requests in flight
  size_t clients_max = 8000;                  // connections of clients; more are closed at once
  uint32_t health_second_ms = 1000;           // shortens the health checks of tests
};

constexpr size_t kIdlePerTargetMax = 256;      // unused connections kept to one target
constexpr size_t kTriesMax = 3;                // targets tried for one request
constexpr size_t kForwardedForMax = 30;        // addresses in X-Forwarded-For; more: 463
constexpr size_t kInterimResponsesMax = 8;     // 1xx answers to one request; more: 502
constexpr size_t kStepsPerTurnMax = 64;        // of one session before others have a turn
constexpr size_t kAlbChecksInFlightMax = 512;  // health checks
constexpr size_t kAcceptsPerTurnMax = 64;
constexpr size_t kLingerBytesMax = 1 << 20;  // read and dropped after an early answer
constexpr uint32_t kLingerMs = 2000;
constexpr uint32_t kRemovedGraceMs =
    1000;  // how long clients of a listener that went may be silent

}  // namespace sluice::gateway
