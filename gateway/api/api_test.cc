// SPDX-License-Identifier: Apache-2.0
// The commands over a real controller with the process host and a made-up network.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/api/commands.h"
#include "gateway/cli/print.h"
#include "gateway/control/explain.h"
#include "gateway/control/gateway_for_test.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
  - name: web-alb
    type: application
    listeners:
      - {protocol: HTTP, address: 10.1.0.80, port: 80, default_actions: [{type: forward, target_group: web}]}
attachments:
  - {name: front, endpoint_id: 0x2b8ee1d4db0c51c4, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21, port: 7001}]}
  - {name: spare, protocol: UDP, port: 7000, targets: [{id: 10.1.0.22}]}
  - {name: web, protocol: HTTP, port: 80, targets: [{id: 10.1.0.31}]}
)";

class ApiTest : public testing::Test, protected GatewayForTest {
 protected:
  ApiTest() {
    events.listen([this](const Event& event) { log += event.text + "\n"; });
    start(kYaml);
  }
  json ask(const json& request) { return json::parse(answer_request(plane, request.dump()).line); }
  std::string error_of(const std::string& request) {
    return json::parse(answer_request(plane, request).line).value("error", "");
  }

  std::string log;
};

// Sends a TCP SYN or a UDP packet from the outside through the path, and returns where it went.
Outcome send(ProcessHost& host, uint8_t protocol, const char* source, uint16_t source_port,
             const char* destination, uint16_t destination_port) {
  uint8_t frame[54] = {2,    0,    0,    0, 0, 9,  2, 0, 0, 0, 0, 8,
                       0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0, 0, 64};
  const bool tcp = protocol == kProtocolTcp;
  const uint8_t length = tcp ? 40 : 28;
  frame[17] = length;
  frame[23] = protocol;
  store_u32(frame + 26, inet_addr(source));
  store_u32(frame + 30, inet_addr(destination));
  store_u16(frame + 24, checksum_fold(checksum_add(0, frame + 14, 20)));
  store_be16(frame + 34, source_port);
  store_be16(frame + 36, destination_port);
  if (tcp) {
    frame[46] = 0x50;
    frame[47] = kTcpSyn;
  } else {
    frame[39] = 8;
  }
  FrameBuffer buffer;
  buffer.assign({frame, 14u + length});
  return host.run(buffer, 1);
}

TEST_F(ApiTest, MalformedRequestsAreAnsweredWithAReason) {
  EXPECT_EQ(error_of(""), "a request is one JSON object on one line");
  EXPECT_EQ(error_of("[1]"), "a request is one JSON object on one line");
  EXPECT_EQ(error_of("{\"a\": "), "a request is one JSON object on one line");
  EXPECT_EQ(error_of("{}"), "'command' is missing");
  EXPECT_EQ(error_of(R"({"command": 1})"), "'command' is missing");
  EXPECT_NE(
      error_of(R"({"command": "reboot"})").find("known are: apply, attach, attachments, capture"),
      std::string::npos);
  EXPECT_EQ(error_of(R"({"command": "flows", "limit": -1})"),
            "limit: expected a number of at most 10000");
  EXPECT_EQ(error_of(R"({"command": "flows", "limit": "9"})"),
            "limit: expected a number of at most 10000");
  EXPECT_EQ(error_of(R"({"command": "version", "x": 1})"), "unknown field 'x'");
  EXPECT_EQ(error_of("{\"command\": \"targets\", \"target_group\": \"\xff\"}"),
            "a request is one JSON object on one line");
  EXPECT_EQ(error_of(R"({"command": "flows", "address": "x"})"),
            "address: 'x' is no IPv4 or IPv6 address");
  EXPECT_FALSE(error_of(std::string(1 << 16, '[')).empty());
  const std::string whole =
      R"({"command": "explain", "source": "10.1.0.2", "destination": "10.1.0.3"})";
  for (size_t length = 0; length < whole.size(); length++)
    EXPECT_FALSE(error_of(whole.substr(0, length)).empty());
}

