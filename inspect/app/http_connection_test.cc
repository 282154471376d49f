// SPDX-License-Identifier: Apache-2.0
// HTTP over the life of a connection: tunnels, gaps, ends, limits.
#include "inspect/app/http_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT

TEST(Http, HandsATunnelOver) {
  const struct {
    Conversation said;
    Parsed parsed;
    AppProtocol next;
    std::string_view client_rest, server_rest;
  } cases[] = {
      {{client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        server("HTTP/1.1 200 Yes\r\nA: b\r\n\r\nfrom server")},
       Parsed::kChange,
       AppProtocol::kUnknown,
       "",
       "from server"},
      {{client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nearly"),
        server("HTTP/1.1 200 Yes\r\n\r\n")},
       Parsed::kChange,
       AppProtocol::kUnknown,
       "early",
       ""},
      {{client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        server("HTTP/1.1 200 Yes\r\nContent-Length: 2\r\n\r\nok")},
       Parsed::kChange,
       AppProtocol::kUnknown,
       "",
       ""},
      {{client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nearly"),
        server("HTTP/1.1 200 Yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")},
       Parsed::kChange,
       AppProtocol::kUnknown,
       "early",
       ""},
      {{client("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\nPRI * "
               "HTTP/2.0\r\n\r\nSM\r\n\r\n\1\2"),
        server("HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\nframes\r\n")},
       Parsed::kChange,
       AppProtocol::kHttp2,
       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\1\2",
       "frames\r\n"},
      {{client("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"),
        server("HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\nframes\r\n")},
       Parsed::kChange,
       AppProtocol::kHttp2,
       "",
       "frames\r\n"},
      {{client("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"),
        server("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\nframes")},
       Parsed::kChange,
       AppProtocol::kFailed,
       "",
       "frames"},
  };
  for (const auto& c : cases) {
    RecordingSink sink;
    const auto parser = make();
    EXPECT_EQ(converse(*parser, c.said, sink), c.parsed) << c.said[1].text;
    EXPECT_EQ(parser->next_protocol(), c.next);
    const auto client_rest = parser->rest(kToServer), server_rest = parser->rest(kToClient);
    EXPECT_EQ(std::string(client_rest.begin(), client_rest.end()), c.client_rest);
    EXPECT_EQ(std::string(server_rest.begin(), server_rest.end()), c.server_rest);
    EXPECT_EQ(sink.get_all(Recorded::kFinished).size(), 2U);
    EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 1U);
  }
}

TEST(Http, APathBehindConnectIsNoHost) {
  RecordingSink sink;
  converse(*make(),
           {client("CONNECT / HTTP/1.1\r\nA: b\r\n\r\n"), server("HTTP/1.1 200 O\r\n\r\n")}, sink);
  EXPECT_EQ(sink.get(0, kToServer, "http.host"), "(none)");
  RecordingSink other;
  converse(*make(), {client("CONNECT / HTTP/1.1\r\nHost: Real\r\n\r\n")}, other);
  EXPECT_EQ(other.get(0, kToServer, "http.host"), "real");
}

TEST(Http, GoesOnAfterARefusedTunnel) {
  RecordingSink sink;
  const Parsed parsed =
      converse(*make(),
               {client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next")),
                server("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno" + kOk)},
               sink);
  EXPECT_EQ(parsed, Parsed::kMore);
  EXPECT_EQ(sink.get(0, kToClient, "http.stat_code"), "403");
  EXPECT_EQ(sink.get(1, kToServer, "http.uri"), "/next");
  EXPECT_EQ(sink.get(1, kToClient, "http.stat_code"), "200");
}

TEST(Http, BeginsInTheMiddleOfAConnection) {
  RecordingSink sink;
  converse(*make(), {server(kOk + kOk), client(get("/n")), server(kOk)}, sink);
  EXPECT_EQ(sink.get(1, kToClient, "http.stat_code"), "200");
  EXPECT_EQ(sink.get(2, kToServer, "http.uri"), "/n");
  EXPECT_EQ(sink.get(2, kToClient, "http.stat_code"), "200");
  EXPECT_EQ(sink.events(), (std::vector<std::string>(2, "unable_to_match_response_to_request")));
}

