// SPDX-License-Identifier: Apache-2.0
// What an HTTP connection may fill, and what is seen behind it.
#include "inspect/app/http_for_test.h"
#include "inspect/app/session.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT

// Behind the limit a second parser takes the requests until the first one has its answers.
TEST(Http, MoreRequestsThanAreOpen) {
  constexpr size_t kRequests = kHttpOpenTransactionsMax + 40;
  std::string requests, answers;
  for (size_t i = 0; i < kRequests; i++) {
    requests += get("/" + std::to_string(i));
    answers += "HTTP/1.1 200 OK\r\nServer: " + std::to_string(i) + "\r\nContent-Length: 1\r\n\r\nx";
  }
  for (const size_t piece : {size_t{7}, size_t{1000}, SIZE_MAX}) {
    RecordingSink sink;
    const auto parser = make();
    EXPECT_EQ(converse(*parser, {client(requests), server(answers), client(get("/n")), server(kOk)},
                       sink, piece),
              Parsed::kMore);
    EXPECT_EQ(sink.events(), std::vector<std::string>{"too_many_open_transactions"});
    ASSERT_EQ(sink.get_all(Recorded::kEnded).size(), kRequests + 1);
    for (size_t i = 0; i < kRequests; i++) {
      ASSERT_EQ(sink.get(i, kToServer, "http.uri"), "/" + std::to_string(i));
      ASSERT_EQ(sink.get(i, kToClient, "http.server"), std::to_string(i));
    }
    EXPECT_EQ(sink.get(kRequests, kToServer, "http.uri"), "/n");
    EXPECT_EQ(sink.get(kRequests, kToClient, "http.stat_code"), "200");
  }
}

// With twice as many, the answers are seen, but nobody knows whose they are.
TEST(Http, RequestsThatAreGivenUp) {
  constexpr size_t kRequests = 2 * kHttpOpenTransactionsMax + 10;
  for (const size_t piece : {size_t{31}, SIZE_MAX}) {
    RecordingSink sink;
    const auto parser = make();
    const auto feed = [&](Direction direction, std::string_view text) {
      for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
        ASSERT_EQ(parser->feed(direction, bytes_of(std::string(text.substr(0, piece))), sink),
                  Parsed::kMore);
    };
    std::string answers;
    for (size_t i = 0; i < kRequests; i++) {
      feed(kToServer, get("/" + std::to_string(i)));
      answers += kOk;
      if (i % 100 == 0) {
        ASSERT_LT(parser->memory(), 4U << 20);
      }
    }
    feed(kToClient, answers + "HTTP/1.1 202 A\r\nServer: last\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.uri").size(), kRequests);
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.stat_code").size(), kRequests + 1);
    EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.server"), std::vector<std::string>{"last"});
    parser->end(kToServer, sink);
    parser->end(kToClient, sink);
    EXPECT_EQ(sink.get_all(Recorded::kFinished).size(), 2 * sink.get_all(Recorded::kEnded).size());
  }
}

// So does who sends so many headers that no more are kept.
TEST(Http, HeadersOfManyOpenRequests) {
  const std::string request =
      "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(20000, 'a') + "\r\n\r\n";
  RecordingSink sink;
  const auto parser = make();
  for (size_t i = 0; i < 300; i++) {
    ASSERT_EQ(parser->feed(kToServer, bytes_of(request), sink), Parsed::kMore) << i;
    ASSERT_LT(parser->memory(), 4U << 20);
  }
  parser->feed(kToServer, bytes_of(get("/last")), sink);
  EXPECT_EQ(sink.get_all(Recorded::kBuffer, "http.uri").back(), "/last");
}

TEST(Http, BoundsResponsesWithoutRequests) {
  RecordingSink sink;
  const auto parser = make();
  // The request never ends, so that libhtp can let none of the responses go.
  parser->feed(kToServer, bytes_of("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"), sink);
  Parsed parsed = Parsed::kMore;
  size_t responses = 0;
  for (; responses < 2 * kHttpOpenTransactionsMax && parsed == Parsed::kMore; responses++)
    parsed = parser->feed(kToClient, bytes_of(kOk), sink);
  EXPECT_EQ(parsed, Parsed::kFailed);
  EXPECT_LE(responses, kHttpOpenTransactionsMax + 1);
}

