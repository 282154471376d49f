// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "inspect/app/parser.h"
#include "inspect/app/recording_sink_for_test.h"
#include "inspect/app/tls_handshake_for_test.h"
#include "inspect/app/tls_transaction.h"
#include "inspect/tls/hello_for_test.h"
#include "inspect/tls/ja3.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
using testing::Handshake;
using testing::HandshakeOptions;
using tls::testing::HelloParts;
using tls::testing::records;
using Texts = std::vector<std::string>;

class TlsTest : public ::testing::Test {
 protected:
  Parsed feed(const testing::Flight& flight) {
    return parser_->feed(flight.direction, bytes_of(flight.bytes), sink_);
  }
  Parsed up(std::string_view bytes) { return parser_->feed(kUp, bytes_of(bytes), sink_); }
  Parsed down(std::string_view bytes) { return parser_->feed(kDown, bytes_of(bytes), sink_); }
  Parsed feed_all(const Handshake& handshake) {
    Parsed parsed = Parsed::kMore;
    for (const auto& flight : handshake.flights)
      if (parsed == Parsed::kMore) parsed = feed(flight);
    return parsed;
  }
  void end() {
    parser_->end(kUp, sink_);
    parser_->end(kDown, sink_);
  }
  void again() {
    parser_ = tls_entry().make();
    sink_ = RecordingSink();
  }
  std::string event() const {
    const Texts ended = sink_.get_all(Recorded::kEnded);
    return ended.size() == 1 ? ended[0] : "ended " + std::to_string(ended.size()) + " times";
  }
  bool event_has(std::string_view part) const { return event().find(part) != std::string::npos; }

  std::unique_ptr<Parser> parser_ = tls_entry().make();
  RecordingSink sink_;
};

