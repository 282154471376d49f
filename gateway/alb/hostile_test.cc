// SPDX-License-Identifier: Apache-2.0
// Requests, targets and clients that misbehave: the right status, the right end, nothing smuggled.
#include <gtest/gtest.h>

#include <future>

#include "gateway/alb/alb.h"
#include "gateway/alb/alb_test_support.h"

namespace sluice::gateway {
namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string status_in(const std::string& response) {
  return response.size() < 12 ? response : response.substr(9, 3);
}

uint16_t closed_port() {
  auto fd = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 1);
  return SocketAddress::local_of(fd->get()).port();
}

AlbOptions hasty() {
  AlbOptions options;
  options.idle_timeout_ms = 300;
  options.connect_timeout_ms = 300;
  return options;
}

struct HostileCase {
  const char* name;
  std::string bytes;
  const char* status;
};

std::string post(const std::string& lines, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}

// Each is answered once, the connection ends, and "/evil" never reaches the application.
TEST(Hostile, RefusedWithItsStatusAndClosed) {
  const std::string evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string many;
  for (int i = 0; i <= 30; ++i) many += (i > 0 ? "," : "") + std::string("10.0.0.1");
  const HostileCase cases[] = {
      {"CL.TE", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + evil),
       "400"},
      {"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n" + evil),
       "400"},
      {"TE.TE", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n" + evil),
       "400"},
      {"TE.0", post("Transfer-Encoding: identity\r\n", evil), "501"},
      {"CL CL", post("Content-Length: 0\r\nContent-Length: 33\r\n", evil), "400"},
      {"CL list", post("Content-Length: 0, 33\r\n", evil), "400"},
      {"space colon", post("Content-Length : 33\r\n", evil), "400"},
      {"folded", post("X: a\r\n Transfer-Encoding: chunked\r\n", evil), "400"},
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n" + evil, "400"},
      {"bare CR", post("X: a\rTransfer-Encoding: chunked\r\n", evil), "400"},
      {"NUL", post(std::string("X: a\0b\r\n", 8), evil), "400"},
      {"no host", "GET / HTTP/1.1\r\n\r\n" + evil, "400"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + evil, "400"},
      {"HTTP/0.9", "GET /\r\n" + evil, "400"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"TLS", std::string("\x16\x03\x01\x00\xa5\x01", 6), "400"},
      {"long line", "GET /" + std::string(kRequestLineMax, 'a') + " HTTP/1.1\r\n", "414"},
      {"long header", post("X: " + std::string(kHeaderLineMax, 'a') + "\r\n"), "431"},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + evil, "405"},
      {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
      {"expectation", post("Expect: magic\r\nContent-Length: 3\r\n", "abc"), "417"},
      {"WebSocket",
       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + evil,
       "501"},
      {"forwarded for", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + many + "\r\n\r\n" + evil,
       "463"},
      {"chunk size sign", post("Transfer-Encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n" + evil),
       "400"},
      {"chunk size 0x", post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n" + evil),
       "400"},
      {"chunk LF", post("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n" + evil), "400"},
      {"chunk extension LF", post("Transfer-Encoding: chunked\r\n", "0;\n\r\n\r\n" + evil), "400"},
      {"chunk too long", post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n" + evil),
       "400"},
      {"trailer length",
       post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 5\r\n\r\n" + evil), "400"},
  };
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  for (const auto& one : cases) {
    Wire client = balancer.client();
    client.send(one.bytes);
    std::string response = client.take_all();
    EXPECT_EQ(status_in(response), one.status) << one.name;
    EXPECT_EQ(header_of(response, "Connection"), "close") << one.name;
    EXPECT_EQ(response.find("HTTP/1.1", 8), std::string::npos) << one.name << "\n" << response;
  }
  for (const std::string& head : web.heads())
    EXPECT_EQ(head.find("evil"), std::string::npos) << head;
  auto counters = balancer.counters();
  EXPECT_EQ(counters.requests, std::size(cases));
  EXPECT_EQ(counters.elb_2xx, 0u);
}

TEST(Hostile, BodyThatEndsEarly) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(post("Content-Length: 10\r\n", "abc"));
  client.finish_sending();
  EXPECT_EQ(status_in(client.take_all()), "400");
}

