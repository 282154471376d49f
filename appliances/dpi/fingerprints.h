// SPDX-License-Identifier: Apache-2.0
// The JA4 of the TLS clients of one worker.
#pragma once

#include <cstdint>
#include <span>

#include "appliances/dpi/dpi_flow.h"

namespace sluice::dpi {

class Fingerprints {
 public:
  explicit Fingerprints(DpiCounters& counters) : counters_(counters) {}

  // The next packet of the flow, as parse_ip_packet made `parsed` of `ip`. True if the client's
  // fingerprint has become known.
  bool show(DpiRecord& record, std::span<const uint8_t> ip, const tunnels::packet& parsed) {
    if (record.user.hello.over() || !record.is_tcp()) return false;
    return read(record, ip, parsed);
  }

 private:
  bool read(DpiRecord& record, std::span<const uint8_t> ip, const tunnels::packet& parsed);

  DpiCounters& counters_;
  inspect::tls::HelloPool pool_;
};

}  // namespace sluice::dpi
