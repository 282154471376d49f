// SPDX-License-Identifier: Apache-2.0
// sluice-flood: sends the SYNs of very many connections, each from an address of its own, for labs
// and tests. Nobody answers for those addresses.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "tunnels/checksum.h"

namespace {

using namespace sluice::tunnels;  // NOLINT
using Clock = std::chrono::steady_clock;

constexpr uint32_t kFirstSource = 0x0a800000;  // 10.128.0.0
constexpr uint32_t kCountMax = 1 << 23;        // of 10.128.0.0/9
constexpr uint32_t kBurst = 32;                // a veth's ring has 256 places
constexpr size_t kIp = 14, kTcp = 34, kLength = 54;
constexpr auto kPause = std::chrono::microseconds(50);  // until the other end has room

using Frame = std::array<uint8_t, kLength>;

struct Options {
  std::string interface, mac, destination;
  uint16_t port = 0;
  uint32_t count = 1'000'000;
  uint32_t first = 0;
};

int fail(const char* what) {
  std::fprintf(stderr, "sluice-flood: %s: %s\n", what, std::strerror(errno));
  return 1;
}

// A packet socket of the interface, that receives nothing; its address goes into the frame. -1
// after a message.
int open_socket(const Options& options, Frame& frame) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(options.interface.c_str()));
  ifreq request = {};
  options.interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (fd < 0 || to.sll_ifindex == 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0 ||
      bind(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    fail(options.interface.c_str());
    return -1;
  }
  std::memcpy(frame.data() + 6, request.ifr_hwaddr.sa_data, 6);
  return fd;
}

// All that is the same in every frame. False: an address is none.
bool fill(const Options& options, Frame& frame) {
  ether_addr mac = {};
  in_addr destination = {};
  if (ether_aton_r(options.mac.c_str(), &mac) == nullptr ||
      inet_pton(AF_INET, options.destination.c_str(), &destination) != 1)
    return false;
  std::memcpy(frame.data(), &mac, 6);
  store_be16(&frame[12], ETHERTYPE_IP);
  store_be32(&frame[kIp], 0x45000000 | (kLength - kIp));
  store_be32(&frame[kIp + 4], 0x00004000);          // do not fragment
  store_be32(&frame[kIp + 8], 64 << 24 | 6 << 16);  // TTL, TCP
  std::memcpy(&frame[kIp + 16], &destination, 4);
  store_be16(&frame[kTcp + 2], options.port);
  store_be32(&frame[kTcp + 12], 0x5002ffff);  // 20 bytes of header, SYN, window
  return true;
}

void make_syn(Frame& frame, uint32_t number) {
  store_be32(&frame[kIp + 12], kFirstSource + number);
  store_be16(&frame[kTcp], static_cast<uint16_t>(1024 + number * 2654435761u % 8192));
  store_be32(&frame[kTcp + 4], number * 2246822519u);  // its sequence number
  store_u16(&frame[kIp + 10], 0);
  store_u16(&frame[kIp + 10], checksum_fold(checksum_add(0, &frame[kIp], 20)));
  store_u16(&frame[kTcp + 16], 0);
  // With the pseudo header: addresses, protocol, length.
  const uint64_t sum = checksum_add(0, &frame[kIp + 12], kLength - kIp - 12);
  store_u16(&frame[kTcp + 16], checksum_fold(sum + swap_be16(6) + swap_be16(kLength - kTcp)));
}

struct Sent {
  uint32_t frames = 0;
  uint32_t refused = 0;  // sent again: the other end had no room
};

// False after an error, which is in errno.
bool send_all(int fd, const Options& options, const Frame& like, Sent& sent) {
  std::array<Frame, kBurst> frames;
  frames.fill(like);
  std::array<iovec, kBurst> parts = {};
  std::array<mmsghdr, kBurst> messages = {};
  for (uint32_t i = 0; i < kBurst; i++) {
    parts[i] = {frames[i].data(), kLength};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  while (sent.frames < options.count) {
    const uint32_t burst = std::min(kBurst, options.count - sent.frames);
    for (uint32_t i = 0; i < burst; i++) make_syn(frames[i], options.first + sent.frames + i);
    const int left = sendmmsg(fd, messages.data(), burst, 0);
    if (left > 0) {
      sent.frames += static_cast<uint32_t>(left);
    } else if (errno == ENOBUFS) {
      sent.refused++;
      std::this_thread::sleep_for(kPause);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("sluice-flood: sends SYNs from 10.128.0.0, 10.128.0.1 and so on");
  Options options;
  app.add_option("--interface", options.interface, "to send by")->required();
  app.add_option("--mac", options.mac, "of who gets them")->required();
  app.add_option("--destination", options.destination, "IPv4 address")->required();
  app.add_option("--port", options.port, "TCP port")->required();
  app.add_option("--count", options.count, "how many")->check(CLI::Range(1u, kCountMax));
  app.add_option("--first", options.first, "leaves out so many addresses before")
      ->check(CLI::Range(0u, kCountMax - 1));
  CLI11_PARSE(app, argc, argv);
  if (options.first + options.count > kCountMax) {
    std::fprintf(stderr, "sluice-flood: there are %u addresses\n", kCountMax);
    return 2;
  }
  Frame frame = {};
  if (!fill(options, frame)) {
    std::fprintf(stderr, "sluice-flood: --mac or --destination is no address\n");
    return 2;
  }
  const int fd = open_socket(options, frame);
  if (fd < 0) return 1;
  Sent sent;
  const auto start = Clock::now();
  if (!send_all(fd, options, frame, sent)) return fail("cannot send");
  const std::chrono::duration<double> seconds = Clock::now() - start;
  std::printf("{\"sent\": %u, \"refused\": %u, \"seconds\": %.3f}\n", sent.frames, sent.refused,
              seconds.count());
  close(fd);
  return 0;
}
