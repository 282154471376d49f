// SPDX-License-Identifier: Apache-2.0
// The part of AppSession that asks whether both directions speak the protocol that was found.
//
// What a client asks is told by the client. A server that greets in one protocol may take requests
// of another one, and if it does not it refuses them and goes on: so when the client's first bytes
// contradict a greeting, what it says is read as both.
#include <algorithm>
#include <utility>

#include "inspect/app/proxy_header.h"
#include "inspect/app/session.h"

namespace sluice::inspect {

// The first bytes of a direction of which the protocol is known already.
void AppSession::verify(Direction direction, std::span<const uint8_t> bytes,
                        TransactionSink& sink) {
  auto& early = of(verifying_->early, direction);
  std::span<const uint8_t> known = bytes;
  if (!early.empty()) {
    early.insert(early.end(), bytes.begin(), bytes.end());
    known = early;
  }
  const Probe answer = verifying_->entry->probe(direction, known, server_port_);
  if (answer == Probe::kYes) return verified(direction);
  const bool may_contradict = direction == Direction::kToServer && !verifying_->announced;
  const Others other = others(direction, known);
  const bool contradicts = may_contradict && other.one;
  const bool may_soon = may_contradict && other.maybe_soon;
  const bool ended = state_ == State::kFinished;  // so that it takes no more
  if (ended && answer == Probe::kMore && !contradicts && !may_soon) return verified(direction);
  const bool wait = answer == Probe::kMore || may_soon;
  if (wait && !contradicts && known.size() < kProbeBytesMax) {
    if (early.empty()) early.assign(bytes.begin(), bytes.end());
    return;
  }
  tell_unexpected(direction, other, sink);
  if (verifying_->announced) {
    verifying_.reset();
    return;
  }
  const std::vector<uint8_t> kept = std::exchange(early, {});
  verified(direction);
  if (may_contradict && (other.one || other.maybe))
    contradict(kept.empty() ? bytes : std::span<const uint8_t>(kept), sink);
}

void AppSession::verified(Direction direction) {
  if (!verifying_) return;
  of(verifying_->early, direction) = {};
  verifying_->left &= static_cast<uint8_t>(~bit_of(direction));
  if (verifying_->left == 0) verifying_.reset();
}

AppSession::Others AppSession::others(Direction direction, std::span<const uint8_t> bytes) const {
  Others out;
  if (direction == Direction::kToServer) {
    const ProxyHeader header = proxy_header(bytes);
    const bool goes_on = header.is == Probe::kYes && header.length >= bytes.size();
    out.maybe = out.maybe_soon = header.is == Probe::kMore || goes_on;
    if (goes_on) return out;
    if (header.is == Probe::kYes) bytes = bytes.subspan(header.length);
  }
  for (const ProtocolEntry& entry : protocols_) {
    if (!entry.tcp || &entry == verifying_->entry) continue;
    const Probe answer = entry.probe(direction, bytes, server_port_);
    out.one |= answer == Probe::kYes;
    out.maybe |= answer == Probe::kMore;
    out.maybe_soon |= answer == Probe::kMore && entry.client_first;
  }
  return out;
}

void AppSession::tell_unexpected(Direction direction, const Others& other, TransactionSink& sink) {
  if (!verifying_->announced) {
    sink.event(nullptr, direction,
               other.one ? "applayer_mismatch_protocol_both_directions"
                         : "applayer_detect_protocol_only_one_direction");
    return;
  }
  sink.event(nullptr, direction, "applayer_unexpected_protocol");
  if (protocol_ == AppProtocol::kTls)
    sink.event(nullptr, direction, "applayer_no_tls_after_starttls");
}

// `bytes`: all that the client has said.
void AppSession::contradict(std::span<const uint8_t> bytes, TransactionSink& sink) {
  if (contradictions_ == kContradictionsMax) {
    stop(sink);
    give_up();
    failed_ = true;
    sink.event(nullptr, Direction::kToServer, "applayer_proto_detection_skipped");
    return;
  }
  if (contrary_)
    for (const Direction direction : {Direction::kToServer, Direction::kToClient})
      contrary_->end(direction, sink);
  contrary_ = std::make_unique<AppSession>(true, server_port_, protocols_, charge_.budget());
  contrary_->contradictions_ = static_cast<uint8_t>(contradictions_ + 1);
  feed_contrary(Direction::kToServer, bytes, sink);
}

// What it speaks the client tells alone: the server has been judged.
void AppSession::feed_contrary(Direction direction, std::span<const uint8_t> bytes,
                               TransactionSink& sink) {
  if (!hears_contrary(direction)) return;
  const bool unknown = contrary_->protocol_ == AppProtocol::kUnknown;
  contrary_->feed(direction, bytes, sink);
  if (!unknown) return;
  contrary_->verifying_.reset();
  const auto& probing = contrary_->probing_;
  if (probing && of(probing->candidates, Direction::kToServer) == 0) contrary_.reset();
}

bool AppSession::hears_contrary(Direction direction) const {
  return direction == Direction::kToServer || contrary_->protocol_ != AppProtocol::kUnknown;
}

// By whom the connection is known.
const AppSession& AppSession::spoken() const {
  const bool contradicted = contrary_ && contrary_->protocol_ != AppProtocol::kUnknown &&
                            contrary_->protocol_ != AppProtocol::kFailed;
  return contradicted ? contrary_->spoken() : *this;
}

}  // namespace sluice::inspect