TEST_F(ApiTest, VersionAndCounters) {
  EXPECT_EQ(ask({{"command", "version"}})["gateway"], "demo");
  send(*host, kProtocolTcp, "10.1.0.2", 4242, "10.1.0.5", 443);
  const json counters = ask({{"command", "counters"}});
  EXPECT_EQ(counters["verdicts"]["target"], 1);
  EXPECT_EQ(counters["events"]["flow_created"], 1);
  EXPECT_EQ(counters["drops"].size(), size_t{kDropReasonCount - 1});
  EXPECT_EQ(counters["drops"]["cookie_mismatch"], 0);
}

TEST_F(ApiTest, TargetsComeAndGo) {
  json targets = ask({{"command", "targets"}})["targets"];
  ASSERT_EQ(targets.size(), 5u);
  EXPECT_EQ(targets[0]["id"], "10.9.0.11");
  EXPECT_EQ(targets[0]["state"], "initial");
  EXPECT_NEAR(targets[0]["share"].get<double>(), 0.5, 0.02);
  EXPECT_EQ(targets[3]["state"], "unused");
  EXPECT_EQ(targets[3]["reason"], "Target.NotInUse");
  EXPECT_EQ(targets[4]["protocol"], "HTTP");
  EXPECT_EQ(targets[4]["state"], "unavailable");  // no proxy serves it

  EXPECT_TRUE(ask({{"command", "register"}, {"target_group", "ids"}, {"id", "10.9.0.13"}})["ok"]);
  targets = ask({{"command", "targets"}, {"target_group", "ids"}})["targets"];
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_NEAR(targets[2]["share"].get<double>(), 1.0 / 3, 0.02);

  EXPECT_TRUE(ask({{"command", "deregister"}, {"target_group", "ids"}, {"id", "10.9.0.11"}})["ok"]);
  targets = ask({{"command", "targets"}})["targets"];
  EXPECT_EQ(targets.back()["id"], "10.9.0.11");
  EXPECT_EQ(targets.back()["state"], "draining");
  EXPECT_EQ(targets.back()["description"], "drains for 300 s");

  EXPECT_EQ(error_of(R"({"command": "deregister", "target_group": "ids", "id": "10.9.0.11"})"),
            "target 10.9.0.11:6081 is not registered in 'ids'");
  EXPECT_EQ(error_of(R"({"command": "register", "target_group": "ids", "id": "fd00::1"})"),
            "target_groups[0].targets[2].id: appliances with IPv6 addresses need "
            "gateway.tunnel.ipv6_address");
  EXPECT_TRUE(ask({{"command", "register"}, {"target_group", "web"}, {"id", "10.1.0.9"}})["ok"]);
  EXPECT_EQ(ask({{"command", "targets"}, {"target_group", "web"}})["targets"].size(), 2u);
  EXPECT_EQ(error_of(R"({"command": "register", "target_group": "idz", "id": "10.1.0.9"})"),
            "there is no target group 'idz'");
}

