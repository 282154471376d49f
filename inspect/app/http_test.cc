// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT

constexpr std::string_view kNone = "(none)";

TEST(Http, TellsEveryBufferOfARequest) {
  check({"request",
         {client("POST /a%2fb%20c/../d?x=%41+1 HTTP/1.1\r\nHost: Ex.COM:8080\r\nUser-Agent: me\r\n"
                 "Referer: r\r\nAccept: */*\r\nAccept-Language: de\r\nAccept-Encoding: gzip\r\n"
                 "Connection: close\r\nContent-Type: text/x\r\nContent-Length: 4\r\n"
                 "Cookie: a=b\r\n\r\nbody"),
          server(kOk)},
         {{kToServer, "http.method", "POST"},
          {kToServer, "http.uri", "/a/d?x=A+1"},
          {kToServer, "http.uri.raw", "/a%2fb%20c/../d?x=%41+1"},
          {kToServer, "http.protocol", "HTTP/1.1"},
          {kToServer, "http.request_line", "POST /a%2fb%20c/../d?x=%41+1 HTTP/1.1"},
          {kToServer, "http.host", "ex.com"},
          {kToServer, "http.host.raw", "Ex.COM:8080"},
          {kToServer, "http.user_agent", "me"},
          {kToServer, "http.referer", "r"},
          {kToServer, "http.accept", "*/*"},
          {kToServer, "http.accept_lang", "de"},
          {kToServer, "http.accept_enc", "gzip"},
          {kToServer, "http.connection", "close"},
          {kToServer, "http.content_type", "text/x"},
          {kToServer, "http.content_len", "4"},
          {kToServer, "http.cookie", "a=b"},
          {kToServer, "http.header",
           "Host: Ex.COM:8080\r\nUser-Agent: me\r\nReferer: r\r\nAccept: */*\r\n"
           "Accept-Language: de\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"
           "Content-Type: text/x\r\nContent-Length: 4\r\n"},
          {kToServer, "http.header_names",
           "\r\nHost\r\nUser-Agent\r\nReferer\r\nAccept\r\nAccept-Language\r\nAccept-Encoding\r\n"
           "Connection\r\nContent-Type\r\nContent-Length\r\nCookie\r\n\r\n"},
          {kToServer, "http.request_header", "Cookie: a=b"},
          {kToServer, "http.request_body", "body"},
          {kToServer, "file.data", "body"},
          {kToServer, "file.name", "/a/d"},
          {kToClient, "file.data", kNone}},
         {}});
}

TEST(Http, TellsEveryBufferOfAResponse) {
  check({"response",
         {client("GET /x/y.bin HTTP/1.1\r\nHost: h\r\n\r\n"),
          server("HTTP/1.1 301 Moved away\r\nServer: s\r\nLocation: /z\r\nSet-Cookie: c\r\n"
                 "Content-Type: text/html\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")},
         {{kToClient, "http.protocol", "HTTP/1.1"},
          {kToClient, "http.stat_code", "301"},
          {kToClient, "http.stat_msg", "Moved away"},
          {kToClient, "http.response_line", "HTTP/1.1 301 Moved away"},
          {kToClient, "http.server", "s"},
          {kToClient, "http.location", "/z"},
          {kToClient, "http.cookie", "c"},
          {kToClient, "http.content_type", "text/html"},
          {kToClient, "http.connection", "close"},
          {kToClient, "http.content_len", "3"},
          {kToClient, "http.header",
           "Server: s\r\nLocation: /z\r\nContent-Type: text/html\r\nConnection: close\r\n"
           "Content-Length: 3\r\n"},
          {kToClient, "http.header.raw",
           "Server: s\r\nLocation: /z\r\nSet-Cookie: c\r\nContent-Type: text/html\r\n"
           "Connection: close\r\nContent-Length: 3\r\n\r\n"},
          {kToClient, "http.header_names",
           "\r\nServer\r\nLocation\r\nSet-Cookie\r\nContent-Type\r\nConnection\r\n"
           "Content-Length\r\n\r\n"},
          {kToClient, "http.start",
           "HTTP/1.1 301 Moved away\r\nServer: s\r\nLocation: /z\r\nSet-Cookie: c\r\n"
           "Content-Type: text/html\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"},
          {kToClient, "http.response_header", "Content-Length: 3"},
          {kToClient, "http.response_body", "abc"},
          {kToClient, "file.data", "abc"},
          {kToClient, "file.name", "/x/y.bin"},
          {kToServer, "http.start", "GET /x/y.bin HTTP/1.1\r\nHost: h\r\n\r\n"},
          {kToServer, "http.request_body", kNone}},
         {}});
}

