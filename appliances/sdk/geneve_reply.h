// SPDX-License-Identifier: Apache-2.0
// From a datagram of the gateway to the datagrams that answer it. No sockets, no clock: live
// workers and replay use the same function.
//
// The gateway takes a packet back only under the header that it was sent with, so the whole GENEVE
// header is echoed byte for byte, unknown options included. A packet that the appliance adds
// travels under the same header; only the protocol type follows the added packet's IP version.
#pragma once

#include <cstdint>
#include <span>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/counters.h"
#include "tunnels/geneve.h"
#include "tunnels/result.h"

namespace sluice::sdk {

// The largest UDP payload over IPv4.
inline constexpr size_t kDatagramLengthMax = 65507;
// Packets that an appliance may add while it handles one.
inline constexpr unsigned kInjectionsMax = 8;

struct Datagram {
  std::span<const uint8_t> header;  // GENEVE header with all its options
  std::span<uint8_t> ip;            // not empty; its version nibble agrees with the protocol type
  tunnels::geneve fields;
};

// Reads a received UDP payload. A bad one is refused with the reason.
Result<Datagram, tunnels::DropReason> open_datagram(std::span<uint8_t> bytes);

// Writes `header`, its protocol type set for `ip`, and `ip`. Returns the length written; 0 if `ip`
// is neither IPv4 nor IPv6, contradicts its own length, or does not fit `out`.
size_t write_datagram(std::span<const uint8_t> header, std::span<const uint8_t> ip,
                      std::span<uint8_t> out);

// Takes the answers to one datagram, in the order in which they shall leave.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The received datagram itself, its inner packet perhaps changed; the bytes stay the caller's.
  virtual void returned(std::span<const uint8_t> datagram) = 0;
  // An added packet; both spans are valid during the call only. False if it was refused.
  virtual bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) = 0;
};

// Asks `appliance` about the packet in `datagram` and hands the answers to `replies`. Counts
// everything.
void answer_datagram(std::span<uint8_t> datagram, int64_t time_us, Appliance& appliance,
                     ReplySink& replies, Counters& counters);

}  // namespace sluice::sdk
