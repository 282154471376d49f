// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/health.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kSecond = 20;  // milliseconds

class HealthTest : public testing::Test {
 protected:
  HealthTest() : loop(std::move(*EventLoop::create())) {}

  // A listener on a free port of the loopback, on all its addresses.
  UniqueFd listen(uint16_t port = 0) {
    auto fd = listen_tcp(*SocketAddress::parse("0.0.0.0", port), 64);
    EXPECT_TRUE(fd) << fd.error().text();
    return std::move(*fd);
  }
  static TargetName name(uint16_t port) { return {"g", {*parse_ip_address("127.0.0.1"), port}}; }
  static HealthCheck check(uint8_t healthy = 3, uint8_t unhealthy = 2) {
    return {0, 2, 1, healthy, unhealthy};
  }
  // Turns the loop until the target is in `state`; false after half a minute.
  bool becomes(HealthChecker& checker, const TargetName& target, HealthState state) {
    const uint64_t end = loop->now_ms() + 30'000;
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
  HealthChecker checker(*loop, [&](const TargetName&, HealthState) { changes++; },
                        {.second_ms = kSecond});
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
  HealthChecker checker(*loop, {}, {.second_ms = kSecond});
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
  HealthChecker checker(*loop, {}, {.second_ms = kSecond});
  checker.watch(name(port), check(), nullptr);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).reason, "Target.Timeout");
}

TEST_F(HealthTest, ASourceThatIsNotHereIsAFailure) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(*loop, {}, {.second_ms = kSecond});
  const IpAddress elsewhere = *parse_ip_address("192.0.2.7");
  checker.watch(name(port), check(), &elsewhere);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).description, "Cannot assign requested address");
}

TEST_F(HealthTest, ThousandsOfTargetsAreBounded) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  size_t up = 0;
  HealthChecker checker(*loop, [&](const TargetName&, HealthState) { up++; },
                        {.second_ms = 200, .in_flight_max = 64});
  for (uint32_t i = 1; i <= 2000; i++) {
    TargetName target = name(port);
    target.target.address.words[0] = htonl(0x7f000000 + i);
    checker.watch(target, check(), nullptr);
  }
  EXPECT_EQ(checker.size(), 2000u);
  const uint64_t end = loop->now_ms() + 30'000;
  while (up < 64 && loop->now_ms() < end) loop->turn(10);
  EXPECT_GE(up, 64u);
}

TEST_F(HealthTest, ChecksThatFindNoPlaceWaitInLine) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  Watch accepting;
  ASSERT_TRUE(accepting.start(*loop, listener.get(), EPOLLIN, [&](uint32_t) {
    SocketAddress peer;
    while (accept_tcp(listener.get(), &peer)) {
    }
  }));
  HealthChecker checker(*loop, {}, {.second_ms = 200, .in_flight_max = 2});
  std::vector<TargetName> targets;
  for (uint32_t i = 1; i <= 300; i++) {
    targets.push_back(name(port));
    targets.back().target.address.words[0] = htonl(0x7f000000 + i);
    checker.watch(targets.back(), check(), nullptr);
  }
  const uint64_t end = loop->now_ms() + 20'000;
  while (checker.counters().succeeded < 600 && loop->now_ms() < end) {
    loop->turn(10);
    ASSERT_LE(checker.in_flight(), 2u);
  }
  EXPECT_GT(checker.counters().deferred, 0u);
  for (const TargetName& target : targets)
    EXPECT_EQ(checker.health(target).state, HealthState::kHealthy);
  for (const TargetName& target : targets) checker.forget(target);  // some wait, some are checked
  EXPECT_EQ(checker.in_flight(), 0u);
}

TEST_F(HealthTest, AnswersOfTheWrongKindAreAMismatch) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  std::vector<UniqueFd> clients;
  std::string answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
  Watch serving;
  ASSERT_TRUE(serving.start(*loop, listener.get(), EPOLLIN, [&](uint32_t) {
    SocketAddress peer;
    auto client = accept_tcp(listener.get(), &peer);
    if (!client) return;
    (void)!::send(client->get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    clients.push_back(std::move(*client));
  }));
  HealthChecker checker(*loop, {}, {.second_ms = 100});
  HealthCheck http = default_health_check(Protocol::kHttp, HealthProtocol::kHttp);
  http.interval_s = 3;
  http.timeout_s = 2;
  checker.watch(name(port), http, nullptr);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kUnhealthy));
  EXPECT_EQ(checker.health(name(port)).reason, "Target.ResponseCodeMismatch");
  EXPECT_EQ(checker.health(name(port)).description, "answered 503");
  EXPECT_EQ(checker.last_check(name(port)).code, 503);
  EXPECT_GE(checker.counters().mismatched, 2u);

  http.matcher = "200,503";
  http.healthy_threshold = 2;
  checker.watch(name(port), http, nullptr);
  EXPECT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
}

TEST_F(HealthTest, DisabledMeansUnavailableAndTraffic) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  std::vector<HealthState> before;
  HealthChecker checker(*loop, [&](const TargetName&, HealthState was) { before.push_back(was); },
                        {.second_ms = kSecond});
  HealthCheck off = check();
  off.enabled = false;
  checker.watch(name(port), off, nullptr);
  const TargetHealth health = checker.health(name(port));
  EXPECT_EQ(health.state, HealthState::kUnavailable);
  EXPECT_EQ(health.reason, "Target.HealthCheckDisabled");
  EXPECT_TRUE(gets_traffic(health.state));
  run_ms(4 * kSecond);
  EXPECT_EQ(checker.counters().succeeded, 0u);

  checker.watch(name(port), check(), nullptr);
  EXPECT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
  checker.watch(name(port), off, nullptr);
  EXPECT_EQ(checker.in_flight(), 0u);
  EXPECT_EQ(before, (std::vector{HealthState::kInitial, HealthState::kUnavailable,
                                 HealthState::kInitial, HealthState::kHealthy}));
}

TEST_F(HealthTest, WantOfDescriptorsChangesNoState) {
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(*loop, {}, {.second_ms = kSecond});
  checker.watch(name(port), check(), nullptr);
  ASSERT_TRUE(becomes(checker, name(port), HealthState::kHealthy));
  const int taken = ::dup(0);
  ::close(taken);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(taken), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const uint64_t end = loop->now_ms() + 20'000;
  while (checker.counters().not_made < 5 && loop->now_ms() < end) loop->turn(20);
  EXPECT_GE(checker.counters().not_made, 5u);
  EXPECT_EQ(checker.health(name(port)).state, HealthState::kHealthy);
  TargetName other = name(static_cast<uint16_t>(port));
  other.group = "other";
  checker.watch(other, check(), nullptr);
  const uint64_t enough = checker.counters().not_made + 5;
  while (checker.counters().not_made < enough && loop->now_ms() < end) loop->turn(20);
  EXPECT_EQ(checker.health(other).reason, "Elb.InternalError");
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(becomes(checker, other, HealthState::kHealthy));
}

TEST_F(HealthTest, ForgettingDuringACheckIsSafe) {
  HealthChecker* pointer = nullptr;
  UniqueFd listener = listen();
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  HealthChecker checker(*loop,
                        [&](const TargetName& target, HealthState) { pointer->forget(target); },
                        {.second_ms = kSecond});
  pointer = &checker;
  checker.watch(name(port), check(), nullptr);
  run_ms(100);
  EXPECT_EQ(checker.size(), 0u);
  EXPECT_EQ(checker.health(name(port)).reason, "Target.NotRegistered");
}

}  // namespace
}  // namespace sluice::gateway
