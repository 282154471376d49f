// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/dns_for_test.h"
#include "inspect/app/dns_transaction.h"
#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: builders of messages

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
using Texts = std::vector<std::string>;

class DnsTest : public ::testing::Test {
 protected:
  Parsed up(std::string_view bytes) { return parser_->feed(kUp, bytes_of(bytes), sink_); }
  Parsed down(std::string_view bytes) { return parser_->feed(kDown, bytes_of(bytes), sink_); }
  void end() {
    parser_->end(kUp, sink_);
    parser_->end(kDown, sink_);
  }
  Texts all(std::string_view name) const { return sink_.get_all(Recorded::kBuffer, name); }
  Texts logs() const { return sink_.get_all(Recorded::kLog); }

  std::unique_ptr<Parser> parser_ = dns_entry().make();
  RecordingSink sink_;
};

class DnsTcpTest : public DnsTest {
 protected:
  DnsTcpTest() { parser_ = dns_tcp_entry().make(); }
};

TEST_F(DnsTest, AQueryAndItsAnswer) {
  EXPECT_EQ(up(dns_query("www.Example.org")), Parsed::kMore);
  EXPECT_EQ(sink_.get(0, kUp, "dns.query"), "www.Example.org");
  EXPECT_EQ(sink_.get(0, kUp, "dns.queries.rrname"), "www.Example.org");
  EXPECT_EQ(down(dns_answer("www.Example.org")), Parsed::kMore);
  EXPECT_EQ(sink_.get(0, kDown, "dns.answers.rrname"), "www.Example.org");
  EXPECT_EQ(logs(),
            (Texts{R"({"dns":{"type":"query","id":7,"rrname":"www.Example.org","rrtype":"A",)"
                   R"("tx_id":0,"opcode":0}})",
                   R"({"dns":{"version":2,"type":"answer","id":7,"flags":"8180","qr":true,)"
                   R"("rd":true,"ra":true,"opcode":0,"rrname":"www.Example.org","rrtype":"A",)"
                   R"("rcode":"NOERROR","answers":[{"rrname":"www.Example.org","rrtype":"A",)"
                   R"("ttl":300,"rdata":"192.0.2.1"}],"grouped":{"A":["192.0.2.1"]}}})"}));
  const Texts ended = sink_.get_all(Recorded::kEnded);
  ASSERT_EQ(ended.size(), 1u);  // what an alert would have shown
  EXPECT_EQ(ended[0],
            R"({"dns":{"version":3,"type":"response","tx_id":1,"id":7,"flags":"8180","qr":true,)"
            R"("rd":true,"ra":true,"opcode":0,"rcode":"NOERROR",)"
            R"("queries":[{"rrname":"www.Example.org","rrtype":"A"}],)"
            R"("answers":[{"rrname":"www.Example.org","rrtype":"A","ttl":300,)"
            R"("rdata":"192.0.2.1"}],"grouped":{"A":["192.0.2.1"]}}})");
  EXPECT_EQ(sink_.get_all(Recorded::kFinished).size(), 2u);
  EXPECT_TRUE(sink_.events().empty());
}

// Logs as version 3 of DNS events says it.
class MessageSink : public RecordingSink {
 public:
  bool logs_dns_messages() const override { return true; }
};

TEST_F(DnsTest, AMessageIsOneEventForWhoWantsThat) {
  MessageSink sink;
  parser_->feed(kUp, bytes_of(dns_query("a.example")), sink);
  parser_->feed(kDown, bytes_of(dns_answer("a.example")), sink);
  const Texts logs = sink.get_all(Recorded::kLog);
  ASSERT_EQ(logs.size(), 2u);
  EXPECT_TRUE(logs[0].starts_with(R"({"dns":{"version":3,"type":"request","tx_id":0,"id":7,)"));
  EXPECT_TRUE(logs[1].starts_with(R"({"dns":{"version":3,"type":"response","tx_id":1,"id":7,)"));
}

TEST_F(DnsTest, AnswersFindTheirQueriesByTheirIds) {
  up(dns_query("one.example", 1));
  up(dns_query("two.example", 2));
  down(dns_answer("two.example", 2));
  down(dns_answer("one.example", 1));
  down(dns_answer("three.example", 3));  // nobody has asked
  EXPECT_EQ(sink_.get(1, kDown, "dns.answers.rrname"), "two.example");
  EXPECT_EQ(sink_.get(0, kDown, "dns.answers.rrname"), "one.example");
  EXPECT_EQ(sink_.get(2, kDown, "dns.answers.rrname"), "three.example");
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 3u);
}

