// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/session.h"

#include <algorithm>
#include <utility>

#include "inspect/app/proxy_header.h"

namespace sluice::inspect {
namespace {

bool is_empty_lines(std::span<const uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](uint8_t c) { return c == '\r' || c == '\n'; });
}

}  // namespace

AppSession::AppSession(bool tcp, uint16_t server_port, std::span<const ProtocolEntry> protocols,
                       AppBudget* budget)
    : protocols_(protocols), server_port_(server_port), tcp_(tcp), charge_(budget) {
  begin_probing();
}

void AppSession::begin_probing() {
  state_ = State::kProbing;
  verifying_.reset();
  if (!tcp_) return;
  probing_ = std::make_unique<Probing>();
  uint32_t all = 0;
  for (size_t i = 0; i < protocols_.size(); i++) {
    if (protocols_[i].tcp) all |= 1u << i;
    if (protocols_[i].server_decides) probing_->server_decides |= 1u << i;
    if (protocols_[i].client_first) probing_->client_first |= 1u << i;
  }
  probing_->candidates[0] = probing_->candidates[1] = all;
}

void AppSession::feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) {
  if (bytes.empty()) return;
  changes_ = 0;
  const AppSession* const contrary = contrary_.get();
  take(direction, bytes, sink);
  if (contrary != nullptr && contrary == contrary_.get()) feed_contrary(direction, bytes, sink);
  uncounted_ += static_cast<uint32_t>(bytes.size());
  if (state_ != State::kParsing || uncounted_ >= charge_.bytes() / kHeldPerByte) settle(sink);
}

void AppSession::take(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) {
  if (bytes.empty()) return;
  if (state_ == State::kProbing) {
    tcp_ ? probe(direction, bytes, sink) : probe_datagram(direction, bytes, sink);
  } else if (state_ == State::kParsing) {
    parse(direction, bytes, sink);
  } else if (verifying_ && direction == Direction::kToServer) {
    verify(direction, bytes, sink);
  }
}

size_t AppSession::memory() const {
  size_t bytes = sizeof(*this) + (parser_ ? parser_->memory() : 0);
  if (probing_)
    bytes += sizeof(Probing) + heap_of(probing_->early[0]) + heap_of(probing_->early[1]);
  if (verifying_)
    bytes += sizeof(Verifying) + heap_of(verifying_->early[0]) + heap_of(verifying_->early[1]);
  return bytes;
}

// Over the budget the protocol is not followed any more: what is known of it is told, and all that
// was kept is free.
void AppSession::settle(TransactionSink& sink) {
  count_memory();
  if (state_ == State::kFinished || !charge_.is_over()) return;
  if (parser_) stop(sink);
  give_up();
  failed_ = out_of_memory_ = true;
  count_memory();
}

void AppSession::count_memory() {
  charge_.set(memory());
  uncounted_ = 0;
}

void AppSession::probe(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) {
  uint32_t& candidates = of(probing_->candidates, direction);
  if (candidates == 0) return;  // the other direction decides
  if (!std::exchange(probing_->heard, true)) probing_->first = direction;
  if (direction == Direction::kToServer && take_proxy_header(bytes)) return;
  auto& early = of(probing_->early, direction);
  const size_t room = kProbeBytesMax - std::min(kProbeBytesMax, early.size());
  const bool full = bytes.size() >= room;
  // Most first segments tell: then nothing is copied.
  std::span<const uint8_t> known = bytes;
  if (!early.empty()) {
    early.insert(early.end(), bytes.begin(), bytes.end());
    known = early;
  }
  for (size_t i = 0; i < protocols_.size(); i++) {
    if ((candidates & 1u << i) == 0) continue;
    const Probe answer = protocols_[i].probe(direction, known, server_port_);
    if (answer == Probe::kNo) rule_out(direction, 1u << i);
    if (answer != Probe::kYes) continue;
    if (early.empty()) early.assign(bytes.begin(), bytes.end());
    found(protocols_[i], direction, sink);
    return;
  }
  if (full && is_empty_lines(known)) {  // of which servers take any number before a request
    early.clear();
    return;
  }
  if (full) rule_out(direction, candidates);
  if (candidates == 0) early = {};
  if (probing_->candidates[0] == 0 && probing_->candidates[1] == 0) {
    const bool foreign = probing_->foreign;
    give_up();
    if (!foreign) sink.event(nullptr, direction, "applayer_proto_detection_skipped");
    return;
  }
  if (candidates != 0 && early.empty()) early.assign(bytes.begin(), bytes.end());
}

