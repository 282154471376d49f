// SPDX-License-Identifier: Apache-2.0
// `sluice replay --live`: a capture through the real interfaces of a lab that is up. What clients
// sent leaves at the client's interface, what servers sent at an interface on the gateway's inside,
// at the capture's speed or a multiple of it; what arrives at the other end is counted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "gateway/control/model.h"
#include "testbed/lab/topology.h"
#include "testbed/replay/capture_file.h"
#include "testbed/replay/sides.h"
#include "tunnels/result.h"

namespace sluice::testbed {

struct LiveOptions {
  std::string capture;
  std::string lab;         // gateway.name when empty
  std::string attachment;  // by name; the first one when empty
  double speed = 1;        // how many times faster than the capture; 0: as fast as possible
  uint64_t frames_max = UINT64_MAX;
  Sides sides;
};

struct LiveWay {
  uint64_t sent = 0;
  uint64_t refused = 0;  // by the interface, e.g. longer than its MTU
  uint64_t arrived = 0;  // at the other end; resets that an appliance adds arrive, too
  uint64_t overflowed = 0;
};

struct LiveReport {
  std::array<LiveWay, 2> ways;  // [0] to the inside, [1] to the outside
  uint64_t not_ip = 0;          // left out: ARP and the like are the lab's own business
  CaptureCounts capture;
  double seconds = 0;
  std::optional<Error> capture_error;
};

// Where a capture enters the lab.
struct LivePlace {
  std::string network_namespace;
  std::string interface;
};
// The first interface of `topology` that is wired to, or on the same switch as, the interface
// `port` of the gateway's namespace.
Result<LivePlace> find_live_place(const Topology& topology, const std::string& port);

// Reports progress on stderr while it runs.
Result<LiveReport> replay_live(const gateway::Config& config, const LiveOptions& options);

std::string live_report_text(const LiveReport& report);
std::string live_report_json(const LiveReport& report);

// "2", "0.5", "max" as LiveOptions::speed.
Result<double> parse_speed(const std::string& text);

}  // namespace sluice::testbed