TEST_F(ApiTest, FlowsAreListedAndFiltered) {
  send(*host, kProtocolTcp, "10.1.0.2", 4242, "10.1.0.5", 443);
  send(*host, kProtocolUdp, "10.1.0.3", 5353, "10.1.0.100", 7000);
  json reply = ask({{"command", "flows"}});
  EXPECT_EQ(reply["matched"], 2);
  reply = ask({{"command", "flows"}, {"protocol", "udp"}});
  ASSERT_EQ(reply["flows"].size(), 1u);
  const json& flow = reply["flows"][0];
  EXPECT_EQ(flow["source"], "10.1.0.3");
  EXPECT_EQ(flow["destination_port"], 7000);
  EXPECT_EQ(flow["backend"], "10.1.0.21");
  EXPECT_EQ(flow["attachment"], "front");
  EXPECT_EQ(flow["packets_forward"], 1);
  EXPECT_TRUE(flow["from_outside"]);
  EXPECT_EQ(ask({{"command", "flows"}, {"port", 443}})["matched"], 1);
  EXPECT_EQ(ask({{"command", "flows"}, {"address", "10.1.0.9"}})["matched"], 0);
  EXPECT_EQ(ask({{"command", "flows"}, {"limit", 1}})["flows"].size(), 1u);
  host->set_now_ms(host->now_ms() + 400'000);
  EXPECT_EQ(ask({{"command", "flows"}})["matched"], 0);
  EXPECT_EQ(ask({{"command", "flows"}, {"all", true}})["matched"], 2);
}

TEST_F(ApiTest, ExplainSaysWhatThePathThenDoes) {
  for (uint16_t port = 1000; port < 1050; port++) {
    const json question{{"command", "explain"},      {"protocol", "tcp"},
                        {"source", "10.1.0.2"},      {"source_port", port},
                        {"destination", "10.1.0.5"}, {"destination_port", 443}};
    const json before = ask(question);
    ASSERT_TRUE(before["ok"]) << before;
    EXPECT_FALSE(before["flow_exists"]);
    EXPECT_EQ(send(*host, kProtocolTcp, "10.1.0.2", port, "10.1.0.5", 443).verdict, kVerdictTarget);
    const json flow = ask({{"command", "flows"}, {"port", port}})["flows"][0];
    EXPECT_EQ(flow["appliance"], before["appliance"]);
    const json after = ask(question);
    EXPECT_TRUE(after["flow_exists"]);
    EXPECT_EQ(after["appliance"], before["appliance"]);
  }
  const json nlb = ask({{"command", "explain"},
                        {"protocol", "udp"},
                        {"source", "10.1.0.2"},
                        {"source_port", 9},
                        {"destination", "10.1.0.100"},
                        {"destination_port", 7000}});
  EXPECT_EQ(nlb["backend"], "10.1.0.21");
  const json alb = ask({{"command", "explain"},
                        {"protocol", "tcp"},
                        {"source", "10.1.0.2"},
                        {"source_port", 9},
                        {"destination", "10.1.0.80"},
                        {"destination_port", 80}});
  EXPECT_NE(alb.dump().find("application load balancer web-alb"), std::string::npos);
}

// A flow without a record stays where it was, whatever its row says now.
TEST_F(ApiTest, ExplainKnowsFlowsWithoutARecord) {
  Tables& tables = host->tables();
  tables.attachments[0].new_flows_per_second = 1;
  send(*host, kProtocolUdp, "10.1.0.2", 1, "10.1.0.5", 53);  // takes the record of this second
  const json question{{"command", "explain"},      {"protocol", "udp"},
                      {"source", "10.1.0.2"},      {"source_port", 2},
                      {"destination", "10.1.0.5"}, {"destination_port", 53}};
  const json before = ask(question);
  EXPECT_FALSE(before["unrecorded"]);
  EXPECT_EQ(send(*host, kProtocolUdp, "10.1.0.2", 2, "10.1.0.5", 53).verdict, kVerdictTarget);
  ASSERT_EQ(tables.counters[0].event[kEventUnrecordedSent], 1u);
  const uint16_t group = *plane.controller().reconciler().group_index("ids");
  for (uint32_t i = 0; i < rows_of(group); i++) {
    row& r = tables.rows[first_row(group) + i];
    r.target = r.target == 0 ? 1 : 0;
  }
  const json after = ask(question);
  EXPECT_TRUE(after["unrecorded"]);
  EXPECT_FALSE(after["flow_exists"]);
  EXPECT_EQ(after["appliance"], before["appliance"]);
  EXPECT_NE(after.dump().find("a flow without a record"), std::string::npos);
}

TEST_F(ApiTest, ExplainNamesTheDrop) {
  for (const char* id : {"10.9.0.11", "10.9.0.12"})
    ask({{"command", "deregister"}, {"target_group", "ids"}, {"id", id}});
  const json told =
      ask({{"command", "explain"}, {"source", "10.1.0.2"}, {"destination", "10.1.0.5"}});
  EXPECT_EQ(told["drop"], "no_target");
  EXPECT_EQ(told["appliance"], nullptr);
  EXPECT_EQ(send(*host, kProtocolTcp, "10.1.0.2", 0, "10.1.0.5", 0).reason, kDropNoTarget);
  EXPECT_EQ(error_of(R"({"command": "explain", "source": "10.1.0.2", "destination": "fd00::1"})"),
            "source and destination are of different IP versions");
  EXPECT_EQ(error_of(R"({"command": "explain", "source": "10.1.0.2", "destination": "10.1.0.3",)"
                     R"( "attachment": "x"})"),
            "there is no attachment 'x'");
}

// As the path does with them (failover_test.cc).
TEST_F(ApiTest, ExplainSaysWhatEndsWithALostTarget) {
  Tables& tables = host->tables();
  for (const char* protocol : {"tcp", "udp"}) {
    const bool tcp = protocol == std::string("tcp");
    const json question{{"command", "explain"},      {"protocol", protocol},
                        {"source", "10.1.0.2"},      {"source_port", 1000},
                        {"destination", "10.1.0.5"}, {"destination_port", 443}};
    send(*host, tcp ? kProtocolTcp : kProtocolUdp, "10.1.0.2", 1000, "10.1.0.5", 443);
    const json before = ask(question);
    const uint16_t its = before["appliance"] == "10.9.0.11" ? 0 : 1;
    ASSERT_TRUE(tables.targets[its].flags & kTargetInUse);
    tables.targets[its].flags |= kTargetResets;
    EXPECT_EQ(ask(question)["drop"], nullptr) << "it still has the flow's row";
    const uint16_t group = *plane.controller().reconciler().group_index("ids");
    for (uint32_t i = 0; i < rows_of(group); i++)
      tables.rows[first_row(group) + i].target = 1 - its;
    const json told = ask(question);
    EXPECT_TRUE(told["flow_exists"]);
    EXPECT_EQ(told["drop"], tcp ? json("target_lost") : json(nullptr)) << told;
    EXPECT_EQ(told["appliance"], tcp ? json(nullptr) : before["appliance"]) << told;
    tables.targets[its].flags &= ~kTargetResets;
  }
}

TEST_F(ApiTest, AttachmentsSayWhereTheirPacketsAreTaken) {
  ASSERT_TRUE(plane.commit("test", [](Config& next) -> Result<> {
    next.attachments[0].entry = EntryChoice::kTc;
    return {};
  }));
  const json told = ask({{"command", "attachments"}});
  ASSERT_EQ(told["attachments"].size(), 1u);
  const json& front = told["attachments"][0];
  EXPECT_EQ(front["name"], "front");
  EXPECT_EQ(front["outside"], "out0");
  EXPECT_EQ(front["entry"], "tc");
  EXPECT_EQ(front["taken_at"], "tc");
  EXPECT_EQ(told["tunnel"], json::parse(R"([{"interface": "gen0", "taken_at": "xdp"}])"));
  const std::string text = print_attachments(told);
  EXPECT_NE(text.find("front"), std::string::npos);
  EXPECT_NE(text.find("tunnel interface gen0: xdp\n"), std::string::npos) << text;
}

TEST_F(ApiTest, AttachmentsCanBeInsertedAndSurviveAReload) {
  const json attach{{"command", "attach"},
                    {"name", "late"},
                    {"endpoint_id", 7},
                    {"outside", "a"},
                    {"inside", "b"}};
  const json attached = ask(attach);
  EXPECT_EQ(attached["load_balancer"], "inspect");
  EXPECT_EQ(attached["stored"], false);
  EXPECT_EQ(host->tables().ports[4].role, kPortOutside);
  EXPECT_EQ(host->tables().attachments[host->tables().ports[4].attachment].endpoint_id, 7u);
  EXPECT_EQ(error_of(attach.dump()), "attachments[2].name: the name 'late' is taken");
  EXPECT_EQ(
      error_of(R"({"command":"attach","name":"x","endpoint_id":8,"outside":"gone","inside":"b"})"),
      "attachments[2].inside: interface 'b' is used twice");
  EXPECT_EQ(
      error_of(
          R"({"command":"attach","name":"x","endpoint_id":8,"outside":"gone","inside":"away"})"),
      "interface away: there is no such interface");
  ASSERT_TRUE(plane.commit(
      "file", [](Config& next) { return apply_file(next, *parse_config(kYaml, "f")); }));
  EXPECT_EQ(host->tables().ports[5].role, kPortInside);
  EXPECT_EQ(error_of(R"({"command":"detach","name":"front"})"),
            "there is no attachment 'front' that was inserted by hand");
  EXPECT_TRUE(ask({{"command", "detach"}, {"name", "late"}})["ok"]);
  EXPECT_EQ(host->tables().ports[4].role, kPortUnused);
}

TEST_F(ApiTest, TheStateIsAppliedToldAndRolledBack) {
  std::string yaml = kYaml;
  yaml.replace(yaml.find("10.9.0.12"), 9, "10.9.0.13");
  const json apply{{"command", "apply"}, {"text", yaml}, {"file", "new.yaml"}, {"dry_run", true}};
  json told = ask(apply);
  EXPECT_EQ(told["generation"], 1);
  EXPECT_EQ(told["changes"][0]["name"], "ids");
  EXPECT_EQ(print_changes(told),
            "~ target_group ids\n    - targets[10.9.0.12].id: 10.9.0.12\n"
            "    + targets[10.9.0.13].id: 10.9.0.13\ngeneration 1\n");
  json wet = apply;
  wet.erase("dry_run");
  EXPECT_EQ(ask(wet)["generation"], 2);
  EXPECT_EQ(print_changes(ask(wet)), "no change\ngeneration 2\n");
  EXPECT_EQ(ask({{"command", "changes"}, {"from", 0}})["changes"].size(), 8u);
  EXPECT_EQ(ask({{"command", "changes"}})["from"], 1);

  const json exported = ask({{"command", "export"}})["yaml"];
  EXPECT_TRUE(ask({{"command", "apply"}, {"text", exported}})["changes"].empty()) << exported;
  EXPECT_EQ(error_of(R"({"command": "apply", "text": "gateway: 1\nx: 2\n", "file": "f"})"),
            "f:1:10: gateway: expected a map, found a value\n"
            "f:2:4: x: unknown key 'x'");

  EXPECT_EQ(ask({{"command", "rollback"}, {"generation", 1}})["generation"], 3);
  EXPECT_EQ(controller.config().target_groups[0].targets[1].address.text(), "10.9.0.12");
  EXPECT_EQ(error_of(R"({"command": "rollback", "generation": 7})"),
            "there is no generation 7; 0 to 3 are kept");
  EXPECT_EQ(error_of(R"({"command": "rollback"})"), "'generation' is needed");
  const json history = ask({{"command", "history"}, {"limit", 2}});
  EXPECT_EQ(history["generations"][0]["author"], "rollback to 1");
  EXPECT_EQ(history["generations"][1]["summary"], "~target_group ids");
  EXPECT_NE(print_history(history).find("rollback to 1  ~target_group ids"), std::string::npos)
      << print_history(history);
}

TEST_F(ApiTest, ADryRunTellsOfEverySectionAndRefusesWhatApplyWould) {
  std::string yaml = kYaml;
  yaml.insert(yaml.find("gateway:\n") + 9, "  mss_clamp: true\n");
  yaml +=
      "network: {vpcs: [{id: vpc-1, cidr: 10.0.0.0/8}], "
      "security_groups: [{id: sg-1, vpc: vpc-1}]}\n";
  json apply{{"command", "apply"}, {"text", yaml}, {"file", "new.yaml"}, {"dry_run", true}};
  const json told = ask(apply);
  EXPECT_EQ(print_changes(told),
            "~ section gateway\n    + mss_clamp: true\n"
            "+ section network\n    + security_groups[sg-1].id: sg-1\n"
            "    + security_groups[sg-1].vpc: vpc-1\n    + vpcs[vpc-1].cidr: 10.0.0.0/8\n"
            "    + vpcs[vpc-1].id: vpc-1\ngeneration 1\n");
  EXPECT_EQ(told.dump().find("00112233445566778899aabbccddeeff"), std::string::npos);
  apply.erase("dry_run");
  EXPECT_EQ(ask(apply), told);
  EXPECT_EQ(print_changes(ask(apply)), "no change\ngeneration 1\n");
  yaml.replace(yaml.find("00112233"), 8, "10112233");
  apply["text"] = yaml;
  apply["dry_run"] = true;
  EXPECT_EQ(error_of(apply.dump()),
            "gateway.key: cannot change while the gateway runs; restart it");
}

TEST_F(ApiTest, AReloadThatCannotBeChangesNothing) {
  Config other = *parse_config(kYaml, "f");
  other.gateway.flows_max = 2048;
  EXPECT_EQ(controller.apply(other).error().text(),
            "gateway.flow_table.flows_max: cannot change while the gateway runs; restart it");
  Config missing = *parse_config(kYaml, "f");
  missing.attachments[0].inside = "in9";
  EXPECT_EQ(controller.apply(missing).error().text(), "interface in9: there is no such interface");
  EXPECT_EQ(controller.config().attachments[0].inside, "in0");
  EXPECT_EQ(host->tables().ports[2].role, kPortInside);
}

}  // namespace
}  // namespace sluice::gateway
