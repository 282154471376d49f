// SPDX-License-Identifier: Apache-2.0
// What is served is replaced while requests go on.
#include <gtest/gtest.h>

#include "gateway/alb/alb.h"
#include "gateway/alb/alb_test_support.h"

namespace sluice::gateway {
namespace {

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
}

// An answer's body; empty when there is none.
std::string ask(Wire& client, const std::string& path) {
  if (!client.send(get(path))) return "";
  const std::string head = client.take_through("\r\n\r\n");
  const std::string length = header_of(head, "Content-Length");
  return length.empty() ? "" : client.take(std::stoul(length));
}

Condition path_is(const std::string& pattern) { return {ConditionField::kPathPattern, {pattern}}; }

// An application that answers when it is told to.
struct Late {
  std::atomic<bool> go = false;
  Application application{[this](Wire& wire, Application& self) {
    while (!self.read_head(wire).empty()) {
      while (!go) usleep(1000);
      wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    }
  }};
  ~Late() { go = true; }
};

TEST(Swap, NoRequestIsLostInAHundred) {
  constexpr int kSwaps = 100, kClients = 4;
  Application one(Application::echo("one")), two(Application::echo("two"));
  Balancer balancer({{"a", {one.port()}}, {"b", {two.port()}}});
  std::atomic<bool> stop = false;
  std::atomic<size_t> asked = 0, answered = 0, connections = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; i++)
    clients.emplace_back([&, i] {
      while (!stop) {
        Wire client = balancer.client();
        ++connections;
        // Half of the clients keep their connection through many swaps.
        const int requests = i % 2 == 0 ? 5 : 500;
        for (int j = 0; j < requests && !stop; j++) {
          ++asked;
          const std::string body = ask(client, "/x");
          if (body == "one" || body == "two") ++answered;
        }
      }
    });
  for (int swap = 0; swap < kSwaps; swap++) {
    Listener& listener = balancer.listener();
    listener.rules.clear();
    if (swap % 2 == 0) listener.rules = {rule(5, {path_is("/x")}, swap % 4 == 0 ? "b" : "a")};
    if (swap % 3 == 0) listener.default_action = {"", {{"a", 1}, {"b", 2}}};
    if (swap % 3 == 1) listener.default_action = {"a"};
    // Targets come and go too.
    balancer.group("a").targets = {local_target(swap % 5 < 3 ? one.port() : two.port())};
    if (swap % 7 == 0) balancer.group("b").targets = {local_target(two.port())};
    if (swap % 7 == 3) balancer.group("b").targets.push_back(local_target(one.port()));
    const size_t before = answered;
    ASSERT_TRUE(balancer.apply());
    // Some requests with each state.
    ASSERT_TRUE(balancer.eventually([&] { return answered >= before + kClients; }));
  }
  stop = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(answered, asked);
  EXPECT_EQ(one.heads().size() + two.heads().size(), asked);
  EXPECT_GT(one.heads().size(), 0u);
  EXPECT_GT(two.heads().size(), 0u);
  const AlbCounters counters = balancer.counters();
  EXPECT_EQ(counters.requests, asked);
  EXPECT_EQ(counters.elb_2xx, asked);
  EXPECT_EQ(counters.connections_accepted, connections);
}

TEST(Swap, AKeptConnectionTakesTheNewRules) {
  Application one(Application::echo("one")), two(Application::echo("two"));
  Balancer balancer({{"a", {one.port()}}, {"b", {two.port()}}});
  Wire client = balancer.client();
  EXPECT_EQ(ask(client, "/"), "one");
  balancer.listener().rules = {rule(1, {path_is("/*")}, "b")};
  ASSERT_TRUE(balancer.apply());
  EXPECT_EQ(ask(client, "/"), "two");
  balancer.listener().rules.clear();
  balancer.listener().default_action = {};
  balancer.listener().default_action.fixed_response = FixedResponse{200, "", "fixed"};
  ASSERT_TRUE(balancer.apply());
  EXPECT_EQ(ask(client, "/"), "fixed");
  EXPECT_EQ(balancer.counters().connections_accepted, 1u);
}

TEST(Swap, ARequestInFlightEndsWithTheOldState) {
  Late late;
  Balancer balancer({{"a", {late.application.port()}}, {"b", {}}});
  Wire client = balancer.client();
  client.send(get("/"));
  ASSERT_TRUE(balancer.eventually([&] { return late.application.heads().size() == 1; }));
  balancer.listener().default_action = {"b"};
  balancer.config().target_groups.erase_if([](auto& group) { return group.name == "a"; });
  ASSERT_TRUE(balancer.apply());
  late.go = true;
  EXPECT_NE(client.take_through("late").find("200 OK"), std::string::npos);
  client.send(get("/"));
  EXPECT_EQ(client.take_through("\r\n").substr(9, 3), "503");
  client.take_through("503 Service Unavailable\n");
  EXPECT_EQ(balancer.counters().no_targets, 1u);
}

