// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/geneve_reply.h"

#include <algorithm>
#include <cstring>

namespace sluice::sdk {

namespace {

// The EtherType of a bare IP packet; 0 for what is none.
uint16_t protocol_type(std::span<const uint8_t> ip) {
  if (ip.empty()) return 0;
  if (ip[0] >> 4 == 4) return tunnels::kEtherTypeIpv4;
  if (ip[0] >> 4 == 6) return tunnels::kEtherTypeIpv6;
  return 0;
}

// An injected packet must be exactly as long as its own header says.
bool length_agrees(std::span<const uint8_t> ip) {
  if (ip[0] >> 4 == 4) return ip.size() >= 20 && tunnels::load_be16(&ip[2]) == ip.size();
  return ip.size() >= 40 && 40u + tunnels::load_be16(&ip[4]) == ip.size();
}

class BoundedInjector : public Injector {
 public:
  BoundedInjector(std::span<const uint8_t> header, ReplySink& replies, Counters& counters)
      : header_(header), replies_(replies), counters_(counters) {}

  void inject(std::span<const uint8_t> ip) override {
    const bool taken = used_ < kInjectionsMax && replies_.injected(header_, ip);
    (taken ? counters_.injected : counters_.injections_refused).add();
    used_++;
  }
  Origin origin() const override { return {replies_.way(), {header_.begin(), header_.end()}}; }

 private:
  std::span<const uint8_t> header_;
  ReplySink& replies_;
  Counters& counters_;
  unsigned used_ = 0;
};

}  // namespace

Result<Datagram, tunnels::DropReason> open_datagram(std::span<uint8_t> bytes) {
  if (bytes.empty()) return tl::make_unexpected(tunnels::kDropGeneveTruncated);
  Datagram datagram{};
  const tunnels::geneve_profile& profile =
      tunnels::kGeneveProfiles[tunnels::profile_of_header(bytes)];
  const tunnels::DropReason reason =
      tunnels::geneve_decode(bytes.data(), bytes.data() + bytes.size(), &profile, &datagram.fields);
  if (reason != tunnels::kDropNone) return tl::make_unexpected(reason);
  (void)tunnels::geneve_hear(&profile, &datagram.fields);
  datagram.header = bytes.first(datagram.fields.header_length);
  datagram.ip = bytes.subspan(datagram.fields.header_length);
  if (datagram.ip.empty()) return tl::make_unexpected(tunnels::kDropGeneveTruncated);
  if (protocol_type(datagram.ip) != datagram.fields.protocol)
    return tl::make_unexpected(tunnels::kDropInnerInvalid);
  return datagram;
}

size_t write_datagram(std::span<const uint8_t> header, std::span<const uint8_t> ip,
                      std::span<uint8_t> out) {
  const uint16_t type = protocol_type(ip);
  if (type == 0 || !length_agrees(ip) || header.size() + ip.size() > out.size()) return 0;
  std::memcpy(out.data(), header.data(), header.size());
  tunnels::store_be16(&out[2], type);
  std::memcpy(&out[header.size()], ip.data(), ip.size());
  return header.size() + ip.size();
}

size_t append_hint(std::span<uint8_t> buffer, size_t length, uint32_t hint) {
  const size_t words = buffer[0] & 0x3f;
  if (length + kHintOptionLength > buffer.size() || words + kHintOptionLength / 4 > 0x3f) return 0;
  const size_t header_length = tunnels::kGeneveBaseLength + words * 4;
  uint8_t* option = &buffer[header_length];
  std::memmove(option + kHintOptionLength, option, length - header_length);
  tunnels::store_be16(option, kHintOptionClass);
  option[2] = kHintOptionType;
  option[3] = kHintOptionLength / 4 - 1;
  tunnels::store_be32(option + 4, hint);
  buffer[0] += kHintOptionLength / 4;
  return length + kHintOptionLength;
}

std::span<uint8_t> without_hint(std::span<uint8_t> datagram) {
  const size_t header_length = tunnels::kGeneveBaseLength + (datagram[0] & 0x3f) * 4u;
  datagram[0] -= kHintOptionLength / 4;
  std::memmove(&datagram[kHintOptionLength], &datagram[0], header_length - kHintOptionLength);
  return datagram.subspan(kHintOptionLength);
}

void LateReplies::send(const Origin& origin, std::span<const uint8_t> ip) {
  replies_.set_way(origin.way);
  const bool taken = !origin.header.empty() && replies_.injected(origin.header, ip);
  (taken ? counters_.injected : counters_.injections_refused).add();
}

void answer_datagram(std::span<uint8_t> buffer, size_t length, int64_t time_us,
                     Appliance& appliance, ReplySink& replies, Counters& counters,
                     int64_t waited_us) {
  counters.received.add();
  const auto opened = open_datagram(buffer.first(length));
  if (!opened) {
    counters.refused[opened.error()].add();
    return;
  }
  Packet packet{opened->ip, opened->fields.endpoint_id, opened->fields.flow_cookie, time_us};
  packet.waited_us = waited_us;
  BoundedInjector injector(opened->header, replies, counters);
  if (appliance.handle(packet, injector) == Answer::kDrop) {
    counters.dropped.add();
    return;
  }
  counters.returned.add();
  if (packet.hint == 0) return replies.returned(buffer.first(length), false);
  const size_t longer =
      packet.hint <= kHintMax ? append_hint(buffer, length, packet.hint) : size_t{0};
  (longer != 0 ? counters.hinted : counters.hints_refused).add();
  replies.returned(buffer.first(std::max(length, longer)), longer != 0);
}

}  // namespace sluice::sdk