TEST(Http, LineEndsBehindABodyBeginNoResponse) {
  const std::string one = "HTTP/1.1 200 A\r\nContent-Length: 3\r\n\r\na\nb";
  const std::string two = "HTTP/1.1 201 B\r\nContent-Length: 1\r\n\r\nc";
  for (const std::string line_end : {"\r\n", "\n", "\r\n\r\n"}) {
    RecordingSink together, apart;
    converse(*make(), {client(get("/1")), server(one + line_end), client(get("/2")), server(two)},
             together);
    converse(*make(),
             {client(get("/1")), server(one), server(line_end), client(get("/2")), server(two)},
             apart);
    for (RecordingSink* sink : {&together, &apart}) {
      EXPECT_EQ(sink->get(0, kToClient, "http.stat_code"), "200");
      EXPECT_EQ(sink->get(1, kToServer, "http.uri"), "/2");
      EXPECT_EQ(sink->get(1, kToClient, "http.stat_code"), "201");
    }
  }
}

TEST(Http, ALittleMayBeMissingBehindABody) {
  const auto after_gap = [](uint64_t missing, RecordingSink& sink) {
    const auto parser = make();
    const auto say = [&](Direction direction, const std::string& text) {
      parser->feed(direction, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, sink);
    };
    say(kToServer, get("/1"));
    say(kToClient, "HTTP/1.1 200 A\r\nContent-Length: 3\r\n\r\n");
    say(kToServer, get("/2"));
    const Parsed parsed = parser->gap(kToClient, missing, sink);
    say(kToClient, "HTTP/1.1 201 B\r\nContent-Length: 0\r\n\r\n");
    return parsed;
  };
  for (const uint64_t missing : {3, 5, 18}) {
    RecordingSink sink;
    EXPECT_EQ(after_gap(missing, sink), Parsed::kMore) << missing;
    EXPECT_EQ(sink.get(1, kToServer, "http.uri"), "/2");
    EXPECT_EQ(sink.get(1, kToClient, "http.stat_code"), "201");
  }
  RecordingSink sink;
  EXPECT_EQ(after_gap(19, sink), Parsed::kFailed) << "a response may be missing";
}

TEST(Http, PassesOverAGapInABody) {
  RecordingSink sink;
  const auto parser = make();
  parser->feed(kToServer, bytes_of(get("/")), sink);
  parser->feed(kToClient, bytes_of("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhello"), sink);
  EXPECT_EQ(parser->gap(kToClient, 20, sink), Parsed::kMore);
  parser->feed(kToClient, bytes_of("world"), sink);
  // Two bodies: no pattern reaches over the gap.
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "file.data"),
            (std::vector<std::string>{"hello", "world"}));
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 1U);
  EXPECT_EQ(sink.files(), (std::vector<std::string>{"begins /", "lacks 20", "is closed"}));

  // Where lines are, nothing can be made of it.
  parser->feed(kToServer, bytes_of("GET /"), sink);
  EXPECT_EQ(parser->gap(kToServer, 5, sink), Parsed::kFailed);
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 2U);
}

