// SPDX-License-Identifier: Apache-2.0
// Any conversation: the input is cut into payloads of one flow, each with a choice of direction.
#include <cstdlib>

#include "inspect/dpi/classifier.h"
#include "inspect/stream/test_packets.h"

using namespace sluice;
using namespace sluice::inspect;

namespace {

// Input: 1 byte of transport and port; then for each packet 2 bytes (length; top bit: to the
// client).
void converse(Classifier& classifier, const uint8_t* data, size_t size) {
  constexpr uint16_t kPorts[] = {80, 443, 53, 22, 25, 5060, 1900, 31337};
  if (size == 0) return;
  const bool tcp = data[0] & 1;
  const bool v6 = data[0] & 2;
  const testing::Ends ends{v6 ? "fd00::1" : "10.0.0.1", v6 ? "fd00::2" : "10.0.0.2", 40000,
                           kPorts[data[0] >> 2 & 7]};
  uint32_t sequence[2] = {1, 1};
  FlowClassification flow;
  size_t at = 1;
  for (unsigned packets = 0; packets < 100 && at + 2 <= size; packets++) {
    const size_t head = data[at] << 8 | data[at + 1];
    at += 2;
    const bool to_client = head & 0x8000;
    const size_t length = std::min({head & 0x7ff, size - at, size_t{1460}});
    const std::string_view payload(reinterpret_cast<const char*>(data + at), length);
    at += length;
    const testing::Ends way = to_client ? ends.turned() : ends;
    const testing::Bytes ip =
        tcp ? testing::tcp(way, tunnels::kTcpAck, sequence[to_client], 1, payload)
            : testing::udp(way, payload);
    sequence[to_client] += static_cast<uint32_t>(length);
    classifier.feed(flow, ip, testing::parsed(ip), packets * 1000);
  }
  classifier.finish(flow, testing::parsed(testing::udp(ends, "")).tuple);
  if (!flow.final() || classifier.name(flow.application()).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Classifier& classifier = *Classifier::create()->release();
  converse(classifier, data, size);
  return 0;
}