TEST(Swap, AListenerThatIsGoneDrains) {
  Late late;
  Balancer balancer({{"a", {late.application.port()}}});
  Wire busy = balancer.client(), idle = balancer.client();
  busy.send(get("/"));
  ASSERT_TRUE(balancer.eventually([&] { return late.application.heads().size() == 1; }));
  balancer.config().load_balancers[0].listeners.clear();
  ASSERT_TRUE(balancer.apply());
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = *SocketAddress::parse("127.0.0.1", balancer.port());
  EXPECT_NE(connect(fd.get(), address.raw(), address.size()), 0);
  EXPECT_TRUE(idle.at_end());
  late.go = true;
  EXPECT_EQ(header_of(busy.take_through("late"), "Connection"), "close");
  EXPECT_TRUE(busy.at_end());
  EXPECT_TRUE(balancer.eventually([&] { return balancer.alb().clients() == 0; }));
}

TEST(Swap, WhoeverHasConnectedToAListenerThatGoesIsServed) {
  Application web(Application::echo("web"));
  Balancer balancer({{"a", {web.port()}}});
  std::vector<Wire> clients;
  for (int i = 0; i < 20; i++) clients.push_back(balancer.client());
  for (Wire& client : clients) client.send(get("/"));
  balancer.config().load_balancers[0].listeners.clear();
  ASSERT_TRUE(balancer.apply());
  for (Wire& client : clients)
    EXPECT_NE(client.take_through("web").find("200 OK"), std::string::npos);
}

TEST(Swap, ADeregisteredTargetKeepsItsRequestsForTheDelay) {
  Late late;
  Application web(Application::echo("web"));
  Balancer balancer({{"a", {late.application.port()}}});
  Wire client = balancer.client(), hopeless = balancer.client();
  client.send(get("/"));
  ASSERT_TRUE(balancer.eventually([&] { return late.application.heads().size() == 1; }));
  const TargetName name{"a", local_target(late.application.port())};
  balancer.group("a").targets = {local_target(web.port())};
  ASSERT_TRUE(balancer.apply());
  EXPECT_EQ(ask(hopeless, "/"), "web");
  balancer.on_loop([&] { EXPECT_EQ(balancer.alb().health(name).state, HealthState::kDraining); });
  late.go = true;
  EXPECT_NE(client.take_through("late").find("200 OK"), std::string::npos);
  EXPECT_TRUE(balancer.eventually(
      [&] { return balancer.alb().health(name).state == HealthState::kUnused; }));
}

TEST(Swap, AfterTheDelayItIsOver) {
  Late late;
  Balancer balancer({{"a", {late.application.port()}}});
  balancer.group("a").attributes["deregistration_delay.timeout_seconds"] = "0";
  ASSERT_TRUE(balancer.apply());
  Wire client = balancer.client();
  client.send(get("/"));
  ASSERT_TRUE(balancer.eventually([&] { return late.application.heads().size() == 1; }));
  balancer.group("a").targets.clear();
  ASSERT_TRUE(balancer.apply());
  EXPECT_EQ(client.take_through("\r\n").substr(9, 3), "502");
}

TEST(Swap, AnAddressThatIsTakenRefusesTheWhole) {
  Application one(Application::echo("one")), two(Application::echo("two"));
  Balancer balancer({{"a", {one.port()}}, {"b", {two.port()}}});
  balancer.listener().default_action = {"b"};
  Listener second = balancer.listener();
  second.port = one.port();
  balancer.config().load_balancers[0].listeners.push_back(second);
  const auto refused = balancer.apply();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find(std::to_string(one.port())), std::string::npos);
  Wire client = balancer.client();
  EXPECT_EQ(ask(client, "/"), "one");
  balancer.on_loop([&] { EXPECT_EQ(balancer.alb().frontends().size(), 1u); });
}