TEST(Http, BoundsTheBytesItHolds) {
  RecordingSink sink;
  const auto parser = make();
  parser->feed(kToServer, bytes_of("GET / HTTP/1.1\r\nHost: h\r\n"), sink);
  const std::string large = std::string(60000, 'a') + "\r\n";
  Parsed parsed = Parsed::kMore;
  size_t headers = 0;
  for (; headers < 100 && parsed == Parsed::kMore; headers++)
    parsed = parser->feed(kToServer, bytes_of("A" + std::to_string(headers) + ": " + large), sink);
  EXPECT_EQ(parsed, Parsed::kFailed);
  EXPECT_NEAR(headers, kHttpHeldBytesMax / large.size(), 2);
  EXPECT_EQ(sink.events(), std::vector<std::string>{"too_many_bytes_held"});
}

// Nobody knows what it is until the answer comes.
TEST(Http, BoundsWhatComesBehindAConnectBeforeItsAnswer) {
  RecordingSink sink;
  const auto parser = make();
  parser->feed(kToServer, bytes_of("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), sink);
  const std::string piece(1000, 'x');
  size_t pieces = 1;
  while (pieces < 1000 && parser->feed(kToServer, bytes_of(piece), sink) == Parsed::kMore) pieces++;
  EXPECT_EQ(pieces, kHttpPendingMax / piece.size() + 1);
  EXPECT_EQ(sink.events(), std::vector<std::string>{"too_many_bytes_held"});
}

TEST(Http, NamesOfManyFiles) {
  std::string body;
  for (size_t i = 0; i < kHttpPartNamesMax + 100; i++)
    body +=
        "--b\r\nContent-Disposition: form-data; filename=f" + std::to_string(i) + "\r\n\r\nx\r\n";
  body += "--b--\r\n";
  RecordingSink sink;
  converse(*make(),
           {client("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                   "Content-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body)},
           sink);
  const auto names = sink.get_all(Recorded::kBuffer, "file.name");
  ASSERT_EQ(names.size(), kHttpPartNamesMax + 100);
  EXPECT_EQ(names.back(), "f" + std::to_string(kHttpPartNamesMax + 99));
  EXPECT_EQ(sink.events(), std::vector<std::string>{"multipart_generic_error"});
}

TEST(Http, BoundsHeaders) {
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (uint32_t i = 0; i <= kHttpHeadersMax; i++) many += "A" + std::to_string(i) + ": b\r\n";
  RecordingSink sink;
  EXPECT_EQ(converse(*make(), {client(many + "\r\n")}, sink), Parsed::kFailed);
  EXPECT_EQ(sink.events(), std::vector<std::string>{"request_too_many_headers"});

  RecordingSink line;
  EXPECT_EQ(converse(*make(), {client("GET /" + std::string(kHttpLineMax, 'a')), client("aa")},
                     line, 1000),
            Parsed::kFailed);
  EXPECT_EQ(line.events(), std::vector<std::string>{"request_field_too_long"});

  RecordingSink answer;
  const std::string status = "HTTP/1.1 200 " + std::string(kHttpLineMax, 'a');
  EXPECT_EQ(converse(*make(), {client(get("/")), server(status)}, answer, 1000), Parsed::kFailed);
  EXPECT_EQ(answer.events(), std::vector<std::string>{"response_field_too_long"});
}

// A request and its answer, `line` in one of the places where a line can be.
std::vector<Conversation> with_line_anywhere(const std::string& line) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n", ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string extension = chunked + "\r\n1;" + line + "\r\nx\r\n0\r\n\r\n";
  const std::string trailer = chunked + "\r\n1\r\nx\r\n0\r\nX: " + line + "\r\n\r\n";
  return {
      {client(get("/" + line)), server(kOk)},
      {client(post + "X: " + line + "\r\n\r\n"), server(kOk)},
      {client(post + extension), server(kOk)},
      {client(post + trailer), server(kOk)},
      {client(get("/")), server("HTTP/1.1 200 " + line + "\r\nContent-Length: 0\r\n\r\n")},
      {client(get("/")), server(ok + "X: " + line + "\r\nContent-Length: 0\r\n\r\n")},
      {client(get("/")), server(ok + extension)},
      {client(get("/")), server(ok + trailer)},
  };
}

TEST(Http, WhatFollowsALongLineIsSeen) {
  for (const size_t length : {66'000, 99'000, 300'000}) {
    const std::vector<Conversation> all = with_line_anywhere(std::string(length, 'a'));
    for (size_t place = 0; place < all.size(); place++) {
      Conversation said = all[place];
      said.push_back(client(get("/next")));
      said.push_back(server("HTTP/1.1 202 A\r\nContent-Length: 4\r\n\r\nevil"));
      RecordingSink sink;
      EXPECT_EQ(converse(*make(), said, sink, 1000), Parsed::kMore) << place << ' ' << length;
      EXPECT_EQ(sink.get(1, kToServer, "http.uri"), "/next") << place << ' ' << length;
      EXPECT_EQ(sink.get(1, kToClient, "http.stat_code"), "202") << place << ' ' << length;
      EXPECT_EQ(sink.get(1, kToClient, "http.response_body"), "evil") << place << ' ' << length;
    }
  }
}

struct Flow {
  explicit Flow(AppBudget& budget) : app(true, 80, all_protocols(), &budget) {}
  void feed(Direction direction, std::string_view text) {
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), kPiece)))
      app.feed(direction, bytes_of(std::string(text.substr(0, kPiece))), sink);
  }
  static constexpr size_t kPiece = 10'000;
  RecordingSink sink;
  AppSession app;
};

