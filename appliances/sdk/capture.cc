// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/capture.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "appliances/sdk/worker.h"
#include "tunnels/packet.h"

namespace sluice::sdk {

namespace {

struct ClosePcap {
  void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};
using Pcap = std::unique_ptr<pcap_t, ClosePcap>;

class Nowhere : public Injector {
 public:
  void inject(std::span<const uint8_t>) override {}
};

constexpr uint16_t kEtherTypePppoe = 0x8864;
constexpr size_t kPppoeHeaderLength = 6;  // RFC 2516

// The IP packet in a PPPoE session. The number of its protocol has one byte or two (RFC 1661
// section 6.5): an odd byte is its last.
size_t pppoe_offset(size_t header, std::span<const uint8_t> frame) {
  const size_t at = header + kPppoeHeaderLength;
  if (frame.size() < at + 2) return frame.size();
  const bool one_byte = (frame[at] & 1) != 0;
  const uint16_t protocol = one_byte ? frame[at] : tunnels::load_be16(&frame[at]);
  const bool ip = protocol == 0x0021 || protocol == 0x0057;
  return ip ? at + (one_byte ? 1 : 2) : frame.size();
}

// Where the IP packet begins in a frame of this link type; the frame's length if it holds none.
size_t ip_offset(int link_type, std::span<const uint8_t> frame) {
  const auto behind = [&](size_t header, uint16_t ether_type) {
    const bool ip = ether_type == tunnels::kEtherTypeIpv4 || ether_type == tunnels::kEtherTypeIpv6;
    return ip ? header : frame.size();
  };
  switch (link_type) {
    case DLT_EN10MB: {
      tunnels::packet packet{};
      const uint16_t type =
          tunnels::parse_ethernet(frame.data(), frame.data() + frame.size(), &packet);
      if (type == kEtherTypePppoe) return pppoe_offset(packet.l3_offset, frame);
      return behind(packet.l3_offset, type);
    }
    case DLT_LINUX_SLL:
      return frame.size() < 16 ? frame.size() : behind(16, tunnels::load_be16(&frame[14]));
    case DLT_LINUX_SLL2:
      return frame.size() < 20 ? frame.size() : behind(20, tunnels::load_be16(&frame[0]));
    case DLT_NULL:
    case DLT_LOOP:
      return std::min<size_t>(4, frame.size());
    default:
      return 0;
  }
}

// The VLAN tags of an Ethernet frame.
void find_vlans(std::span<const uint8_t> frame, CapturedFrame& out) {
  tunnels::packet packet{};
  std::fill(std::begin(out.vlans), std::end(out.vlans), 0);
  if (out.link_type != DLT_EN10MB ||
      tunnels::parse_ethernet(frame.data(), frame.data() + frame.size(), &packet) == 0)
    return;
  for (size_t i = 0; i < packet.vlan_tags; i++)
    out.vlans[i] = tunnels::load_be16(&frame[14 + 4 * i]) & 0x0fff;
}

bool is_known(int link_type) {
  constexpr int kKnown[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL,
                            DLT_LOOP,   DLT_RAW,       DLT_IPV4,       DLT_IPV6};
  return std::find(std::begin(kKnown), std::end(kKnown), link_type) != std::end(kKnown);
}

// What libpcap says, without the name of the file, which it says now and then.
std::string_view without_name(std::string_view message, const std::string& file) {
  if (message.starts_with(file + ": ")) message.remove_prefix(file.size() + 2);
  return message;
}

// Shows what one file after another holds.
class Player {
 public:
  explicit Player(Appliance& appliance) : appliance_(appliance) {}

  Result<> play(const std::string& file) {
    char message[PCAP_ERRBUF_SIZE] = "";
    const Pcap pcap(pcap_open_offline(file.c_str(), message));
    if (pcap == nullptr) return fail(std::string(without_name(message, file)), file);
    captured_.link_type = pcap_datalink(pcap.get());
    if (!is_known(captured_.link_type))
      return fail("captures of link type " + std::to_string(captured_.link_type) + " are not read",
                  file);
    begun_ = true;
    const uint64_t frames = captured_.number;
    const uint64_t packets = packets_;
    pcap_pkthdr* header = nullptr;
    const uint8_t* bytes = nullptr;
    int status = 0;
    while ((status = pcap_next_ex(pcap.get(), &header, &bytes)) == 1) show(*header, bytes);
    if (status == PCAP_ERROR) return fail(pcap_geterr(pcap.get()), file);
    if (captured_.number != frames && packets_ == packets)
      std::fprintf(stderr, "%s: none of its %" PRIu64 " frames holds IP that is read\n",
                   file.c_str(), captured_.number - frames);
    return {};
  }

  // Nothing to be done if no file could be read.
  void finish() {
    if (begun_) appliance_.finish(time_us_);
  }

 private:
  void show(const pcap_pkthdr& header, const uint8_t* bytes) {
    time_us_ = std::max(time_us_, int64_t{header.ts.tv_sec} * 1'000'000 + header.ts.tv_usec);
    if (time_us_ >= next_tick_us_) {
      appliance_.tick(time_us_);
      next_tick_us_ = time_us_ + kTickIntervalUs;
    }
    const std::span<const uint8_t> frame(bytes, header.caplen);
    captured_.number++;
    const size_t offset = ip_offset(captured_.link_type, frame);
    if (offset >= frame.size()) return;
    packets_++;
    ip_.assign(frame.begin() + static_cast<ptrdiff_t>(offset), frame.end());
    captured_.header = frame.first(offset);
    captured_.length = header.len;
    find_vlans(frame, captured_);
    Packet packet{ip_, 0, 0, time_us_};
    packet.frame = &captured_;
    (void)appliance_.handle(packet, nowhere_);
  }

  Appliance& appliance_;
  Nowhere nowhere_;
  std::vector<uint8_t> ip_;
  int64_t time_us_ = 0;
  int64_t next_tick_us_ = 0;
  uint64_t packets_ = 0;  // that were shown
  CapturedFrame captured_{0, {}, 0, 0, {}};
  bool begun_ = false;
};

// A file, or those in a directory, in the order of their names; hidden ones are passed over.
Result<std::vector<std::string>> captures_in(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> out;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().native().starts_with('.') || at->is_directory(error)) continue;
    out.push_back(at->path().native());
  }
  if (error) return fail("cannot list the captures in it: " + error.message(), path);
  if (out.empty()) return fail("there is no capture in this directory", path);
  std::ranges::sort(out);
  return out;
}

}  // namespace

Result<> run_capture(const std::string& path, Appliance& appliance) {
  SLUICE_TRY(const std::vector<std::string> files, captures_in(path));
  Player player(appliance);
  Result<> played;
  for (size_t i = 0; i < files.size() && played; i++) played = player.play(files[i]);
  player.finish();
  return played;
}

}  // namespace sluice::sdk
