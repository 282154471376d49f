// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/http1.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::gateway {
namespace {

// The status that refuses it; 0 when it is taken, -1 while more is needed.
int status_of(const std::string& bytes, RequestHead* request) {
  HeadScanner scanner = HeadScanner::for_request();
  switch (scanner.scan(bytes)) {
    case HeadScanner::State::kMore:
      return -1;
    case HeadScanner::State::kRefused:
      return scanner.refusal().status;
    case HeadScanner::State::kComplete:
      break;
  }
  auto refusal = parse_request_head(scanner.head_in(bytes), request);
  return refusal ? refusal->status : 0;
}

// The same, one byte at a time, as a slow or malicious client would.
int status_bytewise(const std::string& bytes, size_t* end) {
  HeadScanner scanner = HeadScanner::for_request();
  for (size_t size = 0; size <= bytes.size(); ++size) {
    auto state = scanner.scan(std::string_view(bytes).substr(0, size));
    if (state == HeadScanner::State::kRefused) return scanner.refusal().status;
    if (state == HeadScanner::State::kMore) continue;
    *end = scanner.end();
    RequestHead request;
    auto refusal = parse_request_head(scanner.head_in(bytes), &request);
    return refusal ? refusal->status : 0;
  }
  return -1;
}

struct RequestCase {
  const char* name;
  std::string bytes;
  int status;
};

std::string with(const std::string& lines) {
  return "POST /x HTTP/1.1\r\nHost: a.example\r\n" + lines + "\r\n";
}

std::vector<RequestCase> request_cases() {
  using namespace std::string_literals;
  return {
      {"plain", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 0},
      {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0},
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute form", "GET http://a.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n", 0},
      {"absolute form, other host", "GET http://b/p HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute form, user", "GET http://u@a/p HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"absolute form, no path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"other scheme", "GET ftp://a/p HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"star of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"high byte in target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"HTTP/0.9 with header", "GET /\r\nHost: a\r\n\r\n", 400},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab in request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space at end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"version 1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"version 2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"TLS", "\x16\x03\x01\x02", 400},
      {"bad method", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method too long", std::string(41, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405},
      {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
      // Host
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"host with port", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", 0},
      {"host with bad port", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
      {"host with empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400},
      {"IPv6 host", "GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n", 0},
      {"broken IPv6 host", "GET / HTTP/1.1\r\nHost: [fd00::1\r\n\r\n", 400},
      {"IPv6 zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25e0]\r\n\r\n", 400},
      {"host too long", "GET / HTTP/1.1\r\nHost: " + std::string(262, 'a') + "\r\n\r\n", 400},
      {"bad host in 1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400},
      // line ends and characters
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare LF in headers", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
      {"bare LF at end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"bare CR in value", with("X: a\rb\r\n"), 400},
      {"CR CR LF", with("X: a\r\r\n"), 400},
      {"CR before name", with("\rX: a\r\n"), 400},
      {"NUL in value", with("X: a\0b\r\n"s), 400},
      {"NUL in name", with("X\0: a\r\n"s), 400},
      {"control in value", with("X: a\x01\r\n"), 400},
      {"DEL in value", with("X: a\x7f\r\n"), 400},
      {"vertical tab",
       with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400},
      {"high bytes in value", with("X: \xe2\x82\xac\r\n"), 0},
      {"tab around value", with("X:\ta\t\r\n"), 0},
      {"folded line", with("X: a\r\n b\r\n"), 400},
      {"folded with tab", with("X: a\r\n\tb\r\n"), 400},
      {"space before first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"space before colon", with("Content-Length : 4\r\n"), 400},
      {"tab before colon", with("Transfer-Encoding\t: chunked\r\n"), 400},
      {"empty name", with(": x\r\n"), 400},
      {"no colon", with("Garbage\r\n"), 400},
      {"space in name", with("A B: x\r\n"), 400},
      {"imitated length", with("Content_Length: 4\r\n"), 400},
      {"imitated forwarded", with("X-Forwarded_For: 1.2.3.4\r\n"), 400},
      {"other underscore", with("My_Header: 4\r\n"), 0},
      // framing
      {"length", with("Content-Length: 4\r\n"), 0},
      {"length zero", with("Content-Length: 0\r\n"), 0},
      {"length twice, same", with("Content-Length: 4\r\nContent-Length: 4\r\n"), 400},
      {"length twice, other", with("Content-Length: 4\r\nContent-Length: 5\r\n"), 400},
      {"length list", with("Content-Length: 4, 4\r\n"), 400},
      {"length plus", with("Content-Length: +4\r\n"), 400},
      {"length minus", with("Content-Length: -4\r\n"), 400},
      {"length hex", with("Content-Length: 0x4\r\n"), 400},
      {"length with space", with("Content-Length: 4 4\r\n"), 400},
      {"length underscore", with("Content-Length: 1_0\r\n"), 400},
      {"length empty", with("Content-Length:\r\n"), 400},
      {"length too large", with("Content-Length: 18446744073709551620\r\n"), 400},
      {"chunked", with("Transfer-Encoding: chunked\r\n"), 0},
      {"chunked, any case", with("transfer-encoding: CHUNKED\r\n"), 0},
      {"CL.TE", with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"TE.CL", with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400},
      {"TE.TE", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), 400},
      {"TE twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"TE list", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"TE chunked twice in one", with("Transfer-Encoding: chunked, chunked\r\n"), 501},
      {"TE with junk", with("Transfer-Encoding: xchunked\r\n"), 501},
      {"TE with parameter", with("Transfer-Encoding: chunked;q=1\r\n"), 501},
      {"TE quoted", with("Transfer-Encoding: \"chunked\"\r\n"), 501},
      {"TE identity", with("Transfer-Encoding: identity\r\n"), 501},
      {"TE empty", with("Transfer-Encoding:\r\n"), 501},
      {"TE in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      // connection and expectation
      {"connection names host", with("Connection: close, Host\r\n"), 400},
      {"connection names length", with("Content-Length: 3\r\nConnection: Content-Length\r\n"), 400},
      {"connection names XFF", with("Connection: X-Forwarded-For\r\n"), 400},
      {"connection names another", with("Connection: X-Foo\r\nX-Foo: 1\r\n"), 0},
      {"connection not a token", with("Connection: a b\r\n"), 400},
      {"connection with 16 names", with("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), 0},
      {"connection with 17 names", with("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), 400},
      {"expect continue", with("Content-Length: 1\r\nExpect: 100-Continue\r\n"), 0},
      {"expect other", with("Expect: the-unexpected\r\n"), 417},
      // unfinished
      {"nothing", "", -1},
      {"half", "GET / HTTP/1.1\r\nHo", -1},
      {"no empty line", "GET / HTTP/1.1\r\nHost: a\r\n", -1},
  };
}

TEST(RequestHead, Table) {
  for (const auto& one : request_cases()) {
    RequestHead request;
    EXPECT_EQ(status_of(one.bytes, &request), one.status) << one.name;
  }
}

TEST(RequestHead, SameAnswerHoweverItIsCut) {
  for (const auto& one : request_cases()) {
    size_t end = 0;
    EXPECT_EQ(status_bytewise(one.bytes + (one.status == 0 ? "body" : ""), &end), one.status)
        << one.name;
    if (one.status == 0) {
      EXPECT_EQ(end, one.bytes.size()) << one.name;
    }
  }
}

TEST(RequestHead, LimitsAreExactAndIndependentOfTheCut) {
  auto line = [](size_t size) {
    return "GET /" + std::string(size - 14, 'p') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  auto header = [](size_t size) { return with("X: " + std::string(size - 3, 'v') + "\r\n"); };
  auto total = [](size_t size) {  // header lines with the empty one, in lines of 8192
    std::string lines = "Host: a\r\n";
    while (lines.size() + 8192 + 8 < size) lines += "X: " + std::string(8187, 'v') + "\r\n";
    lines += "Y: " + std::string(size - lines.size() - 7, 'v') + "\r\n";
    return "GET / HTTP/1.1\r\n" + lines + "\r\n";
  };
  auto count = [](size_t lines) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < lines; ++i) text += "X: y\r\n";
    return text + "\r\n";
  };
  const RequestCase cases[] = {
      {"line at limit", line(kRequestLineMax), 0},
      {"line over", line(kRequestLineMax + 1), 414},
      {"header at limit", header(kHeaderLineMax), 0},
      {"header over", header(kHeaderLineMax + 1), 431},
      {"headers at limit", total(kRequestHeadersMax), 0},
      {"headers over", total(kRequestHeadersMax + 1), 431},
      {"count at limit", count(kHeaderCountMax), 0},
      {"count over", count(kHeaderCountMax + 1), 431},
  };
  for (const auto& one : cases) {
    RequestHead request;
    size_t end = 0;
    EXPECT_EQ(status_of(one.bytes, &request), one.status) << one.name;
    EXPECT_EQ(status_bytewise(one.bytes, &end), one.status) << one.name;
  }
}

TEST(RequestHead, Model) {
  RequestHead request;
  std::string bytes =
      "POST http://Shop.example:8080/a/b?c=d HTTP/1.1\r\nHost: shop.example:8080\r\n"
      "Connection: Keep-Alive, X-Secret\r\nX-Secret: 1\r\nContent-Length: 12\r\nUser-Agent: me\r\n"
      "Expect: 100-continue\r\nTE: trailers\r\n\r\n";
  ASSERT_EQ(status_of(bytes, &request), 0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/a/b?c=d");
  EXPECT_EQ(request.path, "/a/b");
  EXPECT_EQ(request.host, "shop.example:8080");
  EXPECT_EQ(request.host_name, "shop.example");
  EXPECT_EQ(request.framing, Framing::kLength);
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_TRUE(request.expect_continue);
  EXPECT_TRUE(request.stays_open());
  std::string sent_on;
  for (const auto& header : request.all()) {
    if (!header.hop_by_hop) sent_on += std::string(header.name) + " ";
  }
  EXPECT_EQ(sent_on, "Host User-Agent Expect ");
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n", &request), 0);
  EXPECT_FALSE(request.stays_open());
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &request), 0);
  EXPECT_TRUE(request.stays_open());
  EXPECT_EQ(status_of(with("Connection: close\r\n"), &request), 0);
  EXPECT_FALSE(request.stays_open());
}

struct ResponseCase {
  const char* name;
  std::string bytes;
  bool taken;
  Framing framing = Framing::kNone;
  bool to_head = false;
};

TEST(ResponseHead, Table) {
  const ResponseCase cases[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Framing::kLength},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, Framing::kChunked},
      {"until close", "HTTP/1.1 200 OK\r\n\r\n", true, Framing::kUntilClose},
      {"no reason", "HTTP/1.1 200\r\n\r\n", true, Framing::kUntilClose},
      {"to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Framing::kNone, true},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", true, Framing::kNone},
      {"304", "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", true, Framing::kNone},
      {"100", "HTTP/1.1 100 Continue\r\n\r\n", true, Framing::kNone},
      {"1.0", "HTTP/1.0 200 OK\r\n\r\n", true, Framing::kUntilClose},
      {"both framings",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false},
      {"length twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", false},
      {"gzip coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false},
      {"chunked in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false},
      {"status 99", "HTTP/1.1 099 OK\r\n\r\n", false},
      {"status 600", "HTTP/1.1 600 OK\r\n\r\n", false},
      {"status letters", "HTTP/1.1 2x0 OK\r\n\r\n", false},
      {"status of four", "HTTP/1.1 2000 OK\r\n\r\n", false},
      {"version 2", "HTTP/2.0 200 OK\r\n\r\n", false},
      {"not HTTP", "SSH-2.0-x\r\n\r\n", false},
      {"control in reason", "HTTP/1.1 200 O\x01K\r\n\r\n", false},
      {"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", false},
  };
  for (const auto& one : cases) {
    HeadScanner scanner = HeadScanner::for_response();
    ASSERT_EQ(scanner.scan(one.bytes), HeadScanner::State::kComplete) << one.name;
    ResponseHead response;
    auto refusal = parse_response_head(scanner.head_in(one.bytes), one.to_head, &response);
    EXPECT_EQ(!refusal, one.taken) << one.name;
    if (refusal) {
      EXPECT_EQ(refusal->status, 502) << one.name;
    }
    if (one.taken) {
      EXPECT_EQ(response.framing, one.framing) << one.name;
    }
  }
}

TEST(ResponseHead, TooLongIsRefused) {
  std::string bytes = "HTTP/1.1 200 OK\r\n";
  while (bytes.size() < kResponseHeadersMax) bytes += "X: " + std::string(5000, 'v') + "\r\n";
  HeadScanner scanner = HeadScanner::for_response();
  EXPECT_EQ(scanner.scan(bytes), HeadScanner::State::kRefused);
}

}  // namespace
}  // namespace sluice::gateway
