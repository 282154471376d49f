// SPDX-License-Identifier: Apache-2.0
#include "testbed/bench/control_gateway.h"

#include <ctime>

#include "gateway/store/store.h"

namespace sluice::testbed {

using namespace gateway;  // NOLINT

namespace {

constexpr uint32_t kAppliancesEvery = 20;  // groups
constexpr uint32_t kListenersEach = 50;

bool has_appliances(uint32_t group) { return group % kAppliancesEvery == 0; }

std::string number(uint32_t n) { return std::to_string(n); }

// "10.A.B.C" with room for 1,000 groups of 250 targets.
std::string address(uint32_t group, uint32_t target) {
  return "10." + number(10 + group / 250) + "." + number(group % 250) + "." + number(target + 1);
}

std::string forward_to(uint32_t group) {
  return "default_actions: [{type: forward, target_group: g" + number(group) + "}]";
}

void add_balancers(std::string& out, uint32_t groups) {
  out += "load_balancers:\n";
  for (uint32_t group = 0; group < groups; group += kAppliancesEvery)
    out += "  - {name: inspect" + number(group) + ", type: gateway, listeners: [{" +
           forward_to(group) + "}]}\n";
  uint32_t listeners = 0;
  for (uint32_t group = 0; group < groups; group++) {
    if (has_appliances(group)) continue;
    const uint32_t balancer = listeners / kListenersEach;
    if (listeners % kListenersEach == 0)
      out += "  - name: nlb" + number(balancer) + "\n    type: network\n    listeners:\n";
    out += "      - {protocol: TCP, address: 10.200.0." + number(balancer + 1) +
           ", port: " + number(1000 + listeners % kListenersEach) + ", " + forward_to(group) +
           "}\n";
    listeners++;
  }
}

}  // namespace

std::string make_large_yaml(uint32_t groups, uint32_t targets, uint32_t more) {
  std::string out = R"(gateway:
  name: bench
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
)";
  add_balancers(out, groups);
  out += "attachments:\n";
  for (uint32_t group = 0; group < groups; group += kAppliancesEvery) {
    const std::string n = number(group / kAppliancesEvery);
    out += "  - {name: a" + n + ", endpoint_id: " + number(group + 1) + ", outside: out" + n +
           ", inside: in" + n + ", load_balancer: inspect" + number(group) + "}\n";
  }
  out += "target_groups:\n";
  for (uint32_t group = 0; group < groups; group++) {
    out += "  - {name: g" + number(group) +
           (has_appliances(group) ? ", protocol: GENEVE" : ", protocol: TCP, port: 80") +
           ", health_check: {enabled: false}, targets: [";
    const uint32_t count = targets / groups + (group == 0 ? more : 0);
    for (uint32_t i = 0; i < count; i++)
      out += (i == 0 ? "{id: " : ", {id: ") + address(group, i) + "}";
    out += "]}\n";
  }
  return out;
}

Result<NextHop> NoNetwork::find(const IpAddress&) {
  return NextHop{4000, 1600, {2, 0, 0, 0, 0, 1}, MacAddress{2, 0, 0, 0, 0, 2}};
}

Result<uint32_t> NoNetwork::interface_index(const std::string& name) {
  if (name == "gen0") return 4000u;
  const bool outside = name.starts_with("out");
  return static_cast<uint32_t>(std::stoul(name.substr(outside ? 3 : 2))) * 2 + (outside ? 1 : 2);
}

Result<std::unique_ptr<LargeGateway>> LargeGateway::create(Config config,
                                                           const std::string& store_path) {
  std::unique_ptr<LargeGateway> made(new LargeGateway);
  SLUICE_TRY(made->loop_, EventLoop::create());
  SLUICE_TRY(made->host_, ProcessHost::create({1 << 17}));
  made->host_->set_now_ms(1'000'000);
  made->controller_.emplace(*made->loop_, *made->host_, made->hops_, made->events_);
  SLUICE_TRY(auto store, Store::open(store_path));
  made->plane_.emplace(*made->controller_, ControlPlane::Also(), std::move(store));
  SLUICE_TRY_VOID(made->plane_->start(std::move(config)));
  return made;
}

LargeGateway::~LargeGateway() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

Result<uint16_t> LargeGateway::serve() {
  aws_.emplace(*plane_, AwsSettings{{"xx-lab-1", "000000000000"}, {}, true},
               [] { return ::time(nullptr); });
  http_ = HttpServer::create(*loop_);
  http_->set_fallback([this](const HttpRequest& request) { return aws_->answer(request); },
                      AwsApi::error);
  SLUICE_TRY(const SocketAddress any, SocketAddress::parse("127.0.0.1", 0));
  SLUICE_TRY(const uint16_t port, http_->listen(any));
  thread_ = std::thread([this] {
    while (!stop_) loop_->turn(50);
  });
  return port;
}

}  // namespace sluice::testbed
