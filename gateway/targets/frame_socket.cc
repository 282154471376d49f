// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/frame_socket.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

namespace sluice::gateway {

Result<FrameSocket> FrameSocket::open() {
  // Protocol 0: it receives nothing.
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot open a packet socket");
  return FrameSocket(std::move(fd));
}

bool FrameSocket::send(uint32_t interface, std::span<const uint8_t> frame) const {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(interface);
  return ::sendto(fd_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                  sizeof(to)) == static_cast<ssize_t>(frame.size());
}

}  // namespace sluice::gateway