// Off the client's bytes; true if that is all of them, or they may begin one.
bool AppSession::take_proxy_header(std::span<const uint8_t>& bytes) {
  auto& early = of(probing_->early, Direction::kToServer);
  if (!probing_->proxy_known) {
    const size_t before = early.size();
    if (before != 0) early.insert(early.end(), bytes.begin(), bytes.end());
    const ProxyHeader header = proxy_header(before == 0 ? bytes : early);
    if (header.is == Probe::kMore) {
      if (before == 0) early.assign(bytes.begin(), bytes.end());
      return true;
    }
    probing_->proxy_known = true;
    early.resize(before);
    if (header.is == Probe::kNo) return false;
    probing_->proxy_left = static_cast<uint32_t>(header.length - before);
    early.clear();
  }
  const size_t taken = std::min<size_t>(probing_->proxy_left, bytes.size());
  probing_->proxy_left -= static_cast<uint32_t>(taken);
  bytes = bytes.subspan(taken);
  return bytes.empty();
}

// Each stands alone: whoever gets one that says nothing forgets it.
void AppSession::probe_datagram(Direction direction, std::span<const uint8_t> bytes,
                                TransactionSink& sink) {
  for (const ProtocolEntry& entry : protocols_) {
    if (!entry.udp || entry.probe(direction, bytes, server_port_) != Probe::kYes) continue;
    start(entry, sink);
    parse(direction, bytes, sink);
    return;
  }
  if (protocol_ == AppProtocol::kUnknown) protocol_ = AppProtocol::kFailed;
}

// A server that does not speak a protocol is not asked in it. But what it says before it is asked
// hides no request, and behind a CONNECT its first bytes may be what is left of its answer.
void AppSession::rule_out(Direction direction, uint32_t entries) {
  of(probing_->candidates, direction) &= ~entries;
  if (probing_->tunnel) return;
  const bool client = direction == Direction::kToServer;
  entries &= client ? ~probing_->server_decides : ~probing_->client_first;
  of(probing_->candidates, opposite(direction)) &= ~entries;
}

void AppSession::give_up() {
  probing_.reset();
  verifying_.reset();
  state_ = State::kFinished;
  if (protocol_ == AppProtocol::kUnknown) protocol_ = AppProtocol::kFailed;
}

// By what a direction says: the other one speaks the same, or it is an event.
void AppSession::found(const ProtocolEntry& entry, Direction direction, TransactionSink& sink) {
  const uint32_t bit = 1u << (&entry - protocols_.data());
  const Direction other = opposite(direction);
  protocol_ = entry.protocol;
  if (entry.client_first && probing_->first == Direction::kToClient)
    sink.event(nullptr, direction, "applayer_wrong_direction_first_data");
  if ((of(probing_->candidates, other) & bit) == 0)
    sink.event(nullptr, direction, "applayer_detect_protocol_only_one_direction");
  else
    verifying_ = std::make_unique<Verifying>(Verifying{&entry, bit_of(other)});
  start(entry, sink);
}

