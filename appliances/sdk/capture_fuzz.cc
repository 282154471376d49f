// SPDX-License-Identifier: Apache-2.0
// Any frames as a capture (VLAN tags, PPPoE, Linux cooked ...): the IP packet that is shown lies in
// its frame. Input: 1 byte of link type, then frames: 1 byte of length, the bytes.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "appliances/sdk/capture.h"

using namespace sluice;

namespace {

constexpr uint32_t kLinkTypes[] = {1, 113, 276, 0, 108, 101, 228, 229};

struct Frame {
  const uint8_t* bytes;
  uint32_t length;
};

class Checker : public sdk::Appliance {
 public:
  explicit Checker(const std::vector<Frame>& frames) : frames_(frames) {}
  sdk::Answer handle(sdk::Packet& packet, sdk::Injector&) override {
    const sdk::CapturedFrame& from = *packet.frame;
    if (from.number == 0 || from.number > frames_.size()) std::abort();
    const Frame& frame = frames_[from.number - 1];
    if (from.length != frame.length || packet.ip.empty()) std::abort();
    if (from.header.size() + packet.ip.size() != frame.length) std::abort();
    if (!std::equal(packet.ip.begin(), packet.ip.end(), frame.bytes + from.header.size()))
      std::abort();
    return sdk::Answer::kReturn;
  }

 private:
  const std::vector<Frame>& frames_;
};

void put(FILE* out, std::initializer_list<uint32_t> words) {
  for (const uint32_t word : words) std::fwrite(&word, sizeof(word), 1, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<Frame> frames;
  for (size_t at = 1; at < size;) {
    const auto length = static_cast<uint32_t>(std::min<size_t>(data[at], size - at - 1));
    frames.push_back({data + at + 1, length});
    at += 1 + length;
  }
  static const std::string file = "/tmp/capture_fuzz_" + std::to_string(getpid());
  FILE* out = std::fopen(file.c_str(), "w");
  if (out == nullptr) std::abort();
  put(out, {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, kLinkTypes[data[0] % 8]});
  for (const Frame& frame : frames) {
    put(out, {1, 0, frame.length, frame.length});
    std::fwrite(frame.bytes, 1, frame.length, out);
  }
  std::fclose(out);
  Checker checker(frames);
  if (!sdk::run_capture(file, checker)) std::abort();
  std::remove(file.c_str());
  return 0;
}
