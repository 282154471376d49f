// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace sluice::gateway {
namespace {

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : directory(std::filesystem::temp_directory_path() /
                  ("sluice_api_" + std::to_string(::getpid()))),
        path(directory / "s.sock"),
        loop(std::move(*EventLoop::create())) {}
  ~ServerTest() override { std::filesystem::remove_all(directory); }

  std::unique_ptr<ApiServer> serve(uint64_t wait_max_ms = 10'000) {
    auto made = ApiServer::create(
        *loop, path,
        [this](std::string_view request) {
          answered++;
          return request == "big" ? std::string(8 << 20, 'x') : "<" + std::string(request) + ">";
        },
        wait_max_ms);
    EXPECT_TRUE(made) << made.error().text();
    return std::move(*made);
  }
  UniqueFd connect() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  void write(const UniqueFd& fd, const std::string& text) {
    size_t at = 0;
    for (int i = 0; i < 10000 && at < text.size(); i++) {
      const ssize_t count = ::send(fd.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (count > 0) at += static_cast<size_t>(count);
      if (count < 0 && errno != EAGAIN) return;
      loop->turn(0);
    }
  }
  // What arrives until `size` bytes are there or the server closes; less only in a test that fails.
  std::string read(const UniqueFd& fd, size_t size) {
    std::string out;
    constexpr uint64_t kPatienceMs = 60'000;
    const uint64_t end = loop->now_ms() + kPatienceMs;
    std::vector<char> chunk(1 << 20);
    while (out.size() < size && loop->now_ms() < end) {
      loop->turn(5);
      const ssize_t count = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
      if (count > 0) out.append(chunk.data(), static_cast<size_t>(count));
      if (count == 0) return out + "(closed)";
      if (count < 0 && errno != EAGAIN) return out + "(closed)";
    }
    return out;
  }

  std::filesystem::path directory, path;
  std::unique_ptr<EventLoop> loop;
  int answered = 0;
};

TEST_F(ServerTest, AnswersLineByLine) {
  auto server = serve();
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const UniqueFd fd = connect();
  write(fd, "a\nb\nc");
  EXPECT_EQ(read(fd, 8), "<a>\n<b>\n");
  write(fd, "d\n");
  EXPECT_EQ(read(fd, 5), "<cd>\n");
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ServerTest, BigRepliesWaitForTheReader) {
  auto server = serve();
  const UniqueFd fd = connect();
  write(fd, "big\na\n");
  const std::string reply = read(fd, (8 << 20) + 5);
  EXPECT_EQ(reply.size(), size_t{(8 << 20) + 5});
  EXPECT_TRUE(reply.ends_with("\n<a>\n"));
}

// One reply at a time, however many lines came at once, and others are served in between.
TEST_F(ServerTest, ALineWaitsForTheReplyBeforeIt) {
  auto server = serve();
  const UniqueFd greedy = connect();
  std::string many;
  for (int i = 0; i < 1000; i++) many += "big\n";
  write(greedy, many);
  const UniqueFd modest = connect();
  write(modest, "a\n");
  EXPECT_EQ(read(modest, 4), "<a>\n");
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(read(greedy, 3 * ((8 << 20) + 1)).substr(0, 3), "xxx");
  EXPECT_GE(answered, 4);
  EXPECT_LE(answered, 6);
}

// Counts down when it is asked to go on, and says goodbye.
class SourceForTest : public StreamSource {
 public:
  explicit SourceForTest(bool& alive) : alive_(alive) { alive_ = true; }
  ~SourceForTest() override { alive_ = false; }
  void begin(ApiStream& to) override {
    stream = &to;
    stream->send("begins\n");
  }
  void client_ended() override {
    stream->send("ends\n");
    stream->finish();
  }
  ApiStream* stream = nullptr;