// The parser gets what was kept: first of who spoke first. What a client said that was no such
// protocol it does not get, no more than the server has understood it.
void AppSession::start(const ProtocolEntry& entry, TransactionSink& sink) {
  const uint32_t bit = 1u << (&entry - protocols_.data());
  const std::unique_ptr<Probing> found = std::move(probing_);
  protocol_ = entry.protocol;
  parser_ = entry.make();
  state_ = State::kParsing;
  if (!found) return;  // a datagram
  for (const Direction direction : {found->first, opposite(found->first)})
    if (of(found->candidates, direction) & bit) take(direction, of(found->early, direction), sink);
}

void AppSession::parse(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) {
  if (verifying_ && (verifying_->left & bit_of(direction)) != 0) verify(direction, bytes, sink);
  if (state_ == State::kParsing) after(parser_->feed(direction, bytes, sink), sink);
}

void AppSession::after(Parsed parsed, TransactionSink& sink) {
  if (parsed == Parsed::kMore) return;
  if (parsed == Parsed::kChange) {
    change_protocol(sink);
    return;
  }
  stop(sink);
  state_ = State::kFinished;
  failed_ = parsed == Parsed::kFailed;
  encrypted_ =
      parsed == Parsed::kDone && (protocol_ == AppProtocol::kTls || protocol_ == AppProtocol::kSsh);
}

// What is known of open transactions is told.
void AppSession::stop(TransactionSink& sink) {
  for (const Direction direction : {Direction::kToServer, Direction::kToClient})
    parser_->end(direction, sink);
  parser_.reset();
  if (!verifying_) return;
  const auto& early = of(verifying_->early, Direction::kToServer);
  const bool may_contradict =
      !verifying_->announced && !early.empty() && others(Direction::kToServer, early).maybe_soon;
  verifying_->left &= bit_of(Direction::kToServer);
  if (!may_contradict) verifying_.reset();
}

void AppSession::change_protocol(TransactionSink& sink) {
  const AppProtocol next = parser_->next_protocol();
  const bool foreign = next == AppProtocol::kFailed;
  const bool tunnel = next == AppProtocol::kUnknown || foreign;
  std::vector<uint8_t> rest[2];
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const auto bytes = parser_->rest(direction);
    // Behind a CONNECT and its answer some send more ends of lines than they should.
    const auto begin = !tunnel ? bytes.begin()
                               : std::find_if(bytes.begin(), bytes.end(),
                                              [](uint8_t c) { return c != '\r' && c != '\n'; });
    of(rest, direction).assign(begin, bytes.end());
    parser_->end(direction, sink);
  }
  parser_.reset();
  if (++changes_ > kProtocolChangesMax) {
    give_up();
    failed_ = true;
    sink.event(nullptr, Direction::kToServer, "applayer_proto_detection_skipped");
    return;
  }
  begin_probing();
  if (probing_) {
    probing_->tunnel = tunnel;
    probing_->foreign = foreign;
  }
  const auto found = std::find_if(protocols_.begin(), protocols_.end(),
                                  [&](const ProtocolEntry& e) { return e.protocol == next; });
  if (found != protocols_.end()) {
    verifying_ = std::make_unique<Verifying>(
        Verifying{&*found, bit_of(Direction::kToServer) | bit_of(Direction::kToClient), true});
    start(*found, sink);
  }
  for (const Direction direction : {Direction::kToServer, Direction::kToClient})
    take(direction, of(rest, direction), sink);
}

void AppSession::gap(Direction direction, uint64_t length, TransactionSink& sink) {
  if (contrary_ && hears_contrary(direction)) contrary_->gap(direction, length, sink);
  verified(direction);
  if (state_ == State::kParsing) {
    after(parser_->gap(direction, length, sink), sink);
    settle(sink);
  } else if (state_ == State::kProbing && probing_ && of(probing_->candidates, direction) != 0) {
    // What was kept and what comes do not belong together.
    probing_.reset();
    state_ = State::kFinished;
  }
}

void AppSession::end(Direction direction, TransactionSink& sink) {
  if (contrary_) contrary_->end(direction, sink);
  if (state_ == State::kParsing) parser_->end(direction, sink);
  count_memory();
}

}  // namespace sluice::inspect
