// SPDX-License-Identifier: Apache-2.0
// One HTTP/1 connection, whose parser lives only as long as it has something to do: most of many
// connections wait for their next request.
//
// A client that sends kHttpOpenTransactionsMax requests and waits for no answer gets a second
// parser for those that follow; when the first has all its answers, the second goes on alone. If
// that is full too, its requests are given up and their answers are those of unknown requests. So
// every request is seen, whatever the server does with it.
#pragma once

#include <memory>

#include "inspect/app/http_parser.h"

namespace sluice::inspect {

class HttpSession final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override;
  Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) override;
  void end(Direction direction, TransactionSink& sink) override;
  size_t memory() const override;
  void rest() override;
  AppProtocol next_protocol() const override {
    return parser_ ? parser_->next_protocol() : AppProtocol::kUnknown;
  }
  std::span<const uint8_t> rest(Direction direction) const override {
    return parser_ ? parser_->rest(direction) : std::span<const uint8_t>();
  }

 private:
  HttpParser& parser(Direction direction);
  Parsed hand_over(Parsed parsed, TransactionSink& sink);
  Parsed begin_later(TransactionSink& sink);
  Parsed begin_next(TransactionSink& sink);

  std::unique_ptr<HttpParser> parser_;  // nullptr: it waits
  std::unique_ptr<HttpParser> later_;   // of the requests that parser_ has no room for
  bool apart_ = false;                  // requests were given up: answers no longer match
  HttpParser::Past past_;               // of the parser before
};

}  // namespace sluice::inspect
