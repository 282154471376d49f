// SPDX-License-Identifier: Apache-2.0
// What many connections that are open at once cost an inspection by rules, in memory.
#pragma once

#include <cstdint>
#include <memory>

#include "inspect/match/engine.h"
#include "testbed/bench/ids_traffic.h"
#include "tunnels/result.h"

namespace sluice::testbed {

// All at once, and nothing rests; or kOpenedPerTick between two ticks, as an appliance has them,
// and a silence of three seconds at the end.
enum class Opened : uint8_t { kAtOnce, kSteadily };
inline constexpr uint32_t kOpenedPerTick = 1000;
inline constexpr int64_t kTickUs = 100'000;

struct OpenFlowsMemory {
  double bytes = 0;          // for each flow: all that the heap has grown by
  double resident_peak = 0;  // of the whole program meanwhile, with its rules
};

// An error if one of them was dropped or is not open at the end.
Result<OpenFlowsMemory> measure_open_flows(std::shared_ptr<const inspect::Engine> engine,
                                           OpenFlow kind, uint32_t flows, Opened opened);

}  // namespace sluice::testbed