TEST(Http, WritesAnEvent) {
  RecordingSink sink;
  const auto parser = make();
  converse(*parser,
           {client("GET /a?b HTTP/1.1\r\nHost: Ex.com:8080\r\nUser-Agent: u\r\n"
                   "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nReferer: r\r\n\r\n"),
            server("HTTP/1.1 302 Found\r\nLocation: /n\r\nContent-Type: text/html; charset=x\r\n"
                   "Content-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello")},
           sink);
  EXPECT_EQ(sink.get_all(Recorded::kEnded),
            std::vector<std::string>{
                R"({"http":{"hostname":"Ex.com","http_port":8080,"url":"/a?b",)"
                R"("http_user_agent":"u","xff":"192.0.2.1, 192.0.2.2",)"
                R"("http_content_type":"text/html",)"
                R"("content_range":{"raw":"bytes 0-4/10","start":0,"end":4,"size":10},)"
                R"("http_refer":"r","http_method":"GET","protocol":"HTTP/1.1","status":302,)"
                R"("redirect":"/n","length":5}})"});
  EXPECT_EQ(sink.brief, R"({"http":{"hostname":"Ex.com","http_port":8080,"url":"/a?b",)"
                        R"("http_user_agent":"u","xff":"192.0.2.1, 192.0.2.2",)"
                        R"("http_content_type":"text/html",)"
                        R"("content_range":{"raw":"bytes 0-4/10","start":0,"end":4,"size":10}}})"
                        "\n");
}

TEST(Http, TellsWhereAResponseOfAnyStatusLeads) {
  RecordingSink sink;
  const auto parser = make();
  converse(*parser,
           {client(get("/")), server("HTTP/1.1 201 Created\r\nLocation: /n\r\n"
                                     "Content-Length: 0\r\n\r\n")},
           sink);
  EXPECT_NE(sink.get_all(Recorded::kEnded).at(0).find(R"("redirect":"/n")"), std::string::npos);
}

TEST(Http, NormalisesUris) {
  static constexpr struct {
    std::string_view raw, normal;
  } kUris[] = {
      {"/%u002e%u002e/%u0061b%uff21", "/abA"},      // %u, and the path is walked after that
      {"/a\\..\\b//c/./d", "/b/c/d"},               // as IIS reads it
      {"/%c0%ae%c0%ae/x", "/x"},                    // overlong UTF-8
      {"/%252e%252e/x?%252e", "/%2e%2e/x?%2e"},     // decoded once
      {"/%zz%4/x%", "/%zz%4/x%"},                   // what is no encoding stays
      {"/a?b=/../c%2f..", "/a?b=/../c/.."},         // a query is decoded, not walked
      {"http://h:80/p?q", "/p?q"},                  // without the host
      {"/uid=0(root) gid=0", "/uid=0(root) gid=0"}  // with a space in it
  };
  for (const auto& uri : kUris) {
    check({uri.raw,
           {client(get(uri.raw)), server(kOk)},
           {{kToServer, "http.uri.raw", uri.raw}, {kToServer, "http.uri", uri.normal}},
           {}});
  }
  check({"encoded nul",
         {client(get("/a%00b?x=%00y")), server(kOk)},
         {{kToServer, "http.uri", std::string_view("/a\0b?x=\0y", 9)}},
         {}});
}