TEST_F(DnsTest, EveryKindOfRecord) {
  const std::string message =
      dns_header(7, 0x8583, 1, 9, 1, 1) + dns_question("a.example", 255) +
      dns_record(kDnsTypeCname, "\1b\xc0\x0e") +
      dns_record(kDnsTypeAaaa, "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\1") +
      dns_record(kDnsTypeMx, be16(10) + dns_name("mx.example")) +
      dns_record(kDnsTypeTxt, std::string("\3one\0\3two", 9)) +
      dns_record(kDnsTypeSrv, be16(1) + be16(2) + be16(443) + dns_name("srv.example")) +
      dns_record(kDnsTypeSshfp, "\4\2\xab\xcd") + dns_record(kDnsTypeNull, "null") +
      dns_record(65, "anything") + dns_record(kDnsTypePtr, dns_name("ptr.example")) +
      dns_record(kDnsTypeSoa, dns_name("ns.example") + dns_name("mail.example") + be32(1) +
                                  be32(2) + be32(3) + be32(4) + be32(5)) +
      dns_record(41, "", std::string(1, '\0'));
  down(message);
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
  const std::string log = logs().at(0);
  const std::string soa =
      R"("authorities":[{"rrname":"a.example","rrtype":"SOA","ttl":300,"soa":)"
      R"({"mname":"ns.example","rname":"mail.example","serial":1,"refresh":2,"retry":3,)"
      R"("expire":4,"minimum":5}}])";
  EXPECT_NE(log.find(soa), std::string::npos) << log;
  for (const char* part :
       {R"("flags":"8583","qr":true,"aa":true,"rd":true,"ra":true,"opcode":0,)",
        R"("rcode":"NXDOMAIN")", R"("rrtype":"CNAME","ttl":300,"rdata":"b.example"})",
        R"("rdata":"2001:0db8:0000:0000:0000:0000:0000:0001"})",
        R"("rrtype":"MX","ttl":300,"rdata":"mx.example"})",
        R"("rrtype":"TXT","ttl":300,"rdata":"one"})", R"("rrtype":"TXT","ttl":300,"rdata":""})",
        R"("srv":{"priority":1,"weight":2,"port":443,"name":"srv.example"}})",
        R"("sshfp":{"fingerprint":"ab:cd","algo":4,"type":2}})", R"("rdata":"null"})",
        R"("rrtype":"HTTPS","ttl":300})", R"("TXT":["one","","two"])"})
    EXPECT_NE(log.find(part), std::string::npos) << part << "\n" << log;
  EXPECT_EQ(all("dns.answers.rrname").size(), 11u);
  EXPECT_EQ(all("dns.authorities.rrname"), Texts{"a.example"});
  EXPECT_EQ(all("dns.additionals.rrname"), Texts{""});
  const Texts names = all("dns.response.rrname");
  for (const char* name : {"b.example", "mx.example", "srv.example", "ptr.example", "ns.example"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
}

TEST(DnsTransaction, NumbersForKeywords) {
  RecordingSink sink;
  DnsTransaction transaction(0);
  EXPECT_EQ(transaction.opcode(kUp), std::nullopt);
  const std::string query = dns_header(1, 0x2900, 2) + dns_question("a", 16) + dns_question("b", 1);
  transaction.tell(kUp, read_dns_message(bytes_of(query)), 0, sink);
  EXPECT_EQ(transaction.opcode(kUp), 5);
  EXPECT_EQ(transaction.rrtype(kUp, 0), 16);
  EXPECT_EQ(transaction.rrtype(kUp, 1), 1);
  EXPECT_EQ(transaction.rrtype(kUp, 2), std::nullopt);
  EXPECT_EQ(transaction.rcode(kDown), std::nullopt);
  const std::string answer = dns_header(1, 0x8003, 0, 1, 1) + dns_record(99, "", dns_name("a")) +
                             dns_record(2, dns_name("ns"));
  transaction.tell(kDown, read_dns_message(bytes_of(answer)), 1, sink);
  EXPECT_EQ(transaction.rcode(kDown), 3);
  EXPECT_EQ(transaction.rrtype(kDown, 0), 99);
  EXPECT_EQ(transaction.rrtype(kDown, 1), std::nullopt);  // no answer
}

TEST_F(DnsTest, WhatNobodyWantsIsNotTold) {
  for (const BufferInfo& info : buffer_table()) sink_.unwanted.push_back(info.buffer);
  up(dns_query("a.example"));
  down(dns_answer("a.example"));
  EXPECT_EQ(sink_.str().find("buffer"), std::string::npos);
  EXPECT_EQ(logs().size(), 2u);
}

TEST_F(DnsTest, OpenQueriesAreBounded) {
  for (size_t i = 0; i < 1000; i++) up(dns_query("flood.example", i));
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1000u - 64);
  down(dns_answer("flood.example", 5));  // long forgotten
  EXPECT_EQ(sink_.all.back().transaction, 1000u);
  end();
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1001u);
}

