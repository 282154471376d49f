// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/client_hello.h"

#include <gtest/gtest.h>

#include "inspect/dpi/client_hello_for_test.h"
#include "inspect/tls/hello_for_test.h"
#include "inspect/tls/hello_stream.h"
#include "inspect/tls/ja4.h"

namespace sluice::inspect::tls {
namespace {

using State = HelloStream::State;
using testing::HelloParts;

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string ja4_of(const HelloParts& parts, Transport transport = Transport::kTcp) {
  const std::string message = parts.message();
  const auto hello = read_client_hello(bytes(message));
  return hello ? ja4(*hello, transport) : "fault " + std::to_string(int(hello.error()));
}

TEST(ClientHello, ReadsWhatAClientSays) {
  HelloParts parts;
  parts.server_name("www.example.org").alpn({"h2", "http/1.1"});
  parts.supported_versions({0x8a8a, 0x0304, 0x0303}).signature_algorithms({0x0403, 0x0804});
  const std::string message = parts.message();
  const auto hello = read_client_hello(bytes(message));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, 0x0303);
  EXPECT_EQ(hello->server_name, "www.example.org");
  EXPECT_EQ(hello->first_alpn, "h2");
  EXPECT_EQ(highest_version(*hello), 0x0304);
  EXPECT_EQ(hello->extensions, 4u);
  EXPECT_EQ(hello->ciphers.size(), 2u);
  EXPECT_EQ(hello->signature_algorithms.size(), 4u);
  EXPECT_FALSE(hello->encrypted_hello);
}

TEST(ClientHello, AnEncryptedHelloIsNoted) {
  for (const uint16_t type : {kExtensionEncryptedHello, kExtensionEncryptedServerName}) {
    HelloParts parts;
    parts.server_name("outer.example").add(type, "sealed");
    const std::string message = parts.message();
    const auto hello = read_client_hello(bytes(message));
    ASSERT_TRUE(hello);
    EXPECT_TRUE(hello->encrypted_hello);
    EXPECT_EQ(hello->server_name, "outer.example");
  }
}

TEST(ClientHello, CutAtEveryByteIsTruncated) {
  HelloParts parts;
  parts.server_name("a.example").alpn({"h2"}).supported_versions({0x0304}).add(0xff01, {1, 0});
  const std::string whole = parts.message();
  for (size_t length = 0; length < whole.size(); length++) {
    const std::string cut = whole.substr(0, length);
    const auto hello = read_client_hello(bytes(cut));
    ASSERT_FALSE(hello) << length;
    EXPECT_EQ(hello.error(), HelloFault::kTruncated) << length;
  }
  EXPECT_TRUE(read_client_hello(bytes(whole + "more")));
}

TEST(ClientHello, LyingLengthsAreRefused) {
  HelloParts parts;
  parts.server_name("a.example");
  const std::string whole = parts.message();
  const struct {
    const char* name;
    size_t at;
    uint8_t value;
    HelloFault fault;
  } cases[] = {
      {"a ServerHello", 0, 2, HelloFault::kNotAHello},
      {"50 MB long", 1, 3, HelloFault::kTooLong},
      {"session id beyond the end", 38, 255, HelloFault::kTruncated},
      {"ciphers beyond the end", 71, 1, HelloFault::kTruncated},
      {"extensions beyond the end", 77, 1, HelloFault::kTruncated},
      {"extensions before the end", 78, 10, HelloFault::kTrailingBytes},
      {"an extension beyond the end", 82, 200, HelloFault::kTruncated},
  };
  for (const auto& c : cases) {
    std::string changed = whole;
    changed[c.at] = static_cast<char>(c.value);
    const auto hello = read_client_hello(bytes(changed));
    ASSERT_FALSE(hello) << c.name;
    EXPECT_EQ(hello.error(), c.fault) << c.name;
  }
}

TEST(ClientHello, WhatLiesInsideOfAnExtensionIsEmpty) {
  HelloParts parts;
  parts.add(0, std::string("\x00\xff\x00\x00\x01x", 6)).add(16, "\xff").add(43, "\x09\x03").add(13);
  const std::string message = parts.message();
  const auto hello = read_client_hello(bytes(message));
  ASSERT_TRUE(hello);
  EXPECT_TRUE(hello->has_server_name);
  EXPECT_EQ(hello->server_name, "");
  EXPECT_EQ(hello->first_alpn, "");
  EXPECT_EQ(highest_version(*hello), 0x0303);
  EXPECT_TRUE(hello->signature_algorithms.empty());
}

TEST(ClientHello, ExtensionsAreBounded) {
  HelloParts parts;
  for (size_t i = 0; i < kHelloExtensionsMax; i++) parts.add(static_cast<uint16_t>(1000 + i));
  EXPECT_EQ(ja4_of(parts).substr(0, 8), "t12i0199");
  parts.add(5000).server_name("a.example");
  const std::string message = parts.message();
  const auto hello = read_client_hello(bytes(message));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->extensions, kHelloExtensionsMax);  // that are listed
  EXPECT_EQ(hello->server_name, "a.example");
}

