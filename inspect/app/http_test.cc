// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http.h"

#include "inspect/app/conversation_for_test.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;

std::unique_ptr<Parser> make() { return http_entry().make(); }

struct Expected {
  Direction direction;
  std::string_view buffer;
  std::string_view bytes;
  uint64_t transaction = 0;
};

struct Case {
  std::string_view name;
  Conversation said;
  std::vector<Expected> expected;
  std::vector<std::string> events;
};

constexpr std::string_view kNone = "(none)";

void check(const Case& c) {
  SCOPED_TRACE(c.name);
  RecordingSink sink;
  const auto parser = make();
  converse(*parser, c.said, sink);
  for (const Expected& e : c.expected)
    EXPECT_EQ(sink.get(e.transaction, e.direction, e.buffer), e.bytes) << e.buffer;
  EXPECT_EQ(sink.events(), c.events);
  expect_same_when_cut(make, c.said);
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

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
           {client("GET /a?b HTTP/1.1\r\nHost: Ex.com:8080\r\nUser-Agent: u\r\nReferer: r\r\n\r\n"),
            server("HTTP/1.1 302 Found\r\nLocation: /n\r\nContent-Type: text/html; charset=x\r\n"
                   "Content-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello")},
           sink);
  EXPECT_EQ(sink.get_all(Recorded::kEnded),
            std::vector<std::string>{
                R"({"http":{"hostname":"Ex.com","http_port":8080,"url":"/a?b",)"
                R"("http_user_agent":"u","http_content_type":"text/html",)"
                R"("content_range":{"raw":"bytes 0-4/10","start":0,"end":4,"size":10},)"
                R"("http_refer":"r","http_method":"GET","protocol":"HTTP/1.1","status":302,)"
                R"("redirect":"/n","length":5}})"});
}

}  // namespace
}  // namespace sluice::inspect
