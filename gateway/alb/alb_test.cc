// SPDX-License-Identifier: Apache-2.0
// Requests that go well: routing, rewriting, connections, bodies, drain.
#include "gateway/alb/alb.h"

#include <gtest/gtest.h>

#include "gateway/alb/alb_test_support.h"
#include "gateway/alb/stats.h"

namespace sluice::gateway {
namespace {

std::string get(const std::string& path, const std::string& lines = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: a.example\r\n" + lines + "\r\n";
}

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  uint32_t x = 1;
  for (char& c : bytes) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Alb, WritesTheRequestAnew) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(
      "GET http://a.example/x?y=z HTTP/1.1\r\nhost: a.example\r\nConnection: keep-alive, X-Mine\r\n"
      "X-Mine: secret\r\nX-Kept: yes\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: "
      "10.0.0.9\r\n"
      "X-Forwarded-Proto: gopher\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Amzn-Trace-Id: "
      "Root=1-2-3\r\n\r\n");
  client.take_through("web");
  ASSERT_EQ(web.heads().size(), 1u);
  std::string head = web.heads()[0];
  EXPECT_EQ(head.substr(0, 24), "GET /x?y=z HTTP/1.1\r\nHos");
  EXPECT_EQ(header_of(head, "Host"), "a.example");
  EXPECT_EQ(header_of(head, "X-Kept"), "yes");
  EXPECT_EQ(header_of(head, "X-Forwarded-For"), "203.0.113.7, 10.0.0.9, 127.0.0.1");
  EXPECT_EQ(header_of(head, "X-Forwarded-Proto"), "http");
  EXPECT_EQ(header_of(head, "X-Forwarded-Port"), std::to_string(balancer.port()));
  std::string trace = header_of(head, "X-Amzn-Trace-Id");
  EXPECT_EQ(trace.substr(0, 7), "Self=1-");
  EXPECT_EQ(trace.substr(trace.find(';')), ";Root=1-2-3");
  for (const char* gone : {"X-Mine", "TE", "Upgrade", "Connection", "host", "Content-Length"}) {
    EXPECT_EQ(header_of(head, gone), "") << gone;
  }
}

TEST(Alb, RoutesByHostAndPath) {
  Application web(Application::echo("web")), api(Application::echo("api"));
  Condition path{ConditionField::kPathPattern, {"/api/*"}};
  Condition host{ConditionField::kHostHeader, {"api.*"}};
  Balancer balancer({{"web", {web.port()}}, {"api", {api.port()}}},
                    {rule(10, {path}, "api"), rule(20, {host}, "api")});
  Wire client = balancer.client();
  auto ask = [&](const std::string& name, const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n");
    client.take_through("\r\n\r\n");
    return client.take(3);
  };
  EXPECT_EQ(ask("a.example", "/"), "web");
  EXPECT_EQ(ask("a.example", "/api/1"), "api");
  EXPECT_EQ(ask("a.example", "/API/1"), "web");
  EXPECT_EQ(ask("a.example", "/x?/api/1"), "web");
  EXPECT_EQ(ask("API.example:80", "/"), "api");
}

TEST(Alb, KeepsConnectionsOnBothSides) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  for (int i = 0; i < 3; ++i) {
    Wire client = balancer.client();
    for (int j = 0; j < 3; ++j) {
      client.send(get("/"));
      EXPECT_EQ(header_of(client.take_through("web"), "Connection"), "");
    }
  }
  auto counters = balancer.counters();
  EXPECT_EQ(counters.requests, 9u);
  EXPECT_EQ(counters.target_connections, 1u);
  EXPECT_EQ(counters.target_connections_reused, 8u);
  EXPECT_EQ(counters.elb_2xx, 9u);
}

TEST(Alb, AnswersPipelinedRequestsInOrder) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none" + get("/") +
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3;x=y\r\nree\r\n"
      "0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_NE(client.take_through("one"), "");
  EXPECT_NE(client.take_through("web"), "");
  client.take_through("\r\n\r\n");
  EXPECT_EQ(client.take(5), "three");
}

TEST(Alb, OneByteAtATime) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  for (char c :
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
           get("/")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  client.take_through("\r\n\r\n");
  EXPECT_EQ(client.take(3), "abc");
  client.take_through("\r\n\r\n");
  EXPECT_EQ(client.take(3), "web");
}

TEST(Alb, LargeBodiesBothWays) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  std::string body = pattern(10'000'000);
  Wire client = balancer.client();
  std::thread sender([&] {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + body);
  });
  Wire other = balancer.client();  // is served while the large one goes on
  other.send(get("/"));
  EXPECT_NE(other.take_through("web"), "");
  sender.join();
  std::string head = client.take_through("\r\n\r\n");
  EXPECT_EQ(header_of(head, "Content-Length"), "10000000");
  EXPECT_TRUE(client.take(10'000'000) == body);
  client.send(get("/"));
  EXPECT_NE(client.take_through("web"), "");
}

