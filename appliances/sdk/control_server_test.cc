// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/control_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace sluice::sdk {
namespace {

class ControlServerTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<ControlServer> open(int64_t wait_us = 60'000'000) {
    return ControlServer::create(
        path_, [this](std::string_view request) { return answer(request); }, wait_us);
  }
  std::string answer(std::string_view request) {
    requests_++;
    if (request == "much") return std::string(8 << 20, 'm');
    return "<" + std::string(request) + ">";
  }

  Socket client() {
    Socket socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = unix_address(path_);
    EXPECT_EQ(connect(socket.fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)),
              0);
    return socket;
  }
  static void say(const Socket& socket, const std::string& text) {
    EXPECT_EQ(send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT),
              static_cast<ssize_t>(text.size()));
  }
  // All that the server says until nothing more comes in some rounds; "EOF" at the end of the
  // connection.
  static std::string hear(ControlServer& server, const Socket& socket) {
    std::string heard;
    std::vector<char> chunk(1 << 16);
    for (int quiet = 0; quiet < 3;) {
      server.poll_once(0);
      const ssize_t count = recv(socket.fd(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno == ECONNRESET)) return heard + "EOF";
      if (count > 0) heard.append(chunk.data(), static_cast<size_t>(count));
      quiet = count > 0 ? 0 : quiet + 1;
    }
    return heard;
  }

  std::string folder_ = testing::TempDir() + "control_" + std::to_string(getpid());
  std::string path_ = folder_ + "/inner/a.sock";
  int requests_ = 0;
};

TEST_F(ControlServerTest, AnswersLinesInAnyPieces) {
  auto server = open();
  ASSERT_TRUE(server) << server.error().text();
  const Socket c = client();
  say(c, "one\ntwo\nth");
  EXPECT_EQ(hear(*server, c), "<one>\n<two>\n");
  say(c, "ree");
  EXPECT_EQ(hear(*server, c), "");
  say(c, "\n\n");
  EXPECT_EQ(hear(*server, c), "<three>\n<>\n");
}

// printf '{"command":"stats"}' | nc -N
TEST_F(ControlServerTest, TheLastLineNeedsNoEndIfNoMoreIsSaid) {
  auto server = open();
  ASSERT_TRUE(server) << server.error().text();
  const Socket c = client();
  say(c, "one\ntwo");
  ASSERT_EQ(shutdown(c.fd(), SHUT_WR), 0);
  EXPECT_EQ(hear(*server, c), "<one>\n<two>\nEOF");
  const Socket long_one = client();
  say(long_one, "much\ntwo");
  ASSERT_EQ(shutdown(long_one.fd(), SHUT_WR), 0);
  EXPECT_EQ(hear(*server, long_one), std::string(8 << 20, 'm') + "\n<two>\nEOF");
  const Socket silent = client();
  ASSERT_EQ(shutdown(silent.fd(), SHUT_WR), 0);
  EXPECT_EQ(hear(*server, silent), "EOF");
  EXPECT_EQ(requests_, 4);
}

TEST_F(ControlServerTest, OnlyTheOwnerMayOpenIt) {
  auto server = open();
  ASSERT_TRUE(server);
  struct stat status {};
  ASSERT_EQ(lstat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ControlServerTest, TakesOverADeadSocketButNoLivingOneAndNoFile) {
  {
    auto server = open();
    ASSERT_TRUE(server);
    const auto second = open();
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().text().find("another program listens"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  {
    const Socket dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = unix_address(path_);
    ASSERT_EQ(bind(dead.fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)), 0);
  }
  EXPECT_TRUE(open());
  std::ofstream(path_) << "precious";
  EXPECT_FALSE(open());
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
  EXPECT_FALSE(unix_address(std::string(200, 'x')));
  EXPECT_FALSE(unix_address(""));
}

TEST_F(ControlServerTest, ARequestWithoutAnEndIsBounded) {
  auto server = open();
  ASSERT_TRUE(server);
  const Socket c = client();
  std::string heard;
  const std::string piece(8192, 'x');
  for (size_t sent = 0; sent <= kControlRequestBytesMax && heard.empty(); sent += piece.size()) {
    say(c, piece);
    heard = hear(*server, c);
  }
  EXPECT_EQ(heard, "EOF");
  EXPECT_EQ(server->refused(), 1u);
  EXPECT_EQ(requests_, 0);
}

TEST_F(ControlServerTest, ClientsAreBoundedAndLeave) {
  auto server = open();
  ASSERT_TRUE(server);
  std::vector<Socket> many;
  for (size_t i = 0; i < kControlClientsMax + 4; i++) {
    many.push_back(client());
    server->poll_once(0);
  }
  EXPECT_EQ(server->clients(), kControlClientsMax);
  EXPECT_EQ(server->refused(), 4u);
  EXPECT_EQ(hear(*server, many.back()), "EOF");
  say(many.front(), "still here\n");
  EXPECT_EQ(hear(*server, many.front()), "<still here>\n");
  many.clear();
  server->poll_once(0);
  EXPECT_EQ(server->clients(), 0u);
}

// Replies wait for a client that does not read, and its further requests wait with them; others are
// served.
TEST_F(ControlServerTest, ASlowReaderHoldsUpNobodyAndIsDropped) {
  auto server = open(20'000);
  ASSERT_TRUE(server);
  const Socket slow = client();
  say(slow, "much\nmore\n");
  for (int i = 0; i < 5; i++) server->poll_once(0);
  EXPECT_EQ(requests_, 1);
  const Socket other = client();
  say(other, "quick\n");
  EXPECT_EQ(hear(*server, other), "<quick>\n");
  while (server->clients() != 0) server->poll_once(10);
  EXPECT_GE(server->refused(), 1u);
  EXPECT_EQ(requests_, 2);
}

TEST_F(ControlServerTest, ALongReplyArrivesWhole) {
  auto server = open();
  ASSERT_TRUE(server);
  const Socket c = client();
  say(c, "much\nafter\n");
  const std::string heard = hear(*server, c);
  EXPECT_EQ(heard.size(), (8u << 20) + 1 + 8);
  EXPECT_TRUE(heard.ends_with("m\n<after>\n"));
}

TEST_F(ControlServerTest, ASilentClientIsDropped) {
  auto server = open(20'000);
  ASSERT_TRUE(server);
  const Socket c = client();
  say(c, "half a requ");
  while (server->refused() == 0) server->poll_once(10);
  EXPECT_EQ(hear(*server, c), "EOF");
}

}  // namespace
}  // namespace sluice::sdk
