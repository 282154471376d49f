// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/live_end.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "gateway/control/namespaces.h"
#include "tunnels/bytes.h"
#include "tunnels/packet.h"

namespace sluice::testbed {

namespace {

constexpr uint16_t kAnnouncement = 0x88b5;  // IEEE 802: local experimental EtherType 1
constexpr int kReceiveBufferBytes = 8 << 20;
constexpr int kSendWaitMs = 100;

// Lets through what the source address `from` sent; 64 bytes of it are enough.
Result<> filter_source(int fd, const MacBytes& from) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tunnels::load_be32(&from[0]), 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tunnels::load_be16(&from[4]), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(code)), code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
    return fail_errno("cannot set a filter");
  return {};
}

Result<sdk::Socket> open_packet_socket(const std::string& interface, const MacBytes& other) {
  // Protocol 0: nothing arrives before the filter is there and bind() names the protocol.
  sdk::Socket socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return fail_errno("cannot open a packet socket");
  SLUICE_TRY_VOID(filter_source(socket.fd(), other));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) return fail_errno("there is no such interface", interface);
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("cannot bind to it", interface);
  // Without the privilege the system's limit applies; overflowed() tells.
  (void)setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes,
                   sizeof(kReceiveBufferBytes));
  packet_mreq request{};
  request.mr_ifindex = address.sll_ifindex;
  request.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(socket.fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) != 0)
    return fail_errno("cannot listen to all frames", interface);
  return socket;
}

bool is_ip(std::span<const uint8_t> frame) {
  tunnels::packet packet{};
  const uint16_t type = tunnels::parse_ethernet(frame.data(), frame.data() + frame.size(), &packet);
  return type == tunnels::kEtherTypeIpv4 || type == tunnels::kEtherTypeIpv6;
}

}  // namespace

Result<LiveEnd> LiveEnd::open(const std::string& network_namespace, const std::string& interface,
                              const MacBytes& own, const MacBytes& other) {
  SLUICE_TRY(const auto where, gateway::Namespace::open(network_namespace));
  SLUICE_TRY(const auto inside, gateway::NamespaceScope::enter(where));
  SLUICE_TRY(auto socket, open_packet_socket(interface, other));
  return LiveEnd(std::move(socket), own, other);
}

bool LiveEnd::send(std::span<uint8_t> frame) {
  if (frame.size() < tunnels::kEtherHeaderLength) return false;
  std::copy(other_.begin(), other_.end(), frame.begin());
  std::copy(own_.begin(), own_.end(), frame.begin() + 6);
  for (;;) {
    if (::send(fd(), frame.data(), frame.size(), 0) >= 0) return true;
    if (errno != EAGAIN && errno != ENOBUFS) return false;
    pollfd writable = {fd(), POLLOUT, 0};
    if (poll(&writable, 1, kSendWaitMs) <= 0) return false;
  }
}

void LiveEnd::announce() {
  std::array<uint8_t, 60> frame{};
  tunnels::store_be16(&frame[12], kAnnouncement);
  (void)send(frame);
}

void LiveEnd::receive() {
  std::array<uint8_t, 64> bytes;
  ssize_t length;
  while ((length = recv(fd(), bytes.data(), bytes.size(), 0)) >= 0)
    if (is_ip(std::span(bytes).first(static_cast<size_t>(length)))) arrived_++;
}

uint64_t LiveEnd::overflowed() {
  tpacket_stats statistics{};  // reading resets it
  socklen_t length = sizeof(statistics);
  if (getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0)
    overflowed_ += statistics.tp_drops;
  return overflowed_;
}

}  // namespace sluice::testbed
