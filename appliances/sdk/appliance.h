// SPDX-License-Identifier: Apache-2.0
// The one class that an appliance writes. docs/features/sdk.md builds one in twenty lines.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::sdk {

struct Counters;

// Packets that an appliance may add while it handles one.
inline constexpr unsigned kInjectionsMax = 64;
// Hints are 1 to this.
inline constexpr uint32_t kHintMax = 65535;

// How a capture holds a packet.
struct CapturedFrame {
  uint64_t number;                  // from 1
  std::span<const uint8_t> header;  // what is before the IP packet
  uint32_t length;                  // of the whole frame on the wire
  int link_type;                    // of libpcap
  uint16_t vlans[2];                // outermost first; 0: none
};

// A packet that the gateway asks about. `ip` is the inner IPv4 or IPv6 packet without any Ethernet
// header, not parsed and not trusted. It may be changed in place, but not in length.
struct Packet {
  std::span<uint8_t> ip;
  uint64_t endpoint_id;  // the gateway endpoint (attachment) that it came in at
  uint32_t flow_cookie;  // names the flow at the gateway; opaque. 0 in a profile without one
  int64_t time_us;       // when it arrived, microseconds since 1970 (virtual in replay)
  // Set by the appliance: advice about the flow that the gateway finds in the GENEVE header of the
  // returned packet, and maps by its configuration to another way for the flow. 0 is none.
  uint32_t hint = 0;
  // How long it lay in the queue before the worker took it, if RunnerOptions::stamps asks; else 0.
  int64_t waited_us = 0;
  // Of a packet that comes from a capture; nullptr: it is live.
  const CapturedFrame* frame = nullptr;
};

enum class Answer {
  kReturn,  // approved: goes back to the gateway, which delivers it
  kDrop,    // stays here: the gateway never delivers it
};

// The way back of a packet's flow, for packets that leave after the call of handle().
struct Origin {
  std::array<uint64_t, 4> way{};  // between which addresses; opaque
  std::vector<uint8_t> header;    // GENEVE
};

// Sends further packets of the same flow, in either direction, under the same GENEVE header:
// resets, ICMP errors, block pages, packets that were held back. They leave in the order of the
// calls and before the packet that is being handled. The gateway routes by the inner destination.
// Valid during one call of handle().
class Injector {
 public:
  virtual ~Injector() = default;
  virtual void inject(std::span<const uint8_t> ip) = 0;
  // To be kept for Outbox::send.
  virtual Origin origin() const { return {}; }
};

// Sends packets of a flow when no packet of it is being handled. Valid during one call of
// send_late().
class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual void send(const Origin& origin, std::span<const uint8_t> ip) = 0;
};

// Called by one thread only; the SDK makes one instance per worker. All packets of a flow, both
// directions, come to the same instance.
class Appliance {
 public:
  virtual ~Appliance() = default;
  // Live, before the first packet: where its worker counts, for as long as there are packets.
  virtual void count_in(const Counters& counters) { (void)counters; }
  virtual Answer handle(Packet& packet, Injector& injector) = 0;
  // About every 100 ms, for timeouts and logs; `time_us` never goes back.
  virtual void tick(int64_t time_us) { (void)time_us; }
  // Before each tick, but only live: replay and captures know nothing but answers to packets.
  virtual void send_late(int64_t time_us, Outbox& outbox) { (void)time_us, (void)outbox; }
  // Before the process ends: write what is pending.
  virtual void finish(int64_t time_us) { (void)time_us; }
};

}  // namespace sluice::sdk
