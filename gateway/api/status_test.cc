// SPDX-License-Identifier: Apache-2.0
// The pages over a real controller with the process host: metrics, stat, health, events, log lines.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "gateway/api/commands.h"
#include "gateway/api/log.h"
#include "gateway/api/metrics.h"
#include "gateway/api/stat_csv.h"
#include "gateway/api/status_pages.h"
#include "gateway/control/gateway_for_test.h"
#include "gateway/datapath/flow_table.h"
#include "gateway/discovery/discovery.h"
#include "gateway/flow_log/flow_log.h"

namespace sluice::gateway {
namespace {

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: names
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 53, default_actions: [{type: forward, target_group: dns}]}
attachments:
  - {name: front, endpoint_id: 1, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]}
  - {name: dns, protocol: UDP, port: 53, health_check: {enabled: false}, targets: [{id: 10.1.0.21}]}
  - {name: spare, protocol: UDP, port: 53, targets: [{id: 10.1.0.22}]}
)";

class StatusTest : public testing::Test, protected GatewayForTest {
 protected:
  StatusTest()
      : server(HttpServer::create(*loop)),
        discovery(*loop, plane),
        traffic(*loop, controller),
        flow_log(*loop, controller),
        pages(*loop, controller, events, discovery, flow_log, *server) {
    start(kYaml);
    port = *server->listen(*SocketAddress::parse("127.0.0.1", 0));
  }
  MetricsSources sources() {
    return {controller, events, &pages.stream(), server.get(), &discovery, &traffic, &flow_log};
  }

  UniqueFd ask(const std::string& path, const std::string& more = "") {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = SocketAddress::parse("127.0.0.1", port);
    EXPECT_EQ(::connect(fd.get(), to->raw(), to->size()), 0);
    const std::string text =
        "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + more + "\r\n";
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return fd;
  }
  // Reads until `end` is in it or the server closes; gives up after 20 s.
  std::string read(const UniqueFd& fd, const std::string& end) {
    std::string out;
    char chunk[4096];
    for (const uint64_t limit = loop->now_ms() + 20'000; loop->now_ms() < limit;) {
      loop->turn(1);
      const ssize_t count = ::recv(fd.get(), chunk, sizeof chunk, MSG_DONTWAIT);
      if (count == 0) break;
      if (count > 0) out.append(chunk, static_cast<size_t>(count));
      if (out.find(end) != std::string::npos) break;
    }
    return out;
  }
  std::string get(const std::string& path) { return read(ask(path), "never to be found"); }

  std::unique_ptr<HttpServer> server;
  Discovery discovery;
  Traffic traffic;
  FlowLog flow_log;
  StatusPages pages;
  uint16_t port = 0;
};

