// SPDX-License-Identifier: Apache-2.0
// What is odd about the headers of a whole packet, options and extensions included: events that
// Suricata's decoders tell. It is a packet all the same.
#pragma once

#include "inspect/stream/decode_event.h"
#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

// Of a fragment only what the headers before it say.
DecodeEvents header_events_of(const PacketView& view);

// The parts, each of its own file.
void add_ipv4_option_events(std::span<const uint8_t> options, DecodeEvents& events);
// `ip` up to the transport header.
void add_extension_events(std::span<const uint8_t> ip, DecodeEvents& events);
void add_icmp_events(std::span<const uint8_t> icmp, const PacketView& view, DecodeEvents& events);
void add_gre_events(std::span<const uint8_t> gre, DecodeEvents& events);

}  // namespace sluice::inspect
