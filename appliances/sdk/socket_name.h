// SPDX-License-Identifier: Apache-2.0
// Where sockets are, over IPv4 or IPv6.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "appliances/sdk/socket.h"
#include "tunnels/result.h"

namespace sluice::sdk {

union SocketName {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

inline socklen_t length_of(const SocketName& name) {
  return name.any.sa_family == AF_INET ? sizeof(name.v4) : sizeof(name.v6);
}

// IPv4 as IPv6 sockets have it: ::ffff:10.9.0.11.
in6_addr mapped(in_addr address);
in6_addr address_of(const SocketName& name);
// What a socket of this family is told of an address and a port.
SocketName socket_name(int family, const in6_addr& address, uint16_t port);

// An address to listen at, a literal; "::" is all addresses, those of IPv4 too.
Result<SocketName> parse_listen(const std::string& address, uint16_t port);
// A socket for it, not bound yet.
Result<Socket> open_for(const SocketName& name, int type);

}  // namespace sluice::sdk