// What is held of lines that do not end is that of one flow, and of all together.
TEST(Http, LinesThatDoNotEnd) {
  const std::string line(400'000, 'a');
  for (const Conversation& said : with_line_anywhere(line)) {
    AppBudget budget;
    budget.max = 4 << 20;
    std::vector<std::unique_ptr<Flow>> flows;
    for (size_t i = 0; i < 40; i++) {
      flows.push_back(std::make_unique<Flow>(budget));
      for (const Said& part : said) {
        const size_t at = part.text.find(line);
        const size_t length = at == std::string::npos ? part.text.size() : at + 300'000;
        flows.back()->feed(part.direction, std::string_view(part.text).substr(0, length));
        if (at != std::string::npos) break;
      }
      ASSERT_LT(budget.used, budget.max + (flows.size() + 1) * kFlowShareBytes);
    }
    EXPECT_FALSE(flows.front()->app.out_of_memory());
    EXPECT_TRUE(flows.back()->app.out_of_memory());

    AppBudget small;
    small.flow_max = 200'000;
    Flow one(small);
    for (const Said& part : said) one.feed(part.direction, part.text);
    EXPECT_TRUE(one.app.out_of_memory());
  }
}

// Bytes of a body and lines that have ended are not held.
TEST(Http, OnlyLinesThatDoNotEndAreHeld) {
  RecordingSink sink;
  sink.unwanted = {Buffer::kHttpHeaderRaw};
  const auto parser = make();
  const std::string large(100'000, 'a');
  const auto after = [&](const std::string& text) {
    EXPECT_EQ(parser->feed(kToServer, bytes_of(text), sink), Parsed::kMore);
    return parser->memory();
  };
  const size_t before =
      after("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n");
  const size_t body = after(large);
  const size_t extension = after("\r\n186a0;" + large);
  EXPECT_GE(extension, body + large.size());
  EXPECT_LT(after("\r\n" + large.substr(0, 1)), body + 1000);
  EXPECT_LT(after(large.substr(1) + "\r\n1;x"), body + 1000);
  EXPECT_GE(body, before);
}

// It is tried again and again, and counts once.
TEST(Http, WhatWaitsForTheServerIsHeldOnce) {
  RecordingSink sink;
  const auto parser = make();
  parser->feed(kToServer, bytes_of("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), sink);
  const size_t before = parser->memory();
  for (size_t i = 0; i < 1000; i++) parser->feed(kToServer, bytes_of("\x16\3\1"), sink);
  EXPECT_LE(parser->memory(), before + 8000);
}

}  // namespace
}  // namespace sluice::inspect
