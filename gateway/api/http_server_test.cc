// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace sluice::gateway {
namespace {

constexpr HttpLimits kSmall{.connections_max = 8,
                            .streams_max = 2,
                            .body_bytes_max = 1000,
                            .held_bytes_max = 4 << 20,
                            .linger_bytes_max = 64 << 20};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() : loop(std::move(*EventLoop::create())) {}

  void serve(HttpLimits limits = kSmall) {
    server = HttpServer::create(*loop, limits);
    server->route("GET", "/live", HttpServer::Access::kOpen, [](const HttpRequest&) {
      return HttpResponse{200, "text/plain", "alive\n"};
    });
    server->route("GET", "/secret", HttpServer::Access::kGuarded, [](const HttpRequest&) {
      return HttpResponse{200, "text/plain", "secret"};
    });
    server->route("GET", "/events", HttpServer::Access::kOpen, [this](const HttpRequest&) {
      HttpResponse response{200, "text/event-stream", ": hello\n\n"};
      response.stream = [this](std::shared_ptr<HttpStream> made) { stream = std::move(made); };
      return response;
    });
    server->route("GET", "/big", HttpServer::Access::kOpen, [](const HttpRequest&) {
      return HttpResponse{200, "text/plain", std::string(3 << 20, 'x')};
    });
    server->set_guard([](const HttpRequest& request) -> std::optional<HttpResponse> {
      if (request.header("x-key") == "k") return std::nullopt;
      return json_error(403, "no key");
    });
    server->set_fallback(
        [](const HttpRequest& request) {
          return HttpResponse{
              200, "text/xml",
              "<q>" + std::string(request.query) + "</q><b>" + std::string(request.body) + "</b>"};
        },
        [](int status, std::string_view message) {
          return HttpResponse{status, "text/xml", "<Error>" + std::string(message) + "</Error>"};
        });
    auto listening = server->listen(*SocketAddress::parse("127.0.0.1", 0));
    ASSERT_TRUE(listening) << listening.error().text();
    port = *listening;
  }
  UniqueFd connect() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = SocketAddress::parse("127.0.0.1", port);
    EXPECT_EQ(::connect(fd.get(), to->raw(), to->size()), 0);
    return fd;
  }
  void turn(int times = 10) {
    for (int i = 0; i < times; i++) loop->turn(1);
  }
  // False when the server has closed.
  bool write(const UniqueFd& fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EAGAIN) return false;
      if (count > 0) text.remove_prefix(static_cast<size_t>(count));
      loop->turn(0);
    }
    return true;
  }
  // Turns the loop until `enough` of what has come, or the server closes ("(end)" or "(reset)").
  std::string read(const UniqueFd& fd, const std::function<bool(const std::string&)>& enough) {
    std::string out;
    char chunk[65536];
    for (int i = 0; i < 20'000 && !enough(out); i++) {
      loop->turn(1);
      const ssize_t count = ::recv(fd.get(), chunk, sizeof chunk, MSG_DONTWAIT);
      if (count > 0) out.append(chunk, static_cast<size_t>(count));
      if (count == 0) return out + "(end)";
      if (count < 0 && errno != EAGAIN) return out + "(reset)";
    }
    return out;
  }
  std::string read_through(const UniqueFd& fd, const std::string& mark) {
    return read(fd, [&](const std::string& all) { return all.find(mark) != std::string::npos; });
  }
  std::string read_all(const UniqueFd& fd) {
    return read(fd, [](const std::string&) { return false; });
  }
  std::string ask(const std::string& request) {
    const UniqueFd fd = connect();
    write(fd, request);
    ::shutdown(fd.get(), SHUT_WR);
    return read_all(fd);
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<HttpServer> server;
  std::shared_ptr<HttpStream> stream;
  uint16_t port = 0;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(HttpServerTest, AnswersOneRequestAfterAnother) {
  serve();
  const UniqueFd fd = connect();
  for (int i = 0; i < 3; i++) {
    write(fd, "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = read_through(fd, "alive\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
    EXPECT_TRUE(has(answer, "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nalive\n"));
  }
  write(fd,
        "GET /live HTTP/1.1\r\nHost: a\r\n\r\nGET /live HTTP/1.1\r\nHost: a\r\n\r\n"
        "HEAD /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answers = read_all(fd);
  EXPECT_TRUE(has(answers, "alive\nHTTP/1.1 200 OK")) << answers;
  EXPECT_TRUE(answers.ends_with("Content-Length: 6\r\nConnection: close\r\n\r\n(end)")) << answers;
  EXPECT_EQ(server->counters().requests, 6u);
}

TEST_F(HttpServerTest, RoutesByPathAndMethod) {
  serve();
  EXPECT_TRUE(has(ask("GET /live?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"), "alive"));
  const std::string other = ask("DELETE /live HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(other, "HTTP/1.1 405 Method Not Allowed")) << other;
  EXPECT_TRUE(has(other, "Allow: GET\r\n")) << other;
  const std::string missing = ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(missing, "404 Not Found")) << missing;
  EXPECT_TRUE(has(missing, R"({"error":"there is no such page"})")) << missing;
  EXPECT_TRUE(
      has(ask("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b"), "<b>a=b</b>"));
  EXPECT_TRUE(has(ask("GET /?Action=X HTTP/1.1\r\nHost: a\r\n\r\n"), "<q>Action=X</q>"));
  EXPECT_TRUE(has(ask("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"), "403 Forbidden"));
  EXPECT_TRUE(has(ask("GET /secret HTTP/1.1\r\nHost: a\r\nX-Key: k\r\n\r\n"), "\r\n\r\nsecret"));
}

TEST_F(HttpServerTest, WhatCannotBeReadIsRefusedInTheFormOfItsCaller) {
  serve();
  const struct {
    std::string request, status, text;
  } cases[] = {
      {"nonsense", "", ""},
      {"nonsense\r\n\r\n", "400", "{\"error\":"},
      {" GET", "400", "{\"error\":"},
      {"POST / HTTP/1.1\r\n\r\n", "400", "<Error>Host missing</Error>"},
      {"GET / HTTP/1.1\r\n\r\n", "400", R"({"error":"Host missing"})"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "413", "<Error>"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3E9\r\n" +
           std::string(1001, 'a'),
       "413", "<Error>"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", "400", "<Error>"},
      {"GET /" + std::string(kRequestLineMax + 1, 'a'), "414", "{\"error\":"},
      {"GET / HTTP/1.1\r\nA: " + std::string(kHeaderLineMax + 1, 'a'), "431", "{\"error\":"},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505", "{\"error\":"},
  };
  for (const auto& one : cases) {
    const std::string answer = ask(one.request);
    if (one.status.empty()) {
      EXPECT_EQ(answer, "(end)");
      continue;
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + one.status))
        << one.request.substr(0, 40) << answer;
    EXPECT_TRUE(has(answer, one.text)) << answer;
    EXPECT_TRUE(has(answer, "Connection: close")) << answer;
  }
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_EQ(server->held_bytes(), 0u);
}

TEST_F(HttpServerTest, AnswersTheSameHoweverTheRequestIsCut) {
  serve();
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\na=\r\n1\r\nb\r\n0\r\n\r\n";
  for (size_t cut = 1; cut < request.size(); cut++) {
    const UniqueFd fd = connect();
    write(fd, request.substr(0, cut));
    turn(2);
    write(fd, request.substr(cut));
    EXPECT_TRUE(has(read_through(fd, "</b>"), "<b>a=b</b>")) << cut;
  }
}

TEST_F(HttpServerTest, AClientThatSendsTooMuchStillReadsTheAnswer) {
  serve();
  const UniqueFd fd = connect();
  write(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n");
  const std::string block(1 << 20, 'a');
  for (int i = 0; i < 32; i++) ASSERT_TRUE(write(fd, block)) << i;
  ::shutdown(fd.get(), SHUT_WR);
  const std::string answer = read_all(fd);
  EXPECT_TRUE(has(answer, "413 Content Too Large")) << answer;
  EXPECT_TRUE(answer.ends_with("(end)")) << answer;
}

TEST_F(HttpServerTest, ExpectsAreToldToGoOnUnlessTheBodyIsRefused) {
  serve();
  const UniqueFd fd = connect();
  write(fd, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(read_through(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  write(fd, "a=b");
  EXPECT_TRUE(has(read_through(fd, "</b>"), "200 OK"));
  EXPECT_TRUE(
      ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3000\r\n\r\n")
          .starts_with("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, SlowClientsAreTimedOut) {
  HttpLimits limits = kSmall;
  limits.idle_ms = limits.request_ms = limits.send_ms = 30;
  serve(limits);
  const UniqueFd silent = connect();
  EXPECT_EQ(read_all(silent), "(end)");
  const UniqueFd slow = connect();
  write(slow, "POST / HT");
  EXPECT_TRUE(has(read_all(slow), "408 Request Timeout"));
  const UniqueFd slow_body = connect();
  write(slow_body, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=");
  EXPECT_TRUE(has(read_all(slow_body), "<Error>the request did not arrive in time</Error>"));
  const UniqueFd deaf = connect();
  int small = 4096;
  ::setsockopt(deaf.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  for (int i = 0; i < 8; i++) write(deaf, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 10'000 && server->connections() > 0; i++) loop->turn(1);
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_EQ(server->counters().timeouts, 3u);
}

TEST_F(HttpServerTest, ThousandsOfSilentClientsMakeRoomForOneThatSpeaks) {
  serve();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 300; i++) {
    silent.push_back(connect());
    if (i % 2 == 0) write(silent.back(), "POST / HTTP/1.1\r\n");
    loop->turn(0);
    EXPECT_LE(server->connections(), kSmall.connections_max);
  }
  turn();
  EXPECT_GE(server->counters().connections_evicted, 292u);
  EXPECT_TRUE(has(ask("GET /live HTTP/1.1\r\nHost: a\r\n\r\n"), "alive"));
  EXPECT_LE(server->connections(), kSmall.connections_max);
}

TEST_F(HttpServerTest, WithoutDescriptorsItPausesAndRecovers) {
  serve();
  const UniqueFd idle = connect();
  turn();
  std::array<UniqueFd, 3> clients;
  for (UniqueFd& client : clients) client = connect();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd probe(::dup(0));
  const rlimit none{static_cast<rlim_t>(probe.get()), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  for (int i = 0; i < 1000 && server->counters().accept_failures == 0; i++) loop->turn(1);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GE(server->counters().accept_failures, 1u);
  write(clients[0], "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(read_through(clients[0], "alive\n"), "200 OK"));
}

TEST_F(HttpServerTest, AStreamGoesOnUntilOneSideEndsIt) {
  serve();
  const UniqueFd fd = connect();
  write(fd, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string head = read_through(fd, ": hello\n\n");
  EXPECT_TRUE(has(head, "text/event-stream\r\nConnection: close\r\n\r\n: hello")) << head;
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream->send("data: 1\n\n"));
  EXPECT_TRUE(stream->send("data: 2\n\n"));
  EXPECT_EQ(read_through(fd, "2\n\n"), "data: 1\n\ndata: 2\n\n");
  stream->send("data: 3\n\n");
  stream->close();
  EXPECT_FALSE(stream->send("data: 4\n\n"));
  EXPECT_EQ(read_all(fd), "data: 3\n\n(end)");

  {
    const UniqueFd leaver = connect();
    write(leaver, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    read_through(leaver, ": hello\n\n");
    EXPECT_TRUE(stream->open());
  }
  for (int i = 0; i < 10'000 && stream->open(); i++) loop->turn(1);
  EXPECT_FALSE(stream->open());
}

TEST_F(HttpServerTest, StreamsAreBoundedInNumberAndInWhatWaits) {
  serve();
  const UniqueFd one = connect(), two = connect();
  for (const UniqueFd* fd : {&one, &two}) {
    write(*fd, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    read_through(*fd, ": hello\n\n");
  }
  EXPECT_TRUE(has(ask("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"), "503 Service Unavailable"));
  const std::string block(64 * 1024, 'x');
  bool accepted = true;
  for (int i = 0; i < 1000 && accepted; i++) accepted = stream->send(block);  // nobody reads
  EXPECT_FALSE(accepted);
  EXPECT_FALSE(stream->open());
  server.reset();  // with a stream that goes on
  EXPECT_FALSE(stream->send("x"));
}

TEST_F(HttpServerTest, WaitingAnswersAreBoundedTogether) {
  serve();
  std::vector<UniqueFd> deaf;
  for (int i = 0; i < 3; i++) {
    deaf.push_back(connect());
    int small = 4096;
    ::setsockopt(deaf.back().get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    write(deaf.back(), "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  turn(30);
  EXPECT_LE(server->held_bytes(), kSmall.held_bytes_max);
  EXPECT_GE(server->counters().requests_refused, 1u);
}

TEST_F(HttpServerTest, OverAUnixSocketOfItsOwner) {
  const std::string path = std::filesystem::temp_directory_path() /
                           ("sluice_http_" + std::to_string(::getpid()) + "/a.sock");
  serve();
  ASSERT_TRUE(server->listen_on_unix(path));
  struct stat mode {};
  ASSERT_EQ(::stat(path.c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777, 0600u);
  server->route("GET", "/who", HttpServer::Access::kOpen, [](const HttpRequest& request) {
    return HttpResponse{200, "text/plain", request.over_unix() ? "unix\n" : "tcp\n"};
  });
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  write(fd, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(read_through(fd, "unix\n"), "200 OK"));
  EXPECT_TRUE(has(ask("GET /who HTTP/1.1\r\nHost: a\r\n\r\n"), "tcp"));
  server.reset();
  EXPECT_NE(::stat(path.c_str(), &mode), 0);
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
}

}  // namespace
}  // namespace sluice::gateway
