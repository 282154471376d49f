// SPDX-License-Identifier: Apache-2.0
// One worker over loopback, standing still in a packet while the next one waits.
#include "appliances/sdk/worker.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <thread>

#include "tunnels/integers.h"

namespace sluice::sdk {
namespace {

constexpr int64_t kStandsStillUs = 50'000;

struct Shared {
  std::atomic<int> packets{0};
  std::atomic<bool> stands_still{true};
  std::atomic<int64_t> waited_us{-1};  // the packet that came last
};

class Slow : public Appliance {
 public:
  explicit Slow(Shared& shared) : shared_(shared) {}
  Answer handle(Packet& packet, Injector&) override {
    shared_.waited_us = packet.waited_us;
    shared_.packets++;
    while (shared_.stands_still) std::this_thread::yield();
    return Answer::kDrop;
  }

 private:
  Shared& shared_;
};

// A port that was free a moment ago.
uint16_t free_port() {
  const Socket socket(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
  socklen_t length = sizeof(name);
  EXPECT_EQ(bind(socket.fd(), reinterpret_cast<sockaddr*>(&name), length), 0);
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

void send_to(uint16_t port) {
  uint8_t datagram[40 + 20] = {0x08, 0, 0x08, 0, 0, 0, 0, 0, 0x01, 0x08, 0x01, 0x02};
  const uint8_t rest[] = {1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 3, 1, 0, 0, 0, 1};
  std::copy(std::begin(rest), std::end(rest), datagram + 20);
  datagram[40] = 0x45;
  datagram[43] = 20;
  const Socket socket(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  ASSERT_EQ(sendto(socket.fd(), datagram, sizeof(datagram), 0,
                   reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
            static_cast<ssize_t>(sizeof(datagram)));
}

class WorkerTest : public ::testing::TestWithParam<bool> {};

TEST_P(WorkerTest, PacketsSayHowLongTheyHaveWaited) {
  const bool stamps = GetParam();
  Shared shared;
  const uint16_t port = free_port();
  auto worker = Worker::create({"127.0.0.1", port, true, stamps}, std::make_unique<Slow>(shared));
  ASSERT_TRUE(worker) << worker.error().text();
  std::atomic<bool> stop{false};
  std::thread thread([&] { (*worker)->run(stop); });
  send_to(port);
  while (shared.packets != 1) std::this_thread::yield();
  const int64_t before_us = steady_us();
  send_to(port);
  const int64_t sent_us = steady_us();
  while (steady_us() - sent_us < kStandsStillUs) std::this_thread::yield();
  shared.stands_still = false;
  while (shared.packets != 2) std::this_thread::yield();
  const int64_t most_us = steady_us() - before_us + 1000;
  EXPECT_GE(shared.waited_us, stamps ? kStandsStillUs - 1000 : 0);
  EXPECT_LE(shared.waited_us, stamps ? most_us : 0);
  stop = true;
  thread.join();
}

TEST(WorkerPort, ASecondProgramAtTheSamePortIsRefused) {
  Shared shared;
  const uint16_t port = free_port();
  const auto create = [&](const char* listen, bool first) {
    return Worker::create({listen, port, first}, std::make_unique<Slow>(shared));
  };
  {
    const auto one = create("127.0.0.1", true), two = create("127.0.0.1", false);
    ASSERT_TRUE(one && two);
    for (const char* listen : {"127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"}) {
      const auto other = create(listen, true);
      ASSERT_FALSE(other) << listen;
      EXPECT_EQ(other.error().text(),
                std::string(listen) + ":" + std::to_string(port) +
                    ": another program has this UDP port: stop it, or say another --listen or "
                    "--port");
    }
  }
  EXPECT_TRUE(create("127.0.0.1", true));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutStamps, WorkerTest, ::testing::Bool());

}  // namespace
}  // namespace sluice::sdk
