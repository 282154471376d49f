// SPDX-License-Identifier: Apache-2.0
// Rules with dataset, datarep and iprep over packets.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "inspect/app/dns_for_test.h"
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

const Ends kWeb;

std::string request(const std::string& agent) {
  return "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: " + agent + "\r\n\r\n";
}

void send_requests(Harness& h, std::initializer_list<const char*> agents) {
  uint32_t at = 0;
  for (const char* agent : agents) {
    h.data(kWeb, at, request(agent));
    at += static_cast<uint32_t>(request(agent).size());
  }
}

TEST(DatasetRules, SetHoldsOnceAndIsSeenByOthers) {
  Harness h(
      "alert http any any -> any any (http.user_agent; dataset:set,agents,type string; sid:1;)\n"
      "alert http any any -> any any (http.user_agent; dataset:isset,agents; sid:2;)\n"
      "alert http any any -> any any (http.user_agent; content:\"b\"; "
      "dataset:isnotset,agents; sid:3;)\n");
  h.connect(kWeb);
  send_requests(h, {"a", "a", "b"});
  // What sid 1 puts there is there when sid 2 and 3 are asked: rules are tried in their order.
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 2, 1, 2}));
  EXPECT_EQ(h.engine()->datasets().memory(), 2 * 81u);
}

TEST(DatasetRules, OnlyARuleThatHoldsChangesASet) {
  Harness h(
      "alert http any any -> any any (http.user_agent; dataset:set,agents,type string; http.uri; "
      "content:\"/no\"; sid:1;)\n"
      "alert http any any -> any any (http.user_agent; dataset:isset,agents; sid:2;)\n");
  h.connect(kWeb);
  send_requests(h, {"a", "a"});
  EXPECT_TRUE(h.alerts().empty());
  EXPECT_EQ(h.engine()->datasets().memory(), 0u);
}

TEST(DatasetRules, ARuleAboutAnEventDoesNotChangeTheSetOfAnother) {
  Harness h(
      "alert dns any any -> any any (dns.query; dataset:set,names,type string; dns.query; "
      "to_uppercase; content:\"EXAMPLE\"; content:!\"ORG\"; sid:1;)\n"
      "alert dns any any -> any any (app-layer-event:dns.not_request; sid:2;)\n");
  const Ends resolver{"10.0.0.1", "10.0.0.53", 40000, 53};
  std::string query = dns_query("www.example.org");
  h.send(udp(resolver, query));
  query[2] = '\x81';  // an answer, from the client
  h.send(udp(resolver, query));
  EXPECT_EQ(h.alerts(), (Sids{2}));
  EXPECT_EQ(h.engine()->datasets().memory(), 0u);
}

TEST(DatasetRules, UnsetTakesOut) {
  Harness h(
      "alert http any any -> any any (http.user_agent; content:\"a\"; "
      "dataset:set,agents,type string; noalert; sid:1;)\n"
      "alert http any any -> any any (http.user_agent; dataset:unset,agents; sid:2;)\n");
  h.connect(kWeb);
  send_requests(h, {"a", "b"});
  EXPECT_EQ(h.alerts(), (Sids{2}));
  EXPECT_EQ(h.engine()->datasets().memory(), 0u);
}

TEST(DatasetRules, DigestsAndAddresses) {
  Harness h(
      "alert http any any -> any any (http.user_agent; to_sha256; "
      "dataset:set,digests,type sha256; sid:1;)\n"
      "alert udp any any -> any any (ip.src; dataset:set,hosts,type ip; sid:2;)\n"
      "alert udp any any -> any any (ip.dst; dataset:isset,hosts; sid:3;)\n");
  h.connect(kWeb);
  send_requests(h, {"a", "a"});
  EXPECT_EQ(h.alerts(), (Sids{1}));
  h.forget_events();
  const Ends six{"2001:db8::1", "2001:db8::2", 1, 9};
  h.send(udp(six, "x"));
  h.send(udp(six, "x"));
  h.send(udp(six.turned(), "x"));
  EXPECT_EQ(h.alerts(), (Sids{2, 2, 3}));
}

TEST(DatasetRules, AReloadKeepsASet) {
  const std::string rules =
      "alert http any any -> any any (http.user_agent; dataset:set,agents,type string; sid:1;)";
  Harness h(rules);
  h.connect(kWeb);
  send_requests(h, {"a"});
  h.reload(rules);
  h.data(kWeb, static_cast<uint32_t>(request("a").size()), request("a"));
  EXPECT_EQ(h.alerts(), (Sids{1}));
}

class Files : public ::testing::Test {
 protected:
  Files() { std::filesystem::create_directories(directory_); }
  ~Files() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }
  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("dataset_rules_test." + std::to_string(getpid()));
};

TEST_F(Files, DatarepComparesNumbers) {
  write("agents", "YQ==,10\nYg==,90\n");
  EngineOptions options;
  options.data_directory = directory_;
  Harness h(
      "alert http any any -> any any (http.user_agent; "
      "datarep:agents,>,50,type string,load agents; sid:1;)\n"
      "alert http any any -> any any (http.user_agent; datarep:agents,<,50; sid:2;)\n",
      {}, options);
  h.connect(kWeb);
  send_requests(h, {"a", "b", "c"});
  EXPECT_EQ(h.alerts(), (Sids{2, 1}));
}

TEST_F(Files, IprepLooksAtEitherEnd) {
  EngineOptions options;
  options.reputation.categories_file = write("categories", "1,bad,Bad hosts\n");
  options.reputation.files = {write("scores", "10.0.0.0/24,1,30\n10.0.0.2,1,90\n")};
  Harness h(
      "alert ip any any -> any any (iprep:src,bad,>,50; sid:1;)\n"
      "alert ip any any -> any any (iprep:dst,bad,>,50; sid:2;)\n"
      "alert ip any any -> any any (iprep:any,bad,=,90; sid:3;)\n"
      "alert ip any any -> any any (iprep:both,bad,>=,30; sid:4;)\n"
      "alert ip any any -> any any (iprep:both,bad,>=,31; sid:5;)\n",
      {}, options);
  h.send(udp({"10.0.0.1", "10.0.0.2", 1, 9}, "x"));
  EXPECT_EQ(h.alerts(), (Sids{2, 3, 4}));
  h.forget_events();
  // Once for each direction of a flow, as other rules about addresses.
  h.send(udp({"10.0.0.1", "10.0.0.2", 1, 9}, "x"));
  EXPECT_TRUE(h.alerts().empty());
  h.send(udp({"10.0.0.2", "10.0.0.1", 9, 1}, "x"));
  EXPECT_EQ(h.alerts(), (Sids{1, 3, 4}));
  h.forget_events();
  h.send(udp({"10.9.0.1", "10.9.0.2", 1, 9}, "x"));
  EXPECT_TRUE(h.alerts().empty());
  // Other scores meet the flows that go on; the same ones do not meet them again.
  const std::string rule = "alert ip any any -> any any (iprep:src,bad,>,50; sid:1;)\n";
  h.send(udp({"10.0.0.3", "10.0.0.4", 1, 9}, "x"));
  h.forget_events();
  write("scores", "10.0.0.3,1,60\n");
  for (int i = 0; i < 2; i++) {
    h.reload(rule);
    h.send(udp({"10.0.0.3", "10.0.0.4", 1, 9}, "x"));
    EXPECT_EQ(h.alerts(), (Sids{1}));
  }
}

}  // namespace
}  // namespace sluice::inspect