TEST_F(StatusTest, MetricsHaveTheNumbersOfTheTables) {
  Tables& tables = host->tables();
  tables.counters[0].verdict[kVerdictDrop] = 3;
  tables.counters[1].verdict[kVerdictDrop] = 4;
  tables.counters[0].drop[tunnels::kDropNoTarget] = 7;
  tables.counters[0].event[kEventFlowCreated] = 11;
  const auto index = controller.reconciler().target_index(
      Protocol::kGeneve, controller.config().target_group("ids")->targets[1]);
  ASSERT_TRUE(index);
  tables.target_counters[*index] = {5, 500, 4, 400, 3};
  traffic.look();
  const std::string text = metrics_text(sources());
  for (const char* line : {
           "\nsluice_packets_total{verdict=\"drop\"} 7\n",
           "\nsluice_dropped_packets_total{reason=\"no_target\"} 7\n",
           "\nsluice_new_flows_total 11\n",
           "\nsluice_active_flows 0\n",
           "\nsluice_target_sent_bytes_total{target=\"10.9.0.12\",port=\"6081\",kind=\"appliance\"}"
           " "
           "500\n",
           "\nsluice_target_returned_packets_total{target=\"10.9.0.12\",port=\"6081\",kind="
           "\"appliance\"} 4\n",
           "\nsluice_target_new_flows_total{target=\"10.9.0.12\",port=\"6081\",kind=\"appliance\"} "
           "3\n",
           ",target_group=\"ids\"} 3\n",
           ",target_group=\"ids\",direction=\"sent\"} 500\n",
           "\nsluice_target_group_new_flows_total{load_balancer=\"\",target_group=\"spare\"} 0\n",
           "\nsluice_load_balancer_active_flows{load_balancer=\"gwy/inspect/",
           "\nsluice_healthy_hosts{target_group=\"ids\"} 0\n",
           "\nsluice_interface_info{interface=\"in0\",role=\"inside\",attachment=\"front\",entry="
           "\"xdp\"} 1\n",
           "\nsluice_interface_info{interface=\"gen0\",role=\"tunnel\",attachment=\"\",entry="
           "\"xdp\"}"
           " 1\n",
           "\nsluice_events_total{kind=\"health\"} 1\n",  // dns became unavailable
           "\nsluice_health_checks_total{result=\"timeout\"} 0\n",
       })
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST_F(StatusTest, ActiveFlowsAreThoseThatAreNotOver) {
  Tables& tables = host->tables();
  const auto now = static_cast<uint32_t>(host->now_ms());
  const auto put = [&](uint32_t way, __u32 state, uint16_t flags, uint32_t seen) {
    tables.flow_buckets[3].entry[way] = flow_entry(0x1234567890abcd00ull + way, state, 0);
    tables.flow_buckets[3].record[way] = {};
    tables.flow_buckets[3].record[way].flags = flags;
    tables.flow_buckets[3].record[way].key.protocol = kProtocolTcp;
    tables.flow_buckets[3].record[way].last_seen_ms = seen;
  };
  put(0, kFlowEstablished, 0, now);
  put(1, kFlowHalfOpen, 0, now);
  put(2, kFlowClosed, kFlowReset, now);
  put(3, kFlowEstablished, kFlowAlias, now);
  put(4, kFlowEstablished, 0, now - 351'000);
  EXPECT_EQ(active_flows(controller).all, 2.0);
  EXPECT_EQ(active_flows(controller).of_listener[0], 1.0);
  EXPECT_EQ(active_flows(controller).of_attachment[0], 2.0);
}

TEST_F(StatusTest, ChangesAreTold) {
  std::vector<std::string> told;
  events.listen([&](const Event& event) { told.push_back(event.text); });
  const auto done = plane.commit("somebody", [](Config& next) -> Result<> {
    next.attachments.clear();
    return {};
  });
  ASSERT_TRUE(done);
  EXPECT_EQ(told, (std::vector<std::string>{"generation 2 by somebody", "attachment front left"}));
}

// Prometheus' own judgement of names, units and help texts.
TEST_F(StatusTest, PromtoolFindsNothing) {
  if (::access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "needs promtool (prometheus)";
  const std::string path = "/tmp/status_test." + std::to_string(getpid());
  std::ofstream(path) << metrics_text(sources());
  FILE* tool = popen(("promtool check metrics < " + path + " 2>&1").c_str(), "r");
  ASSERT_NE(tool, nullptr);
  std::string said;
  for (int c; (c = fgetc(tool)) != EOF;) said += static_cast<char>(c);
  const int status = pclose(tool);
  unlink(path.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0) << said;
  EXPECT_EQ(said, "");
}

TEST_F(StatusTest, StatIsATableThatHaproxysReadersRead) {
  const std::string csv = stat_csv(controller);
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  ASSERT_TRUE(line.starts_with("# pxname,svname,qcur,")) << line;
  EXPECT_TRUE(
      line.ends_with(",check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,"
                     "hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,"
                     "cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,"
                     "last_chk,"));
  const auto commas = std::ranges::count(line, ',');
  std::vector<std::string> names;
  while (std::getline(lines, line)) {
    EXPECT_EQ(std::ranges::count(line, ','), commas) << line;
    names.push_back(line.substr(0, line.find(',', line.find(',') + 1)));
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"inspect,FRONTEND", "names,FRONTEND", "ids,10.9.0.11:6081",
                                      "ids,10.9.0.12:6081", "ids,BACKEND", "dns,10.1.0.21:53",
                                      "dns,BACKEND", "spare,10.1.0.22:53", "spare,BACKEND"}));
  EXPECT_NE(csv.find("DOWN"), std::string::npos);      // ids: not checked yet
  EXPECT_NE(csv.find("no check"), std::string::npos);  // dns: disabled
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"a\""), "\"say \"\"a\"\"\"");
  EXPECT_NE(answer_request(plane, R"({"command":"stat"})").line.find("pxname"), std::string::npos);
}

