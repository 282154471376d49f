// SPDX-License-Identifier: Apache-2.0
// Any datagram: what goes back is the header that came, and never more than the limits allow.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "appliances/sdk/geneve_reply.h"

namespace {

using namespace sluice::sdk;

struct Checker : ReplySink {
  std::span<const uint8_t> datagram;
  unsigned count = 0;
  // A hint is the last option of the header; without it, the datagram is what came.
  void returned(std::span<uint8_t> bytes, bool hinted) override {
    if (!open_datagram(bytes)) std::abort();
    if (bytes.size() != datagram.size() + (hinted ? kHintOptionLength : 0)) std::abort();
    const auto plain = hinted ? without_hint(bytes) : bytes;
    if (plain.size() != datagram.size() ||
        std::memcmp(plain.data(), datagram.data(), plain.size()) != 0)
      std::abort();
  }
  bool injected(std::span<const uint8_t> header, std::span<const uint8_t> ip) override {
    std::vector<uint8_t> out(header.size() + ip.size());
    const size_t written = write_datagram(header, ip, out);
    if (written == 0) return false;
    if (++count > kInjectionsMax || written != out.size()) std::abort();
    // The header is the received one but for the protocol type, and the result can be opened again.
    if (header.size() > 4 && std::memcmp(&out[4], &datagram[4], header.size() - 4) != 0)
      std::abort();
    if (!open_datagram(out)) std::abort();
    return true;
  }
};

// Sends everything it sees back twice, and once cut short.
struct Echo : Appliance {
  Answer handle(Packet& packet, Injector& injector) override {
    injector.inject(packet.ip);
    injector.inject(packet.ip.first(packet.ip.size() / 2));
    packet.hint = packet.flow_cookie >> 8;
    return packet.flow_cookie & 1 ? Answer::kReturn : Answer::kDrop;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  std::vector<uint8_t> buffer = bytes;
  buffer.resize(size + size % 16);
  Checker checker;
  checker.datagram = bytes;
  Echo echo;
  Counters counters;
  answer_datagram(buffer, size, 0, echo, checker, counters);
  return 0;
}