TEST_F(DnsTest, UnansweredQueriesEndWithTheFlow) {
  up(dns_query("a.example"));
  parser_->end(kUp, sink_);
  EXPECT_TRUE(sink_.get_all(Recorded::kEnded).empty());
  parser_->end(kDown, sink_);
  EXPECT_EQ(sink_.get_all(Recorded::kFinished).size(), 2u);
  EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u);
}

TEST_F(DnsTest, WhatIsBrokenIsAnEvent) {
  const std::string too_many = dns_header(7, 0x0100, 2000) + [] {
    std::string questions;
    for (size_t i = 0; i < 2000; i++) questions += dns_question("", 1);
    return questions;
  }();
  std::string long_name;
  for (size_t i = 0; i < 30; i++) long_name += (i ? "." : "") + std::string(60, 'x');
  const struct {
    const char* name;
    std::string message;
    Texts events;
  } cases[] = {
      {"no header", "\1\2\3", {"malformed_data"}},
      {"a name beyond the end", dns_header(7, 0, 1) + "\5abc", {"malformed_data"}},
      {"an unknown label",
       dns_header(7, 0, 1) + "\x81" + std::string(200, 'a'),
       {"malformed_data"}},
      {"fewer questions than said", dns_header(7, 0, 2) + dns_question("a"), {"malformed_data"}},
      {"data beyond the end",
       dns_header(7, 0, 0, 1) + dns_name("a") + be16(1) + be16(1) + be32(0) + be16(9) + "x",
       {"malformed_data"}},
      {"an address of three bytes",
       dns_header(7, 0, 0, 1) + dns_record(1, "abc", dns_name("a")),
       {"malformed_data"}},
      {"data that a name overruns",
       dns_header(7, 0, 0, 2) + dns_record(5, "\5ab", dns_name("a")) + dns_record(1, "abcd"),
       {"malformed_data"}},
      {"a pointer to itself", dns_header(7, 0, 1) + "\xc0\x0c" + be32(1), {"infinite_loop"}},
      {"labels in a loop", dns_header(7, 0, 1) + "\1a\xc0\x0c" + be32(1), {"infinite_loop"}},
      {"long labels in a loop",
       dns_header(7, 0, 1) + "\x3f" + std::string(63, 'a') + "\xc0\x0c" + be16(1) + be16(1),
       {"name_too_long"}},
      {"a long name", dns_query(long_name), {"name_too_long"}},
      {"too many questions", too_many, {"too_many_records"}},
      {"not a query", dns_answer("a"), {"not_request"}},
      {"Z", dns_header(7, 0x0040, 1) + dns_question("a"), {"z_flag_set"}},
      {"opcode", dns_header(7, 0x3800, 1) + dns_question("a"), {"invalid_opcode"}},
  };
  for (const auto& c : cases) {
    sink_.all.clear();
    EXPECT_EQ(up(c.message), Parsed::kMore) << c.name;
    EXPECT_EQ(sink_.events(), c.events) << c.name;
  }
  sink_.all.clear();
  EXPECT_EQ(down(dns_query("a")), Parsed::kMore);
  EXPECT_EQ(sink_.events(), Texts{"not_response"});
  for (const std::string& name : all("dns.query")) EXPECT_LE(name.size(), kDnsNameMax);
}

TEST_F(DnsTest, WhatCameBeforeABreakIsTold) {
  const std::string two = dns_header(7, 0, 2) + dns_question("first.example") + "\x7f";
  up(two);
  EXPECT_EQ(all("dns.query"), Texts{"first.example"});
}

// One message may not make much more text than it has bytes.
TEST(DnsMessage, ExpansionIsBounded) {
  std::string long_name;
  for (size_t i = 0; i < 16; i++) long_name += std::string(1, 63) + std::string(63, 'x');
  std::string message = dns_header(1, 0x8000, 1, 5000) + long_name + '\0' + be32(1);
  for (size_t i = 0; i < 5000; i++) message += dns_record(1, "abcd");
  const DnsMessage read = read_dns_message(bytes_of(message));
  EXPECT_EQ(read.faults, kDnsTooManyRecords);
  EXPECT_LE(read.text.size(), kDnsTextMax + kDnsNameMax);
}

TEST(DnsMessage, CutAtEveryByte) {
  const std::string whole = dns_answer("www.example.org");
  for (size_t length = 0; length < whole.size(); length++)
    EXPECT_EQ(read_dns_message(bytes_of(whole).first(length)).faults, kDnsMalformed) << length;
  EXPECT_EQ(read_dns_message(bytes_of(whole)).faults, 0);
}

