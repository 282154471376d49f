// SPDX-License-Identifier: Apache-2.0
// What every benchmark prints: a table for people or, with --json, an array of cases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

inline constexpr size_t kFlowBytes = 96;  // of the flow table, for each of flows_max

struct BenchCase {
  std::string name;  // "encap_hit"
  std::string host;  // "kernel" | "process"
  uint64_t flows = 0;
  double ns = 0;         // per packet, net of the harness, least of the rounds
  double of_kernel = 0;  // in the process host: as a part of the kernel host's; 0 without that
};

struct BenchOptions {
  uint32_t repetitions = 1'000'000;
  uint32_t rounds = 9;
};

// ns per packet of the packet path: encapsulate and return for 1, 100k and 1M flows, new flows that
// a SYN begins, and flows whose beginning was not seen; in the kernel host (when root) and in the
// process host.
Result<std::vector<BenchCase>> bench_datapath(const BenchOptions& options);

struct LiveCase {
  std::string what;   // "packets" | "tcp"
  std::string entry;  // "xdp" | "tc"
  std::string way;    // "redirect" | "around" | "gateway" | "gateway6": live_bench.cc
  uint64_t flows = 0;
  double rate = 0;    // per second: packets, or bits of TCP payload; of the best round
  double cpu_ns = 0;  // per packet, of everything but the sender
  // What a CPU does, as a part of what it does in a plain redirect, and in one by way of the
  // appliance: packets per CPU time, so that other programs do not count, and bits per second.
  double of_redirect = 0;
  double of_around = 0;
};

struct LiveOptions {
  double seconds = 3;  // of one measurement
  uint32_t rounds = 3;
};

// Packets per second through veth interfaces and an appliance in the kernel, and TCP by iperf3, at
// either entry, beside plain redirects.
Result<std::vector<LiveCase>> bench_live(const LiveOptions& options);

struct HealthBench {
  uint32_t targets = 10'000;
  uint32_t interval_s = 10;
  uint32_t seconds = 20;   // measured, after one interval to get going
  std::string path;        // HTTP GET of this; TCP connections when empty
  uint64_t checks = 0;     // out: in the measured time
  uint64_t not_good = 0;   // out: failed, late, not made
  double cpu_percent = 0;  // out: of one core, by the checking thread
};

// The health checker against a target of many addresses on the loopback.
Result<> bench_health(HealthBench& bench);

struct Latencies {
  double median_ms = 0;
  double p99_ms = 0;
};

struct ControlBench {
  uint32_t groups = 1'000;    // one in twenty of appliances, the rest of NLB targets
  uint32_t targets = 20'000;  // in all of them together
  uint32_t calls = 5'000;     // that look; a tenth as many change something
  std::string store;          // folder of the database; empty: a new one among temporary files

  // Out:
  double read_ms = 0;             // YAML to a valid state
  double start_ms = 0;            // that state into the store, the tables and the health checks
  double reload_ms = 0;           // the same file again with one target more
  Latencies look;                 // DescribeTargetHealth
  Latencies change;               // ModifyTargetGroupAttributes: what the data path does not see
  Latencies register_target;      // RegisterTargets and DeregisterTargets
  double describe_groups_ms = 0;  // every group, 400 to a page
  double describe_all_ms = 0;     // and the health of every target, group by group
  uint64_t described = 0;         // targets among them
  Latencies reconcile_one;        // tables, after the health of one target changed
  double reconcile_none_ms = 0;   // when nothing did
  // A thread that sends packets through the path, alone and while RegisterTargets is called.
  double packets_alone = 0;  // per second of its CPU time
  double packets_beside = 0;
  uint64_t packets = 0;       // while it was called
  uint64_t packets_lost = 0;  // dropped among them
  uint64_t rows_moved = 0;    // of groups that nobody changed
};

// The control plane and the AWS API, over a loopback connection, with a store on disk.
Result<> bench_control(ControlBench& bench);

}  // namespace sluice::testbed
