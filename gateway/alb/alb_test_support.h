// SPDX-License-Identifier: Apache-2.0
// A load balancer on a thread of its own, applications and clients with plain blocking sockets
// around it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/alb/alb.h"

namespace sluice::gateway {

// One end of a blocking connection that gives up after some seconds.
class Wire {
 public:
  explicit Wire(UniqueFd fd) : fd_(std::move(fd)) {
    timeval limit{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  static Wire connect_to(uint16_t port) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = SocketAddress::parse("127.0.0.1", port);
    EXPECT_EQ(connect(fd.get(), address->raw(), address->size()), 0);
    return Wire(std::move(fd));
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  // More into buffered(); false at the end, on an error and after the time limit.
  bool fill() {
    char bytes[65536];
    ssize_t count = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffered_.append(bytes, static_cast<size_t>(count));
    return true;
  }
  // Takes everything through `mark`, or all there is before the end.
  std::string take_through(std::string_view mark) {
    size_t at = 0;
    while ((at = buffered_.find(mark)) == std::string::npos) {
      if (!fill()) return std::exchange(buffered_, "");
    }
    return take(at + mark.size());
  }
  std::string take(size_t size) {
    while (buffered_.size() < size && fill()) {
    }
    std::string taken = buffered_.substr(0, size);
    buffered_.erase(0, taken.size());
    return taken;
  }
  std::string take_all() {
    while (fill()) {
    }
    return std::exchange(buffered_, "");
  }
  std::string take_chunked() {
    std::string body;
    while (true) {
      size_t size = std::stoul("0" + take_through("\r\n"), nullptr, 16);
      if (size == 0) break;
      body += take(size);
      take(2);
    }
    take(2);
    return body;
  }
  bool at_end() { return buffered_.empty() && !fill(); }
  void finish_sending() { shutdown(fd_.get(), SHUT_WR); }
  void reset() {
    linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_ = UniqueFd();
  }
  void close() { fd_ = UniqueFd(); }

 private:
  UniqueFd fd_;
  std::string buffered_;
};

inline std::string header_of(const std::string& head, const std::string& name) {
  size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  at += name.size() + 4;
  return head.substr(at, head.find("\r\n", at) - at);
}

// An application: `serve` has each connection; heads it notes are kept. Connections without a byte
// (health checks) never reach it.
class Application {
 public:
  using Serve = std::function<void(Wire& wire, Application& self)>;

  explicit Application(Serve serve) : serve_(std::move(serve)) {
    auto fd = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 64);
    EXPECT_TRUE(fd);
    fd_ = std::move(*fd);
    port_ = SocketAddress::local_of(fd_.get()).port();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Application() {
    stopped_ = true;
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
  }
  uint16_t port() const { return port_; }
  std::string read_head(Wire& wire) {
    std::string head = wire.take_through("\r\n\r\n");
    std::lock_guard lock(mutex_);
    if (!head.empty()) heads_.push_back(head);
    return head;
  }
  std::vector<std::string> heads() {
    std::lock_guard lock(mutex_);
    return heads_;
  }

  // Answers every request with its body, or its name where there is none.
  static Serve echo(const std::string& name) {
    return [name](Wire& wire, Application& self) {
      while (true) {
        std::string head = self.read_head(wire);
        if (head.empty()) return;
        std::string body = name;
        std::string length = header_of(head, "Content-Length");
        if (!length.empty()) body = wire.take(std::stoul(length));
        if (!header_of(head, "Transfer-Encoding").empty()) body = wire.take_chunked();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                  (head.substr(0, 4) == "HEAD" ? "" : body));
      }
    };
  }
  // Reads one head, sends exactly this, closes.
  static Serve once(const std::string& response) {
    return [response](Wire& wire, Application& self) {
      self.read_head(wire);
      wire.send(response);
    };
  }

 private:
  void accept_all() {
    while (!stopped_) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (poll(&ready, 1, 20) <= 0) continue;
      UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      threads_.emplace_back([this, owned = std::make_shared<UniqueFd>(std::move(fd))]() mutable {
        char byte;
        pollfd waiting{owned->get(), POLLIN, 0};
        while (!stopped_ && poll(&waiting, 1, 20) == 0) {
        }
        if (stopped_ || recv(owned->get(), &byte, 1, MSG_PEEK) <= 0) return;
        Wire wire(std::move(*owned));
        serve_(wire, *this);
      });
    }
  }

