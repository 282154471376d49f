// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/hello_stream.h"

#include <algorithm>
#include <cstring>

#include "tunnels/integers.h"

namespace sluice::inspect::tls {

namespace {

constexpr uint8_t kRecordChangeCipherSpec = 20;
constexpr uint8_t kRecordHandshake = 22;
constexpr uint8_t kRecordMajorVersion = 3;
constexpr size_t kRecordHeader = 5;
constexpr size_t kRecordLengthMax = 16384;
constexpr size_t kMessageHeader = 4;
constexpr uint8_t kHandshakeClientHello = 1;

// How long the message is by its own header, which is there.
size_t message_length(std::span<const uint8_t> message) {
  return kMessageHeader + (size_t{message[1]} << 16 | size_t{message[2]} << 8 | message[3]);
}

// A prefix of what a record with a hello begins with, or one that servers pass over: a handshake's
// or ChangeCipherSpec's with nothing in it.
bool record_begins(std::span<const uint8_t> header) {
  if (header.empty()) return true;
  const bool handshake = header[0] == kRecordHandshake;
  if (!handshake && header[0] != kRecordChangeCipherSpec) return false;
  if (header.size() > 1 && header[1] != kRecordMajorVersion) return false;
  if (header.size() < kRecordHeader) return true;
  return tunnels::load_be16(&header[3]) <= (handshake ? kRecordLengthMax : 0);
}

}  // namespace

HelloStream::State HelloStream::add(std::span<const uint8_t> bytes) {
  if (state_ != State::kMore || bytes.empty()) return state_;
  if (seen_ == 0 && bytes.size() >= kRecordHeader + kMessageHeader && record_begins(bytes)) {
    const auto message = bytes.subspan(kRecordHeader);
    const size_t length = message_length(message);
    if (message[0] == kHandshakeClientHello && length <= tunnels::load_be16(&bytes[3]) &&
        length <= message.size()) {
      message_ = message.first(length);
      return state_ = State::kHello;
    }
  }
  return gather(bytes);
}

HelloStream::State HelloStream::gather(std::span<const uint8_t> bytes) {
  bytes = bytes.first(std::min(bytes.size(), kHelloStreamMax - seen_));
  while (!bytes.empty()) {
    if (record_left_ == 0) {
      const size_t count = std::min(kRecordHeader - header_length_, bytes.size());
      std::memcpy(&header_[header_length_], bytes.data(), count);
      header_length_ += count;
      bytes = bytes.subspan(count);
      seen_ += count;
      if (!record_begins({header_, header_length_})) return end(State::kNone);
      if (header_length_ < kRecordHeader) break;
      record_left_ = tunnels::load_be16(&header_[3]);
      header_length_ = 0;
      continue;
    }
    const size_t count = std::min(record_left_, bytes.size());
    gathered_.insert(gathered_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    record_left_ -= count;
    bytes = bytes.subspan(count);
    seen_ += count;
    if (gathered_[0] != kHandshakeClientHello) return end(State::kNone);
    if (gathered_.size() < kMessageHeader) continue;
    const size_t length = message_length(gathered_);
    if (length > kMessageHeader + kHelloLengthMax) return end(State::kNone);
    if (gathered_.size() < length) continue;
    message_ = std::span(gathered_).first(length);
    return state_ = State::kHello;
  }
  return seen_ == kHelloStreamMax ? end(State::kNone) : state_;
}

HelloStream::State HelloStream::end(State state) {
  gathered_ = {};
  return state_ = state;
}

}  // namespace sluice::inspect::tls