// The example of FoxIO's description, with GREASE and in another order.
TEST(Ja4, ThePublishedExample) {
  HelloParts parts;
  parts.ciphers = {0x4a4a, 0xc030, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c,
                   0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
  parts.add(0x1a1a).server_name("ja4.example").add_all({0x0017, 0xff01, 0x000a, 0x000b, 0x0023});
  parts.alpn({"h2", "http/1.1"})
      .add(0x0005)
      .signature_algorithms({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601});
  parts.add_all({0x0012, 0x0033, 0x002d}).supported_versions({0x0a0a, 0x0304, 0x0303});
  parts.add_all({0x001b, 0x4469, 0xfafa, 0x0015});
  EXPECT_EQ(ja4_of(parts), "t13d1516h2_8daaf6152771_e5627efa2ab1");
  EXPECT_EQ(ja4_of(parts, Transport::kQuic), "q13d1516h2_8daaf6152771_e5627efa2ab1");
}

// Another published one: a value for signalling counts, no GREASE.
TEST(Ja4, AFingerprintOfATool) {
  HelloParts parts;
  parts.ciphers = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x00ff};
  parts.server_name("x").alpn({"h2"}).add_all({5, 10, 11, 0x17, 0x23, 0x2d, 0x33});
  parts.supported_versions({0x0304, 0x0303})
      .signature_algorithms(
          {0x0503, 0x0403, 0x0807, 0x0806, 0x0805, 0x0804, 0x0601, 0x0501, 0x0401});
  EXPECT_EQ(ja4_of(parts), "t13d1011h2_61a7ad8aa9b6_3fcd1a44f3e3");
}

TEST(Ja4, ItsFirstPart) {
  const auto first = [](const HelloParts& parts) { return ja4_of(parts).substr(0, 10); };
  HelloParts old;
  old.version = 0x0301;
  old.extension_block = false;
  EXPECT_EQ(ja4_of(old).substr(0, 10) + ja4_of(old).substr(23), "t10i010000_000000000000");
  HelloParts none;
  none.ciphers = {};
  EXPECT_EQ(ja4_of(none), "t12i000000_000000000000_000000000000");
  HelloParts grease;
  grease.version = 0x0300;
  grease.ciphers = {0x0a0a, 0xfafa};
  EXPECT_EQ(first(grease), "ts3i000000");
  HelloParts unknown;
  unknown.version = 0x7f1c;
  EXPECT_EQ(first(unknown), "t00i010000");
  HelloParts many;
  many.ciphers.assign(150, 0x1301);
  EXPECT_EQ(first(many), "t12i990000");
  const struct {
    std::string alpn;
    const char* text;
  } names[] = {{"h2", "h2"},       {"http/1.1", "h1"}, {"h", "hh"},      {"\xab", "ab"},
               {"\xab\xcd", "ad"}, {"0\xab", "3b"},    {"0x\xab", "3b"}, {"a-", "6d"}};
  for (const auto& [alpn, text] : names) {
    HelloParts parts;
    parts.alpn({alpn});
    EXPECT_EQ(first(parts), std::string("t12i0101") + text) << text;
  }
}

TEST(HelloStream, WholeInOneSegmentIsNotCopied) {
  const std::string message = HelloParts().server_name("a.example").message();
  const std::string segment = testing::records(message) + "what follows";
  HelloStream stream;
  ASSERT_EQ(stream.add(bytes(segment)), State::kHello);
  EXPECT_EQ(stream.message().data(), bytes(segment).data() + 5);
  EXPECT_EQ(stream.message().size(), message.size());
  EXPECT_EQ(stream.add(bytes("more")), State::kHello);
}

