// SPDX-License-Identifier: Apache-2.0
// Any bytes as a capture: no memory error, and the blocks are those bytes, however they come.
#include <cstdlib>

#include "tunnels/pcapng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sluice::tunnels::PcapngBlocks;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto read = [](PcapngBlocks& blocks, std::string_view bytes, std::string& out) {
    return blocks.read(bytes, [&](std::string_view block) { out += block; }).has_value();
  };
  PcapngBlocks whole, cut;
  std::string from_whole, from_cut;
  const bool good = read(whole, all, from_whole);
  const bool both =
      read(cut, all.substr(0, size / 2), from_cut) && read(cut, all.substr(size / 2), from_cut);
  if (good != both || from_whole != from_cut || !all.starts_with(from_whole)) std::abort();
  if (whole.packets() != cut.packets() || whole.lost() != cut.lost()) std::abort();
  return 0;
}
