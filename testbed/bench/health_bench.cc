// SPDX-License-Identifier: Apache-2.0
// What health checks of many targets cost. The targets are addresses of 127/8 behind one listener,
// served by a thread of its own; only the CPU time of the thread that checks is counted. Over the
// loopback that includes the kernel's work for both ends of each handshake.
#include <arpa/inet.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "gateway/targets/health.h"
#include "testbed/bench/bench.h"

namespace sluice::testbed {
namespace {

using namespace gateway;  // NOLINT

constexpr int kBacklog = 4096;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// Takes a connection; with `http` reads what comes first, answers and closes.
Task<> serve(std::unique_ptr<Socket> socket, EventLoop& loop, bool http) {
  Wakeup wakeup(loop);
  socket->set_wakeup(&wakeup);
  char chunk[1024];
  while (http && socket->receive(chunk).kind == IoResult::Kind::kBlocked)
    co_await wakeup.until(kNever);
  if (http) socket->send(kAnswer);
}

void run_targets(EventLoop& loop, int listener, bool http, const std::atomic<bool>& stop) {
  Watch watch;
  const auto started = watch.start(loop, listener, EPOLLIN, [&](uint32_t) {
    SocketAddress peer;
    while (auto fd = accept_tcp(listener, &peer))
      if (auto socket = Socket::create(loop, std::move(*fd)))
        loop.spawn(serve(std::move(*socket), loop, http));
  });
  while (started && !stop) loop.turn(50);
}

double thread_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

uint64_t not_good(const HealthCounters& c) {
  return c.mismatched + c.timed_out + c.failed + c.not_made;
}

void run_ms(EventLoop& loop, uint64_t ms) {
  for (const uint64_t end = loop.now_ms() + ms; loop.now_ms() < end;) loop.turn(50);
}

}  // namespace

Result<> bench_health(HealthBench& bench) {
  SLUICE_TRY(const SocketAddress any, SocketAddress::parse("0.0.0.0", 0));
  SLUICE_TRY(UniqueFd listener, listen_tcp(any, kBacklog));
  const uint16_t port = SocketAddress::local_of(listener.get()).port();
  SLUICE_TRY(auto loop, EventLoop::create());
  SLUICE_TRY(auto target_loop, EventLoop::create());
  HealthChecker checker(*loop, {}, {.in_flight_max = checks_in_flight_max()});
  std::atomic<bool> stop = false;
  std::thread targets(
      [&] { run_targets(*target_loop, listener.get(), !bench.path.empty(), stop); });

  const auto protocol = bench.path.empty() ? HealthProtocol::kTcp : HealthProtocol::kHttp;
  HealthCheck check = default_health_check(Protocol::kTcp, protocol);
  check.path = bench.path;
  check.interval_s = static_cast<uint16_t>(bench.interval_s);
  check.timeout_s = std::min(check.timeout_s, check.interval_s);
  for (uint32_t i = 1; i <= bench.targets; i++) {
    TargetName name{"bench", {{}, port}};
    name.target.address.words[0] = htonl(0x7f010000 + i);
    checker.watch(name, check, nullptr);
    // As if they had been registered over the interval, not all at once.
    if (i % 100 == 0) run_ms(*loop, bench.interval_s * 100'000ull / bench.targets);
  }
  const HealthCounters before = checker.counters();
  const double cpu_before = thread_cpu_seconds();
  run_ms(*loop, bench.seconds * 1000ull);
  bench.cpu_percent = 100 * (thread_cpu_seconds() - cpu_before) / bench.seconds;
  const HealthCounters& after = checker.counters();
  bench.not_good = not_good(after) - not_good(before);
  bench.checks = after.succeeded - before.succeeded + bench.not_good;
  stop = true;
  targets.join();
  return {};
}

}  // namespace sluice::testbed
