// SPDX-License-Identifier: Apache-2.0
// Whether a TCP segment arrives at all: one with a wrong checksum its receiver throws away, and
// what it says must not count.
#pragma once

#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

// Of a view of a TCP segment.
bool has_right_checksum(const PacketView& segment);

}  // namespace sluice::inspect
