// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http2.h"

#include <nghttp2/nghttp2.h>
#include <zlib.h>

#include "inspect/app/conversation_for_test.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;
constexpr uint8_t kEndStream = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20;
const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::unique_ptr<Parser> make() { return http2_entry().make(); }

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
  return out.append(payload);
}

std::string data(uint32_t stream, std::string_view body) {
  return frame(0, kEndStream, stream, body);
}

const std::string kSettings = frame(4, 0, 0, std::string_view("\0\3\0\0\0\x64", 6));
const std::string kAck = frame(4, 1, 0, "");

// One peer's HPACK.
class Packer {
 public:
  Packer() { EXPECT_EQ(nghttp2_hd_deflate_new(&deflater_, 4096), 0); }
  ~Packer() { nghttp2_hd_deflate_del(deflater_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  std::string operator()(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t length = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(out.data()),
                                                 out.size(), list.data(), list.size());
    EXPECT_GE(length, 0);
    out.resize(static_cast<size_t>(length));
    return out;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

std::string get(Packer& pack, uint32_t stream, const std::string& path) {
  return frame(1, kEndStream | kEndHeaders, stream,
               pack({{":method", "GET"},
                     {":scheme", "http"},
                     {":path", path},
                     {":authority", "Ex.com:80"},
                     {"user-agent", "me"},
                     {"cookie", "a=b"},
                     {"cookie", "c=d"}}));
}

TEST(Http2, FillsTheBuffersOfHttp1) {
  Packer pack_client, pack_server;
  const Conversation said = {client(kPreface + kSettings + get(pack_client, 1, "/a%20b?x=%41")),
                             server(kSettings + kAck),
                             server(frame(1, kEndHeaders, 1,
                                          pack_server({{":status", "200"},
                                                       {"server", "s"},
                                                       {"content-type", "text/html; charset=x"},
                                                       {"set-cookie", "q"}})) +
                                    frame(0, 0, 1, "hello ") + data(1, "world"))};
  RecordingSink sink;
  converse(*make(), said, sink);
  const struct {
    Direction direction;
    std::string_view buffer, bytes;
  } expected[] = {
      {kToServer, "http.method", "GET"},
      {kToServer, "http.uri", "/a b?x=A"},
      {kToServer, "http.uri.raw", "/a%20b?x=%41"},
      {kToServer, "http.protocol", "HTTP/2"},
      {kToServer, "http.host", "ex.com"},
      {kToServer, "http.host.raw", "Ex.com:80"},
      {kToServer, "http.user_agent", "me"},
      {kToServer, "http.cookie", "a=b; c=d"},
      {kToServer, "http.header",
       ":method: GET\r\n:scheme: http\r\n:path: /a%20b?x=%41\r\n:authority: Ex.com:80\r\n"
       "user-agent: me\r\n"},
      {kToServer, "http.header_names",
       "\r\n:method\r\n:scheme\r\n:path\r\n:authority\r\nuser-agent\r\ncookie\r\n\r\n"},
      {kToClient, "http.stat_code", "200"},
      {kToClient, "http.server", "s"},
      {kToClient, "http.content_type", "text/html; charset=x"},
      {kToClient, "http.cookie", "q"},
      {kToClient, "http.response_body", "hello world"},
      {kToClient, "file.data", "hello world"},
      {kToClient, "file.name", "/a b"},
  };
  for (const auto& e : expected) EXPECT_EQ(sink.get(0, e.direction, e.buffer), e.bytes) << e.buffer;
  EXPECT_TRUE(sink.events().empty());
  const std::vector<std::string> ended = sink.get_all(Recorded::kEnded);
  ASSERT_EQ(ended.size(), 1U);
  for (const std::string_view part :
       {R"("version":"2")", R"({"name":":method","value":"GET"})", R"("hostname":"Ex.com")",
        R"("http_method":"GET","url":"/a%20b?x=%41","http_user_agent":"me")",
        R"("http_content_type":"text/html","status":200,"length":11,"http2":{"stream_id":1})"})
    EXPECT_NE(ended[0].find(part), std::string::npos) << part << " in " << ended[0];
  expect_same_when_cut(make, said);
}

TEST(Http2, KnowsTheFormsOfFrames) {
  Packer pack_client, pack_server;
  const std::string block = pack_client({{":method", "POST"}, {":path", "/p"}, {"host", "h"}});
  const std::string trailer = pack_client({{"x-late", "1"}});
  const Conversation said = {
      client(kPreface + frame(6, 0, 0, "pingpong") + frame(99, 0, 0, "unknown") +
             // Padding, priority, and a block in three pieces, one of them empty.
             frame(1, kPadded | kPriority, 3,
                   std::string("\2\0\0\0\0\x10", 6) + block.substr(0, 3) + std::string(2, '\0')) +
             frame(9, 0, 3, "") + frame(9, kEndHeaders, 3, block.substr(3)) +
             frame(0, kPadded, 3, std::string("\3body") + std::string(3, '\0')) +
             frame(0, 0, 3, "") + frame(1, kEndStream | kEndHeaders, 3, trailer)),
      server(kSettings + frame(1, kEndHeaders, 3, pack_server({{":status", "100"}})) +
             frame(1, kEndHeaders, 3, pack_server({{":status", "404"}})) + data(3, ""))};
  RecordingSink sink;
  EXPECT_EQ(converse(*make(), said, sink), Parsed::kMore);
  EXPECT_EQ(sink.get(0, kToServer, "http.method"), "POST");
  EXPECT_EQ(sink.get(0, kToServer, "http.request_body"), "body");
  EXPECT_EQ(sink.get(0, kToServer, "http.request_header"), "x-late: 1");
  EXPECT_EQ(sink.get(0, kToClient, "http.stat_code"), "404");
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 1U);
  EXPECT_TRUE(sink.events().empty());
  expect_same_when_cut(make, said);
}

TEST(Http2, KeepsStreamsApart) {
  Packer pack_client, pack_server;
  const auto ok = [&](uint32_t stream) {
    return frame(1, kEndHeaders, stream, pack_server({{":status", "200"}}));
  };
  // One after the other: HPACK has a memory.
  std::string requests = kPreface;
  for (const uint32_t stream : {1, 3, 5}) requests += get(pack_client, stream, "/");
  std::string answers;
  for (const uint32_t stream : {3, 1}) answers += ok(stream);
  RecordingSink sink;
  converse(*make(),
           {client(requests), server(answers + frame(0, 0, 1, "one") + frame(0, 0, 3, "two")),
            server(data(1, "!")),
            client(frame(3, 0, 5, std::string(4, '\0'))),  // reset; its response is on its way
            server(ok(5) + data(5, "late") + data(3, "?"))},
           sink);
  EXPECT_EQ(sink.get(0, kToClient, "file.data"), "one!");
  EXPECT_EQ(sink.get(1, kToClient, "file.data"), "two?");
  EXPECT_EQ(sink.get(2, kToClient, "file.data"), "(none)");
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 3U);
}

TEST(Http2, GoesOnAfterAnUpgrade) {
  Packer pack_server;
  RecordingSink sink;
  converse(*make(),
           {server(kSettings + frame(1, kEndHeaders, 1, pack_server({{":status", "200"}})) +
                   data(1, "answer")),
            client(kPreface + kSettings)},
           sink);
  EXPECT_EQ(sink.get(0, kToClient, "file.data"), "answer");
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 1U);
}