TEST(HelloStream, CutAnywhereAndInAnyRecordsItIsTheSame) {
  const std::string message = HelloParts().server_name("a.example").alpn({"h2"}).message();
  for (const size_t record : {size_t{1}, size_t{3}, size_t{50}, message.size()}) {
    const std::string stream_bytes = testing::records(message, record) + "tail";
    for (size_t cut = 0; cut <= stream_bytes.size(); cut++) {
      HelloStream stream;
      stream.add(bytes(stream_bytes).first(cut));
      ASSERT_EQ(stream.add(bytes(stream_bytes).subspan(cut)),
                cut == stream_bytes.size() ? stream.state() : State::kHello);
      ASSERT_EQ(stream.state(), State::kHello) << record << " " << cut;
      ASSERT_TRUE(std::ranges::equal(stream.message(), bytes(message))) << record << " " << cut;
    }
    HelloStream bytewise;
    for (const char& c : stream_bytes) bytewise.add(bytes({&c, 1}));
    ASSERT_EQ(bytewise.state(), State::kHello);
    ASSERT_TRUE(std::ranges::equal(bytewise.message(), bytes(message)));
  }
}

TEST(HelloStream, WhatIsNoHelloEndsAtOnce) {
  const std::string hello = testing::records(HelloParts().message());
  const auto changed = [&](size_t at, char value) {
    std::string copy = hello;
    copy[at] = value;
    return copy;
  };
  for (const std::string& stream_bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("\x16GET"), changed(0, 23), changed(1, 2),
        changed(5, 2), changed(6, 3), std::string("\x16\x03\x01\x00\x00\x01", 6),
        std::string("\x16\x03\x01\xff\xff\x01", 6), std::string("\x14\x03\x01\0\1\1", 6)}) {
    HelloStream stream;
    EXPECT_EQ(stream.add(bytes(stream_bytes)), State::kNone) << stream_bytes;
    EXPECT_EQ(stream.add(bytes(hello)), State::kNone);
    HelloStream bytewise;
    for (const char& c : stream_bytes) bytewise.add(bytes({&c, 1}));
    EXPECT_EQ(bytewise.state(), State::kNone) << stream_bytes;
  }
}

TEST(HelloStream, EmptyRecordsArePassedOver) {
  const std::string message = HelloParts().server_name("a.example").message();
  const std::string empty("\x16\x03\x01\0\0", 5), empty_change("\x14\x03\x01\0\0", 5);
  const std::string stream_bytes = empty + empty_change + testing::records(message.substr(0, 9)) +
                                   empty + testing::records(message.substr(9));
  for (size_t cut = 0; cut <= stream_bytes.size(); cut++) {
    HelloStream stream;
    stream.add(bytes(stream_bytes).first(cut));
    stream.add(bytes(stream_bytes).subspan(cut));
    ASSERT_EQ(stream.state(), State::kHello) << cut;
    ASSERT_TRUE(std::ranges::equal(stream.message(), bytes(message))) << cut;
  }
}

TEST(HelloStream, WaitingIsBounded) {
  HelloParts parts;
  parts.ciphers = std::vector<uint16_t>(32767, 0x1301);
  parts.add(21, std::string(65000, 'p'));
  const std::string message = parts.message();
  HelloStream fits;
  EXPECT_EQ(fits.add(bytes(testing::records(message))), State::kHello);
  HelloStream stream;  // five bytes of header for each byte
  const std::string tiny = testing::records(message, 1);
  stream.add(bytes(tiny).first(kHelloStreamMax - 1));
  EXPECT_EQ(stream.state(), State::kMore);
  EXPECT_EQ(stream.add(bytes(tiny).subspan(kHelloStreamMax - 1, 1)), State::kNone);
}

TEST(ClientHello, OfARealClient) {
  const std::string segment = inspect::testing::client_hello("www.youtube.com");
  HelloStream stream;
  ASSERT_EQ(stream.add(bytes(segment)), State::kHello);
  const auto hello = read_client_hello(stream.message());
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->server_name, "www.youtube.com");
  EXPECT_EQ(ja4(*hello).substr(0, 4), "t13d");
  EXPECT_EQ(ja4(*hello), ja4(*hello));
  EXPECT_EQ(ja4(*hello).size(), 36u);
}

}  // namespace
}  // namespace sluice::inspect::tls