TEST(Http, FramesMessagesAsServersDo) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  check({"chunks with extensions and a trailer",
         {client(post + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3 \r\nabc\r\n"
                        "0\r\nX-Late: 1\r\n\r\n"),
          server(kOk)},
         {{kToServer, "http.request_body", "helloabc"},
          {kToServer, "http.request_header", "X-Late: 1"}},
         {}});
  check(
      {"lines that end with LF alone",
       {client("GET /x HTTP/1.1\nHost: h\nA: b\n\n"), server("HTTP/1.1 204 No\nB: c\n\n")},
       {{kToServer, "http.header", "Host: h\r\nA: b\r\n"}, {kToClient, "http.header", "B: c\r\n"}},
       {}});
  check({"folded and repeated headers",
         {client("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n 2\r\n\t3\r\nB: 4\r\nB: 5\r\n\r\n"),
          server(kOk)},
         {{kToServer, "http.header", "Host: h\r\nA: 1 2\t3\r\nB: 4, 5\r\n"}},
         {"request_header_repetition"}});
  check({"chunked wins over a length",
         {client(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n0\r\n\r\n"),
          server(kOk)},
         {{kToServer, "http.request_body", "hello"}},
         {}});
  check({"any number of interim responses",
         {client(get("/")),
          server("HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
                 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")},
         {{kToClient, "http.stat_code", "200"},
          {kToClient, "http.header", "Content-Length: 2\r\n"},
          {kToClient, "http.header.raw", "Content-Length: 2\r\n\r\n"},
          {kToClient, "http.response_body", "hi"}},
         {"100_continue_already_seen"}});
  check({"no body after HEAD",
         {client("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
          server("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"), client(get("/2")), server(kOk)},
         {{kToClient, "http.response_body", kNone}, {kToClient, "http.stat_code", "200", 1}},
         {}});
  check(
      {"pipelined",
       {client(get("/1") + get("/2") + get("/3")), server(kOk + kOk + kOk)},
       {{kToServer, "http.uri", "/3", 2}, {kToClient, "http.response_line", "HTTP/1.1 200 OK", 2}},
       {}});
  check({"HTTP/0.9",
         {client("GET /x\r\n"), server("data")},
         {{kToServer, "http.uri", "/x"}, {kToClient, "http.response_body", "data"}},
         {}});
  check({"a response that lasts until the end",
         {client(get("/")), server("HTTP/1.0 200 OK\r\n\r\nuntil the end")},
         {{kToClient, "file.data", "until the end"}},
         {}});
}

TEST(Http, TellsWhatIsWrong) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const struct {
    std::string request;
    std::string response;
    std::vector<std::string> events;
  } cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", kOk, {"missing_host_header"}},
      {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", kOk, {"host_header_ambiguous"}},
      {"GET / HTTP/1.1\r\nHost: b_%$ x\r\n\r\n", kOk, {"request_header_host_invalid"}},
      {"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", kOk, {"request_field_missing_colon"}},
      {"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", kOk, {"request_header_invalid"}},
      {"GET / HTTP/1.1\r\n x: y\r\nHost: h\r\n\r\n", kOk, {"invalid_request_field_folding"}},
      {"GET\t/x\tHTTP/1.1\r\nHost: h\r\n\r\n",
       kOk,
       {"method_delim_non_compliant", "uri_delim_non_compliant"}},
      {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", kOk, {"request_line_leading_whitespace"}},
      {post + "Content-Length: x\r\n\r\n", "", {"invalid_content_length_field_in_request"}},
      {post + "Transfer-Encoding: x\r\n\r\n", kOk, {"invalid_transfer_encoding_value_in_request"}},
      {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "", {"invalid_request_chunk_len"}},
      {get("/"), "HTTP/1.1 2XX OK\r\nContent-Length: 0\r\n\r\n", {"response_invalid_status"}},
      {get("/"), "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", {"response_field_missing_colon"}},
      {get("/"),
       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       {"response_chunked_old_proto"}},
      {get("/"), "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx", {"abnormal_ce_header"}},
  };
  for (const auto& c : cases)
    check({c.request, {client(c.request), server(c.response)}, {}, c.events});
}

// Some servers refuse such a request and end the connection; others go on with what follows.
TEST(Http, CodingsOfABodyThatAreNotJustChunkedHideNothing) {
  const std::string chunks = "3\r\nabc\r\n0\r\n\r\n";
  const struct {
    std::string headers, body, told;
  } cases[] = {
      {"Transfer-Encoding: identity, chunked\r\n", chunks, "abc"},
      {"Transfer-Encoding: chunked, identity\r\nContent-Length: 4\r\n", chunks, "abc"},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", chunks, "abc"},
      {"Transfer-Encoding: x,\x0b cHunked;a=b\x0c,\r\n", chunks, "abc"},
      {"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "abc", "abc"},
      {"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", "abc", "abc"},
      {"Transfer-Encoding: \"chunked\"\r\nContent-Length: 3\r\n", "abc", "abc"},
      {"Transfer-Encoding: x\r\n", "", ""},
      {"Transfer-Encoding: x\r\nContent-Length: 3x\r\n", "", ""},
      {"Transfer-Encoding: x\r\nContent-Length: -3\r\n", "", ""},
  };
  for (const auto& c : cases) {
    const std::string request = "POST / HTTP/1.1\r\nHost: h\r\n" + c.headers + "\r\n" + c.body;
    std::vector<Expected> expected = {{kToServer, "http.uri", "/attack", 1}};
    if (!c.told.empty()) expected.push_back({kToServer, "http.request_body", c.told});
    std::vector<std::string> events = {"invalid_transfer_encoding_value_in_request"};
    if (c.headers.find("-Encoding: gzip") != std::string::npos)
      events.insert(events.begin(), "request_header_repetition");
    check({c.headers, {client(request + get("/attack")), server(kOk + kOk)}, expected, events});
  }
}

}  // namespace
}  // namespace sluice::inspect
