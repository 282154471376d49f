// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/hello_watch.h"

#include <functional>

namespace sluice::inspect::tls {

namespace {

// A message of several records is put together elsewhere.
bool within(std::span<const uint8_t> part, std::span<const uint8_t> whole) {
  return std::less_equal<>()(whole.data(), part.data()) &&
         std::less<>()(part.data(), whole.data() + whole.size());
}

}  // namespace

bool HelloWatch::show(uint32_t sequence, bool syn, std::span<const uint8_t> payload,
                      HelloPool& pool) {
  message_ = {};
  if (over_) return false;
  if (syn) {
    syn_ = sequence;
    syn_seen_ = true;
    sequence++;  // data in a SYN comes behind it
  }
  if (payload.empty()) return false;
  if (gathering_ == nullptr && (!syn_seen_ || sequence == syn_ + 1)) {
    HelloStream first;
    const HelloStream::State state = first.add(payload);
    const bool whole = state == HelloStream::State::kHello && within(first.message(), payload);
    over_ = whole || state == HelloStream::State::kNone;
    if (whole) message_ = first.message();
    if (over_) return whole;
  }
  return gather(sequence, payload, pool);
}

bool HelloWatch::gather(uint32_t sequence, std::span<const uint8_t> payload, HelloPool& pool) {
  if (gathering_ == nullptr) {
    gathering_ = std::make_unique<Gathering>(pool);
    if (syn_seen_) gathering_->stream.accept(syn_, true, {});
  }
  TcpStream& stream = gathering_->stream;
  HelloStream& hello = gathering_->hello;
  bool waits = stream.accept(sequence, false, payload) == StreamAccept::kOk;
  for (auto piece = stream.take(); waits && !piece.empty(); piece = stream.take())
    waits = hello.add(piece) == HelloStream::State::kMore;
  if (waits && !stream.finished()) return false;
  over_ = true;
  if (hello.state() != HelloStream::State::kHello) {
    end();
    return false;
  }
  message_ = hello.message();
  return true;
}

void HelloWatch::end() {
  over_ = true;
  message_ = {};
  gathering_.reset();
}

}  // namespace sluice::inspect::tls