TEST(Alb, LargeChunkedBodiesAndASlowReader) {
  std::string body = pattern(10'000'000);
  Application web([&](Wire& wire, Application& self) {
    self.read_head(wire);
    std::string got = wire.take_chunked();
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < got.size(); at += 99'999) {
      std::string part = got.substr(at, 99'999);
      char size[16];
      std::snprintf(size, sizeof size, "%zx\r\n", part.size());
      wire.send(size + part + "\r\n");
    }
    wire.send("0\r\nTrailer-Of-Target: 1\r\n\r\n");
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  std::thread sender([&] {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("989680\r\n" + body + "\r\n0\r\n\r\n");  // 10 000 000 in one chunk
  });
  sender.join();
  std::string head = client.take_through("\r\n\r\n");
  EXPECT_EQ(header_of(head, "Transfer-Encoding"), "chunked");
  EXPECT_TRUE(client.take_chunked() == body);
}

TEST(Alb, ResponsesWithoutABody) {
  Application web([](Wire& wire, Application& self) {
    while (true) {
      std::string head = self.read_head(wire);
      if (head.empty()) return;
      if (head.find("/204") != std::string::npos) {
        wire.send("HTTP/1.1 204 No Content\r\n\r\n");
      } else if (head.find("/304") != std::string::npos) {
        wire.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
      } else {
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
      }
    }
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(get("/204") + get("/304") + "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/204"));
  EXPECT_EQ(client.take_through("\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(header_of(client.take_through("\r\n\r\n"), "Content-Length"), "500");
  EXPECT_EQ(header_of(client.take_through("\r\n\r\n"), "Content-Length"), "500");
  EXPECT_EQ(client.take_through("\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(balancer.counters().target_connections, 1u);
}

TEST(Alb, OpenEndedResponseIsChunkedForNewClientsAndClosedForOldOnes) {
  Application web(Application::once("HTTP/1.0 200 OK\r\n\r\nuntil the end"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(get("/"));
  EXPECT_EQ(header_of(client.take_through("\r\n\r\n"), "Transfer-Encoding"), "chunked");
  EXPECT_EQ(client.take_chunked(), "until the end");
  client.send("GET / HTTP/1.0\r\n\r\n");
  std::string all = client.take_all();
  EXPECT_EQ(header_of(all, "Transfer-Encoding"), "");
  EXPECT_EQ(all.substr(all.find("\r\n\r\n")), "\r\n\r\nuntil the end");
}

TEST(Alb, OldClientMayKeepItsConnection) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  for (int i = 0; i < 2; ++i) {
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(header_of(client.take_through("web"), "Connection"), "keep-alive");
  }
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(header_of(client.take_all(), "Connection"), "close");
  EXPECT_EQ(header_of(web.heads()[0], "Host"), "127.0.0.1:" + std::to_string(balancer.port()));
}

TEST(Alb, PassesContinueToAClientThatWaits) {
  Application web([](Wire& wire, Application& self) {
    self.read_head(wire);
    wire.send("HTTP/1.1 100 Continue\r\n\r\n");
    // It ends after one request and says so: a POST on a connection that is about to close is a
    // 502.
    wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n" + wire.take(4));
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.take_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_NE(client.take_through("body"), "");
  EXPECT_EQ(header_of(web.heads()[0], "Expect"), "100-continue");

  Wire hasty = balancer.client();
  hasty.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(hasty.take_through("\r\n").substr(0, 15), "HTTP/1.1 200 OK");
}

TEST(Alb, EarlyHintsGoOnlyToClientsThatKnowThem) {
  Application web([](Wire& wire, Application& self) {
    while (!self.read_head(wire).empty()) {
      wire.send(
          "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
          "2\r\n\r\nok");
    }
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(get("/"));
  EXPECT_EQ(client.take_through("\r\n\r\n").substr(0, 12), "HTTP/1.1 103");
  EXPECT_NE(client.take_through("ok").find("200 OK"), std::string::npos);
  Wire old = balancer.client();
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.take_all().substr(0, 12), "HTTP/1.1 200");
}

TEST(Alb, UnhealthyTargetsGetNoRequests) {
  Application web(Application::echo("web"));
  uint16_t dead = 0;
  {
    auto fd = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 1);
    dead = SocketAddress::local_of(fd->get()).port();
  }
  Balancer balancer({{"web", {dead, web.port()}}});
  auto& targets = balancer.pool("web").targets();
  ASSERT_TRUE(balancer.eventually([&] { return targets[1]->healthy() && !targets[0]->healthy(); }));
  Wire client = balancer.client();
  for (int i = 0; i < 6; ++i) {
    client.send(get("/"));
    EXPECT_NE(client.take_through("web").find("200 OK"), std::string::npos);
  }
  auto counters = balancer.counters();
  EXPECT_EQ(counters.target_connect_failures, 0u);
  EXPECT_EQ(counters.fail_open, 0u);
  std::string stats;
  balancer.on_loop([&] { stats = alb_stats_json(balancer.alb()); });
  EXPECT_NE(stats.find("\"healthy\""), std::string::npos) << stats;
}

TEST(Alb, DrainFinishesWhatIsInFlight) {
  std::atomic<bool> go = false;
  Application web([&](Wire& wire, Application& self) {
    self.read_head(wire);
    while (!go) usleep(1000);
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire idle = balancer.client(), busy = balancer.client();
  busy.send(get("/"));
  ASSERT_TRUE(balancer.eventually([&] { return balancer.alb().clients() == 2; }));
  ASSERT_TRUE(balancer.eventually([&] { return web.heads().size() == 1; }));
  std::atomic<bool> drained = false;
  balancer.on_loop([&] { balancer.alb().drain([&] { drained = true; }); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(drained);
  go = true;
  std::string answer = busy.take_through("late");
  EXPECT_EQ(header_of(answer, "Connection"), "close");
  busy.close();
  EXPECT_TRUE(balancer.eventually([&] { return drained.load(); }));
}

}  // namespace
}  // namespace sluice::gateway
