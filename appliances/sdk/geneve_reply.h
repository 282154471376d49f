// SPDX-License-Identifier: Apache-2.0
// From a datagram of the gateway to the datagrams that answer it. No sockets, no clock: live
// workers and replay use the same function.
//
// The gateway takes a packet back only under the header that it was sent with, so the whole GENEVE
// header is echoed byte for byte, unknown options included. A packet that the appliance adds
// travels under the same header; only the protocol type follows the added packet's IP version. A
// hint of the appliance is one more option, behind those that are echoed (docs/wire/geneve.md).
#pragma once

#include <cstdint>
#include <span>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/counters.h"
#include "tunnels/geneve_profiles.h"
#include "tunnels/result.h"

namespace sluice::sdk {

// The largest UDP payload over IPv4.
inline constexpr size_t kDatagramLengthMax = 65507;
// What a hint adds to a datagram: class, type, length and one word.
inline constexpr uint16_t kHintOptionClass = 0xff53;
inline constexpr uint8_t kHintOptionType = 1;
inline constexpr size_t kHintOptionLength = 8;

struct Datagram {
  std::span<const uint8_t> header;  // GENEVE header with all its options
  std::span<uint8_t> ip;            // not empty; its version nibble agrees with the protocol type
  tunnels::geneve fields;
};

// Reads a received UDP payload, in the profile that it is in. A bad one is refused with the reason.
Result<Datagram, tunnels::DropReason> open_datagram(std::span<uint8_t> bytes);

// Writes `header`, its protocol type set for `ip`, and `ip`. Returns the length written; 0 if `ip`
// is neither IPv4 nor IPv6, contradicts its own length, or does not fit `out`.
size_t write_datagram(std::span<const uint8_t> header, std::span<const uint8_t> ip,
                      std::span<uint8_t> out);

// The datagram in the first `length` bytes of `buffer` (as open_datagram takes it), with the hint
// behind its options. 0 if there is no room for it in the buffer or among the options.
size_t append_hint(std::span<uint8_t> buffer, size_t length, uint32_t hint);
// The same datagram without its last option, which is a hint: the end of `datagram`.
std::span<uint8_t> without_hint(std::span<uint8_t> datagram);

// Takes the answers to one datagram, in the order in which they shall leave.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The received datagram itself, its inner packet perhaps changed; `hinted`: with a hint as its
  // last option. The bytes stay the caller's.
  virtual void returned(std::span<uint8_t> datagram, bool hinted) = 0;
  // An added packet; both spans are valid during the call only. False if it was refused.
  virtual bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) = 0;
  // The way that answers take at this time, and another one for the answers that follow.
  using Way = decltype(Origin::way);
  virtual Way way() const { return {}; }
  virtual void set_way(const Way& way) { (void)way; }
};

// What an appliance sends on its own.
class LateReplies : public Outbox {
 public:
  LateReplies(ReplySink& replies, Counters& counters) : replies_(replies), counters_(counters) {}
  void send(const Origin& origin, std::span<const uint8_t> ip) override;

 private:
  ReplySink& replies_;
  Counters& counters_;
};

// Asks `appliance` about the packet in the first `length` bytes of `buffer` and hands the answers
// to `replies`. Counts everything. A buffer that is not kHintOptionLength longer loses a hint.
void answer_datagram(std::span<uint8_t> buffer, size_t length, int64_t time_us,
                     Appliance& appliance, ReplySink& replies, Counters& counters,
                     int64_t waited_us = 0);

}  // namespace sluice::sdk
