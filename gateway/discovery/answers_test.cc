// SPDX-License-Identifier: Apache-2.0
// What sources say, read from bytes: DNS messages, files, etcd's JSON.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/control/validate.h"
#include "gateway/discovery/dns_answer.h"
#include "gateway/discovery/dns_message_for_test.h"
#include "gateway/discovery/etcd_messages.h"
#include "gateway/discovery/target_list.h"

namespace sluice::gateway {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string texts(const std::vector<Target>& targets) {
  std::string out;
  for (const Target& target : targets) out += target.text() + " ";
  return out;
}

TEST(DnsAnswer, HasAddressesAndTheLeastTtl) {
  DnsMessage message(7, "ids.example", kDnsTypeA);
  message.cname(30, "a.example");
  message.address(60, "10.9.0.11");
  message.address(45, "10.9.0.12");
  message.address(1000, "fd00::1");  // of another type: only its TTL counts
  const auto answer = parse_dns_answer(bytes_of(message.bytes()), DnsRecord::kA);
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_EQ(answer->addresses.size(), 2u);
  EXPECT_EQ(answer->addresses[1].text(), "10.9.0.12");
  EXPECT_EQ(answer->ttl_s, 30u);
  const auto six = parse_dns_answer(bytes_of(message.bytes()), DnsRecord::kAaaa);
  ASSERT_TRUE(six);
  ASSERT_EQ(six->addresses.size(), 1u);
  EXPECT_EQ(six->addresses[0].text(), "fd00::1");
}

TEST(DnsAnswer, HasServicesOfTheLowestPriority) {
  DnsMessage message(7, "_ids._udp.example", kDnsTypeSrv);
  message.service(60, 20, 6081, "later.example");
  message.service(60, 10, 6081, "one.example");
  message.service(60, 10, 6082, "two.example");
  const auto answer = parse_dns_answer(bytes_of(message.bytes()), DnsRecord::kSrv);
  ASSERT_TRUE(answer) << answer.error().text();
  const std::vector<SrvRecord> wanted = {{"one.example", 6081, 10}, {"two.example", 6082, 10}};
  EXPECT_EQ(answer->services, wanted);
}

TEST(DnsAnswer, ServiceOfNobodyIsNone) {
  DnsMessage message(7, "_ids._udp.example", kDnsTypeSrv);
  message.service(60, 0, 0, "");
  const auto answer = parse_dns_answer(bytes_of(message.bytes()), DnsRecord::kSrv);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->services.empty());
}

TEST(DnsAnswer, CutAnywhereIsRefused) {
  DnsMessage message(7, "_ids._udp.example", kDnsTypeSrv);
  message.service(60, 10, 6081, "one.example");
  const std::string whole = message.bytes();
  for (size_t size = 0; size < whole.size(); size++) {
    const std::string cut = whole.substr(0, size);
    EXPECT_FALSE(parse_dns_answer(bytes_of(cut), DnsRecord::kSrv)) << size;
  }
}

TEST(DnsAnswer, LengthsThatDoNotFitAreLeftOut) {
  DnsMessage message(7, "ids.example", kDnsTypeA);
  message.record(60, kDnsTypeA, "abc");
  message.record(60, kDnsTypeA, "abcde");
  const auto answer = parse_dns_answer(bytes_of(message.bytes()), DnsRecord::kA);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->addresses.empty());
  DnsMessage service(7, "ids.example", kDnsTypeSrv);
  service.record(60, kDnsTypeSrv, "abcdef");
  EXPECT_FALSE(parse_dns_answer(bytes_of(service.bytes()), DnsRecord::kSrv));
}

TEST(TargetList, LinesAndYaml) {
  struct Case {
    const char* path;
    const char* text;
    const char* wanted;  // the targets, or the error
  };
  const Case cases[] = {
      {"/ids", "10.9.0.11\n10.9.0.12:6081\n", "10.9.0.11:0 10.9.0.12:6081 "},
      {"/ids", "# all\n\n  10.9.0.11  # one\r\n[fd00::1]:80", "10.9.0.11:0 [fd00::1]:80 "},
      {"/ids", "[]\n", ""},
      {"/ids", "", "/ids: no target in it; write [] for none"},
      {"/ids", "# nothing\n\n", "/ids: no target in it; write [] for none"},
      {"/ids", "10.9.0.11\nsecret\n", "/ids:2: no IP address"},
      {"/ids", "10.9.0.11\n10.9.0.12:99999\n", "/ids:2: the port is not between 1 and 65535"},
      {"/ids.yaml", "- {id: 10.9.0.11}\n- {id: fd00::1, port: 80}\n", "10.9.0.11:0 [fd00::1]:80 "},
      {"/ids.yaml", "[]\n", ""},
      {"/ids.yaml", "",
       "/ids.yaml:1:1: no list of targets such as `- {id: 10.9.0.11, port: 80}` ([] for none)"},
      {"/ids.yml", "- {id: secret}\n",
       "/ids.yml:1:3: [0]: no list of targets such as `- {id: 10.9.0.11, port: 80}` ([] for none)"},
      {"/ids.yml", "- &secret {id: 10.9.0.11}\n- *secret\n",
       "/ids.yml:1:3: no list of targets such as `- {id: 10.9.0.11, port: 80}` ([] for none)"},
  };
  for (const Case& c : cases) {
    const auto list = parse_target_list(c.text, c.path);
    EXPECT_EQ(list ? texts(*list) : list.error().text(), c.wanted) << c.path << "\n" << c.text;
  }
}

