// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_session.h"

#include <utility>

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;

Parsed feed_text(HttpParser& parser, Direction direction, const std::string& text,
                 TransactionSink& sink) {
  return parser.feed(direction, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, sink);
}

}  // namespace

HttpParser& HttpSession::parser(Direction direction) {
  if (!parser_) parser_ = std::make_unique<HttpParser>(past_);
  return direction == kToServer && later_ ? *later_ : *parser_;
}

Parsed HttpSession::feed(Direction direction, std::span<const uint8_t> bytes,
                         TransactionSink& sink) {
  return hand_over(parser(direction).feed(direction, bytes, sink), sink);
}

Parsed HttpSession::gap(Direction direction, uint64_t length, TransactionSink& sink) {
  return hand_over(parser(direction).gap(direction, length, sink), sink);
}

Parsed HttpSession::hand_over(Parsed parsed, TransactionSink& sink) {
  for (;;) {
    if (parsed == Parsed::kMore && parser(kToServer).is_full())
      parsed = begin_later(sink);
    else if (parsed == Parsed::kChange && parser_->is_answered())
      parsed = begin_next(sink);
    else
      return parsed;
  }
}

Parsed HttpSession::begin_later(TransactionSink& sink) {
  HttpParser& full = parser(kToServer);
  const std::string rest = full.take_rest(kToServer);
  auto later = std::make_unique<HttpParser>(full.left());
  if (later_) {
    apart_ = true;
    later_->end(kToServer, sink);
    later_->end(kToClient, sink);
  }
  later_ = std::move(later);
  sink.event(nullptr, kToServer, http_event_name(HttpEvent::kTooManyOpenTransactions));
  return feed_text(*later_, kToServer, rest, sink);
}

Parsed HttpSession::begin_next(TransactionSink& sink) {
  const std::unique_ptr<HttpParser> answered = std::move(parser_);
  if (later_ && !apart_)
    parser_ = std::move(later_);
  else
    parser_ = std::make_unique<HttpParser>(answered->left());
  parser_->answers_follow(answered->left());
  if (!later_) {
    const Parsed parsed = feed_text(*parser_, kToServer, answered->take_rest(kToServer), sink);
    if (parsed != Parsed::kMore) return parsed;
  }
  return feed_text(*parser_, kToClient, answered->take_rest(kToClient), sink);
}

void HttpSession::end(Direction direction, TransactionSink& sink) {
  parser(kToClient).end(direction, sink);
  if (later_) later_->end(direction, sink);
}

size_t HttpSession::memory() const {
  return sizeof(*this) + (parser_ ? parser_->memory() : 0) + (later_ ? later_->memory() : 0);
}

void HttpSession::rest() {
  const auto past = parser_ && !later_ ? parser_->past() : std::nullopt;
  if (!past) return;
  past_ = *past;
  parser_.reset();
}

}  // namespace sluice::inspect