TEST_F(DnsTcpTest, CutAtEveryByteItTellsTheSame) {
  const std::string asked =
      over_tcp(dns_query("one.example", 1)) + over_tcp(dns_query("two.example", 2));
  const std::string answered =
      over_tcp(dns_answer("two.example", 2)) + over_tcp(dns_answer("x", 9));
  up(asked);
  down(answered);
  end();
  const std::string whole = sink_.str();
  EXPECT_EQ(all("dns.query"), (Texts{"one.example", "two.example"}));
  for (size_t cut = 1; cut < std::max(asked.size(), answered.size()); cut++) {
    parser_ = dns_tcp_entry().make();
    sink_ = RecordingSink();
    for (const auto& [bytes, direction] : {std::pair(asked, kUp), std::pair(answered, kDown)}) {
      const auto all = bytes_of(bytes);
      const size_t at = std::min(cut, all.size());
      parser_->feed(direction, all.first(at), sink_);
      parser_->feed(direction, all.subspan(at), sink_);
    }
    end();
    ASSERT_EQ(sink_.str(), whole) << cut;
  }
  parser_ = dns_tcp_entry().make();
  sink_ = RecordingSink();
  for (const char& c : asked) up({&c, 1});
  for (const char& c : answered) down({&c, 1});
  end();
  EXPECT_EQ(sink_.str(), whole);
}

TEST_F(DnsTcpTest, AfterAGap) {
  const std::string one = over_tcp(dns_query("one.example"));
  const std::string two = over_tcp(dns_query("two.example"));
  for (size_t begin = 2; begin < one.size(); begin++) {  // within the first message
    parser_ = dns_tcp_entry().make();
    sink_ = RecordingSink();
    up(one.substr(0, begin));
    EXPECT_EQ(parser_->gap(kUp, one.size() - begin - 1, sink_), Parsed::kMore);
    EXPECT_EQ(up(one.substr(one.size() - 1) + two), Parsed::kMore);
    EXPECT_EQ(all("dns.query"), Texts{"two.example"}) << begin;
  }
  EXPECT_EQ(parser_->gap(kUp, 5000, sink_), Parsed::kFailed);
}

TEST(DnsProbe, ByContent) {
  const std::string asked = dns_query("www.example.org");
  const std::string binary = dns_query("\x01\xff.tunnel");
  const struct {
    const char* name;
    std::string message;
    uint16_t port;
    Direction direction;
    Probe result;
  } cases[] = {
      {"a query", asked, 53, kUp, Probe::kYes},
      {"a query elsewhere", asked, 5300, kUp, Probe::kYes},
      {"an answer", dns_answer("a.example"), 53, kDown, Probe::kYes},
      {"an answer as a query", dns_answer("a.example"), 53, kUp, Probe::kNo},
      {"a strange name", binary, 53, kUp, Probe::kYes},
      {"a strange name elsewhere", binary, 5300, kUp, Probe::kNo},
      {"names of NetBIOS", dns_query("CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 137, kUp, Probe::kNo},
      {"a header without anything", dns_header(1, 0, 0), 53, kUp, Probe::kNo},
      {"more records than bytes", dns_header(1, 0, 1, 9, 9, 9) + dns_question("a"), 53, kUp,
       Probe::kNo},
      {"text", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 53, kUp, Probe::kNo},
      {"SNMP", std::string("\x30\x29\x02\x01\x00\x04\x06public\xa0\x1c\x02\x04\x11\x22", 19), 53,
       kUp, Probe::kNo},
      {"short", asked.substr(0, 11), 53, kUp, Probe::kNo},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(dns_entry().probe(c.direction, bytes_of(c.message), c.port), c.result) << c.name;
    if (c.name == std::string_view("short")) continue;
    // At its own port the next message may be one.
    const bool goes_on = c.result == Probe::kNo && c.port == 53;
    EXPECT_EQ(dns_tcp_entry().probe(c.direction, bytes_of(over_tcp(c.message)), c.port),
              goes_on ? Probe::kMore : c.result)
        << c.name;
  }
  const std::string stream = over_tcp(asked);
  for (const uint16_t port : {uint16_t{53}, uint16_t{5300}}) {
    size_t length = 0;
    while (dns_tcp_entry().probe(kUp, bytes_of(stream).first(length), port) == Probe::kMore)
      length++;
    EXPECT_EQ(length, port == 53 ? 14 : stream.size());
    EXPECT_EQ(dns_tcp_entry().probe(kUp, bytes_of(stream).first(length), port), Probe::kYes);
  }
}

}  // namespace
}  // namespace sluice::inspect