TEST_F(TlsTest, AHandshakeOfTls12) {
  const Handshake handshake(HandshakeOptions{.version = 0x0303, .client_certificate = true});
  EXPECT_EQ(feed_all(handshake), Parsed::kDone);
  EXPECT_EQ(sink_.get(0, kUp, "tls.sni"), "www.example.org");
  EXPECT_EQ(sink_.get(0, kUp, "tls.random").size(), 32u);
  EXPECT_EQ(sink_.get(0, kUp, "tls.random_time") + sink_.get(0, kUp, "tls.random_bytes"),
            sink_.get(0, kUp, "tls.random"));
  EXPECT_EQ(sink_.get(0, kDown, "tls.random").size(), 32u);
  EXPECT_EQ(sink_.get(0, kDown, "tls.alpn"), "h2");
  EXPECT_EQ(sink_.get_all(Recorded::kBuffer, "tls.alpn"), (Texts{"h2", "http/1.1", "h2"}));
  EXPECT_EQ(sink_.get(0, kDown, "tls.certs"), handshake.server_der);
  EXPECT_EQ(sink_.get(0, kDown, "tls.cert_subject"), "C=DE, O=Example, Ltd, CN=www.example.org");
  EXPECT_EQ(sink_.get(0, kDown, "tls.cert_issuer"), "C=DE, O=Example, Ltd, CN=www.example.org");
  EXPECT_EQ(sink_.get(0, kDown, "tls.cert_serial"), "00:97:E6:01");
  EXPECT_EQ(sink_.get(0, kDown, "tls.cert_fingerprint"), handshake.server_sha1);
  EXPECT_EQ(sink_.get_all(Recorded::kBuffer, "tls.subjectaltname"),
            (Texts{"www.example.org", "192.0.2.7"}));
  EXPECT_EQ(sink_.get(0, kUp, "tls.cert_subject"), "C=DE, O=Example, Ltd, CN=client");
  EXPECT_EQ(sink_.get(0, kUp, "ja3.hash"), tls::md5_text(sink_.get(0, kUp, "ja3.string")));
  EXPECT_EQ(sink_.get(0, kUp, "ja4.hash").substr(0, 4), "t12d");
  for (const std::string& part :
       {std::string(R"("subject":"C=DE, O=Example, Ltd, CN=www.example.org",)"),
        R"("serial":"00:97:E6:01","fingerprint":")" + handshake.server_sha1 + "\"",
        std::string(R"("notbefore":"2020-01-02T03:04:05","notafter":"2049-01-02T03:04:05")"),
        std::string(R"("sni":"www.example.org","version":"TLS 1.2")"),
        std::string(
            R"("client_alpns":["h2","http/1.1"],"server_alpns":["h2"],"client":{"subject")"),
        std::string(R"("ja3s":{"hash":")")})
    EXPECT_TRUE(event_has(part)) << part << "\n" << event();
  EXPECT_FALSE(event_has("session_resumed"));
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
  EXPECT_EQ(sink_.get_all(Recorded::kFinished).size(), 2u);
}

TEST_F(TlsTest, InBriefItTellsWhoseTheCertificateIs) {
  feed_all(Handshake(HandshakeOptions{.version = 0x0303, .client_certificate = true}));
  EXPECT_EQ(sink_.brief, R"({"tls":{"subject":"C=DE, O=Example, Ltd, CN=www.example.org",)"
                         R"("issuerdn":"C=DE, O=Example, Ltd, CN=www.example.org",)"
                         R"("subjectaltname":["www.example.org","192.0.2.7"]}})"
                         "\n");
}

TEST_F(TlsTest, AHandshakeOfTls13ShowsNoCertificate) {
  EXPECT_EQ(feed_all(Handshake(HandshakeOptions{.version = 0x0304})), Parsed::kDone);
  EXPECT_TRUE(event_has(R"({"tls":{"sni":"www.example.org","version":"TLS 1.3")")) << event();
  EXPECT_FALSE(event_has("session_resumed"));
  EXPECT_EQ(sink_.get(0, kDown, "tls.certs"), "(none)");
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST_F(TlsTest, ASecondHelloWhenTheServerAsksForOne) {
  EXPECT_EQ(feed_all(Handshake(HandshakeOptions{.version = 0x0304, .retry = true})), Parsed::kDone);
  EXPECT_TRUE(event_has(R"("version":"TLS 1.3")")) << event();
  EXPECT_NE(sink_.get(0, kDown, "ja3s.string"), "(none)");
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST_F(TlsTest, ASessionThatGoesOn) {
  for (const uint16_t version : {0x0303, 0x0304}) {
    again();
    EXPECT_EQ(feed_all(Handshake(HandshakeOptions{.version = version, .resume = true})),
              Parsed::kDone);
    EXPECT_TRUE(event_has(R"({"tls":{"session_resumed":true)")) << event();
  }
}

// Cut anywhere, one byte in a segment, or one byte in a record: the same is told.
TEST_F(TlsTest, CutAtEveryByteItTellsTheSame) {
  const Handshake handshake(HandshakeOptions{.version = 0x0303, .client_certificate = true});
  feed_all(handshake);
  const std::string whole = sink_.str();
  size_t longest = 0;
  for (const auto& flight : handshake.flights) longest = std::max(longest, flight.bytes.size());
  for (size_t cut = 1; cut <= longest; cut++) {
    again();
    Parsed parsed = Parsed::kMore;
    for (const auto& [direction, bytes] : handshake.flights)
      for (const std::string& part :
           {bytes.substr(0, cut), bytes.substr(std::min(cut, bytes.size()))})
        if (parsed == Parsed::kMore) parsed = parser_->feed(direction, bytes_of(part), sink_);
    ASSERT_EQ(parsed, Parsed::kDone) << cut;
    ASSERT_EQ(sink_.str(), whole) << cut;
  }
  again();
  Parsed parsed = Parsed::kMore;
  for (const auto& [direction, bytes] : handshake.flights)
    for (size_t i = 0; i < bytes.size() && parsed == Parsed::kMore; i++)
      parsed = parser_->feed(direction, bytes_of(bytes).subspan(i, 1), sink_);
  EXPECT_EQ(parsed, Parsed::kDone);
  EXPECT_EQ(sink_.str(), whole);
}

TEST_F(TlsTest, AMessageInManyRecords) {
  const std::string hello = HelloParts().server_name("a.example").alpn({"h2"}).message();
  for (const size_t size : {1, 2, 5, 50}) {
    again();
    EXPECT_EQ(up(records(hello, size)), Parsed::kMore);
    EXPECT_EQ(sink_.get(0, kUp, "tls.sni"), "a.example") << size;
  }
}

TEST_F(TlsTest, Fingerprints) {
  HelloParts parts;
  parts.ciphers = {0x0a0a, 4866, 255};
  parts.add(0x1a1a).add(11, tls::testing::with_length8(std::string("\0\1\2", 3)));
  parts.add(10, tls::testing::with_length16(tls::testing::list_of({0x2a2a, 29, 23})));
  up(records(parts.message()));
  EXPECT_EQ(sink_.get(0, kUp, "ja3.string"), "771,4866-255,11-10,29-23,0-1-2");
  EXPECT_EQ(sink_.get(0, kUp, "ja3.hash"), tls::md5_text("771,4866-255,11-10,29-23,0-1-2"));
  EXPECT_EQ(tls::md5_text("769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"),
            "ada70206e40642a3e4461f35503241d5");  // the example of JA3's description
}

// TLS 1.3's drafts before 22 have another form of ServerHello.
TEST_F(TlsTest, ADraftOfTls13) {
  up(records(HelloParts().server_name("a.example").message()));
  const std::string body = "\x7f\x13" + std::string(32, 'r') + "\x13\x02" +
                           tls::testing::with_length16(std::string("\0\x33\0\0", 4));
  down(records(std::string("\2\0", 2) + tls::testing::with_length16(body)));
  end();
  EXPECT_TRUE(event_has(R"("version":"TLS 1.3 draft-19")")) << event();
  EXPECT_EQ(sink_.get(0, kDown, "ja3s.string"), "32531,4866,51");
}

TEST_F(TlsTest, CertificatesAreReadOnlyForWhoWantsThem) {
  for (const BufferInfo& info : buffer_table()) sink_.unwanted.push_back(info.buffer);
  feed_all(Handshake(HandshakeOptions{.version = 0x0303}));
  EXPECT_EQ(sink_.str().find("buffer"), std::string::npos);
  EXPECT_TRUE(event_has(R"("subject":"C=DE)")) << event();  // the event wants it
}

std::string record(uint8_t type, const std::string& body) {
  return std::string(1, static_cast<char>(type)) + "\x03\x03" + tls::testing::with_length16(body);
}
std::string message(uint8_t type, const std::string& body) {
  return std::string({static_cast<char>(type), '\0'}) + tls::testing::with_length16(body);
}

TEST_F(TlsTest, WhatIsBrokenIsAnEvent) {
  const std::string hello = HelloParts().server_name("a.example").message();
  HelloParts twice;
  twice.server_name("a.example").server_name("b.example");
  HelloParts no_name;
  no_name.add(0, tls::testing::with_length16(std::string("\0\0\0", 3)));
  HelloParts other_type;
  other_type.add(0, tls::testing::with_length16(std::string("\1\0\1a", 4)));
  const std::string certificates = tls::testing::with_length16("abc");  // a list of four bytes
  const struct {
    const char* name;
    std::string bytes;
    Texts events;
    Parsed parsed;
  } cases[] = {
      {"a type of no record", record(30, "x"), {"invalid_record_type"}, Parsed::kFailed},
      {"version 4",
       std::string("\x16\x04\x00\x00\x01", 5),
       {"invalid_record_version"},
       Parsed::kFailed},
      {"version 3.255", "\x16\x03\xff" + records("\x14").substr(3), {}, Parsed::kMore},
      {"a long record", "\x16\x03\x01\xff\xff", {"invalid_tls_header"}, Parsed::kFailed},
      {"a short SSLv2 hello",
       std::string("\x80\x03\x01\x00\x02", 5),
       {"invalid_sslv2_header"},
       Parsed::kFailed},
      {"two names", records(twice.message()), {"multiple_sni_extensions"}, Parsed::kMore},
      {"an empty name", records(no_name.message()), {"invalid_sni_length"}, Parsed::kMore},
      {"a name that is no host",
       records(other_type.message()),
       {"invalid_sni_type"},
       Parsed::kMore},
      {"a broken hello",
       record(22, message(1, "abc")),
       {"invalid_handshake_message"},
       Parsed::kMore},
      {"another hello",
       records(hello) + records(HelloParts().server_name("b.example").message()),
       {"invalid_handshake_message"},
       Parsed::kMore},
      {"a server's hello",
       record(22, message(2, "abc")),
       {"invalid_handshake_message"},
       Parsed::kMore},
      {"an unknown message",
       record(22, message(99, "abc")),
       {"invalid_handshake_message"},
       Parsed::kMore},
      {"a long message",
       record(22, std::string("\x0b\xff\xff\xff", 4) + "abc"),
       {"handshake_invalid_length"},
       Parsed::kMore},
      {"a list beyond its message",
       record(22, message(11, std::string("\0\0\x09", 3) + "abc")),
       {"certificate_invalid_length"},
       Parsed::kMore},
      {"a certificate beyond its list",
       record(22, message(11, std::string("\0\0\x06\0\0\x07", 6) + "abc")),
       {"certificate_invalid_length"},
       Parsed::kMore},
      {"no certificate",
       record(22, message(11, std::string("\0\0\x06\0\0\x03", 6) + "abc")),
       {"invalid_certificate"},
       Parsed::kMore},
      {"no certificates", record(22, message(11, std::string(3, '\0'))), {}, Parsed::kMore},
      {"a fatal alert", record(21, "\2\x28"), {"error_message_encountered"}, Parsed::kMore},
      {"a warning", record(21, std::string("\1\0", 2)), {}, Parsed::kMore},
      {"a heartbeat",
       record(24, std::string("\1\0\3", 3) + std::string(19, 'x')),
       {"heartbeat_message"},
       Parsed::kMore},
      {"a heartbeat that lies",
       record(24, "\1\x40\x01"),
       {"overflow_heartbeat_message"},
       Parsed::kMore},
      {"a heartbeat of a byte", record(24, "\1"), {"invalid_heartbeat_message"}, Parsed::kMore},
  };
  for (const auto& c : cases) {
    for (const size_t piece : {size_t{1}, c.bytes.size()}) {
      again();
      Parsed parsed = Parsed::kMore;
      for (size_t at = 0; at < c.bytes.size() && parsed == Parsed::kMore; at += piece)
        parsed = up(std::string_view(c.bytes).substr(at, piece));
      EXPECT_EQ(parsed, c.parsed) << c.name;
      EXPECT_EQ(sink_.events(), c.events) << c.name;
      end();
      EXPECT_EQ(sink_.get_all(Recorded::kEnded).size(), 1u) << c.name;
    }
  }
}

TEST_F(TlsTest, FaultsAreBounded) {
  std::string flood;
  for (size_t i = 0; i < 1000; i++) flood += record(24, "\1\x40\x01");
  EXPECT_EQ(up(flood), Parsed::kFailed);
  EXPECT_EQ(sink_.events().size(), 16u);
}

TEST_F(TlsTest, ALongMessageIsSkipped) {
  std::string stream = record(22, std::string("\x0b\1\0\1", 4));  // 65,537 bytes
  for (size_t left = 65537; left != 0;) {
    const size_t size = std::min<size_t>(left, 16000);
    stream += record(22, std::string(size, 'x'));
    left -= size;
  }
  EXPECT_EQ(up(stream + records(HelloParts().server_name("after.example").message())),
            Parsed::kMore);
  EXPECT_EQ(sink_.events(), Texts{"handshake_invalid_length"});
  EXPECT_EQ(sink_.get(0, kUp, "tls.sni"), "after.example");
}

// Servers take hellos of 128 KB, with any extensions, and pass over empty records and over the
// minor version of a record.
TEST_F(TlsTest, HellosThatOnlyServersTake) {
  const std::string plain = records(HelloParts().server_name("a.example").message());
  HelloParts many, longest;
  for (size_t i = 0; i < 500; i++) many.add(static_cast<uint16_t>(20000 + i));
  longest.ciphers = std::vector<uint16_t>(32767, 0x1301);
  longest.add(21, std::string(60000, '\0'));
  std::string other_version = plain;
  other_version[2] = '\xff';
  const std::string empty("\x16\x03\x01\0\0", 5), empty_change("\x14\x03\x01\0\0", 5);
  for (const std::string& stream :
       {records(many.server_name("a.example").message()),
        records(longest.server_name("a.example").message()), empty + plain, empty + empty + plain,
        empty_change + plain, empty_change + empty + empty_change + plain,
        plain.substr(0, 3) + std::string("\0\1\1", 3) + empty +
            records(HelloParts().server_name("a.example").message().substr(1)),
        other_version}) {
    again();
    for (size_t length = 0; length < stream.size(); length++) {
      ASSERT_NE(tls_entry().probe(kUp, bytes_of(stream).first(length), 443), Probe::kNo) << length;
      if (length > 100) break;
    }
    EXPECT_EQ(tls_entry().probe(kUp, bytes_of(stream), 443), Probe::kYes);
    for (size_t at = 0; at < stream.size(); at += 7) up(std::string_view(stream).substr(at, 7));
    EXPECT_EQ(sink_.get(0, kUp, "tls.sni"), "a.example");
    EXPECT_TRUE(sink_.events().empty()) << sink_.str();
    EXPECT_FALSE(sink_.get(0, kUp, "ja4.hash").empty());
    end();
  }
  std::string only_empty;
  for (size_t i = 0; i < 40; i++) only_empty += empty;
  EXPECT_EQ(tls_entry().probe(kUp, bytes_of(only_empty), 443), Probe::kNo);
}

TEST_F(TlsTest, TheChainIsBounded) {
  std::string list;
  for (size_t i = 0; i < 100; i++)
    list += std::string("\0", 1) + tls::testing::with_length16("der");
  down(record(22, message(11, std::string("\0", 1) + tls::testing::with_length16(list))));
  EXPECT_EQ(sink_.get_all(Recorded::kBuffer, "tls.certs").size(), kTlsChainMax);
}

TEST_F(TlsTest, SslVersion2) {
  const std::string hello("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11);
  const std::string rest(0x2e - 9, 'c');
  EXPECT_EQ(up(hello + rest), Parsed::kMore);
  EXPECT_EQ(down(std::string("\x84\x2f\x04\x00\x01\x00\x02", 7)), Parsed::kDone);
  EXPECT_EQ(event(), R"({"tls":{"version":"SSLv2"}})");

  again();  // such a hello of a client that can do better
  EXPECT_EQ(up(std::string("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 11) + rest),
            Parsed::kMore);
  const std::string body = "\x03\x01" + std::string(33, '\0') + std::string("\0\x2f\0", 3);
  EXPECT_EQ(down(records(message(2, body))), Parsed::kMore);
  end();
  EXPECT_TRUE(event_has(R"("version":"TLSv1")")) << event();
  EXPECT_TRUE(sink_.events().empty()) << sink_.str();
}

TEST_F(TlsTest, AGapEndsIt) {
  up(records(HelloParts().server_name("a.example").message()));
  EXPECT_EQ(parser_->gap(kDown, 100, sink_), Parsed::kFailed);
  EXPECT_TRUE(event_has(R"("sni":"a.example","version":"UNDETERMINED")")) << event();
}

TEST(TlsProbe, ByContent) {
  const std::string hello = records(HelloParts().message());
  std::string answer = hello;
  answer[5] = 2;
  const struct {
    const char* name;
    std::string bytes;
    Direction direction;
    Probe result;
  } cases[] = {
      {"a client", hello, kUp, Probe::kYes},
      {"a server", answer, kDown, Probe::kYes},
      {"a server as a client", answer, kUp, Probe::kNo},
      {"an alert", std::string("\x15\x03\x01\0\2\2\x28", 7), kDown, Probe::kYes},
      {"SSLv2", std::string("\x80\x2e\1\0\2", 5), kUp, Probe::kYes},
      {"an empty record first", std::string("\x16\x03\x03\0\0", 5) + hello, kUp, Probe::kYes},
      {"ChangeCipherSpec first", std::string("\x14\x03\x03\0\1\1", 6) + hello, kUp, Probe::kNo},
      {"text", "GET / HTTP/1.1", kUp, Probe::kNo},
      {"the middle", std::string("\x17\x03\x03\x00\x10", 5), kUp, Probe::kNo},
      {"nothing", "", kUp, Probe::kMore},
  };
  for (const auto& c : cases)
    EXPECT_EQ(tls_entry().probe(c.direction, bytes_of(c.bytes), 0), c.result) << c.name;
  for (size_t length = 0; length < 6; length++)
    EXPECT_EQ(tls_entry().probe(kUp, bytes_of(hello).first(length), 0), Probe::kMore) << length;
}

}  // namespace
}  // namespace sluice::inspect