TEST(Http2, RefusesWhatIsBroken) {
  Packer pack;
  const std::string block = pack({{":method", "GET"}});
  const struct {
    std::string bytes;
    std::string event;
  } cases[] = {
      {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "invalid_client_magic"},
      {kPreface + frame(1, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"), "invalid_header"},
      {kPreface + frame(1, kEndHeaders, 0, block), "invalid_frame_data"},
      {kPreface + frame(1, kEndHeaders | kPadded, 1, "\x20x"), "invalid_frame_data"},
      {kPreface + frame(9, kEndHeaders, 1, block), "invalid_frame_data"},
      {kPreface + frame(1, 0, 1, block) + frame(0, 0, 1, "x"), "invalid_frame_data"},
      {kPreface + frame(0, kPadded, 1, "\5abc"), "invalid_frame_data"},
      {kPreface + frame(4, 0, 0, "12345"), "invalid_frame_data"},
  };
  for (const auto& c : cases) {
    RecordingSink sink;
    EXPECT_EQ(converse(*make(), {client(c.bytes)}, sink), Parsed::kFailed) << c.event;
    EXPECT_EQ(sink.events(), std::vector<std::string>{c.event});
    expect_same_when_cut(make, {client(c.bytes)});
  }
}

TEST(Http2, BoundsEverything) {
  Packer pack;
  const auto refused = [](const std::string& bytes) {
    RecordingSink sink;
    EXPECT_EQ(converse(*make(), {client(kPreface + bytes)}, sink), Parsed::kFailed);
    return sink.events();
  };
  std::string flood = frame(1, 0, 1, "");
  for (int i = 0; i < 5; i++) flood += frame(9, 0, 1, std::string(16384, '\0'));
  EXPECT_EQ(refused(flood), std::vector<std::string>{"reassembly_limit_reached"});

  // One large field in HPACK's table, then a byte for each time it is meant.
  Packer bomb;
  const std::string field = bomb({{"x", std::string(2900, 'a')}});
  EXPECT_EQ(refused(frame(1, kEndHeaders, 1, field + std::string(1000, '\xbe'))),
            std::vector<std::string>{"reassembly_limit_reached"});

  std::vector<std::pair<std::string, std::string>> many;
  for (size_t i = 0; i <= kHttp2HeadersMax; i++) many.emplace_back("x" + std::to_string(i), "y");
  Packer wide;
  EXPECT_EQ(refused(frame(1, kEndHeaders, 1, wide(many))),
            std::vector<std::string>{"reassembly_limit_reached"});

  EXPECT_EQ(refused(frame(1, kEndHeaders, 1, std::string(kHttp2FrameMax + 1, 'a'))),
            std::vector<std::string>{"long_frame_data"});
}

// What is open beyond the limits is given up, and what follows is seen: requests, their bodies, and
// answers.
TEST(Http2, GivesStreamsUp) {
  for (const uint32_t allowed : {0U, 100U}) {
    Packer client_pack, server_pack;
    RecordingSink sink;
    const auto parser = make();
    const auto feed = [&](Direction direction, const std::string& bytes) {
      ASSERT_EQ(parser->feed(direction, bytes_of(bytes), sink), Parsed::kMore);
      ASSERT_LT(parser->memory(), 4U << 20);
    };
    const std::string settings("\0\3\0\0\0\x64", 6);
    feed(kToServer, kPreface);
    feed(kToClient, frame(4, 0, 0, allowed == 0 ? "" : settings));
    const uint32_t streams = 2 * kHttp2StreamsMax + 2;
    for (uint32_t i = 0; i < streams; i++)
      feed(kToServer,
           frame(1, kEndHeaders, 2 * i + 1,
                 client_pack({{":method", "POST"}, {":path", "/" + std::to_string(i)}})));
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.uri").size(), streams);
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.uri").back(),
              "/" + std::to_string(streams - 1));
    EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), streams - kHttp2StreamsMax);
    EXPECT_EQ(sink.events(), std::vector<std::string>{"too_many_streams"});
    sink.all.clear();
    feed(kToServer, data(1, "first"));
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.request_body"),
              std::vector<std::string>{"first"});
    feed(kToClient, frame(1, kEndHeaders | kEndStream, 1, server_pack({{":status", "202"}})));
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.stat_code"), std::vector<std::string>{"202"});
    // To a server that allows a hundred the first is the same stream still.
    const auto body = std::ranges::find(sink.all, Recorded::kBuffer, &Recorded::kind);
    EXPECT_EQ(body->transaction, allowed == 0 ? streams : 0);
  }
}

