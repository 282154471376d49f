// SPDX-License-Identifier: Apache-2.0
// Groups that follow an etcd that says what it is told to. A real one is in the scenario
// `discover`.
#include "gateway/api/http_server.h"
#include "gateway/discovery/discovery_fixture.h"

namespace sluice::gateway {
namespace {

// Speaks as an etcd does, and says what the test tells.
class EtcdForTest {
 public:
  explicit EtcdForTest(EventLoop& loop) : server(HttpServer::create(loop)) {
    server->route("POST", "/v3/kv/range", HttpServer::Access::kOpen, [this](const HttpRequest&) {
      lists++;
      return HttpResponse{status, "application/json", list};
    });
    server->route("POST", "/v3/watch", HttpServer::Access::kOpen, [this](const HttpRequest& r) {
      asked = r.body;
      HttpResponse response{200, "application/json", first};
      response.stream = [this](std::shared_ptr<HttpStream> made) { stream = std::move(made); };
      return response;
    });
    port = *server->listen(*SocketAddress::parse("127.0.0.1", 0));
  }
  void holds(const char* base64_value, int revision) {
    list = R"({"header":{"revision":")" + std::to_string(revision) +
           R"("},"kvs":[{"key":"YQ==","value":")" + base64_value + "\"}]}";
  }
  std::unique_ptr<HttpServer> server;
  std::shared_ptr<HttpStream> stream;
  std::string list, asked;
  std::string first = "{\"result\":{\"created\":true}}\n";
  int status = 200;
  int lists = 0;
  uint16_t port = 0;
};

TEST_F(DiscoveryTest, FollowsAnEtcdThroughCompactionAndFailure) {
  EtcdForTest etcd(*loop);
  etcd.holds("MTAuOS4wLjU=", 7);  // 10.9.0.5
  set("ids", {{"sluice.discover.etcd.endpoints",
               "http://127.0.0.1:1,http://127.0.0.1:" + std::to_string(etcd.port)},
              {"sluice.discover.etcd.prefix", "/ids/"}});
  EXPECT_TRUE(becomes("ids", "10.9.0.5:6081"));
  EXPECT_GE(known("ids").failures, 1u);  // the first endpoint, where nobody listens
  ASSERT_TRUE(eventually([&] { return etcd.stream != nullptr; }));
  EXPECT_NE(etcd.asked.find(R"("start_revision":"8")"), std::string::npos) << etcd.asked;

  // Word by word, and cut in the middle.
  etcd.holds("MTAuOS4wLjY=", 8);  // 10.9.0.6
  etcd.stream->send(R"({"result":{"events":[{"kv")");
  for (int i = 0; i < 20; i++) loop->turn(1);
  auto watched = std::exchange(etcd.stream, nullptr);
  watched->send(R"(:{"key":"YQ=="}}]}})"
                "\n");
  EXPECT_TRUE(becomes("ids", "10.9.0.6:6081"));

  ASSERT_TRUE(eventually([&] { return etcd.stream != nullptr; }));
  etcd.holds("MTAuOS4wLjc=", 90);  // 10.9.0.7
  watched = std::exchange(etcd.stream, nullptr);
  watched->send("{\"result\":{\"canceled\":true,\"compact_revision\":\"80\"}}\n");
  EXPECT_TRUE(becomes("ids", "10.9.0.7:6081"));
  ASSERT_TRUE(eventually([&] { return etcd.stream != nullptr; }));
  EXPECT_NE(etcd.asked.find(R"("start_revision":"91")"), std::string::npos) << etcd.asked;

  // A watch that says nothing is not trusted for ever.
  const int lists = etcd.lists;
  EXPECT_TRUE(eventually([&] { return etcd.lists > lists; }));

  etcd.status = 503;
  etcd.list = R"({"message":"no leader"})";
  const uint64_t failures = known("ids").failures;
  EXPECT_TRUE(eventually([&] { return known("ids").failures > failures; }));
  EXPECT_EQ(targets("ids"), "10.9.0.7:6081");
  etcd.status = 200;
  etcd.list = R"({"header":{"revision":"99"}})";  // no keys: no targets
  EXPECT_TRUE(becomes("ids", ""));
}

TEST_F(DiscoveryTest, AnEtcdThatSaysTooMuchIsLeft) {
  EtcdForTest etcd(*loop);
  etcd.list = std::string(kEtcdBytesMax + 1, ' ');
  set("ids", {{"sluice.discover.etcd.endpoints", "http://127.0.0.1:" + std::to_string(etcd.port)},
              {"sluice.discover.etcd.prefix", "/ids/"}});
  const auto says_too_much = [&] {
    return known("ids").trouble.find("too long") != std::string::npos;
  };
  EXPECT_TRUE(eventually(says_too_much)) << known("ids").trouble;
  EXPECT_EQ(targets("ids"), "10.9.0.11:6081 10.9.0.12:6081");
}

}  // namespace
}  // namespace sluice::gateway
