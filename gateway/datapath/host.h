// SPDX-License-Identifier: Apache-2.0
// What the rest of the gateway sees of the data path: its tables as plain memory, and which
// interfaces its entry is attached to. Two hosts implement it: KernelHost (XDP and TC) and
// ProcessHost (a library).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/datapath/frame.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Pointers into the arrays of gateway/datapath/tables.h, valid as long as their host lives.
// A row, or any field of 8 bytes or less, is replaced by one aligned store: the path sees old or
// new.
struct Tables : path_tables {
  Tables() : path_tables{} {}
};

struct HostOptions {
  // Flows that fit, rounded up to a power of two; 96 bytes each, allocated at the start.
  uint32_t flows_max = 1 << 20;
  // Kernel host: a folder in a BPF filesystem. Tables and attached programs are kept there, so the
  // path goes on when the process ends, and the next one takes it over. Empty: all ends with it.
  std::string pins;
};

constexpr uint32_t kFlowsMaxLeast = 1 << 10;
constexpr uint32_t kFlowsMaxMost = 1 << 24;

// Buckets for `options`, or why there cannot be that many.
Result<uint32_t> flow_buckets_for(const HostOptions& options);

// Whether each CPU that is present has counters of its own. `present` is as in
// /sys/devices/system/cpu/present, "0-3,8"; what says nothing is taken to fit.
Result<> cpus_fit(std::string_view present);

// The rows of the encapsulation profiles, which are the same for all.
void write_profiles(Tables& tables);

// The appliances of a flow in the order of its hops, by their places; those that have hinted that
// they need no more of it, and what is none, left out.
std::vector<uint16_t> appliances_of(const flow_record& record);

// "flow_created"
const char* path_event_name(PathEvent event);

// Where a host in the kernel leaves what this process asks for.
class Rings {
 public:
  virtual ~Rings() = default;
  // Readable when there is something to take.
  virtual int fd() const = 0;
  // Gives the taker all that is there.
  virtual void take() = 0;
};
using TakeSighting = std::function<void(const sighting& seen, std::span<const uint8_t> frame)>;

// Where the kernel host takes an interface's packets. docs/features/entries.md compares the two.
enum class Entry : uint8_t {
  kXdp,  // in the driver, before they are the kernel's
  kTc,   // as the kernel has them: super-packets whole
};

class DataPathHost {
 public:
  virtual ~DataPathHost() = default;
  virtual Tables& tables() = 0;
  // The tables are those of an earlier process: full of what it knew, and in use.
  virtual bool taken_over() const { return false; }
  // Flows have gone on until now in tables of an earlier process that cannot be read.
  virtual bool forgets_flows() const { return false; }
  // Interfaces that an earlier process has left attached and that attach() has not been called for.
  virtual std::vector<uint32_t> left_attached() const { return {}; }

  // Starts and stops taking the packets of an interface. Its place in tables().ports must be set
  // before attach, and is cleared by the caller after detach. Attaching at another entry than
  // before changes it, and no packet passes by in between.
  virtual Result<> attach(uint32_t interface_index, Entry entry) = 0;
  virtual Result<> detach(uint32_t interface_index) = 0;

  // What is seen of packets outside of this process, from now on. Null: nothing; what is seen in it
  // goes to tables().sightings.
  virtual Result<std::unique_ptr<Rings>> sightings(TakeSighting) {  // NOLINT: overriders keep it
    return std::unique_ptr<Rings>();
  }

  // Milliseconds on the clock that flow records and rows are stamped with: CLOCK_MONOTONIC, or
  // virtual.
  virtual uint64_t now_ms() const = 0;
};

}  // namespace sluice::gateway