TEST(TargetList, CutAnywhereIsReadOrRefused) {
  for (const char* path : {"/ids", "/ids.yaml"}) {
    const std::string text = "- {id: 10.9.0.11, port: 80}\n[fd00::1]:80 # x\n";
    for (size_t size = 0; size <= text.size(); size++)
      (void)parse_target_list(text.substr(0, size), path);
  }
}

TEST(TargetList, HasAMostOfTargetsAndBytes) {
  std::string text;
  for (size_t i = 0; i <= kTargetsPerGroupMax; i++) text += "10.9.0.11\n";
  EXPECT_NE(parse_target_list(text, "/ids").error().text().find("more than"), std::string::npos);
  text.erase(text.size() - 10);
  EXPECT_TRUE(parse_target_list(text, "/ids"));
  EXPECT_NE(read_target_list("/dev/null").error().text().find("no regular file"),
            std::string::npos);
}

const char kList[] =
    R"({"header":{"cluster_id":"1","revision":"42"},"kvs":[)"
    R"({"key":"L2lkcy9h","value":"MTAuOS4wLjEx"},)"          // /ids/a 10.9.0.11
    R"({"key":"L2lkcy9i","value":"MTAuOS4wLjEyOjYwODE="},)"  // /ids/b 10.9.0.12:6081
    R"({"key":"L2lkcy9j","value":"c2VjcmV0"},)"              // /ids/c secret
    R"({"key":"L2lkcy9k"}],"count":"4"})";                   // /ids/d, empty

TEST(EtcdList, HasTheTargetsAndTheRevision) {
  const auto list = parse_etcd_list(kList);
  ASSERT_TRUE(list) << list.error().text();
  EXPECT_EQ(list->revision, 42);
  EXPECT_EQ(texts(list->found.targets), "10.9.0.11:0 10.9.0.12:6081 ");
  EXPECT_EQ(list->found.unusable, 2u);
  EXPECT_EQ(list->found.why, "key '/ids/c': no IP address");
  const auto empty = parse_etcd_list(R"({"header":{"revision":"1"}})");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->found.targets.empty());
}

TEST(EtcdList, WhatIsNoneIsRefused) {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"header":{"revision":42}})",
                           R"({"header":{"revision":"x"}})", R"({"header":{"revision":"-1"}})",
                           R"({"header":{"revision":"9223372036854775807"}})",
                           R"({"header":{"revision":"1"},"kvs":{}})"})
    EXPECT_FALSE(parse_etcd_list(text)) << text;
  const std::string whole = kList;
  for (size_t size = 0; size < whole.size(); size++)
    EXPECT_FALSE(parse_etcd_list(whole.substr(0, size))) << size;
  const auto strange = parse_etcd_list(
      R"({"header":{"revision":"1"},"kvs":[1,{},{"key":1},{"key":"a","value":"="},{"key":"!!!!","value":"!!!!"}]})");
  ASSERT_TRUE(strange);
  EXPECT_EQ(strange->found.unusable, 5u);
}

TEST(EtcdList, HasAMostOfTargets) {
  std::string text = R"({"header":{"revision":"1"},"kvs":[)";
  for (size_t i = 0; i <= kTargetsPerGroupMax; i++)
    text += std::string(i == 0 ? "" : ",") + R"({"key":"L2lkcy9h","value":"MTAuOS4wLjEx"})";
  const auto list = parse_etcd_list(text + "]}");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->found.targets.size(), kTargetsPerGroupMax);
  EXPECT_EQ(list->found.unusable, 1u);
}

TEST(EtcdWatch, TellsOnlyThatSomethingChanged) {
  struct Case {
    const char* line;
    const char* wanted;
  };
  const Case cases[] = {
      {R"({"result":{"header":{"revision":"4"},"created":true}})", "nothing"},
      {R"({"result":{"header":{"revision":"4"}}})", "nothing"},
      {R"({"result":{"events":[]}})", "nothing"},
      {R"({"result":{"events":[{"type":"DELETE","kv":{"key":"YQ=="}}]}})", "changed"},
      {R"({"result":{"canceled":true,"compact_revision":"9"}})", "changed"},
      {R"({"error":{"message":"no leader"}})", "refused"},
      {"", "refused"},
      {"[]", "refused"},
  };
  for (const Case& c : cases) {
    const auto word = parse_etcd_word(c.line);
    EXPECT_STREQ(!word                         ? "refused"
                 : *word == EtcdWord::kChanged ? "changed"
                                               : "nothing",
                 c.wanted)
        << c.line;
  }
}

TEST(EtcdRequests, NameTheRangeOfThePrefix) {
  // "/ids/" to "/ids0".
  EXPECT_NE(etcd_list_request("/ids/").find(R"("key":"L2lkcy8=")"), std::string::npos);
  EXPECT_NE(etcd_list_request("/ids/").find(R"("range_end":"L2lkczA=")"), std::string::npos);
  EXPECT_NE(etcd_watch_request("/ids/", 43).find(R"("start_revision":"43")"), std::string::npos);
  EXPECT_NE(etcd_list_request("\xff").find(R"("range_end":"AA==")"), std::string::npos);
}

TEST(EtcdComplaint, IsPrintable) {
  EXPECT_EQ(etcd_complaint(401, R"({"message":"no\nkey"})"), "etcd answered 401: no?key");
  EXPECT_EQ(etcd_complaint(502, "<html>"), "etcd answered 502");
}

}  // namespace
}  // namespace sluice::gateway