TEST(Http, TellsHowAFileEnds) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=n\r\n";
  const std::string length = "Content-Length: ";
  const struct {
    std::string response;
    std::vector<std::string> files;
  } kCases[] = {
      {ok + length + "3\r\n\r\nabc", {"begins n", "is closed"}},
      {ok + length + "0\r\n\r\n", {}},
      {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", {"begins n", "is closed"}},
      {ok + "\r\nuntil the end", {"begins n", "is closed"}},
      {ok + length + "4\r\n\r\nabc", {"begins n", "is truncated"}},
      {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nabc", {"begins n", "is truncated"}},
      {ok + "Content-Encoding: gzip\r\n" + length + "99\r\n\r\n\x1f\x8b\x08nonsense", {}},
      {ok + length + std::to_string(kHttpBodyMax + 2) + "\r\n\r\n" +
           std::string(kHttpBodyMax + 2, 'a'),
       {"begins n", "is truncated"}},
  };
  for (const auto& c : kCases) {
    RecordingSink sink;
    converse(*make(), {client(get("/")), server(c.response)}, sink);
    EXPECT_EQ(sink.files(), c.files) << c.response.substr(0, 120);
  }

  // What follows is lost with the connection.
  RecordingSink broken;
  const auto parser = make();
  parser->feed(kToServer, bytes_of(get("/")), broken);
  parser->feed(kToClient, bytes_of(ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc"), broken);
  EXPECT_EQ(parser->gap(kToClient, 5, broken), Parsed::kFailed);
  EXPECT_EQ(broken.files(), (std::vector<std::string>{"begins n", "is truncated"}));
}

TEST(Http, EndsAResponseWithTheServersEnd) {
  RecordingSink sink;
  const auto parser = make();
  const std::string request = "GET / HTTP/1.0\r\n\r\n";
  const std::string response = "HTTP/1.0 200 OK\r\n\r\nbody";
  EXPECT_EQ(parser->feed(kToServer, bytes_of(request), sink), Parsed::kMore);
  EXPECT_EQ(parser->feed(kToClient, bytes_of(response), sink), Parsed::kMore);
  parser->end(kToClient, sink);
  EXPECT_EQ(sink.get(0, kToClient, "http.response_body"), "body");
  parser->end(kToServer, sink);
}

TEST(Http, GoesOnForAnyNumberOfTransactions) {
  RecordingSink sink;
  const auto parser = make();
  for (size_t i = 0; i < 2 * kHttpTransactionsPerParser + 2; i++) {
    ASSERT_EQ(parser->feed(kToServer, bytes_of(get("/" + std::to_string(i))), sink), Parsed::kMore);
    ASSERT_EQ(parser->feed(kToClient, bytes_of(kOk), sink), Parsed::kMore);
    ASSERT_EQ(sink.get(i, kToServer, "http.uri"), "/" + std::to_string(i));
    ASSERT_EQ(sink.get(i, kToClient, "http.stat_code"), "200");
    ASSERT_EQ(sink.get_all(Recorded::kEnded).size(), 1U);
    sink.all.clear();
  }
  EXPECT_TRUE(sink.events().empty());
}

TEST(Http, MayRestAnywhere) {
  const std::string request = get("/a") + get("/b");
  const std::string answer = kOk + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  RecordingSink sink;
  const auto parser = make();
  const auto feed_slowly = [&](Direction direction, const std::string& text) {
    for (const char c : text) {
      ASSERT_EQ(parser->feed(direction, bytes_of(std::string(1, c)), sink), Parsed::kMore);
      parser->rest();
    }
  };
  feed_slowly(kToServer, request);
  feed_slowly(kToClient, answer);
  parser->rest();
  feed_slowly(kToServer, get("/c"));
  feed_slowly(kToClient, kOk);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(sink.get(i, kToServer, "http.uri"), "/" + std::string(1, static_cast<char>('a' + i)));
    EXPECT_EQ(sink.get(i, kToClient, "http.stat_code"), "200");
  }
  EXPECT_EQ(sink.get(1, kToClient, "http.response_body"), "abc");
  EXPECT_TRUE(sink.events().empty());
}

TEST(Http, KeepsNearlyNothingBetweenTransactions) {
  RecordingSink sink;
  const auto parser = make();
  const size_t nothing = parser->memory();
  EXPECT_LE(nothing, 64u);
  parser->feed(kToServer, bytes_of(get("/a")), sink);
  parser->rest();
  EXPECT_GT(parser->memory(), 1000u) << "it waits for the answer";
  parser->feed(kToClient, bytes_of(kOk), sink);
  parser->rest();
  EXPECT_EQ(parser->memory(), nothing);
  // Which transaction comes next is known, and which direction has ended.
  parser->end(kToClient, sink);
  parser->rest();
  EXPECT_EQ(parser->memory(), nothing);
  parser->feed(kToServer, bytes_of(get("/b")), sink);
  parser->rest();
  EXPECT_EQ(sink.get(1, kToServer, "http.uri"), "/b");
  parser->end(kToServer, sink);
  EXPECT_EQ(sink.get_all(Recorded::kEnded).size(), 2u) << "nobody answers any more";
  EXPECT_EQ(parser->feed(kToServer, bytes_of(get("/c")), sink), Parsed::kDone);
}

// An answer that nobody has asked for ends with the line before a line end: that one is the first
// of another connection.
TEST(Http, ALineEndMayOutliveItsConnection) {
  for (const std::string_view bytes : {"\xc8\n0\r\x01"
                                       "2\r",
                                       "\xc8\n0\r\x01"
                                       "2\n"}) {
    RecordingSink sink;
    const auto parser = make();
    EXPECT_EQ(parser->feed(kToClient, bytes_of(bytes), sink), Parsed::kMore);
    parser->end(kToServer, sink);
    parser->end(kToClient, sink);
  }
}

TEST(Http, IsRecognised) {
  const std::string long_line(kHttpProbeLineMax, 'a');
  const std::string long_method = std::string(100, 'M') + " /x HTTP/1.1\r\n";
  const std::string long_path = "A.B /" + long_line, long_url = "FOO http://h/" + long_line;
  const struct {
    Direction direction;
    std::string bytes;
    Probe expected;
  } cases[] = {
      {kToServer, "GET / HTTP/1.1\r\n", Probe::kYes},
      {kToServer, "GET /", Probe::kYes},
      {kToServer, "\r\nPOST ", Probe::kYes},
      {kToServer, "GE", Probe::kMore},
      {kToServer, "\r\n", Probe::kMore},
      {kToServer, "FOO /x HTTP/1.1\r\n", Probe::kYes},
      {kToServer, "get /x HTTP/1.0\r\n", Probe::kYes},
      {kToServer, "FOO /x", Probe::kMore},
      {kToServer, "FOO /x\r\n", Probe::kNo},
      {kToServer, "OPTIONS sip:a@b SIP/2.0\r\n", Probe::kNo},
      {kToServer, "PRI * HTTP/2.0\r\n", Probe::kNo},
      {kToServer, "HELO there\r\n", Probe::kNo},
      {kToServer, "\x16\x03\x01", Probe::kNo},
      {kToServer, "SSH-2.0-x\r\n", Probe::kNo},
      {kToServer, "A.B /x HTTP/1.1\r\n", Probe::kYes},
      {kToServer, "1!#$%&'*+-.^_`|~z /x HTTP/1.1\r\n", Probe::kYes},
      {kToServer, "A:B /x\tHTTP/1.1\r\n", Probe::kYes},
      {kToServer, "A\1 /x HTTP/1.1\r\n", Probe::kNo},
      {kToServer, long_method, Probe::kYes},
      {kToServer, long_method.substr(0, 100), Probe::kMore},
      {kToServer, long_path.substr(0, 100), Probe::kMore},
      {kToServer, long_path, Probe::kYes},
      {kToServer, long_url, Probe::kYes},
      {kToServer, "long words " + long_line, Probe::kNo},
      {kToServer, long_line, Probe::kNo},
      {kToClient, "HTTP/1.1 200", Probe::kYes},
      {kToClient, "HTT", Probe::kMore},
      {kToClient, "HTTP/2", Probe::kNo},
      {kToClient, "220 ", Probe::kNo},
  };
  for (const auto& c : cases)
    EXPECT_EQ(http_entry().probe(c.direction, bytes_of(c.bytes), 80), c.expected) << c.bytes;
}

}  // namespace
}  // namespace sluice::inspect
