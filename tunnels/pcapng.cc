// SPDX-License-Identifier: Apache-2.0
#include "tunnels/pcapng.h"

#include <algorithm>

namespace sluice::tunnels {
namespace {

enum BlockType : uint32_t {
  kSectionHeader = 0x0a0d0d0a,
  kInterfaceDescription = 1,
  kInterfaceStatistics = 5,
  kEnhancedPacket = 6,
};

enum Option : uint16_t {
  kOptionEnd = 0,
  kOptionComment = 1,
  kSectionApplication = 4,
  kInterfaceName = 2,
  kInterfaceDescribed = 3,
  kInterfaceResolution = 9,
  kPacketFlags = 2,
  kPacketDropCount = 4,
  kStatisticsReceived = 4,
  kStatisticsDropped = 5,
};

constexpr uint32_t kByteOrder = 0x1a2b3c4d;
constexpr uint16_t kLinkTypeEthernet = 1;
constexpr uint8_t kNanoseconds = 9;  // 10^-9 s
constexpr size_t kBlockFrame = 12;   // type, length, and the length again behind the body

template <class T>
void put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); i++) out += static_cast<char>(value >> 8 * i);
}

uint32_t get32(std::string_view bytes, size_t at) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; i++) out |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << 8 * i;
  return out;
}

void pad(std::string& out) { out.resize((out.size() + 3) / 4 * 4, '\0'); }

void put_option(std::string& out, Option option, std::string_view value) {
  put<uint16_t>(out, option);
  put(out, static_cast<uint16_t>(value.size()));
  out += value;
  pad(out);
}

void put_text(std::string& out, Option option, std::string_view text) {
  if (!text.empty()) put_option(out, option, text.substr(0, kPcapngTextMax));
}

template <class T>
void put_number(std::string& out, Option option, T value) {
  std::string bytes;
  put(bytes, value);
  put_option(out, option, bytes);
}

// In units of the interface's resolution, the upper half first.
void put_time(std::string& out, int64_t time_ns) {
  const auto time = static_cast<uint64_t>(time_ns);
  put(out, static_cast<uint32_t>(time >> 32));
  put(out, static_cast<uint32_t>(time));
}

// `body` has its options without the end of them.
std::string block(BlockType type, std::string body) {
  put<uint32_t>(body, kOptionEnd);
  const auto length = static_cast<uint32_t>(body.size() + kBlockFrame);
  std::string out;
  put<uint32_t>(out, type);
  put(out, length);
  out += body;
  put(out, length);
  return out;
}

}  // namespace

std::string pcapng_head(std::string_view program) {
  std::string body;
  put(body, kByteOrder);
  put<uint16_t>(body, 1);  // version 1.0
  put<uint16_t>(body, 0);
  put<uint64_t>(body, UINT64_MAX);  // the section's length is not known
  put_text(body, kSectionApplication, program);
  return block(kSectionHeader, std::move(body));
}

std::string pcapng_interface(const PcapngInterface& interface) {
  std::string body;
  put(body, kLinkTypeEthernet);
  put<uint16_t>(body, 0);
  put(body, interface.snap_length);
  put_text(body, kInterfaceName, interface.name);
  put_text(body, kInterfaceDescribed, interface.description);
  put_number(body, kInterfaceResolution, kNanoseconds);
  return block(kInterfaceDescription, std::move(body));
}

std::string pcapng_packet(const PcapngPacket& packet) {
  std::string body;
  put(body, packet.interface);
  put_time(body, packet.time_ns);
  put(body, static_cast<uint32_t>(packet.bytes.size()));
  put(body, packet.length);
  body.append(packet.bytes.begin(), packet.bytes.end());
  pad(body);
  put_text(body, kOptionComment, packet.comment);
  put_number(body, kPacketFlags, uint32_t{packet.outbound ? 2u : 1u});
  if (packet.lost != 0) put_number(body, kPacketDropCount, packet.lost);
  return block(kEnhancedPacket, std::move(body));
}

std::string pcapng_statistics(const PcapngStatistics& statistics) {
  std::string body;
  put(body, statistics.interface);
  put_time(body, statistics.time_ns);
  put_number(body, kStatisticsReceived, statistics.received);
  put_number(body, kStatisticsDropped, statistics.lost);
  return block(kInterfaceStatistics, std::move(body));
}

Result<> PcapngBlocks::read(std::string_view bytes,
                            const std::function<void(std::string_view)>& take) {
  rest_ += bytes;
  size_t at = 0;
  while (rest_.size() - at >= kBlockFrame) {
    const size_t length = get32(rest_, at + 4);
    if (length < kBlockFrame || length % 4 != 0 || length > kPcapngBlockMax)
      return fail("a block of " + std::to_string(length) + " bytes: this is no capture");
    if (rest_.size() - at < length) break;
    const auto whole = std::string_view(rest_).substr(at, length);
    if (get32(whole, length - 4) != length)
      return fail("a block that contradicts itself: this is no capture");
    count(whole);
    take(whole);
    at += length;
  }
  rest_.erase(0, at);
  return {};
}

void PcapngBlocks::count(std::string_view block) {
  const uint32_t type = get32(block, 0);
  packets_ += type == kEnhancedPacket;
  if (type != kInterfaceStatistics) return;
  // Options begin behind interface and time.
  for (size_t at = 20; at + 4 + 4 <= block.size() - 4;) {
    const uint32_t head = get32(block, at);
    const size_t length = head >> 16;
    if ((head & 0xffff) == kStatisticsDropped && length == 8 && at + 12 <= block.size() - 4)
      lost_ += get32(block, at + 4) | uint64_t{get32(block, at + 8)} << 32;
    at += 4 + (length + 3) / 4 * 4;
  }
}

}  // namespace sluice::tunnels
