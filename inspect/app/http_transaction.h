// SPDX-License-Identifier: Apache-2.0
// One request and its response. libhtp's own record of it, `tx`, outlives this.
#pragma once

#include <htp/htp.h>

#include <string>

#include "inspect/app/http_body.h"
#include "inspect/app/http_events.h"
#include "inspect/app/http_headers.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

class HttpTransaction final : public Transaction {
 public:
  HttpTransaction(uint64_t id, htp_tx_t* record)
      : Transaction(AppProtocol::kHttp1, id), tx(record) {}

  std::string_view event_type() const override { return "http"; }
  void write(JsonLine& line) const override;
  void write_brief(JsonLine& line) const override { write_object(line, false); }

  // What is known after the request line, after the request's headers, and so on.
  void tell_request_line(TransactionSink& sink);
  void tell_request_headers(TransactionSink& sink);
  // The response line too: before its headers are known it may be that of "100 Continue".
  void tell_response_headers(TransactionSink& sink);
  void tell_trailer(Direction direction, TransactionSink& sink);
  // `bytes.data()` null: so many are missing.
  void tell_body(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  // At most once for each direction, whatever is called.
  void finish(Direction direction, FileEnd end, TransactionSink& sink);
  // Each event once for each direction.
  void tell_event(Direction direction, HttpEvent event, TransactionSink& sink);

  bool finished(Direction direction) const { return sides_[static_cast<int>(direction)].finished; }
  HttpHeaders& headers(Direction direction) { return sides_[static_cast<int>(direction)].headers; }

  // libhtp's record among it.
  size_t memory() const;

  htp_tx_t* const tx;
  size_t held = 0;       // bytes of lines and headers
  bool interim = false;  // a response came before the one that answers
  bool tunnel = false;   // CONNECT, and the server agrees

 private:
  struct Side {
    HttpHeaders headers;
    HttpBody body;
    uint64_t events = 0;  // told, by HttpEvent
    bool body_begun = false, finished = false;
  };

  void tell(TransactionSink& sink, Direction direction, Buffer buffer, const bstr* text);
  void tell_response_line(TransactionSink& sink);
  void begin_body(Direction direction, TransactionSink& sink);
  void tell_trouble(Direction direction, HttpBody::Trouble trouble, TransactionSink& sink);
  void write_object(JsonLine& line, bool extended) const;
  void write_more(JsonLine& line, std::string_view referer, std::string_view location) const;
  std::string_view path() const;
  std::string_view hostname() const;

  std::string uri_;              // normalised
  std::string host_;             // in lower case
  mutable std::string written_;  // when nothing of it can change any more
  bool response_line_told_ = false;
  Side sides_[2];
};

}  // namespace sluice::inspect
