// SPDX-License-Identifier: Apache-2.0
// Whether appliances return what they are given: probes through the tunnel, all on one event loop.
//
// Every interval an appliance is sent a datagram like those of traffic, with a packet of the
// gateway's own inside (gateway/datapath/tunnel_probe.h). The packet path sees it come back and
// notes that; when the next one is due, it either has come back or has been missed. One that is
// late is sent again with the same token, so it counts whenever it arrives.
//
// A new appliance is `initial` until one probe has come back (then it is healthy) or
// unhealthy_threshold were missed; after that a change takes as many in a row as its threshold
// says.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "gateway/datapath/tables.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "gateway/targets/health.h"

namespace sluice::gateway {

struct TunnelProbe {
  uint16_t target = 0;  // index into the tables of the packet path
  uint32_t interval_ms = 1000;
  uint8_t healthy_threshold = 5;
  uint8_t unhealthy_threshold = 3;
  uint64_t endpoint_id = 0;  // of an attachment whose packets the appliance gets
  uint64_t attachment_id = 0;
  uint8_t profile = 0;  // of encapsulation
  bool operator==(const TunnelProbe&) const = default;
};

struct TunnelProbeCounters {
  uint64_t sent = 0;
  uint64_t returned = 0;
  uint64_t missed = 0;
  uint64_t not_sent = 0;  // for want of a route or room in the socket here: says nothing of it
};

// Sends a datagram to the GENEVE port of an appliance; false: it was not sent.
using SendProbe = std::function<bool(const IpAddress& to, std::span<const uint8_t> datagram)>;

class TunnelProber {
 public:
  // Called from the loop when an appliance's state is another than `before`.
  using Changed = std::function<void(const Target& target, HealthState before)>;

  // `probes`: the path's table. `key`: a secret of this gateway; tokens are made from it.
  TunnelProber(EventLoop& loop, std::span<tunnel_probe> probes, SendProbe send, Changed changed);
  ~TunnelProber();
  void set_key(const tunnels::siphash_key& key) { key_ = key; }

  // Starts probing; an appliance that is watched already keeps its state.
  void watch(const Target& target, const TunnelProbe& probe);
  void forget(const Target& target);
  // kHealthy if it is not watched: nothing is known against it.
  HealthState state(const Target& target) const;
  const TunnelProbeCounters& counters() const { return counters_; }

 private:
  struct Entry;
  void due(Entry& entry);
  void judge(Entry& entry, bool good);
  void send(Entry& entry);
  uint64_t next_token(const Entry& entry);
  uint32_t spread(uint32_t ms);

  EventLoop& loop_;
  std::span<tunnel_probe> probes_;
  SendProbe send_;
  Changed changed_;
  tunnels::siphash_key key_{};
  uint64_t tokens_ = 0;
  TunnelProbeCounters counters_;
  std::minstd_rand random_;
  std::map<Target, std::unique_ptr<Entry>> entries_;
};

// The datagram's bytes: GENEVE header, inner packet, token.
std::vector<uint8_t> make_tunnel_probe(const TunnelProbe& probe, uint64_t token);

// Sends datagrams from a tunnel address of the gateway to appliances with addresses of the same IP
// version, without a UDP checksum as the packet path does.
class ProbeSocket {
 public:
  static Result<ProbeSocket> open(const IpAddress& from);
  bool send(const IpAddress& to, std::span<const uint8_t> datagram) const;

 private:
  explicit ProbeSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace sluice::gateway
