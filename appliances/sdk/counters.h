// SPDX-License-Identifier: Apache-2.0
// What a worker counts. Each worker owns one Counters and is its only writer; anyone may read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "tunnels/drop_reasons.h"

namespace sluice::tunnels {
class MetricsPage;
}

namespace sluice::sdk {

// A counter with one writer: no locked instruction on the packet path.
class Counter {
 public:
  void add(uint64_t count = 1) { set(get() + count); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct Counters {
  Counter received;            // datagrams that came in, good or bad
  Counter returned;            // approved by the appliance and given to the kernel to send
  Counter dropped;             // kept back by the appliance
  Counter injected;            // packets that the appliance added
  Counter injections_refused;  // not IP, too long, or too many for one packet
  Counter hinted;              // of the returned, those with a hint
  Counter hints_refused;       // not a hint, or no room for it in the header: returned without
  Counter hints_dropped;   // sent without, because the datagram was too long for the link with it
  Counter segmented;       // of the replies, those that left in a UDP_SEGMENT send
  Counter send_failed;     // replies that the kernel did not take, e.g. larger than the link's MTU
  Counter receive_failed;  // receive calls that failed
  Counter receive_overflow;  // datagrams lost in the socket's queue because the worker was too slow
  std::array<Counter, tunnels::kDropReasonCount> refused;  // bad datagrams, by why
};

// The sum over all workers as one JSON object; `refused` holds the reasons that happened.
std::string counters_json(std::span<const Counters* const> workers);

// The same for Prometheus: sluice_appliance_packets_total{result="returned"} and so on.
void add_counters(std::span<const Counters* const> workers, tunnels::MetricsPage& page);

}  // namespace sluice::sdk