TEST(Hostile, SlowHeadsAndSlowBodiesEnd) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {web.port()}}}, {}, hasty());
  Wire silent = balancer.client(), head = balancer.client(), body = balancer.client();
  body.send(post("Content-Length: 10\r\n", "abc"));
  for (char c : std::string("GET / HT")) {  // a trickle does not move the deadline
    head.send({&c, 1});
    usleep(50'000);
  }
  EXPECT_EQ(status_in(head.take_all()), "408");
  EXPECT_EQ(status_in(body.take_all()), "408");
  EXPECT_EQ(silent.take_all(), "");
  EXPECT_EQ(balancer.counters().client_timeouts, 2u);
}

TEST(Hostile, ConnectionsOverTheLimitAreClosedAndCounted) {
  Application web(Application::echo("web"));
  AlbOptions options;
  options.clients_max = 2;
  Balancer balancer({{"web", {web.port()}}}, {}, options);
  Wire first = balancer.client(), second = balancer.client();
  ASSERT_TRUE(balancer.eventually([&] { return balancer.alb().clients() == 2; }));
  Wire third = balancer.client();
  EXPECT_TRUE(third.at_end());
  first.send(kGet);
  EXPECT_NE(first.take_through("web"), "");
  EXPECT_EQ(balancer.counters().connections_refused, 1u);
}

TEST(Targets, NoneRegistered) {
  Balancer balancer({Balancer::Group{"web", {}}});
  Wire client = balancer.client();
  client.send(kGet + kGet);  // the connection stays: the requests were good
  EXPECT_EQ(status_in(client.take_through("Unavailable\n")), "503");
  EXPECT_EQ(status_in(client.take_through("Unavailable\n")), "503");
  EXPECT_EQ(balancer.counters().no_targets, 2u);
}

TEST(Targets, ManyPipelinedRequestsThatWeAnswerOurselves) {
  Balancer balancer({Balancer::Group{"web", {}}});
  Wire client = balancer.client();
  constexpr int kRequests = 20'000;
  std::thread sender([&] {
    for (int i = 0; i < kRequests; ++i) client.send(kGet);
  });
  int answers = 0;
  while (answers < kRequests && !client.take_through("Unavailable\n").empty()) ++answers;
  sender.join();
  EXPECT_EQ(answers, kRequests);
}

TEST(Targets, OneThatRefusesIsPassedOver) {
  Application web(Application::echo("web"));
  Balancer balancer({{"web", {closed_port(), web.port()}}});
  Wire client = balancer.client();
  for (int i = 0; i < 4; ++i) {
    client.send(kGet);
    EXPECT_EQ(status_in(client.take_through("web")), "200");
  }
}

TEST(Targets, AllRefuse) {
  Balancer balancer({{"web", {closed_port(), closed_port()}}});
  Wire client = balancer.client();
  client.send(kGet);
  EXPECT_EQ(status_in(client.take_through("Gateway\n")), "502");
  auto counters = balancer.counters();
  EXPECT_EQ(counters.target_connect_failures, 2u);
  EXPECT_EQ(counters.fail_open, 1u);
}

TEST(Targets, SilentOnesTimeOut) {
  Application web([](Wire& wire, Application& self) {
    self.read_head(wire);
    wire.fill();
  });
  Balancer balancer({{"web", {web.port()}}}, {}, hasty());
  Wire client = balancer.client();
  client.send(kGet);
  EXPECT_EQ(status_in(client.take_through("Timeout\n")), "504");
  EXPECT_EQ(balancer.counters().target_timeouts, 1u);
}

TEST(Targets, ResponsesThatAreNotHttp) {
  const std::string cases[] = {
      "",
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(kResponseHeadersMax, 'x') + "\r\n\r\n",
  };
  for (const std::string& response : cases) {
    Application web(Application::once(response));
    Balancer balancer({{"web", {web.port()}}});
    Wire client = balancer.client();
    client.send(kGet);
    EXPECT_EQ(status_in(client.take_through("Gateway\n")), "502") << response.substr(0, 60);
    EXPECT_EQ(balancer.counters().target_bad_responses, 1u);
  }
}

