// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>

#include "inspect/app/http_for_test.h"
#include "inspect/app/http_inflate.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT

std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string gzip(std::string_view text) { return deflated(text, 15 + 16); }

std::string coded(std::string_view coding, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: " + std::string(coding) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(Http, DecodesBodies) {
  const std::string text = "hello, hello, hello, a body";
  const struct {
    std::string_view coding;
    std::string body;
    std::string expected;
    std::vector<std::string> events = {};
  } cases[] = {
      {"gzip", gzip(text), text},
      {"gzip", gzip(text) + gzip("more"), text + "more"},
      {"GZIP", gzip(text) + "junk behind it", text},
      {"deflate", deflated(text, -15), text},
      {"deflate", deflated(text, 15), text},
      {"deflate", gzip(text), text},
      {"gzip, deflate, gzip", gzip(deflated(gzip(text), 15)), text},
      {"x\vgzip", gzip(text), text, {"abnormal_ce_header"}},
      {"identity", text, text},
      {"gzip", text, text, {"gzip_decompression_failed"}},
      {"gzip, gzip, gzip, gzip", text, text, {"too_many_encoding_layers"}},
  };
  for (const auto& c : cases)
    check({c.coding,
           {client(get("/")), server(coded(c.coding, c.body))},
           {{kToClient, "http.response_body", c.expected}, {kToClient, "file.data", c.expected}},
           c.events});
  check({"request",
         {client("POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: " +
                 std::to_string(gzip(text).size()) + "\r\n\r\n" + gzip(text)),
          server(kOk)},
         {{kToServer, "http.request_body", text}},
         {}});

  RecordingSink cut;
  converse(*make(),
           {client(get("/")),
            server("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip(text).substr(0, 22))},
           cut);
  EXPECT_TRUE(text.starts_with(cut.get(0, kToClient, "file.data")));
  EXPECT_FALSE(cut.get(0, kToClient, "file.data").empty());
}

// All that comes of a body's parts, and whether it failed.
std::string decoded(std::string_view coding, const std::vector<std::string>& parts) {
  struct : HttpInflate::Listener {
    bool on_decoded(std::span<const uint8_t> bytes) override {
      text.append(bytes.begin(), bytes.end());
      return true;
    }
    std::string text;
  } listener;
  HttpInflate inflate(http_codings(coding));
  bool failed = false;
  for (const std::string& part : parts)
    failed = inflate.feed(bytes_of(part), listener) == HttpInflate::Outcome::kFailed || failed;
  return listener.text + (failed ? "failed" : "");
}

// What a decoder passes over may be of any length; the same is told wherever it is cut.
TEST(Http, PassesOverWhatCompressionMayBringFirst) {
  const std::string text = "hello, hello, hello, a body";
  const std::string fixed = gzip(text).substr(0, 10), data = gzip(text).substr(10);
  const auto with_flags = [&](char flags, const std::string& fields) {
    return fixed.substr(0, 3) + flags + fixed.substr(4) + fields + data;
  };
  std::string empty_blocks;
  for (size_t i = 0; i < 300; i++) empty_blocks += std::string("\0\0\0\xff\xff", 5);
  const std::string extra = "\xd0\x07" + std::string(2000, 'x');
  const std::string name = std::string(2000, 'n') + '\0';
  const struct {
    std::string_view coding;
    std::string body;
  } cases[] = {
      {"gzip", with_flags(4, extra)},
      {"gzip", with_flags(8, name)},
      {"gzip", with_flags(16, name)},
      {"gzip", with_flags(4 | 8 | 16 | 2, extra + name + name + "hc")},
      {"gzip", fixed + empty_blocks + data},
      {"deflate", empty_blocks + deflated(text, -15)},
      {"deflate", deflated(text, 15).substr(0, 2) + empty_blocks + deflated(text, 15).substr(2)},
      {"deflate", with_flags(4 | 8, extra + name)},
  };
  for (const auto& c : cases) {
    for (size_t cut = 0; cut < c.body.size(); cut++)
      ASSERT_EQ(decoded(c.coding, {c.body.substr(0, cut), c.body.substr(cut)}), text) << cut;
  }
  EXPECT_EQ(decoded("gzip", {gzip("one ") + with_flags(8, name)}), "one " + text);
  // What turns out to be none after more than is kept is told up to there.
  const std::string broken = with_flags(8, name + "\xff\xff\xff");
  for (size_t cut = 0; cut < broken.size(); cut++)
    ASSERT_EQ(decoded("gzip", {broken.substr(0, cut), broken.substr(cut)}),
              broken.substr(0, 1024) + "failed")
        << cut;
}

TEST(Http, BoundsWhatItDecodes) {
  RecordingSink large;
  converse(*make(), {client(get("/")), server(coded("gzip", gzip(std::string(5 << 20, 'a'))))},
           large);
  EXPECT_EQ(large.get(0, kToClient, "file.data"), std::string(kHttpBodyMax, 'a'));

  RecordingSink bomb;
  converse(*make(),
           {client(get("/")),
            server(coded("gzip, gzip", gzip(gzip(std::string(kHttpBombMin * 20, 'a')))))},
           bomb);
  EXPECT_EQ(bomb.events(), std::vector<std::string>{"compression_bomb"});
  EXPECT_LE(bomb.get(0, kToClient, "file.data").size(), kHttpBodyMax);
}

TEST(Http, TellsTheFilesOfAMultipartBody) {
  const std::string body =
      "preamble\r\n--BB\r\nContent-Disposition: form-data; name=x\r\n\r\nvalue\r\n"
      "--BB\r\nContent-Disposition: form-data; name=\"f\";\r\n filename=\"a;b.exe\"\r\n\r\n"
      "MZ\r\n-\r\n--B\r\nend\r\n--BB\r\nContent-Disposition: form-data; filename=c\r\n\r\n"
      "\r\n--BB--\r\nepilogue";
  const Conversation said = {
      client("POST /u HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=\"BB\""
             "\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body),
      server(kOk)};
  RecordingSink sink;
  converse(*make(), said, sink);
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.name"),
            (std::vector<std::string>{"a;b.exe", "c"}));
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.data"),
            std::vector<std::string>{"MZ\r\n-\r\n--B\r\nend"});
  EXPECT_EQ(sink.files(),
            (std::vector<std::string>{"begins a;b.exe", "is closed", "begins c", "is closed"}));
  EXPECT_EQ(sink.get(0, kToServer, "http.request_body"), body);
  expect_same_when_cut(make, said);
}

// Servers take a name of RFC 6266, and headers of any length before it.
TEST(Http, NamesOfPartsAndLongHeaders) {
  std::string many;
  for (size_t i = 0; i < 600; i++) many += "X-Number: 1234567\r\n";
  const std::string disposition = "Content-Disposition: form-data; name=f; ";
  const std::string long_header = "X: " + std::string(kHttpPartHeaderMax, 'a') + "\r\n";
  const struct {
    std::string headers;
    std::vector<std::string> names, events;
  } cases[] = {
      {disposition + "filename*=UTF-8''a%2eexe\r\n", {"a.exe"}, {}},
      {disposition + "filename*0=a; filename*1=\".exe\"\r\n", {"a.exe"}, {}},
      {many + disposition + "filename=b\r\n", {"b"}, {}},
      {disposition + "filename=b\r\n" + many, {"b"}, {}},
      {long_header + disposition + "filename=c\r\n", {"c"}, {"multipart_invalid_header"}},
      {long_header + long_header + "Y:\r\n", {}, {"multipart_invalid_header"}},
      {disposition + "x=" + long_header + " filename=d\r\n", {}, {"multipart_invalid_header"}},
  };
  for (const auto& c : cases) {
    const std::string body = "--BB\r\n" + c.headers + "\r\ncontent\r\n--BB--\r\n";
    const Conversation said = {
        client("POST /u HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=BB"
               "\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body),
        server(kOk)};
    for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
      RecordingSink sink;
      converse(*make(), said, sink, piece);
      EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.name"), c.names);
      EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.data"), std::vector<std::string>{"content"});
      EXPECT_EQ(sink.events(), c.events);
    }
  }
}

}  // namespace
}  // namespace sluice::inspect
