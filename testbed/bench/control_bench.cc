// SPDX-License-Identifier: Apache-2.0
// What the control plane takes: a large file into effect, and calls of the AWS API over a loopback
// connection, with the server on a thread of its own as in the daemon.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <optional>
#include <thread>

#include "gateway/api/http_server.h"
#include "gateway/aws/aws_api.h"
#include "gateway/control/config.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/controller.h"
#include "gateway/datapath/process_host.h"
#include "testbed/bench/bench.h"

namespace sluice::testbed {
namespace {

using namespace gateway;  // NOLINT
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class NoHops : public NextHops {
 public:
  Result<NextHop> find(const IpAddress&) override { return fail("no network here"); }
  Result<uint32_t> interface_index(const std::string& name) override {
    return static_cast<uint32_t>(name.back() - '0') + 1;
  }
};

// One group that the packet path steers to, unchecked, and many that sluice-proxy would serve.
std::string make_yaml(const ControlBench& bench) {
  std::string out = R"(gateway:
  name: bench
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: fw}]}]}
attachments:
  - {name: front, endpoint_id: 1, outside: out1, inside: in2, load_balancer: inspect}
target_groups:
  - {name: fw, protocol: GENEVE, health_check: {enabled: false}, targets: [{id: 10.9.0.11}]}
)";
  for (uint32_t group = 0; group < bench.groups; group++) {
    out += "  - {name: g" + std::to_string(group) + ", protocol: HTTP, port: 80, targets: [";
    for (uint32_t i = 0; i < bench.targets / bench.groups; i++)
      out += std::string(i == 0 ? "" : ", ") + "{id: 10." + std::to_string(10 + group / 250) + "." +
             std::to_string(group % 250) + "." + std::to_string(i + 1) + "}";
    out += "]}\n";
  }
  return out;
}

// The gateway without packets.
class Gateway {
 public:
  static Result<std::unique_ptr<Gateway>> create(Config config, ControlBench& bench) {
    std::unique_ptr<Gateway> made(new Gateway);
    SLUICE_TRY(made->loop_, EventLoop::create());
    SLUICE_TRY(made->host_, ProcessHost::create({1024}));
    made->controller_.emplace(*made->loop_, *made->host_, made->hops_, made->events_);
    made->plane_.emplace(*made->controller_);
    const auto start = Clock::now();
    SLUICE_TRY_VOID(made->plane_->start(std::move(config)));
    bench.apply_ms = ms_since(start);
    made->aws_.emplace(*made->plane_, AwsSettings{{"xx-lab-1", "000000000000"}, {}, true},
                       [] { return ::time(nullptr); });
    made->http_ = HttpServer::create(*made->loop_);
    made->http_->set_fallback(
        [raw = made.get()](const HttpRequest& r) { return raw->aws_->answer(r); }, AwsApi::error);
    SLUICE_TRY(const SocketAddress any, SocketAddress::parse("127.0.0.1", 0));
    SLUICE_TRY(made->port_, made->http_->listen(any));
    made->thread_ = std::thread([raw = made.get()] {
      while (!raw->stop_) raw->loop_->turn(50);
    });
    return made;
  }
  ~Gateway() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  uint16_t port() const { return port_; }

 private:
  Gateway() = default;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ProcessHost> host_;
  NoHops hops_;
  EventBus events_;
  std::optional<Controller> controller_;
  std::optional<ControlPlane> plane_;
  std::optional<AwsApi> aws_;
  std::unique_ptr<HttpServer> http_;
  uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// A blocking client that keeps its connection.
class Client {
 public:
  static Result<Client> connect(uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SLUICE_TRY(const SocketAddress to, SocketAddress::parse("127.0.0.1", port));
    if (::connect(fd.get(), to.raw(), to.size()) != 0) return fail_errno("cannot connect");
    return Client(std::move(fd));
  }
  // The body of the answer, which must be a success.
  Result<std::string> call(const std::string& form) {
    const std::string body = form + "&Version=2015-12-01";
    const std::string request =
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return fail_errno("cannot send");
    std::string in;
    while (true) {
      const size_t head = in.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t at = in.find("Content-Length: ");
        const size_t size = std::stoul(in.substr(at + 16, 12));
        if (in.size() >= head + 4 + size) {
          if (!in.starts_with("HTTP/1.1 200")) return fail("refused: " + in);
          return in.substr(head + 4);
        }
      }
      char chunk[65536];
      const ssize_t count = ::recv(fd_.get(), chunk, sizeof chunk, 0);
      if (count <= 0) return fail_errno("the connection ended");
      in.append(chunk, static_cast<size_t>(count));
    }
  }

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

std::vector<std::string> texts_of(const std::string& xml, const std::string& element) {
  std::vector<std::string> out;
  const std::string open = "<" + element + ">";
  for (size_t at = 0; (at = xml.find(open, at)) != std::string::npos;) {
    at += open.size();
    out.push_back(xml.substr(at, xml.find('<', at) - at));
  }
  return out;
}

template <class Call>
Result<Latencies> measure(uint32_t calls, const Call& call) {
  std::vector<double> all;
  for (uint32_t i = 0; i < calls; i++) {
    const auto start = Clock::now();
    if (auto result = call(i); !result) return tl::make_unexpected(result.error());
    all.push_back(ms_since(start));
  }
  std::ranges::sort(all);
  return Latencies{all[all.size() / 2], all[all.size() * 99 / 100]};
}

// Every group page by page, and the health of every group's targets.
Result<> describe_all(Client& client, ControlBench& bench) {
  const auto start = Clock::now();
  std::string marker;
  do {
    SLUICE_TRY(const std::string page, client.call("Action=DescribeTargetGroups&PageSize=400" +
                                                   (marker.empty() ? "" : "&Marker=" + marker)));
    for (const std::string& arn : texts_of(page, "TargetGroupArn")) {
      SLUICE_TRY(const std::string health,
                 client.call("Action=DescribeTargetHealth&TargetGroupArn=" + arn));
      bench.described += texts_of(health, "HealthCheckPort").size();
    }
    const auto next = texts_of(page, "NextMarker");
    marker = next.empty() ? "" : next[0];
  } while (!marker.empty());
  bench.describe_all_ms = ms_since(start);
  return {};
}

}  // namespace

Result<> bench_control(ControlBench& bench) {
  const std::string yaml = make_yaml(bench);
  const auto start = Clock::now();
  auto config = parse_config(yaml, "bench");
  if (!config) return tl::make_unexpected(config.error()[0]);
  bench.read_ms = ms_since(start);
  SLUICE_TRY(const auto gateway, Gateway::create(*std::move(config), bench));
  SLUICE_TRY(Client client, Client::connect(gateway->port()));
  SLUICE_TRY(const std::string fw, client.call("Action=DescribeTargetGroups&Names.member.1=fw"));
  const auto arns = texts_of(fw, "TargetGroupArn");
  if (arns.empty()) return fail("the group 'fw' has no ARN");
  SLUICE_TRY(bench.look, measure(bench.calls, [&](uint32_t) {
               return client.call("Action=DescribeTargetHealth&TargetGroupArn=" + arns[0]);
             }));
  SLUICE_TRY(bench.change, measure(bench.calls / 10, [&](uint32_t i) {
               return client.call("Action=ModifyTargetGroupAttributes&TargetGroupArn=" + arns[0] +
                                  "&Attributes.member.1.Key=deregistration_delay.timeout_seconds"
                                  "&Attributes.member.1.Value=" +
                                  std::to_string(i % 2));
             }));
  return describe_all(client, bench);
}

}  // namespace sluice::testbed
