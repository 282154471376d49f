// SPDX-License-Identifier: Apache-2.0
// What a connection takes, by what the allocator has given out for it.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "inspect/match/inspector.h"
#include "inspect/stream/test_packets.h"

// Of the sanitizer's allocator; GCC comes without its header.
#ifdef __SANITIZE_ADDRESS__
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace sluice::inspect {
namespace {

using testing::Ends;
using tunnels::kTcpAck;
using tunnels::kTcpSyn;

struct NoSink final : Sink {
  void write(std::string_view) override {}
};

// As many as a whole number of the flow table's chunks.
constexpr uint32_t kFlows = 1024;

class Connections {
 public:
  Connections() {
    EngineOptions engine;
    engine.rule_texts = {
        {"test",
         "alert tcp any any -> any any (content:\"nowhere\"; sid:1;)\n"
         "alert http any any -> any any (http.uri; content:\"/nowhere\"; sid:2;)\n"
         "alert http any any -> any any (file.data; content:\"nowhere\"; sid:3;)\n"}};
    inspector_ = *Inspector::create(*Engine::create(engine), {}, sink_);
  }
  void add(const std::string& request, const std::string& answer) {
    const Ends client{"10.0.0.1", "10.0.0.2", static_cast<uint16_t>(1024 + count_++), 80};
    const uint32_t up = 1001, down = 5001;
    send(testing::tcp(client, kTcpSyn, up - 1, 0));
    send(testing::tcp(client.turned(), kTcpSyn | kTcpAck, down - 1, up));
    send(testing::tcp(client, kTcpAck, up, down));
    if (request.empty()) return;
    const auto asked = static_cast<uint32_t>(up + request.size());
    const auto answered = static_cast<uint32_t>(down + answer.size());
    send(testing::tcp(client, kTcpAck, up, down, request));
    send(testing::tcp(client.turned(), kTcpAck, down, asked, answer));
    send(testing::tcp(client, kTcpAck, asked, answered));
  }
  void be_silent() {
    time_us_ += kRestAfterUs;
    for (uint32_t rested = 0; rested < count_; rested += kRestPerCallMax)
      inspector_->tick(time_us_);
  }
  size_t stream_bytes() const { return inspector_->held(); }
  uint32_t open() const { return inspector_->flows(); }

 private:
  void send(const testing::Bytes& ip) {
    EXPECT_EQ(inspector_->inspect(ip, ++time_us_, responses_), Verdict::kPass);
  }

  NoSink sink_;
  std::unique_ptr<Inspector> inspector_;
  Responses responses_;
  uint32_t count_ = 0;
  int64_t time_us_ = 1'700'000'000'000'000;
};

#ifdef __SANITIZE_ADDRESS__
struct Memory {
  double at_work, silent;  // of one connection, beside the bytes of its streams
};

Memory measure(const std::string& request, const std::string& answer) {
  Connections connections;
  connections.add(request, answer);  // what all share is made
  connections.be_silent();
  const size_t before = __sanitizer_get_current_allocated_bytes() - connections.stream_bytes();
  const auto of_one = [&] {
    const size_t now = __sanitizer_get_current_allocated_bytes() - connections.stream_bytes();
    return static_cast<double>(now - before) / kFlows;
  };
  for (uint32_t i = 0; i < kFlows; i++) connections.add(request, answer);
  EXPECT_EQ(connections.open(), kFlows + 1);
  const double at_work = of_one();
  connections.be_silent();
  return {at_work, of_one()};
}
#endif

// A million of them fit into 4 GB, with 2 KB of each stream beside.
TEST(FlowMemory, IsBounded) {
#ifdef __SANITIZE_ADDRESS__
  const std::string request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x');
  const Memory handshake = measure("", "");
  EXPECT_LE(handshake.at_work, kFlowBytesMax);
  EXPECT_LE(handshake.silent, kFlowBytesMax);
  const Memory unknown = measure("what?\n", "nothing\n");
  EXPECT_LE(unknown.at_work, kSilentSessionBytesMax);
  EXPECT_LE(unknown.silent, kSilentSessionBytesMax);
  const Memory http = measure(request, answer);
  EXPECT_LE(http.at_work, kSessionBytesMax);
  EXPECT_LE(http.silent, kSilentSessionBytesMax);
#else
  GTEST_SKIP() << "only a build with a sanitizer knows";
#endif
}

}  // namespace
}  // namespace sluice::inspect
