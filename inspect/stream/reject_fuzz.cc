// SPDX-License-Identifier: Apache-2.0
// Any packet: what answers it is a whole IP packet of the same flow, and is itself answered by
// nothing.
#include <array>
#include <cstdlib>
#include <vector>

#include "inspect/stream/reject.h"
#include "tunnels/flow_key.h"

using namespace sluice;
using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tunnels::packet packet;
  const std::vector<uint8_t> bytes(data, data + size);
  if (parse_ip_packet(bytes, packet) != tunnels::kDropNone) return 0;
  std::array<uint8_t, kRejectLengthMax> out;
  for (const auto reject : {reject_to_sender, reject_to_receiver}) {
    const size_t length = reject(bytes, packet, out);
    if (length == 0) continue;
    tunnels::packet answer;
    if (parse_ip_packet({out.data(), length}, answer) != tunnels::kDropNone) std::abort();
    if (answer.l3_length != length) std::abort();
    if (answer.tuple.protocol == tunnels::kProtocolTcp &&
        (answer.flags & tunnels::kPacketHasPorts)) {
      tunnels::flow_key a, b;
      tunnels::flow_key_from_tuple(&a, &packet.tuple);
      tunnels::flow_key_from_tuple(&b, &answer.tuple);
      if (!tunnels::flow_key_equal(&a, &b)) std::abort();
      std::array<uint8_t, kRejectLengthMax> again;
      if (reject_to_sender({out.data(), length}, answer, again) != 0) std::abort();
    }
  }
  return 0;
}