 private:
  bool& alive_;
};

class StreamTest : public ServerTest {
 protected:
  void SetUp() override {
    server = std::move(*ApiServer::create(
        *loop, path,
        [this](std::string_view) {
          ApiReply reply("here");
          auto made = std::make_unique<SourceForTest>(alive);
          source = made.get();
          reply.source = std::move(made);
          return reply;
        },
        200));
  }
  void turn_until_gone() {
    const uint64_t end = loop->now_ms() + 60'000;
    while (alive && loop->now_ms() < end) loop->turn(5);
    EXPECT_FALSE(alive);
    EXPECT_EQ(server->clients(), 0u);
  }
  bool alive = false;
  SourceForTest* source = nullptr;
  std::unique_ptr<ApiServer> server;
};

TEST_F(StreamTest, AStreamLastsUntilItsClientEndsIt) {
  const UniqueFd fd = connect();
  write(fd, "go\n");
  EXPECT_EQ(read(fd, 12), "here\nbegins\n");
  // Longer than anybody may take for a request.
  const uint64_t end = loop->now_ms() + 300;
  while (loop->now_ms() < end) loop->turn(5);
  ASSERT_TRUE(alive);
  source->stream->send("more\n");
  EXPECT_EQ(read(fd, 5), "more\n");
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(read(fd, 100), "ends\n(closed)");
  EXPECT_FALSE(alive);
}

TEST_F(StreamTest, AStreamEndsWithItsClient) {
  UniqueFd fd = connect();
  write(fd, "go\n");
  EXPECT_EQ(read(fd, 12), "here\nbegins\n");
  fd = UniqueFd();  // as a kill leaves it
  turn_until_gone();
}

TEST_F(StreamTest, WhoHasMoreToSayIsClosed) {
  const UniqueFd fd = connect();
  write(fd, "go\n");
  EXPECT_EQ(read(fd, 12), "here\nbegins\n");
  write(fd, "more\n");
  turn_until_gone();
}

TEST_F(StreamTest, WhatIsUnreadIsBounded) {
  const UniqueFd fd = connect();
  write(fd, "go\n");
  EXPECT_EQ(read(fd, 12), "here\nbegins\n");
  const std::string piece(1 << 16, 'x');
  size_t sent = 0;
  while (sent < 3 * ApiStream::kUnreadMax && source->stream->send(piece)) {
    sent += piece.size();
    loop->turn(0);
  }
  EXPECT_LT(sent, ApiStream::kUnreadMax + (2u << 20));  // and what the socket holds
  EXPECT_EQ(read(fd, sent).size(), sent);
  EXPECT_TRUE(source->stream->send("again\n"));
  EXPECT_EQ(read(fd, 6), "again\n");
  // One that is to end does not wait for ever.
  while (source->stream->send(piece)) loop->turn(0);
  source->stream->finish();
  turn_until_gone();
  EXPECT_EQ(server->refused(), 1u);
}

TEST_F(ServerTest, TooLongIsClosed) {
  auto server = serve();
  const UniqueFd fd = connect();
  write(fd, std::string(ApiServer::kRequestBytesMax + 100'000, 'x'));
  EXPECT_EQ(read(fd, 100), "(closed)");
  EXPECT_EQ(server->refused(), 1u);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ServerTest, TooSlowIsClosed) {
  auto server = serve(50);
  const UniqueFd silent = connect();
  const UniqueFd deaf = connect();
  write(deaf, "big\n");
  EXPECT_EQ(read(silent, 1), "(closed)");
  for (int i = 0; i < 2000 && server->clients() > 0; i++) loop->turn(10);
  EXPECT_EQ(server->clients(), 0u);
  EXPECT_EQ(server->refused(), 2u);
}

TEST_F(ServerTest, ClientsAreBounded) {
  auto server = serve();
  std::vector<UniqueFd> fds;
  for (size_t i = 0; i < ApiServer::kClientsMax; i++) {
    fds.push_back(connect());
    loop->turn(0);
  }
  const UniqueFd more = connect();
  EXPECT_EQ(read(more, 1), "(closed)");
  write(fds[0], "a\n");
  EXPECT_EQ(read(fds[0], 4), "<a>\n");
  fds.clear();
  for (int i = 0; i < 2000 && server->clients() > 0; i++) loop->turn(10);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(ServerTest, ASocketInUseIsLeftAlone) {
  auto server = serve();
  auto second = ApiServer::create(*loop, path, [](std::string_view) { return ""; });
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("another daemon listens"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ServerTest, ADeadSocketIsTakenOverAndAFileIsNot) {
  std::filesystem::create_directories(directory);
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  serve().reset();
  std::ofstream(path) << "precious";
  EXPECT_FALSE(ApiServer::create(*loop, path, [](std::string_view) { return ""; }));
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace sluice::gateway