TEST(Swap, AnAddressThatIsTakenIsWaitedFor) {
  Application web(Application::echo("web"));
  auto occupied = listen_tcp(*SocketAddress::parse("127.0.0.1", 0), 1);
  ASSERT_TRUE(occupied);
  Balancer balancer({{"a", {web.port()}}});
  Listener second = balancer.listener();
  second.port = SocketAddress::local_of(occupied->get()).port();
  balancer.config().load_balancers[0].listeners.push_back(second);
  ASSERT_TRUE(balancer.apply(Alb::OnUnbound::kWait));
  balancer.on_loop([&] { EXPECT_NE(balancer.alb().frontends()[1]->trouble, ""); });
  Wire first = balancer.client();
  EXPECT_EQ(ask(first, "/"), "web");
  *occupied = UniqueFd();
  EXPECT_TRUE(balancer.eventually([&] { return balancer.alb().frontends()[1]->trouble.empty(); }));
  Wire client = Wire::connect_to(second.port);
  EXPECT_EQ(ask(client, "/"), "web");
}

TEST(OwnAnswers, RedirectsAndFixedResponses) {
  Application web(Application::echo("web"));
  Balancer balancer({{"a", {web.port()}}});
  Rule redirect = rule(1, {path_is("/old/*")}, "");
  redirect.action.redirect = Redirect{.protocol = "HTTPS", .port = "443", .status = 302};
  Rule fixed = rule(2, {path_is("/down")}, "");
  fixed.action.fixed_response = FixedResponse{503, "application/json", "{\"down\":true}"};
  Rule empty = rule(3, {path_is("/none")}, "");
  empty.action.fixed_response = FixedResponse{204, "", ""};
  balancer.listener().rules = {redirect, fixed, empty};
  ASSERT_TRUE(balancer.apply());
  Wire client = balancer.client();
  // All at once: the connection stays, and every answer has its place.
  client.send(get("/old/x?y=z") + get("/none") + "HEAD /down HTTP/1.1\r\nHost: a\r\n\r\n" +
              get("/down") + get("/"));
  std::string head = client.take_through("\r\n\r\n");
  EXPECT_EQ(head.substr(0, 18), "HTTP/1.1 302 Found");
  EXPECT_EQ(header_of(head, "Location"), "https://a.example:443/old/x?y=z");
  client.take(std::stoul(header_of(head, "Content-Length")));
  head = client.take_through("\r\n\r\n");
  EXPECT_EQ(head.substr(9, 3), "204");
  EXPECT_EQ(header_of(head, "Content-Length"), "");
  head = client.take_through("\r\n\r\n");
  EXPECT_EQ(head.substr(9, 3), "503");
  EXPECT_EQ(header_of(head, "Content-Length"), "13");
  head = client.take_through("\r\n\r\n");
  EXPECT_EQ(header_of(head, "Content-Type"), "application/json");
  EXPECT_EQ(header_of(head, "Connection"), "");
  EXPECT_EQ(client.take(13), "{\"down\":true}");
  EXPECT_NE(client.take_through("web").find("200 OK"), std::string::npos);
  const AlbCounters counters = balancer.counters();
  EXPECT_EQ(counters.redirects, 1u);
  EXPECT_EQ(counters.fixed_responses, 3u);
  EXPECT_EQ(counters.requests_refused, 0u);
  EXPECT_EQ(counters.own_5xx, 2u);
  EXPECT_EQ(counters.own_3xx, 1u);
  EXPECT_EQ(counters.own_2xx, 1u);
  EXPECT_EQ(counters.elb_2xx, 2u);
}

TEST(OwnAnswers, ABodyThatNobodyReadsEndsTheConnection) {
  Application web(Application::echo("web"));
  Balancer balancer({{"a", {web.port()}}});
  balancer.listener().default_action = {};
  balancer.listener().default_action.fixed_response = FixedResponse{404, "", "no"};
  ASSERT_TRUE(balancer.apply());
  Wire client = balancer.client();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /");
  const std::string all = client.take_all();
  EXPECT_EQ(header_of(all, "Connection"), "close");
  EXPECT_EQ(all.substr(all.size() - 2), "no");
  EXPECT_EQ(balancer.counters().requests, 1u);
}

TEST(Weights, EachGroupGetsItsPart) {
  Application one(Application::echo("one")), two(Application::echo("two"));
  Balancer balancer({{"a", {one.port()}}, {"b", {two.port()}}});
  balancer.listener().default_action = {"", {{"a", 9}, {"b", 1}}};
  ASSERT_TRUE(balancer.apply());
  Wire client = balancer.client();
  for (int i = 0; i < 100; i++) EXPECT_EQ(ask(client, "/").size(), 3u);
  EXPECT_EQ(one.heads().size(), 90u);
  EXPECT_EQ(two.heads().size(), 10u);
}

}  // namespace
}  // namespace sluice::gateway
