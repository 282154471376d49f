// SPDX-License-Identifier: Apache-2.0
// The ClientHello at the beginning of a TCP stream, out of the records and segments that carry it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inspect/tls/client_hello.h"

namespace sluice::inspect::tls {

// Bytes of the stream that are looked at: a hello of full length in records of one byte each is not
// worth waiting for.
inline constexpr size_t kHelloStreamMax = kHelloLengthMax + 4096;

class HelloStream {
 public:
  enum class State : uint8_t {
    kMore,   // not whole yet
    kHello,  // message() has it
    kNone,   // this stream does not begin with a ClientHello
  };

  // The next bytes of the client's side, in order, beginning with its first. What is whole in its
  // first segment is not copied: message() is then good as long as these bytes are.
  State add(std::span<const uint8_t> bytes);

  State state() const { return state_; }
  // The handshake message.
  std::span<const uint8_t> message() const { return message_; }

 private:
  State gather(std::span<const uint8_t> bytes);
  State end(State state);

  State state_ = State::kMore;
  size_t seen_ = 0;
  uint8_t header_[5] = {};  // of the record being read
  size_t header_length_ = 0;
  size_t record_left_ = 0;
  std::vector<uint8_t> gathered_;
  std::span<const uint8_t> message_;
};

}  // namespace sluice::inspect::tls