TEST(Http2, GivesStreamsWithLargeHeadersUp) {
  Packer held;
  std::string open;
  for (uint32_t i = 0; i < 60; i++)
    open += frame(1, kEndHeaders, 2 * i + 1, held({{"x", std::string(60000, '~')}}));
  open += frame(1, kEndHeaders, 201, held({{":path", "/last"}}));
  RecordingSink sink;
  const auto parser = make();
  EXPECT_EQ(parser->feed(kToServer, bytes_of(kPreface + open), sink), Parsed::kMore);
  EXPECT_LT(parser->memory(), 8U << 20);
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.uri"), std::vector<std::string>{"/last"});
  EXPECT_EQ(sink.events(), std::vector<std::string>{"too_many_streams"});
}

TEST(Http2, PassesOverAGapInData) {
  Packer pack_client, pack_server;
  RecordingSink sink;
  const auto parser = make();
  parser->feed(kToServer, bytes_of(kPreface + get(pack_client, 1, "/")), sink);
  parser->feed(kToClient,
               bytes_of(frame(1, kEndHeaders, 1, pack_server({{":status", "200"}})) +
                        data(1, "hello-----world").substr(0, 9 + 5)),
               sink);
  EXPECT_EQ(parser->gap(kToClient, 5, sink), Parsed::kMore);
  parser->feed(kToClient, bytes_of("world"), sink);
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.data"),
            (std::vector<std::string>{"hello", "world"}));
  EXPECT_EQ(parser->gap(kToClient, 5, sink), Parsed::kFailed);
}

TEST(Http2, IsRecognised) {
  const struct {
    Direction direction;
    std::string bytes;
    Probe expected;
  } cases[] = {
      {kToServer, kPreface, Probe::kYes},
      {kToServer, "PRI * H", Probe::kMore},
      {kToServer, "PRI * HTTP/1", Probe::kNo},
      {kToServer, "GET / HTTP/1.1", Probe::kNo},
      {kToClient, kSettings, Probe::kYes},
      {kToClient, kSettings.substr(0, 5), Probe::kMore},
      {kToClient, frame(1, 4, 1, "abcdef"), Probe::kNo},
      {kToClient, "HTTP/1.1 200", Probe::kNo},
  };
  for (const auto& c : cases)
    EXPECT_EQ(http2_entry().probe(c.direction, bytes_of(c.bytes), 80), c.expected) << c.bytes;
}

}  // namespace
}  // namespace sluice::inspect
