// SPDX-License-Identifier: Apache-2.0
// The AWS APIs over a real control plane with the process host and a made-up network.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <pugixml.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gateway/aws/aws_api.h"
#include "gateway/control/gateway_for_test.h"

namespace sluice::gateway {

inline constexpr const char* kAwsTestYaml = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
network:
  vpcs: [{id: vpc-lab, cidr: 10.0.0.0/8}, {id: vpc-other, cidr: 172.16.0.0/12}]
  subnets:
    - {id: subnet-a, vpc: vpc-lab, zone: zone-a, cidr: 10.1.0.0/24, outside: out0, inside: in0}
    - {id: subnet-b, vpc: vpc-lab, zone: zone-b, cidr: 10.2.0.0/29}
    - {id: subnet-c, vpc: vpc-lab, zone: zone-a, cidr: 10.3.0.0/24, outside: a, inside: b}
    - {id: subnet-far, vpc: vpc-other, zone: zone-c, cidr: 172.16.0.0/24}
  instances:
    - {id: i-one, address: 10.1.0.11, subnet: subnet-a}
    - {id: i-two, address: 10.1.0.12, subnet: subnet-a}
load_balancers:
  - {name: from-file, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
)";

// The XML of one answer.
class AwsAnswer {
 public:
  explicit AwsAnswer(const HttpResponse& response)
      : status(response.status), headers(response.headers.begin(), response.headers.end()) {
    const auto parsed = document_->load_string(response.body.c_str());
    EXPECT_TRUE(parsed) << parsed.description() << ": " << response.body;
  }
  // Of a path below the result ("LoadBalancers/member/DNSName"); empty if it is not there.
  std::string at(const std::string& path) const {
    return result().select_node(path.c_str()).node().text().get();
  }
  size_t count(const std::string& path) const { return result().select_nodes(path.c_str()).size(); }
  // Of each element that the path names, with spaces between them.
  std::string all(const std::string& path) const {
    std::string out;
    for (const auto& found : result().select_nodes(path.c_str()))
      out.append(out.empty() ? "" : " ").append(found.node().text().get());
    return out;
  }
  std::string error() const { return document_->select_node("//Error/Code").node().text().get(); }
  std::string message() const {
    return document_->select_node("//Error/Message").node().text().get();
  }
  const pugi::xml_document& document() const { return *document_; }

  int status;
  std::map<std::string, std::string> headers;

 private:
  pugi::xml_node result() const {
    const pugi::xml_node root = document_->document_element();
    const std::string name = root.name();
    const std::string inner = name.substr(0, name.rfind("Response")) + "Result";
    const pugi::xml_node found = root.child(inner.c_str());
    return found ? found : root;
  }
  std::unique_ptr<pugi::xml_document> document_ = std::make_unique<pugi::xml_document>();
};

class AwsTest : public testing::Test, protected GatewayForTest {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  explicit AwsTest(AwsSettings settings = {{"xx-lab-1", "000000000000"}, {}, true},
                   const std::string& yaml = kAwsTestYaml)
      : api(plane, std::move(settings), [this] { return unix_time; }) {
    start(yaml);
  }

  HttpResponse post(const std::string& body, std::vector<HttpHeader> headers = {}) {
    headers.push_back({"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"});
    HttpRequest request{"POST", "/", "/", "", "127.0.0.1", headers, body, {}};
    request.peer = *SocketAddress::parse("127.0.0.1", 40'000);
    return api.answer(request);
  }
  AwsAnswer call(const std::string& version, const std::string& action, const Fields& fields) {
    std::string body = "Action=" + action + "&Version=" + version;
    for (const auto& [name, value] : fields) {
      body.append("&").append(name).append("=");
      for (const char c : value) {
        char escaped[4];
        std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned char>(c));
        body += escaped;
      }
    }
    return AwsAnswer(post(body));
  }
  AwsAnswer elb(const std::string& action, const Fields& fields = {}) {
    return call("2015-12-01", action, fields);
  }
  AwsAnswer ec2(const std::string& action, const Fields& fields = {}) {
    return call("2016-11-15", action, fields);
  }

  // The ARN of what is made.
  std::string make_balancer(const std::string& name, const std::string& type,
                            const std::string& subnet = "subnet-a") {
    const AwsAnswer made =
        elb("CreateLoadBalancer", {{"Name", name}, {"Type", type}, {"Subnets.member.1", subnet}});
    EXPECT_EQ(made.error(), "") << made.message();
    return made.at("LoadBalancers/member/LoadBalancerArn");
  }
  std::string make_group(const std::string& name, const std::string& protocol,
                         const std::string& port, const std::string& type = "ip") {
    const AwsAnswer made = elb("CreateTargetGroup", {{"Name", name},
                                                     {"Protocol", protocol},
                                                     {"Port", port},
                                                     {"TargetType", type},
                                                     {"VpcId", "vpc-lab"}});
    EXPECT_EQ(made.error(), "") << made.message();
    return made.at("TargetGroups/member/TargetGroupArn");
  }
  AwsAnswer make_listener(const std::string& balancer, const std::string& group, Fields more = {}) {
    more.insert(more.end(), {{"LoadBalancerArn", balancer},
                             {"DefaultActions.member.1.Type", "forward"},
                             {"DefaultActions.member.1.TargetGroupArn", group}});
    return elb("CreateListener", more);
  }

  int64_t unix_time = 1'795'242'661;
  AwsApi api;
};

}  // namespace sluice::gateway
