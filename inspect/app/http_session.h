// SPDX-License-Identifier: Apache-2.0
// One HTTP/1 connection, whose parser lives only as long as it has something to do: most of many
// connections wait for their next request.
#pragma once

#include <memory>

#include "inspect/app/http_parser.h"

namespace sluice::inspect {

class HttpSession final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    return parser().feed(direction, bytes, sink);
  }
  Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) override {
    return parser().gap(direction, length, sink);
  }
  void end(Direction direction, TransactionSink& sink) override { parser().end(direction, sink); }
  size_t memory() const override { return sizeof(*this) + (parser_ ? parser_->memory() : 0); }
  void rest() override {
    const auto past = parser_ ? parser_->past() : std::nullopt;
    if (!past) return;
    past_ = *past;
    parser_.reset();
  }
  AppProtocol next_protocol() const override {
    return parser_ ? parser_->next_protocol() : AppProtocol::kUnknown;
  }
  std::span<const uint8_t> rest(Direction direction) const override {
    return parser_ ? parser_->rest(direction) : std::span<const uint8_t>();
  }

 private:
  HttpParser& parser() {
    if (!parser_) parser_ = std::make_unique<HttpParser>(past_);
    return *parser_;
  }

  std::unique_ptr<HttpParser> parser_;  // nullptr: it waits
  HttpParser::Past past_;               // of the parser before
};

}  // namespace sluice::inspect
