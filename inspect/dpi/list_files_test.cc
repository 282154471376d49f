// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/list_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "inspect/dpi/classifier.h"
#include "inspect/dpi/client_hello_for_test.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

TEST(ListLine, TakesWhatNdpiTakes) {
  const struct {
    ListKind kind;
    std::string line;
  } good[] = {
      {ListKind::kProtocols, "tcp:81,tcp:8181@HTTP"},
      {ListKind::kProtocols, "udp:5061-5062@SIP"},
      {ListKind::kProtocols, "host:\"a.example\",host:\"*.b.example\"@Mine"},
      {ListKind::kProtocols, "ip:10.1.0.0/16,ip:10.2.3.4:443@Mine"},
      {ListKind::kProtocols, "ip_risk_mask:192.168.0.0/16=0"},
      {ListKind::kProtocols, "host_risk_mask:\".home\"=0"},
      {ListKind::kProtocols, "trusted_issuer_dn:\"CN=813845657003339838, O=Code42, C=US\""},
      {ListKind::kCategories, "144.139.247.220\t100"},
      {ListKind::kCategories, "bad.example\t100"},
      {ListKind::kRiskyDomains, ".tk"},
      {ListKind::kJa3, "b386946a5a44d1ddcc843bc75336dfce,2017-07-14 18:08:15,Dridex"},
      {ListKind::kJa3, "b386946a5a44d1ddcc843bc75336dfce"},
      {ListKind::kSha1, "2021-02-26,63b98696509246c6b79ac745c0e959ac0d7b9316,BitRAT C&C"},
      {ListKind::kSha1, "63B98696509246C6B79AC745C0E959AC0D7B9316"},
  };
  for (const auto& [kind, line] : good) EXPECT_EQ(list_line_error(kind, line), "") << line;
}

TEST(ListLine, RefusesWhatNdpiWouldMisread) {
  const std::string zero("a\0b", 3);
  const struct {
    ListKind kind;
    std::string line;
  } bad[] = {
      {ListKind::kProtocols, "tcp:0@X"},
      {ListKind::kProtocols, "tcp:70000@X"},
      {ListKind::kProtocols, "tcp:90-80@X"},
      {ListKind::kProtocols, "tcp:80-@X"},
      {ListKind::kProtocols, "sctp:80@X"},
      {ListKind::kProtocols, "a.example@X"},
      {ListKind::kProtocols, "host:\"\"@X"},
      {ListKind::kProtocols, "host:\"a b\"@X"},
      {ListKind::kProtocols, "ip:10.0.0@X"},
      {ListKind::kProtocols, "ip:10.0.0.0/33@X"},
      {ListKind::kProtocols, "tcp:80,@X"},
      {ListKind::kProtocols, "tcp:80@"},
      {ListKind::kProtocols, "@X"},
      {ListKind::kProtocols, "nonsense"},
      {ListKind::kProtocols, "ip_risk_mask:10.0.0.0/8"},
      {ListKind::kProtocols, "ip_risk_mask:host=0"},
      {ListKind::kProtocols, "trusted_issuer_dn:"},
      {ListKind::kProtocols, "host_risk_mask:\"" + std::string(300, 'a') + "\"=0"},
      {ListKind::kCategories, "bad.example 100"},
      {ListKind::kCategories, "bad.example\t"},
      {ListKind::kCategories, "bad.example\t9999"},
      {ListKind::kCategories, std::string(600, 'a') + "\t1"},
      {ListKind::kRiskyDomains, "two words"},
      {ListKind::kRiskyDomains, "\xff\xfftk"},
      {ListKind::kCategories, "m\xc3\xbcller.example\t5"},
      {ListKind::kProtocols, "host:\"\xff\"@X"},
      {ListKind::kRiskyDomains, std::string(127, 'a')},
      {ListKind::kRiskyDomains, zero},
      {ListKind::kJa3, "b386946a5a44d1ddcc843bc75336dfc"},
      {ListKind::kJa3, "x386946a5a44d1ddcc843bc75336dfce"},
      {ListKind::kSha1, "63b98696509246c6b79ac745c0e959ac0d7b9316,2021"},
  };
  for (const auto& [kind, line] : bad) EXPECT_NE(list_line_error(kind, line), "") << line;
}

