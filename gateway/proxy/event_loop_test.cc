// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

std::unique_ptr<EventLoop> make_loop() {
  auto loop = EventLoop::create();
  EXPECT_TRUE(loop);
  return std::move(*loop);
}

TEST(Timer, FiresInOrderOfTimeAndNotWhenCancelled) {
  auto loop = make_loop();
  std::vector<int> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  uint64_t start = loop->now_ms();
  for (int i = 0; i < 40; ++i) {
    timers.push_back(std::make_unique<Timer>(*loop, [&fired, i] { fired.push_back(i); }));
    timers.back()->set_at(start + 1 + static_cast<uint64_t>(i * 7 % 40));
  }
  for (int i = 0; i < 40; i += 2) timers[static_cast<size_t>(i)]->cancel();
  timers[1].reset();
  Timer last(*loop, [&] { loop->stop(); });
  last.set_after(60);
  loop->run();
  ASSERT_EQ(fired.size(), 19u);
  for (size_t i = 1; i < fired.size(); ++i) EXPECT_LT(fired[i - 1] * 7 % 40, fired[i] * 7 % 40);
}

TEST(Timer, MayBeMovedEarlierAndSetItselfAgain) {
  auto loop = make_loop();
  int count = 0;
  Timer* self = nullptr;
  Timer ticking(*loop, [&] {
    if (++count == 3) return loop->stop();
    self->set_after(1);
  });
  self = &ticking;
  ticking.set_after(100000);
  ticking.set_after(1);
  loop->run();
  EXPECT_EQ(count, 3);
}

TEST(Watch, StoppedByAnotherCallbackOfTheSameTurnIsNotCalled) {
  auto loop = make_loop();
  int first[2], second[2];
  ASSERT_EQ(pipe(first), 0);
  ASSERT_EQ(pipe(second), 0);
  Watch a, b;
  int calls = 0;
  auto stop_both = [&](uint32_t) {
    ++calls;
    a.stop();
    b.stop();
  };
  ASSERT_TRUE(a.start(*loop, first[0], EPOLLIN, stop_both));
  ASSERT_TRUE(b.start(*loop, second[0], EPOLLIN, stop_both));
  ASSERT_EQ(write(first[1], "x", 1), 1);
  ASSERT_EQ(write(second[1], "x", 1), 1);
  loop->turn(100);
  loop->turn(0);
  EXPECT_EQ(calls, 1);
  for (int fd : {first[0], first[1], second[0], second[1]}) close(fd);
}

TEST(Watch, SaysWhyADescriptorCannotBeWatched) {
  auto loop = make_loop();
  Watch watch;
  auto started = watch.start(*loop, -1, EPOLLIN, [](uint32_t) {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code.value(), EBADF);
}

Task<int> add_later(EventLoop& loop, int a, int b) {
  co_await sleep_until(loop, loop.now_ms() + 2);
  co_return a + b;
}

Task<> sum_up(EventLoop& loop, int* total) {
  for (int i = 0; i < 5; ++i) {
    int sum = co_await add_later(loop, i, 1);
    *total += sum;
  }
}

TEST(Task, AwaitsTasksAndLeavesTheLoopWhenItEnds) {
  auto loop = make_loop();
  int total = 0;
  loop->spawn(sum_up(*loop, &total));
  EXPECT_EQ(loop->tasks(), 1u);
  while (loop->tasks() > 0) loop->turn(100);
  EXPECT_EQ(total, 15);
}

TEST(Task, IsCancelledWithTheLoop) {
  int total = 0;
  {
    auto loop = make_loop();
    loop->spawn(sum_up(*loop, &total));
    loop->turn(0);
  }
  EXPECT_EQ(total, 0);
}

// Accepts one connection and sends back what comes, until the end.
Task<> echo_once(EventLoop& loop, int listen_fd) {
  Wakeup wakeup(loop);
  Watch watch;
  auto watched = watch.start(loop, listen_fd, EPOLLIN, [&](uint32_t) { wakeup.wake(); });
  EXPECT_TRUE(watched);
  SocketAddress peer;
  auto fd = accept_tcp(listen_fd, &peer);
  while (!fd) {
    co_await wakeup.until(kNever);
    fd = accept_tcp(listen_fd, &peer);
  }
  watch.stop();
  auto created = Socket::create(loop, std::move(*fd));
  Socket& socket = **created;
  socket.set_wakeup(&wakeup);
  char bytes[1000];
  std::string waiting;
  while (true) {
    if (!waiting.empty() && socket.can_send()) {
      auto sent = socket.send(waiting);
      waiting.erase(0, sent.bytes);
    } else if (waiting.empty() && socket.can_receive()) {
      auto got = socket.receive(bytes);
      if (got.kind == IoResult::Kind::kEnd || got.kind == IoResult::Kind::kError) co_return;
      waiting.append(bytes, got.bytes);
    } else {
      co_await wakeup.until(kNever);
    }
  }
}

Task<> send_and_expect(EventLoop& loop, SocketAddress to, std::string message, bool* good) {
  auto connected = co_await connect_tcp(loop, to, loop.now_ms() + 1000);
  EXPECT_TRUE(connected);
  Socket& socket = **connected;
  Wakeup wakeup(loop);
  socket.set_wakeup(&wakeup);
  size_t sent = 0;
  std::string back;
  std::vector<char> bytes(100000);
  while (back.size() < message.size()) {
    if (sent < message.size() && socket.can_send()) {
      sent += socket.send(std::string_view(message).substr(sent)).bytes;
    } else if (socket.can_receive()) {
      back.append(bytes.data(), socket.receive(bytes).bytes);
    } else {
      bool woken = co_await wakeup.until(loop.now_ms() + 2000);
      EXPECT_TRUE(woken);
      if (!woken) co_return;
    }
  }
  *good = back == message;
}

TEST(Socket, CarriesALotBothWaysAtOnce) {
  auto loop = make_loop();
  auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 8);
  ASSERT_TRUE(listener);
  std::string message;
  for (int i = 0; i < 400000; ++i) message += static_cast<char>(i * 31 % 251);
  bool good = false;
  loop->spawn(echo_once(*loop, listener->get()));
  loop->spawn(send_and_expect(*loop, SocketAddress::local_of(listener->get()), message, &good));
  while (loop->tasks() > 0) loop->turn(1000);
  EXPECT_TRUE(good);
}

