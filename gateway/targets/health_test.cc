// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/health.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kSecond = 20;  // milliseconds

class HealthTest : public testing::Test {
 protected:
  HealthTest() : loop(std::move(*EventLoop::create())) {}

  // A listener on a free port of the loopback.
  UniqueFd listen(uint16_t port = 0) {
    auto fd = listen_tcp(*SocketAddress::parse("127.0.0.1", port), 64);
    EXPECT_TRUE(fd) << fd.error().text();
    return std::move(*fd);
  }
  static TargetName name(uint16_t port) { return {"g", {*parse_ip_address("127.0.0.1"), port}}; }
  static HealthCheck check(uint8_t healthy = 3, uint8_t unhealthy = 2) {
    return {0, 2, 1, healthy, unhealthy};
  }
  // Turns the loop until the target is in `state`; false after two seconds.
  bool becomes(HealthChecker& checker, const TargetName& target, HealthState state) {
    const uint64_t end = loop->now_ms() + 2000;
    while (checker.health(target).state != state && loop->now_ms() < end) loop->turn(20);
    return checker.health(target).state == state;
  }
  void run_ms(uint64_t ms) {
    const uint64_t end = loop->now_ms() + ms;
    while (loop->now_ms() < end) loop->turn(5);
  }

  std::unique_ptr<EventLoop> loop;
};

TEST_F(HealthTest, GoesUpAndDownWithItsListener) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  int changes = 0;
  HealthChecker checker(
      *loop, [&](const TargetName&) { changes++; }, kSecond);
  const IpAddress source = *parse_ip_address("127.0.0.1");
  checker.watch(name(port), check(), &source);
  EXPECT_EQ(checker.health(name(port)).reason, "Elb.RegistrationInProgress");
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
  EXPECT_EQ(checker.health(name(port)).reason, "");

  listener = UniqueFd();
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).reason, "Target.FailedHealthChecks");
  EXPECT_EQ(checker.health(name(port)).description, "Connection refused");

  listener = listen(port);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
  EXPECT_EQ(changes, 3);
}

TEST_F(HealthTest, OneFailureIsNoChange) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(*loop, {}, kSecond);
  checker.watch(name(port), check(2, 10), nullptr);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
  listener = UniqueFd();
  run_ms(3 * 2 * kSecond);  // about three failures of ten
  EXPECT_EQ(checker.health(name(port)).state, HealthState::kHealthy);
  EXPECT_EQ(checker.health(name(port)).description, "Connection refused");
  listener = listen(port);
  run_ms(2 * 2 * kSecond);
  EXPECT_EQ(checker.health(name(port)).description, "connected");
}

TEST_F(HealthTest, SilenceTimesOut) {
  // A full backlog: further connections get no answer.
  auto quiet = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 0);
  ASSERT_TRUE(quiet);
  const uint16_t port = SocketAddress::local_of(quiet->get()).port();
  std::vector<UniqueFd> fillers;
  const sockaddr_in to{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  for (int i = 0; i < 4; i++) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(fillers.back().get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  HealthChecker checker(*loop, {}, kSecond);
  checker.watch(name(port), check(), nullptr);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).reason, "Target.Timeout");
}

TEST_F(HealthTest, ASourceThatIsNotHereIsAFailure) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(*loop, {}, kSecond);
  const IpAddress elsewhere = *parse_ip_address("192.0.2.7");
  checker.watch(name(port), check(), &elsewhere);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).description, "Cannot assign requested address");
}

TEST_F(HealthTest, ThousandsOfTargetsAreBounded) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  size_t up = 0;
  HealthChecker checker(
      *loop, [&](const TargetName&) { up++; }, 200);
  for (uint32_t i = 1; i <= 2000; i++) {
    TargetName target = name(port);
    target.target.address.words[0] = htonl(0x7f000000 + i);
    checker.watch(target, check(), nullptr);
  }
  EXPECT_EQ(checker.size(), 2000u);
  const uint64_t end = loop->now_ms() + 5000;
  while (up < 64 && loop->now_ms() < end) loop->turn(10);
  EXPECT_GE(up, 64u);
}

TEST_F(HealthTest, ForgettingDuringACheckIsSafe) {
  HealthChecker* pointer = nullptr;
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(
      *loop, [&](const TargetName& target) { pointer->forget(target); }, kSecond);
  pointer = &checker;
  checker.watch(name(port), check(), nullptr);
  run_ms(100);
  EXPECT_EQ(checker.size(), 0u);
  EXPECT_EQ(checker.health(name(port)).reason, "Target.NotRegistered");
}

}  // namespace
}  // namespace sluice::gateway