class ListFilesTest : public ::testing::Test {
 protected:
  ~ListFilesTest() override {
    for (const std::string& file : files_) std::remove(file.c_str());
  }
  std::string file(const std::string& text) {
    files_.push_back(::testing::TempDir() + "list_files_test_" + std::to_string(getpid()) + "_" +
                     std::to_string(files_.size()));
    std::ofstream(files_.back(), std::ios::binary) << text;
    return files_.back();
  }

 private:
  std::vector<std::string> files_;
};

// The last line without its end, and the ends of another system, count like the others.
TEST_F(ListFilesTest, EachListDoesItsPart) {
  ListFiles lists;
  lists.protocols = file("# comment\r\n\r\nhost:\"tube.example\"@OurTube\r\ntcp:31337@OurPort");
  lists.categories = file("mail.example\t100\nweb.example\t101");
  lists.risky_domains = file(".example");
  auto classifier = Classifier::create(lists);
  ASSERT_TRUE(classifier) << classifier.error().text();
  for (const std::string name : {"OurTube", "OurPort"})
    EXPECT_TRUE(std::ranges::count((*classifier)->names().applications, name)) << name;

  const auto classify = [&](uint16_t port, const std::string& bytes, FlowClassification& flow) {
    const testing::Bytes ip =
        testing::tcp({"10.0.0.1", "10.0.0.2", 40000, port}, tunnels::kTcpAck, 1, 1, bytes);
    const tunnels::packet packet = testing::parsed(ip);
    (*classifier)->feed(flow, ip, packet, 1'700'000'000'000'000);
    (*classifier)->finish(flow, packet.tuple);
    return (*classifier)->name(flow.application());
  };
  FlowClassification tube, mail, port;
  EXPECT_EQ(classify(443, testing::client_hello("www.tube.example"), tube), "TLS.OurTube");
  EXPECT_EQ(classify(443, testing::client_hello("web.example"), mail), "TLS");
  EXPECT_EQ((*classifier)->category_name(mail.application()), "Advertisement");
  const auto risks = Classifier::risk_names(mail.findings().risks);
  EXPECT_TRUE(std::ranges::count(risks, "Risky Domain Name"));
  EXPECT_EQ(classify(31337, "xyz", port), "OurPort");
}

TEST_F(ListFilesTest, AJa3OfTheListIsARisk) {
  const std::string hello = testing::client_hello("www.example.org");
  const auto risks_with = [&](const ListFiles& lists, std::string* ja3) {
    auto classifier = Classifier::create(lists);
    EXPECT_TRUE(classifier) << classifier.error().text();
    const testing::Bytes ip =
        testing::tcp({"10.0.0.1", "10.0.0.2", 40000, 443}, tunnels::kTcpAck, 1, 1, hello);
    const tunnels::packet packet = testing::parsed(ip);
    FlowClassification flow;
    (*classifier)->feed(flow, ip, packet, 1'700'000'000'000'000);
    (*classifier)->finish(flow, packet.tuple);
    if (ja3 != nullptr) *ja3 = flow.findings().ja3_client;
    return std::ranges::count(Classifier::risk_names(flow.findings().risks),
                              "Possibly Malicious JA3 Fingerprint");
  };
  std::string ja3;
  EXPECT_EQ(risks_with({}, &ja3), 0);
  ListFiles lists;
  lists.ja3 = file(ja3 + "," + std::string(500, 'x') + "\n");
  EXPECT_EQ(risks_with(lists, nullptr), 1);
}

TEST_F(ListFilesTest, ErrorsNameFileAndLine) {
  ListFiles missing;
  missing.categories = "/nonexistent/categories.txt";
  const auto not_there = Classifier::create(missing);
  ASSERT_FALSE(not_there);
  EXPECT_EQ(not_there.error().text(),
            "/nonexistent/categories.txt: cannot read: No such file or directory");

  ListFiles malformed;
  malformed.protocols = file("# fine\ntcp:80@HTTP\ntcp:x@HTTP\n");
  const auto bad = Classifier::create(malformed);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), malformed.protocols +
                                    ":3: the line has \"tcp:x\", which is no tcp:PORT, udp:PORT, "
                                    "ip:IPV4 or host:\"NAME\"");

  ListFiles folder;
  folder.sha1 = "/tmp";
  EXPECT_FALSE(Classifier::create(folder));
}

}  // namespace
}  // namespace sluice::inspect
