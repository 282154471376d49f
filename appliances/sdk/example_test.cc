// SPDX-License-Identifier: Apache-2.0
// The example of docs/features/sdk.md: the page shows the file that is built, and it works as told.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "appliances/sdk/socket.h"

namespace sluice::sdk {
namespace {

using Bytes = std::vector<uint8_t>;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Example, ThePageShowsTheFile) {
  const std::string docs = std::string(SLUICE_SOURCE_DIR) + "/docs/features/";
  const std::string code = read_file(docs + "examples/no_telnet.cc");
  ASSERT_FALSE(code.empty());
  EXPECT_NE(read_file(docs + "sdk.md").find("```cpp" + code.substr(code.find('\n')) + "```"),
            std::string::npos);
}

// An inner IPv4 and TCP header towards `port`.
Bytes datagram(uint8_t port) {
  Bytes bytes = {0x08, 0x00, 0x08, 0x00, 0, 0, 0, 0, 1,    8,    1,    2,   0, 0,
                 0,    0,    0,    0,    0, 1, 1, 8, 2,    2,    0,    0,   0, 0,
                 0,    0,    0,    0,    1, 8, 3, 1, 0xc0, 0x0c, 0x1e, 0x01};
  const Bytes inner = {0x45, 0, 0,  40, 0,    0,    0,    0,    64, 6,    0, 0, 10, 0,
                       0,    1, 10, 0,  0,    2,    0x30, 0x39, 0,  port, 0, 0, 0,  1,
                       0,    0, 0,  0,  0x50, 0x02, 0xff, 0,    0,  0,    0, 0};
  bytes.insert(bytes.end(), inner.begin(), inner.end());
  return bytes;
}

uint16_t bind_any(const Socket& socket, in_addr_t address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(address);
  EXPECT_EQ(bind(socket.fd(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  socklen_t length = sizeof(name);
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

TEST(Example, KeepsTelnetOut) {
  Socket gateway(socket(AF_INET, SOCK_DGRAM, 0));
  const uint16_t port = bind_any(gateway, INADDR_LOOPBACK + 1);
  Socket probe(socket(AF_INET, SOCK_STREAM, 0));
  const uint16_t health_port = bind_any(probe, INADDR_LOOPBACK);
  probe.reset();

  const std::string program = std::string(SLUICE_BINARY_DIR) + "/tests/sdk_example";
  const std::string arguments[] = {"--port=" + std::to_string(port),
                                   "--health-port=" + std::to_string(health_port)};
  const pid_t child = fork();
  if (child == 0) {
    execl(program.c_str(), "sdk_example", "--listen=127.0.0.1", arguments[0].c_str(),
          arguments[1].c_str(), nullptr);
    _exit(127);
  }

  // Until the appliance listens the datagrams are lost, so ask until something comes back.
  const timeval timeout{0, 200'000};
  setsockopt(gateway.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ssize_t got = -1;
  Bytes reply(2000);
  for (int i = 0; i < 50 && got < 0; i++) {
    for (const Bytes& bytes : {datagram(23), datagram(22)})
      sendto(gateway.fd(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to),
             sizeof(to));
    got = recv(gateway.fd(), reply.data(), reply.size(), 0);
  }
  ASSERT_GT(got, 0);
  reply.resize(static_cast<size_t>(got));
  EXPECT_EQ(reply, datagram(22));

  kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace sluice::sdk