  Serve serve_;
  UniqueFd fd_;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::vector<std::string> heads_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

inline Target local_target(uint16_t port) { return {*parse_ip_address("127.0.0.1"), port}; }

// What the configuration file would give: one listener on 127.0.0.1, and groups of local ports.
class Balancer {
 public:
  struct Group {
    std::string name;
    std::vector<uint16_t> ports;
  };

  explicit Balancer(std::vector<Group> groups, std::vector<Rule> rules = {},
                    AlbOptions options = {}) {
    LoadBalancer load_balancer;
    load_balancer.name = "web-alb";
    load_balancer.type = LoadBalancerType::kApplication;
    Listener listener;
    listener.protocol = Protocol::kHttp;
    listener.address = *parse_ip_address("127.0.0.1");
    listener.default_action.target_group = groups.front().name;
    listener.rules = std::move(rules);
    load_balancer.listeners.push_back(listener);
    config_.load_balancers.push_back(load_balancer);
    for (const Group& group : groups) {
      TargetGroup target_group;
      target_group.name = group.name;
      target_group.protocol = Protocol::kHttp;
      target_group.health_check.interval_s = 1;
      target_group.health_check.timeout_s = 1;
      target_group.health_check.healthy_threshold = 2;
      for (uint16_t port : group.ports) target_group.targets.push_back(local_target(port));
      config_.target_groups.push_back(target_group);
    }
    start(options);
  }
  ~Balancer() { stop(); }

  uint16_t port() const { return port_; }
  Wire client() { return Wire::connect_to(port_); }

  // What is served next, after apply().
  Config& config() { return config_; }
  Listener& listener() { return config_.load_balancers[0].listeners[0]; }
  Result<> apply(Alb::OnUnbound on_unbound = Alb::OnUnbound::kRefuse) {
    Result<> done;
    on_loop([&] { done = alb_->apply(config_, on_unbound); });
    return done;
  }
  TargetGroup& group(const std::string& name) { return *config_.target_groups.edit(name); }

  // Runs `work` on the loop's thread, and waits for it.
  void on_loop(const std::function<void()>& work) {
    std::atomic<bool> done = false;
    {
      std::lock_guard lock(mutex_);
      work_ = [&] {
        work();
        done = true;
      };
    }
    eventfd_write(wake_.get(), 1);
    while (!done) std::this_thread::yield();
  }
  AlbCounters counters() {
    AlbCounters copy;
    on_loop([&] { copy = served().counters; });
    return copy;
  }
  Alb& alb() { return *alb_; }
  ServedBalancer& served() { return *alb_->balancers().begin()->second; }
  TargetPool& pool(const std::string& group) { return *served().pools.at(group); }
  // Until the condition holds on the loop's thread; false after five seconds.
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; ++i) {
      bool holds = false;
      on_loop([&] { holds = condition(); });
      if (holds) return true;
      usleep(10000);
    }
    return false;
  }
  void stop() {
    if (!thread_.joinable()) return;
    on_loop([&] { loop_->stop(); });
    thread_.join();
    alb_.reset();
  }

 private:
  void start(AlbOptions options) {
    loop_ = std::move(*EventLoop::create());
    if (options.health_second_ms == 1000) options.health_second_ms = 100;
    alb_ = std::make_unique<Alb>(*loop_, options, AccessLog());
    const auto applied = alb_->apply(config_);
    ASSERT_TRUE(applied) << applied.error().text();
    port_ = alb_->frontends()[0]->address.port();
    ASSERT_TRUE(alb_->start());
    wake_ = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    ASSERT_TRUE(waker_.start(*loop_, wake_.get(), EPOLLIN, [this](uint32_t) {
      eventfd_t value;
      eventfd_read(wake_.get(), &value);
      std::function<void()> work;
      {
        std::lock_guard lock(mutex_);
        work = std::exchange(work_, nullptr);
      }
      if (work) work();
    }));
    thread_ = std::thread([this] { loop_->run(); });
  }

  Config config_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Alb> alb_;
  UniqueFd wake_;
  Watch waker_;
  std::mutex mutex_;
  std::function<void()> work_;
  uint16_t port_ = 0;
  std::thread thread_;
};

inline Rule rule(uint32_t priority, std::vector<Condition> conditions, const std::string& group) {
  return {{}, priority, std::move(conditions), {group}};
}

}  // namespace sluice::gateway
