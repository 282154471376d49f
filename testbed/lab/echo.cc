// SPDX-License-Identifier: Apache-2.0
// sluice-echo: sends back what it gets, on UDP and TCP. An application for labs and tests.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

constexpr size_t kConnectionsMax = 1024;
constexpr size_t kReceiveBytesMax = 65536;

// Bound to all addresses of both families; -1 after a message.
int open_socket(int type, uint16_t port) {
  int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
  int on = 1, off = 0;
  sockaddr_in6 any = {};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  bool bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
  if (bound && (type == SOCK_DGRAM || listen(fd, 128) == 0)) return fd;
  std::perror("sluice-echo: cannot listen");
  return -1;
}

// Answers from the address that the datagram was sent to, which a host with several must say.
void echo_datagram(int fd) {
  static uint8_t data[kReceiveBytesMax];
  sockaddr_in6 peer = {};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))];
  iovec part = {data, sizeof data};
  msghdr message = {};
  message.msg_name = &peer;
  message.msg_namelen = sizeof peer;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length = recvmsg(fd, &message, 0);
  if (length < 0) return;
  part.iov_len = static_cast<size_t>(length);
  if (sendmsg(fd, &message, 0) < 0) std::perror("sluice-echo: a datagram is lost");
}

// False when the connection has ended. A client that does not read waits for nobody but itself:
// what does not fit its socket ends the connection.
bool echo_stream(int fd) {
  static uint8_t data[kReceiveBytesMax];
  ssize_t length = recv(fd, data, sizeof data, 0);
  return length > 0 &&
         send(fd, data, static_cast<size_t>(length), MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("sluice-echo: sends back what it gets");
  uint16_t udp_port = 0, tcp_port = 0;
  app.add_option("--udp", udp_port, "UDP port");
  app.add_option("--tcp", tcp_port, "TCP port");
  CLI11_PARSE(app, argc, argv);
  if (udp_port == 0 && tcp_port == 0) {
    std::fprintf(stderr, "sluice-echo: give --udp PORT, --tcp PORT or both\n");
    return 2;
  }
  int udp = udp_port == 0 ? -1 : open_socket(SOCK_DGRAM, udp_port);
  int tcp = tcp_port == 0 ? -1 : open_socket(SOCK_STREAM, tcp_port);
  if ((udp_port != 0 && udp < 0) || (tcp_port != 0 && tcp < 0)) return 1;
  int on = 1;
  if (udp >= 0) setsockopt(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  std::vector<pollfd> sockets = {{udp, POLLIN, 0}, {tcp, POLLIN, 0}};
  while (poll(sockets.data(), sockets.size(), -1) > 0) {
    if (sockets[0].revents != 0) echo_datagram(udp);
    for (size_t i = 2; i < sockets.size(); ++i) {
      if (sockets[i].revents == 0 || echo_stream(sockets[i].fd)) continue;
      close(sockets[i].fd);
      sockets[i].fd = -1;
    }
    if (sockets[1].revents != 0)
      sockets.push_back({accept4(tcp, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
    sockets.erase(std::remove_if(sockets.begin() + 2, sockets.end(),
                                 [](const pollfd& s) { return s.fd < 0; }),
                  sockets.end());
    // Full: new clients wait in the kernel's queue until one leaves.
    sockets[1].fd = sockets.size() - 2 < kConnectionsMax ? tcp : -1;
  }
  std::perror("sluice-echo: poll");
  return 1;
}
