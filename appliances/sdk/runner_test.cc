// SPDX-License-Identifier: Apache-2.0
// The whole runner over loopback: 127.0.0.2 plays the gateway, 127.0.0.1 is the appliance.
#include "appliances/sdk/runner.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "appliances/sdk/ctl.h"

namespace sluice::sdk {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kHeader[40] = {0x08, 0x00, 0x08, 0x00, 0,    0,    0,    0,    0x01, 0x08,
                                 0x01, 0x02, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4,
                                 0x01, 0x08, 0x02, 0x02, 0,    0,    0,    0,    0,    0,
                                 0,    0,    0x01, 0x08, 0x03, 0x01, 0xc0, 0x0c, 0x1e, 0x01};

// A datagram whose inner packet carries `number`.
Bytes datagram(uint32_t number, size_t inner_length) {
  Bytes bytes(std::begin(kHeader), std::end(kHeader));
  bytes.resize(40 + inner_length, static_cast<uint8_t>(number));
  bytes[40] = 0x45;
  tunnels::store_be16(&bytes[42], static_cast<uint16_t>(inner_length));
  tunnels::store_be32(&bytes[44], number);
  return bytes;
}

sockaddr_in at(const char* address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

Socket bound(int type, const char* address, uint16_t& port) {
  Socket socket(::socket(AF_INET, type, 0));
  sockaddr_in name = at(address, port);
  EXPECT_EQ(bind(socket.fd(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  socklen_t length = sizeof(name);
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name), &length);
  port = ntohs(name.sin_port);
  const timeval timeout{3, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const int size = 4 << 20;
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  return socket;
}

struct Seen {
  std::atomic<unsigned> packets{0}, ticks{0}, finishes{0};
};

constexpr uint32_t kLateNumber = 0xabcdef;

// Keeps the one with kLateNumber and sends it later. Drops inner packets whose number is divisible
// by 10, resets those divisible by 7, counts its calls.
class Picky : public Appliance {
 public:
  explicit Picky(Seen& seen) : seen_(seen) {}
  Answer handle(Packet& packet, Injector& injector) override {
    seen_.packets++;
    const uint32_t number = tunnels::load_be32(&packet.ip[4]);
    if (number % 7 == 0) {
      uint8_t reset[20] = {0x45, 0, 0, 20};
      tunnels::store_be32(&reset[4], number);
      injector.inject(reset);
    }
    if (number == kLateNumber) {
      late_ = {packet.ip.begin(), packet.ip.end()};
      origin_ = injector.origin();
      return Answer::kDrop;
    }
    return number % 10 == 0 ? Answer::kDrop : Answer::kReturn;
  }
  void send_late(int64_t, Outbox& outbox) override {
    if (!late_.empty()) outbox.send(origin_, late_);
    late_.clear();
  }
  void tick(int64_t) override { seen_.ticks++; }
  void finish(int64_t) override { seen_.finishes++; }

 private:
  Seen& seen_;
  Bytes late_;
  Origin origin_;
};

class RunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    gateway_ = bound(SOCK_DGRAM, "127.0.0.2", port_);
    Socket probe = bound(SOCK_STREAM, "127.0.0.1", health_port_);
  }

  void start(unsigned workers, Controls controls = {}) {
    RunnerOptions options;
    options.listen = listen_;
    options.port = port_;
    options.health_port = health_port_;
    options.workers = workers;
    options.socket = socket_;
    auto runner = Runner::start(
        options, [this](unsigned) { return std::make_unique<Picky>(seen_); }, std::move(controls));
    ASSERT_TRUE(runner) << runner.error().text();
    runner_ = std::move(*runner);
  }

  void send_from(const Socket& socket, const Bytes& bytes) {
    const sockaddr_in to = at("127.0.0.1", port_);
    ASSERT_EQ(sendto(socket.fd(), bytes.data(), bytes.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
              static_cast<ssize_t>(bytes.size()));
  }

  // What arrives at the gateway's port; empty after three seconds of silence.
  Bytes receive() {
    Bytes bytes(65536);
    sockaddr_in from{};
    socklen_t length = sizeof(from);
    const ssize_t got = recvfrom(gateway_.fd(), bytes.data(), bytes.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &length);
    bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
    if (got >= 0) {
      EXPECT_EQ(from.sin_addr.s_addr, at("127.0.0.1", 0).sin_addr.s_addr);
      EXPECT_EQ(ntohs(from.sin_port), port_);
    }
    return bytes;
  }

  std::string http(const std::string& request) {
    Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in to = at("127.0.0.1", health_port_);
    if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
      return "refused";
    send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    char bytes[4096];
    for (ssize_t got; (got = recv(socket.fd(), bytes, sizeof(bytes), 0)) > 0;)
      answer.append(bytes, got);
    return answer;
  }

  std::string listen_ = "127.0.0.1";
  uint16_t port_ = 0;
  uint16_t health_port_ = 0;
  std::string socket_ = testing::TempDir() + "runner_" + std::to_string(getpid()) + ".sock";
  Socket gateway_;
  Seen seen_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, AnswersByteForByteAndInOrder) {
  start(1);
  // From a port that is not the GENEVE port, as a gateway does; runs of equal length, so GSO has
  // work.
  uint16_t source_port = 0;
  const Socket source = bound(SOCK_DGRAM, "127.0.0.2", source_port);
  constexpr uint32_t kCount = 400;
  auto inner_length = [](uint32_t n) { return n / 50 % 2 == 0 ? size_t{1200} : 60 + n % 5; };
  std::vector<Bytes> expected;
  for (uint32_t n = 1; n <= kCount; n++) {
    send_from(source, datagram(n, inner_length(n)));
    if (n % 7 == 0) {
      Bytes reset(std::begin(kHeader), std::end(kHeader));
      reset.resize(60);
      reset[40] = 0x45;
      reset[43] = 20;
      tunnels::store_be32(&reset[44], n);
      expected.push_back(reset);
    }
    if (n % 10 != 0) expected.push_back(datagram(n, inner_length(n)));
  }
  for (size_t i = 0; i < expected.size(); i++) ASSERT_EQ(receive(), expected[i]) << i;
  const std::string stats = runner_->commands().stats();
  EXPECT_NE(stats.find("\"received\":400,\"returned\":360,\"dropped\":40,\"injected\":57"),
            std::string::npos)
      << stats;
  EXPECT_NE(stats.find("\"send_failed\":0"), std::string::npos) << stats;
}

// An IPv6 socket takes IPv4 datagrams, too, and answers them from the address they were sent to.
TEST_F(RunnerTest, OneSocketForBothVersions) {
  listen_ = "::ffff:127.0.0.1";
  start(1);
  for (uint32_t n = 1; n <= 3; n++) {
    send_from(gateway_, datagram(n, 100));
    EXPECT_EQ(receive(), datagram(n, 100));
  }
  EXPECT_NE(http("GET / HTTP/1.1\r\n\r\n").find("200 OK"), std::string::npos);
}

// Over IPv6 gateways send no checksum, which the kernel takes only where somebody asks for it.
TEST_F(RunnerTest, TakesDatagramsWithoutAChecksumOverIpv6) {
  const Socket source(::socket(AF_INET6, SOCK_DGRAM, 0));
  const SocketName any = socket_name(AF_INET6, in6addr_loopback, 0);
  if (bind(source.fd(), &any.any, length_of(any)) != 0) GTEST_SKIP() << "no IPv6 here";
  listen_ = "::1";
  start(1);
  const int on = 1;
  ASSERT_EQ(setsockopt(source.fd(), IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on)), 0);
  const SocketName to = socket_name(AF_INET6, in6addr_loopback, port_);
  const Bytes dropped = datagram(10, 100);  // an answer would come back to the appliance
  ASSERT_EQ(sendto(source.fd(), dropped.data(), dropped.size(), 0, &to.any, length_of(to)),
            static_cast<ssize_t>(dropped.size()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto taken = [&] {
    return runner_->commands().stats().find("\"received\":1,\"returned\":0,\"dropped\":1") !=
           std::string::npos;
  };
  while (!taken() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(taken()) << runner_->commands().stats();
}

TEST_F(RunnerTest, SurvivesGarbageAndCountsIt) {
  start(1);
  uint32_t random = 12345;
  for (int i = 0; i < 500; i++) {
    Bytes garbage(random % 200);
    for (uint8_t& byte : garbage)
      byte = static_cast<uint8_t>((random = random * 1664525 + 1013904223) >> 24);
    if (garbage.size() > 8 && i % 2 == 0)
      garbage[0] = 0x08, garbage[1] = 0, garbage[2] = 8, garbage[3] = 0;
    if (garbage.size() > 40) garbage[40] &= 0x3f;  // no IP: else it may be a plain datagram
    random = random * 1664525 + 1013904223;
    send_from(gateway_, garbage);
  }
  send_from(gateway_, datagram(1, 100));
  EXPECT_EQ(receive(), datagram(1, 100));
  EXPECT_EQ(seen_.packets, 1u);
  EXPECT_NE(runner_->commands().stats().find("\"received\":501,\"returned\":1,"), std::string::npos)
      << runner_->commands().stats();
}

TEST_F(RunnerTest, TheLargestDatagramPasses) {
  start(1);
  const Bytes largest = datagram(1, kDatagramLengthMax - 40);
  send_from(gateway_, largest);
  EXPECT_EQ(receive(), largest);
}

TEST_F(RunnerTest, ManyWorkersShareTheFlows) {
  start(4);
  constexpr uint32_t kFlows = 64;
  for (uint32_t n = 0; n < kFlows; n++) {
    uint16_t source_port = 0;
    const Socket source = bound(SOCK_DGRAM, "127.0.0.2", source_port);
    send_from(source, datagram(n * 70 + 1, 100));
  }
  for (uint32_t n = 0; n < kFlows; n++) EXPECT_EQ(receive().size(), 140u);
}

TEST_F(RunnerTest, HealthAnswersHttpAndPlainConnects) {
  start(1);
  EXPECT_EQ(http("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: "
            "close\r\n\r\nok\n");
  EXPECT_NE(http("GET /stats HTTP/1.0\r\n\r\n").find("\"received\":0"), std::string::npos);
  EXPECT_TRUE(http("HEAD /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(http("POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(http(std::string(kHealthRequestLengthMax + 1, 'x')).starts_with("HTTP/1.1 400"));
}

TEST_F(RunnerTest, MetricsOverHttpArriveWhole) {
  Controls controls;
  controls.metrics = [](const Workers& workers, tunnels::MetricsPage& page) -> Result<> {
    auto family = page.gauge("test_padding", "Makes the page long.");
    for (int i = 0; i < 4000; i++)
      family.sample(i, {{"number", std::to_string(i)}, {"padding", std::string(400, 'x')}});
    return workers.each([](size_t, Appliance&) {});
  };
  start(2, std::move(controls));
  const std::string answer = http("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: "));
  EXPECT_NE(answer.find("\nsluice_appliance_workers 2\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\"} 3999\n"));
}

TEST_F(RunnerTest, MetricsThatCannotBeHadAreSaid) {
  Controls controls;
  controls.metrics = [](const Workers&, tunnels::MetricsPage&) -> Result<> {
    return fail("no idea");
  };
  start(1, std::move(controls));
  const std::string answer = http("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nno idea\n")) << answer;
}

// A reload every few packets: each packet is answered once and in order.
TEST_F(RunnerTest, ReloadsUnderLoadLoseNoPacket) {
  std::atomic<unsigned> reloads{0};
  Controls controls;
  controls.reload = [&](const Workers& workers) -> Result<nlohmann::ordered_json> {
    SLUICE_TRY_VOID(workers.each([&](size_t, Appliance&) { reloads++; }));
    return nlohmann::ordered_json::object();
  };
  start(1, std::move(controls));
  std::atomic<bool> done{false};
  std::thread reloading([&] {
    while (!done) {
      const auto reply = ask_appliance(socket_, {{"command", "reload"}});
      EXPECT_TRUE(reply) << reply.error().text();
    }
  });
  for (uint32_t n = 1; n < 3000 || reloads < 20; n++) {
    if (n % 10 == 0 || n % 7 == 0) continue;
    const Bytes sent = datagram(n, 100);
    send_from(gateway_, sent);
    ASSERT_EQ(receive(), sent) << n;
  }
  done = true;
  reloading.join();
  EXPECT_NE(http("GET /stats HTTP/1.1\r\n\r\n").find("\"receive_overflow\":0"), std::string::npos);
}

TEST_F(RunnerTest, IdleHealthConnectionsDoNotStarveAChecker) {
  start(1);
  std::vector<Socket> idle;
  for (size_t i = 0; i < kHealthConnectionsMax * 2; i++) {
    idle.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in to = at("127.0.0.1", health_port_);
    ASSERT_EQ(connect(idle.back().fd(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  EXPECT_TRUE(http("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
}

// Under its own header, to where it came from, also when other packets came between.
TEST_F(RunnerTest, WhatIsKeptLeavesLater) {
  start(1);
  Bytes kept = datagram(kLateNumber, 100);
  kept[39] ^= 0x55;  // another flow cookie
  send_from(gateway_, kept);
  send_from(gateway_, datagram(1, 100));
  const Bytes first = receive(), second = receive();
  EXPECT_EQ(first == kept ? second : first, datagram(1, 100));
  EXPECT_EQ(first == kept ? first : second, kept);
}

TEST_F(RunnerTest, TicksWhileIdleAndFinishesOncePerWorker) {
  start(2);
  for (int i = 0; i < 50 && seen_.ticks < 6; i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GE(seen_.ticks, 6u);
  EXPECT_EQ(seen_.finishes, 0u);
  runner_.reset();
  EXPECT_EQ(seen_.finishes, 2u);
}

TEST(RunnerErrors, SayWhatIsWrong) {
  auto none = [](unsigned) -> Result<std::unique_ptr<Appliance>> {
    return fail("no appliance today");
  };
  RunnerOptions options;
  auto refused = Runner::start(options, none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "no appliance today");

  Seen seen;
  options.listen = "localhost";
  auto bad = Runner::start(options, [&](unsigned) { return std::make_unique<Picky>(seen); });
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), "localhost: not an IPv4 or IPv6 address to listen at");
}

}  // namespace
}  // namespace sluice::sdk