Task<> connect_and_read(EventLoop& loop, SocketAddress to, Result<std::string>* said) {
  auto connected = co_await connect_tcp(loop, to, loop.now_ms() + 1000);
  if (!connected) {
    *said = tl::make_unexpected(connected.error());
    co_return;
  }
  char bytes[100];
  *said = std::string(bytes, (*connected)->receive(bytes).bytes);
}

// Whoever connects is told this and reset before it looks.
Result<std::string> said_by_one_who_resets(std::string_view words) {
  auto loop = make_loop();
  auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 8);
  Result<std::string> said = std::string();
  loop->spawn(connect_and_read(*loop, SocketAddress::local_of(listener->get()), &said));
  SocketAddress from;  // the kernel has accepted for us by now
  auto peer = accept_tcp(listener->get(), &from);
  if (!peer) return tl::make_unexpected(peer.error());
  EXPECT_EQ(::send(peer->get(), words.data(), words.size(), 0), static_cast<ssize_t>(words.size()));
  const linger now{1, 0};
  setsockopt(peer->get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  *peer = UniqueFd();
  while (loop->tasks() > 0) loop->turn(1000);
  return said;
}

TEST(Connect, WhatThePeerSaidBeforeItResetCanBeRead) {
  EXPECT_EQ(said_by_one_who_resets("no"), "no");
  const auto nothing = said_by_one_who_resets("");
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code.value(), ECONNRESET);
}

Task<> connect_and_tell(EventLoop& loop, SocketAddress to, int* error) {
  auto connected = co_await connect_tcp(loop, to, loop.now_ms() + 200);
  *error = connected ? 0 : connected.error().code.value();
}

TEST(Connect, SaysRefusedAndTimedOut) {
  auto loop = make_loop();
  uint16_t port = 0;
  {
    auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 1);
    port = SocketAddress::local_of(listener->get()).port();
  }
  int error = -1;
  loop->spawn(connect_and_tell(*loop, *SocketAddress::parse("127.0.0.1", port), &error));
  while (loop->tasks() > 0) loop->turn(1000);
  EXPECT_EQ(error, ECONNREFUSED);

  // A backlog that is full answers no SYN.
  auto full = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 0);
  SocketAddress address = SocketAddress::local_of(full->get());
  int errors[4] = {-1, -1, -1, -1};
  std::vector<std::unique_ptr<Socket>> kept;
  for (int& each : errors) loop->spawn(connect_and_tell(*loop, address, &each));
  while (loop->tasks() > 0) loop->turn(1000);
  EXPECT_EQ(errors[3], ETIMEDOUT);
}

TEST(SocketAddress, TextForms) {
  EXPECT_EQ(SocketAddress::parse("10.1.2.3", 80)->text(), "10.1.2.3:80");
  EXPECT_EQ(SocketAddress::parse("fd00::1", 8080)->text(), "[fd00::1]:8080");
  EXPECT_EQ(SocketAddress::parse("fd00::1", 8080)->host(), "fd00::1");
  EXPECT_FALSE(SocketAddress::parse("localhost", 80));
  EXPECT_FALSE(SocketAddress::parse("10.1.2.3.4", 80));
  EXPECT_FALSE(SocketAddress::parse("", 80));
}

}  // namespace
}  // namespace sluice::gateway
