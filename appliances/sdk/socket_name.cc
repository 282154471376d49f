// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/socket_name.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>

namespace sluice::sdk {

in6_addr mapped(in_addr address) {
  in6_addr out{};
  out.s6_addr[10] = out.s6_addr[11] = 0xff;
  std::memcpy(&out.s6_addr[12], &address, sizeof(address));
  return out;
}

in6_addr address_of(const SocketName& name) {
  return name.any.sa_family == AF_INET ? mapped(name.v4.sin_addr) : name.v6.sin6_addr;
}

SocketName socket_name(int family, const in6_addr& address, uint16_t port) {
  SocketName out{};
  if (family == AF_INET) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(port);
    std::memcpy(&out.v4.sin_addr, &address.s6_addr[12], sizeof(out.v4.sin_addr));
  } else {
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    out.v6.sin6_addr = address;
  }
  return out;
}

Result<SocketName> parse_listen(const std::string& address, uint16_t port) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1)
    return socket_name(AF_INET, mapped(four), port);
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) == 1) return socket_name(AF_INET6, six, port);
  return fail("not an IPv4 or IPv6 address to listen at", address);
}

Result<Socket> open_for(const SocketName& name, int type) {
  Socket socket(::socket(name.any.sa_family, type | SOCK_CLOEXEC, 0));
  if (!socket.open()) return fail_errno("cannot open a socket");
  const int off = 0;
  if (name.any.sa_family == AF_INET6 &&
      setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
    return fail_errno("IPV6_V6ONLY");
  return socket;
}

}  // namespace sluice::sdk
