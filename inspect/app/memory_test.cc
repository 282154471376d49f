// SPDX-License-Identifier: Apache-2.0
// What parsers say that they hold, beside what the allocator has given out for them.
#include "inspect/app/memory.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "inspect/app/dns_for_test.h"
#include "inspect/app/parser.h"

// Of the sanitizer's allocator; GCC comes without its header.
#ifdef __SANITIZE_ADDRESS__
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace sluice::inspect {
namespace {

using testing::be16;
using testing::be32;
using testing::dns_query;
using testing::over_tcp;

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;

struct Deaf : TransactionSink {
  bool wants(Buffer) const override { return true; }
  void buffer(Transaction&, Direction, Buffer, std::span<const uint8_t>) override {}
  void piece(Transaction&, Direction, Buffer, std::span<const uint8_t>, bool) override {}
  void finished(Transaction&, Direction) override {}
  void log(Transaction&, Direction) override {}
  void ended(Transaction&) override {}
  void event(Transaction*, Direction, std::string_view) override {}
};

using Chunks = std::vector<std::pair<Direction, std::string>>;

std::string many(size_t count, const std::function<std::string(size_t)>& one) {
  std::string out;
  for (size_t i = 0; i < count; i++) out += one(i);
  return out;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = be32(payload.size()).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return (out += be32(stream)).append(payload);
}

// Each field takes a place in HPACK's table.
std::string http2_requests(size_t count) {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") + many(count, [](size_t i) {
           const std::string block =
               "\x82\x84\x86\x40\x06x-" + std::to_string(1000 + i) + "\x20" + std::string(32, 'v');
           return frame(1, 4, static_cast<uint32_t>(2 * i + 1), block);
         });
}

struct Case {
  const char* name;
  ProtocolEntry entry;
  Chunks chunks;
  size_t transactions;  // open at the end
};

std::vector<Case> cases() {
  const std::string get = "GET /a HTTP/1.1\r\nHost: h\r\n";
  const std::string gzip("\x1f\x8b\x08\0\0\0\0\0\0\3\0\xff\xff\0\0", 15);
  const auto number = [](size_t i) { return std::to_string(i); };
  return {
      {"http, small headers",
       http_entry(),
       {{kUp, many(8,
                   [&](size_t) {
                     return get + many(900, [&](size_t i) { return "a" + number(i) + ":b\r\n"; }) +
                            "\r\n";
                   })}},
       8},
      {"http, long headers",
       http_entry(),
       {{kUp,
         many(20, [&](size_t) { return get + "X: " + std::string(30000, 'x') + "\r\n\r\n"; })}},
       20},
      {"http, small requests",
       http_entry(),
       {{kUp, many(200, [&](size_t) { return get + "\r\n"; })}},
       200},
      {"http, half a request line", http_entry(), {{kUp, "GET /" + std::string(400000, 'a')}}, 1},
      {"http, half a header", http_entry(), {{kUp, get + "X: " + std::string(400000, 'a')}}, 1},
      {"http, half a status line",
       http_entry(),
       {{kUp, get + "\r\n"}, {kDown, "HTTP/1.1 200 " + std::string(400000, 'a')}},
       1},
      {"http, half a chunk's line",
       http_entry(),
       {{kUp, get + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(400000, 'a')}},
       1},
      {"http, gzip",
       http_entry(),
       {{kUp, get + "\r\n"},
        {kDown, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9000\r\n\r\n" + gzip +
                    std::string(1000, 'x')}},
       1},
      {"http2", http2_entry(), {{kUp, http2_requests(200)}}, 200},
      {"dns",
       dns_tcp_entry(),
       {{kUp,
         many(60, [](size_t i) { return over_tcp(dns_query("a.rather.long.name.test", i)); })}},
       60},
      {"dns, half a message", dns_tcp_entry(), {{kUp, be16(60000) + std::string(50000, '\1')}}, 0},
      {"tls",
       tls_entry(),
       {{kUp, std::string("\x16\3\1", 3) + be16(16384) + std::string("\1\0\xc0\0", 4) +
                  std::string(16380, 'a') + std::string("\x16\3\1", 3) + be16(16384) +
                  std::string(16000, 'a')}},
       1},
      {"ssh",
       ssh_entry(),
       {{kUp, "SSH-2.0-x\r\n" + be32(30000) + std::string("\4\x14", 2) + std::string(29000, 'a')}},
       1},
      {"smtp",
       smtp_entry(),
       {{kUp, "EHLO h\r\nMAIL FROM:<a@b>\r\n" + many(256,
                                                     [&](size_t i) {
                                                       return "RCPT TO:<" + std::string(300, 'r') +
                                                              number(i) + "@test>\r\n";
                                                     })}},
       1},
      {"ftp",
       ftp_entry(),
       {{kUp,
         many(60, [&](size_t i) { return "RETR " + std::string(500, 'f') + number(i) + "\r\n"; })},
        {kDown,
         many(200, [&](size_t i) { return "150-" + std::string(200, 'r') + number(i) + "\r\n"; })}},
       60},
  };
}

TEST(AppMemory, WhoHoldsLittleGoesOnBesideWhoHoldsMuch) {
  AppBudget budget;
  budget.max = 100'000;
  AppCharge much(&budget), little(&budget);
  much.set(90'000);
  little.set(kFlowShareBytes);
  EXPECT_FALSE(little.is_over());
  EXPECT_TRUE(much.is_over());
  much.set(0);
  little.set(kFlowShareBytes + 1);
  EXPECT_FALSE(little.is_over()) << "there is room";
  budget.flow_max = 1000;
  EXPECT_TRUE(little.is_over()) << "more than one flow may hold";
}

// A third less, or three times as much and what a small one takes.
TEST(AppMemory, IsAboutWhatIsAllocated) {
#ifdef __SANITIZE_ADDRESS__
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Deaf sink;
    // The first one makes what all share.
    for (const auto& [direction, text] : c.chunks)
      (void)c.entry.make()->feed(
          direction, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, sink);
    const size_t before = __sanitizer_get_current_allocated_bytes();
    const auto parser = c.entry.make();
    for (const auto& [direction, text] : c.chunks)
      ASSERT_EQ(parser->feed(direction,
                             {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, sink),
                Parsed::kMore);
    const size_t real = __sanitizer_get_current_allocated_bytes() - before;
    const size_t said = parser->memory() - c.transactions * kTransactionNotesBytes;
    EXPECT_GE(said, real * 2 / 3) << real;
    EXPECT_LE(said, real * 3 + 8192) << real;
    parser->end(kUp, sink);
    parser->end(kDown, sink);
    EXPECT_LE(parser->memory(), 80'000u) << "nothing is open";
  }
#else
  GTEST_SKIP() << "only a build with a sanitizer knows";
#endif
}

}  // namespace
}  // namespace sluice::inspect