TEST(Targets, TooManyInterimResponses) {
  std::string response;
  for (size_t i = 0; i <= kInterimResponsesMax; ++i) response += "HTTP/1.1 102 Processing\r\n\r\n";
  Application web(Application::once(response));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(kGet);
  EXPECT_NE(client.take_through("Gateway\n").find("502"), std::string::npos);
}

// The client must be able to tell that the body is not whole.
TEST(Targets, ResetDuringTheResponseIsPassedOn) {
  const std::string heads[] = {"Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n", ""};
  for (const std::string& lines : heads) {
    std::promise<void> part_arrived;
    const auto arrived = part_arrived.get_future().share();
    Application web([&](Wire& wire, Application& self) {
      self.read_head(wire);
      bool chunked = lines[0] == 'T';
      wire.send("HTTP/1.1 200 OK\r\n" + lines + "\r\n" + (chunked ? "4\r\npart\r\n" : "part"));
      arrived.wait();
      wire.reset();
    });
    Balancer balancer({{"web", {web.port()}}});
    Wire client = balancer.client();
    client.send(kGet);
    std::string all = client.take_through("part");
    part_arrived.set_value();
    all += client.take_all();
    EXPECT_EQ(status_in(all), "200");
    EXPECT_EQ(all.find("\r\n0\r\n\r\n"), std::string::npos) << all;
    EXPECT_EQ(balancer.counters().responses_cut, 1u);
  }
}

TEST(Targets, BytesAfterAResponseEndTheConnection) {
  Application web([](Wire& wire, Application& self) {
    while (!self.read_head(wire).empty()) {
      wire.send(
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nwebHTTP/1.1 200 OK\r\nContent-Length: "
          "4\r\n\r\nevil");
    }
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(kGet + kGet);
  EXPECT_NE(client.take_through("web"), "");
  std::string second = client.take_through("web");
  EXPECT_EQ(second.find("evil"), std::string::npos) << second;
  auto counters = balancer.counters();
  EXPECT_EQ(counters.target_connections_reused, 0u);
}

TEST(Targets, AnswerBeforeTheEndOfTheRequest) {
  Application web(Application::once("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"));
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(post("Content-Length: 100000\r\n", "beginning"));
  std::string response = client.take_all();
  EXPECT_EQ(status_in(response), "413");
  EXPECT_EQ(header_of(response, "Connection"), "close");
  EXPECT_EQ(balancer.counters().target_connections, 1u);
}

// A kept connection that the target closes just as a request is sent.
TEST(Targets, StaleConnectionIsReplacedOnlyWhereThatIsSafe) {
  Application web([](Wire& wire, Application& self) {
    self.read_head(wire);
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nweb");
    wire.take_through("\r\n\r\n");  // reads the second one and goes, without a word
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  for (int i = 0; i < 2; ++i) {
    client.send(kGet);
    EXPECT_EQ(status_in(client.take_through("web")), "200");
  }
  EXPECT_EQ(balancer.counters().target_connections_stale, 1u);
  client.send(post("Content-Length: 0\r\n"));
  EXPECT_EQ(status_in(client.take_through("Gateway\n")), "502");
}

TEST(Clients, GoneBeforeTheAnswer) {
  std::atomic<bool> aborted = false;
  Application web([&](Wire& wire, Application& self) {
    self.read_head(wire);
    aborted = wire.at_end();
  });
  Balancer balancer({{"web", {web.port()}}});
  Wire client = balancer.client();
  client.send(kGet);
  ASSERT_TRUE(balancer.eventually([&] { return web.heads().size() == 1; }));
  client.close();
  EXPECT_TRUE(balancer.eventually([&] { return balancer.served().counters.client_aborts == 1; }));
  EXPECT_TRUE(balancer.eventually([&] { return aborted.load(); }));
}

TEST(Clients, ThatStopReadingAreCutOff) {
  std::string body(20'000'000, 'x');
  Application web(Application::once("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + body));
  Balancer balancer({{"web", {web.port()}}}, {}, hasty());
  Wire client = balancer.client();
  client.send(kGet);
  EXPECT_TRUE(balancer.eventually([&] { return balancer.served().counters.responses_cut == 1; }));
  EXPECT_TRUE(balancer.eventually([&] { return balancer.alb().clients() == 0; }));
  EXPECT_EQ(balancer.counters().target_timeouts, 0u);
}

}  // namespace
}  // namespace sluice::gateway
