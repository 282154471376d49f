// SPDX-License-Identifier: Apache-2.0
// Waits for the ClientHello of one TCP connection. Nearly always it is whole in the first segment
// of the client; then nothing is kept. Else segments are put in order, up to kHelloStreamMax bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "inspect/stream/reassembly.h"
#include "inspect/tls/hello_stream.h"

namespace sluice::inspect::tls {

// Memory and counters that all connections of one worker share.
struct HelloPool {
  StreamLimits limits{.window = kHelloStreamMax,
                      .held_max = kHelloStreamMax,
                      .depth = kHelloStreamMax,
                      .one_sided = true};
  StreamBudget budget{.max = 16u << 20};
  StreamCounters counters;
  const StreamPool streams{limits, budget, counters};

  HelloPool() = default;
  HelloPool(const HelloPool&) = delete;
  HelloPool& operator=(const HelloPool&) = delete;
};

class HelloWatch {
 public:
  // Nothing more is expected.
  bool over() const { return over_; }

  // A segment of the client. True if it completed the hello: message() has it until the next call.
  bool show(uint32_t sequence, bool syn, std::span<const uint8_t> payload, HelloPool& pool);
  std::span<const uint8_t> message() const { return message_; }
  // Forgets what is kept.
  void end();

 private:
  struct Gathering {
    explicit Gathering(HelloPool& pool) : stream(pool.streams) {}
    TcpStream stream;
    HelloStream hello;
  };
  bool gather(uint32_t sequence, std::span<const uint8_t> payload, HelloPool& pool);

  bool over_ = false;
  bool syn_seen_ = false;
  uint32_t syn_ = 0;
  std::unique_ptr<Gathering> gathering_;
  std::span<const uint8_t> message_;
};

}  // namespace sluice::inspect::tls
