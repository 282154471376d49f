// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/body.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

struct Outcome {
  std::string body;
  size_t consumed = 0;
  char end = 'm';  // d done, b bad, m more needed
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(BodyReader reader, std::string_view input, size_t piece) {
  Outcome outcome;
  while (!reader.done() && !reader.bad() && outcome.consumed < input.size()) {
    auto step = reader.read(input.substr(outcome.consumed, piece));
    outcome.body += step.data;
    outcome.consumed += step.consumed;
  }
  outcome.end = reader.done() ? 'd' : reader.bad() ? 'b' : 'm';
  return outcome;
}

struct ChunkedCase {
  const char* name;
  std::string input;
  char end;
  std::string body = {};
};

TEST(BodyReader, ChunkedTable) {
  using namespace std::string_literals;
  const ChunkedCase cases[] = {
      {"two chunks", "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n", 'd', "abcdef"},
      {"empty", "0\r\n\r\n", 'd', ""},
      {"hex, both cases", "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", 'd',
       "01234567890123456789a"},
      {"zeros before", "0000000000000003\r\nabc\r\n0\r\n\r\n", 'd', "abc"},
      {"extension", "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", 'd', "abc"},
      {"trailer", "3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", 'd', "abc"},
      {"unfinished", "3\r\nab", 'm', "ab"},
      {"no digits", "\r\nabc", 'b'},
      {"sign", "+3\r\nabc\r\n", 'b'},
      {"minus", "-3\r\nabc\r\n", 'b'},
      {"0x", "0x3\r\nabc\r\n", 'b'},
      {"underscore", "1_0\r\n", 'b'},
      {"space before", " 3\r\nabc\r\n", 'b'},
      {"space after", "3 \r\nabc\r\n", 'b'},
      {"17 digits", "00000000000000003\r\nabc\r\n", 'b'},
      {"overflow", "ffffffffffffffff\r\n", 'b'},
      {"bare LF after size", "3\nabc\r\n", 'b'},
      {"bare LF after data", "3\r\nabc\n0\r\n\r\n", 'b', "abc"},
      {"bare CR after size", "3\rabc", 'b'},
      {"longer than size", "3\r\nabcd\r\n", 'b', "abc"},
      {"LF in extension", "3;a\nb\r\nabc\r\n", 'b'},
      {"NUL in extension", "3;a\0b\r\nabc\r\n"s, 'b'},
      {"CR in extension", "3;a\rb\r\nabc\r\n", 'b'},
      {"extension too long", "3;" + std::string(kChunkExtensionMax + 1, 'x') + "\r\nabc\r\n", 'b'},
      {"trailer with length", "0\r\nContent-Length: 4\r\n\r\n", 'b'},
      {"trailer with coding", "0\r\ntransfer-encoding: chunked\r\n\r\n", 'b'},
      {"trailer with host", "0\r\nHOST: a\r\n\r\n", 'b'},
      {"trailer folded", "0\r\nX: a\r\n b\r\n\r\n", 'b'},
      {"trailer without name", "0\r\n: a\r\n\r\n", 'b'},
      {"trailer space before colon", "0\r\nX : a\r\n\r\n", 'b'},
      {"trailer bare LF", "0\r\nX: a\n\r\n", 'b'},
      {"trailers too long", "0\r\nX: " + std::string(kTrailersMax, 'x') + "\r\n\r\n", 'b'},
      {"bare LF at end", "0\r\n\n", 'b'},
      {"CR at end only", "0\r\n\rX", 'b'},
  };
  for (const auto& one : cases) {
    BodyReader reader(Framing::kChunked, 0);
    Outcome whole = read_all(reader, one.input, one.input.size());
    EXPECT_EQ(whole.end, one.end) << one.name;
    EXPECT_EQ(whole.body, one.body) << one.name;
    for (size_t piece : {1, 2, 3, 7}) {
      EXPECT_EQ(read_all(reader, one.input, piece), whole) << one.name << " in pieces of " << piece;
    }
    if (one.end == 'd') {
      EXPECT_EQ(read_all(reader, one.input + "GET /", 1).consumed, one.input.size()) << one.name;
    }
  }
}

TEST(BodyReader, ExtensionsOfABodyAreBounded) {
  std::string input;
  for (size_t i = 0; i <= kChunkExtensionsMax / 200; ++i) {
    input += "1;" + std::string(200, 'x') + "\r\na\r\n";
  }
  EXPECT_EQ(read_all(BodyReader(Framing::kChunked, 0), input, input.size()).end, 'b');
}

TEST(BodyReader, LengthTakesExactlyThat) {
  Outcome outcome = read_all(BodyReader(Framing::kLength, 5), "helloGET /", 100);
  EXPECT_EQ(outcome.body, "hello");
  EXPECT_EQ(outcome.consumed, 5u);
  EXPECT_EQ(outcome.end, 'd');
  EXPECT_TRUE(BodyReader(Framing::kLength, 0).done());
  EXPECT_TRUE(BodyReader(Framing::kNone, 0).done());
}

TEST(BodyReader, EndOfStream) {
  EXPECT_TRUE(BodyReader(Framing::kUntilClose, 0).end_of_stream());
  EXPECT_FALSE(BodyReader(Framing::kLength, 5).end_of_stream());
  EXPECT_FALSE(BodyReader(Framing::kChunked, 0).end_of_stream());
  EXPECT_TRUE(BodyReader().end_of_stream());
}

TEST(BodyWriter, ChunkedRoundTrip) {
  BufferPool pool;
  Buffer out(pool);
  BodyWriter writer(Framing::kChunked);
  std::string body;
  for (size_t size : {1, 15, 16, 4000, 30000}) {
    std::string part(size, static_cast<char>('a' + size % 26));
    writer.write(out, part);
    body += part;
  }
  writer.finish(out);
  Outcome outcome = read_all(BodyReader(Framing::kChunked, 0), out.data(), 1000);
  EXPECT_EQ(outcome.body, body);
  EXPECT_EQ(outcome.end, 'd');
}

TEST(BodyWriter, CapacityAlwaysFits) {
  BufferPool pool;
  Buffer out(pool);
  BodyWriter writer(Framing::kChunked);
  size_t capacity = BodyWriter::capacity(out);
  writer.write(out, std::string(capacity, 'x'));
  EXPECT_EQ(BodyWriter::capacity(out), 0u);
  writer.finish(out);
  EXPECT_LE(out.data().size(), kBufferBytes);
}

TEST(Buffer, MovesItsDataOnlyWhenThatMakesRoom) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("head");
  buffer.consume(4);
  EXPECT_TRUE(buffer.empty());
  buffer.rewind();
  EXPECT_EQ(buffer.data(), "head");
  buffer.consume(2);
  buffer.append(std::string(kBufferBytes - 4, 'x'));
  buffer.append("yz");
  EXPECT_EQ(buffer.data().substr(0, 3), "adx");
  EXPECT_EQ(buffer.room(), 0u);
  EXPECT_TRUE(buffer.writable().empty());
  buffer.consume(1);
  EXPECT_EQ(buffer.writable().size(), 1u);
}

}  // namespace
}  // namespace sluice::gateway