TEST_F(StatusTest, PagesAreServed) {
  EXPECT_TRUE(get("/health/live").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/health/ready").starts_with("HTTP/1.1 200 "));
  EXPECT_NE(get("/metrics").find("sluice_build_info{version="), std::string::npos);
  EXPECT_NE(get("/stat;csv").find("# pxname,"), std::string::npos);
  EXPECT_TRUE(get("/stat").starts_with("HTTP/1.1 404 "));

  hops.interfaces.erase("out0");
  controller.look_again();
  read(ask("/events"), "interface_missing");
  const std::string ready = get("/health/ready");
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 503 ")) << ready;
  EXPECT_NE(ready.find("interface out0: there is no such interface"), std::string::npos);
}

TEST_F(StatusTest, EventsAreStreamedAndMissedOnesCaughtUp) {
  const UniqueFd reader = ask("/events");
  const std::string head = read(reader, ":\n\n");
  EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos) << head;
  EXPECT_EQ(pages.stream().readers(), 1u);
  events.publish(EventKind::kGeneration, EventLevel::kInfo, "hello", {{"generation", "4"}});
  const std::string told = read(reader, "\"generation\":\"4\"}\n\n");
  EXPECT_NE(told.find("id: 2\nevent: generation\ndata: {\"number\":2,"), std::string::npos) << told;

  const std::string late = read(ask("/events", "Last-Event-ID: 1\r\n"), "\"4\"}\n\n");
  EXPECT_NE(late.find("id: 2\n"), std::string::npos);
  EXPECT_EQ(late.find("id: 1\n"), std::string::npos);
  const std::string before = read(ask("/events", "Last-Event-ID: 999\r\n"), "\"4\"}\n\n");
  EXPECT_NE(before.find("id: 1\n"), std::string::npos) << "the number is of an earlier daemon";
}

TEST_F(StatusTest, AReaderThatDoesNotReadIsDropped) {
  const UniqueFd reader = ask("/events");
  read(reader, ":\n\n");
  const std::string text(1000, 'x');
  for (int i = 0; i < 20'000 && pages.stream().dropped() == 0; i++) {
    events.publish(EventKind::kNotice, EventLevel::kInfo, text);
    if (i % 100 == 0) loop->turn(0);
  }
  EXPECT_EQ(pages.stream().dropped(), 1u);
  EXPECT_EQ(pages.stream().readers(), 0u);
}

TEST(EventLog, FieldsAreKeysAndValues) {
  const Event event{1,
                    0,
                    EventKind::kHealth,
                    EventLevel::kInfo,
                    "t",
                    {{"a", "10.0.0.1:80"}, {"b", "two words"}, {"c", ""}}};
  EXPECT_EQ(key_values(event), " a=10.0.0.1:80 b=\"two words\" c=\"\"");
}

TEST(EventLog, LinesOfTextAndOfJson) {
  const Event event{
      1, 0, EventKind::kHealth, EventLevel::kWarning, "it \"broke\"", {{"target", "x"}}};
  testing::internal::CaptureStderr();
  start_log(LogFormat::kText, LogLevel::kInfo);
  log_event(event);
  start_log(LogFormat::kJson, LogLevel::kInfo);
  log_event(event);
  start_log(LogFormat::kJson, LogLevel::kError);
  log_event(event);
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_NE(out.find("Z warning it \"broke\" target=x\n{\"time\":\""), std::string::npos) << out;
  EXPECT_TRUE(
      out.ends_with("\"level\":\"warning\",\"text\":\"it \\\"broke\\\"\",\"kind\":\"health\","
                    "\"target\":\"x\"}\n"))
      << out;
}

}  // namespace
}  // namespace sluice::gateway
