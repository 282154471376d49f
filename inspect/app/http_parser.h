// SPDX-License-Identifier: Apache-2.0
// One HTTP/1 connection: libhtp fed in the order that it asks for, its hooks turned into
// transactions.
#pragma once

#include <htp/htp.h>
#include <htp/htp_transaction.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/http_transaction.h"
#include "inspect/app/parser.h"

namespace sluice::inspect {

// The last two bytes of what libhtp got.
class HttpLastBytes {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes.substr(bytes.size() - std::min<size_t>(bytes.size(), 2))) {
      bytes_ = {bytes_[1], c};
      size_ = size_ == 0 ? 1 : 2;
    }
  }
  std::string_view view() const { return std::string_view(bytes_.data(), 2).substr(2 - size_); }

 private:
  std::array<char, 2> bytes_{};
  uint8_t size_ = 0;
};

class HttpParser final : public Parser {
 public:
  // What it knows between two transactions.
  struct Past {
    uint64_t transactions = 0;
    HttpLastBytes last_given[2];  // by Direction
    bool ended[2] = {false, false};
  };

  HttpParser() = default;
  // Goes on where another one was.
  explicit HttpParser(const Past& past) : past_(past) {}
  // Nothing is open, so that another one can go on.
  std::optional<Past> past() const;

  // So many requests wait for their answers that it takes no more: those that follow are another
  // one's. It goes on with the answers.
  bool is_full() const { return full_; }
  // It was full and has all its answers, or can hold no more of those that nobody asked for: those
  // that follow are another one's.
  bool is_answered() const { return answered_; }
  // What was fed and is of the other one.
  std::string take_rest(Direction direction);
  // What the other one begins with; the answers may have gone on in a third.
  const Past& left() const { return past_; }
  void answers_follow(const Past& past) { past_.last_given[1] = past.last_given[1]; }

  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override;
  Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) override;
  void end(Direction direction, TransactionSink& sink) override;
  size_t memory() const override;
  AppProtocol next_protocol() const override { return next_; }
  std::span<const uint8_t> rest(Direction direction) const override;

 private:
  friend struct HttpHooks;

  // libhtp's hooks; HTP_OK, or what makes it stop.
  int on_request_start(htp_tx_t* tx);
  int on_request_line(htp_tx_t* tx);
  int on_request_header_data(const htp_tx_data_t& data);
  int on_request_headers(htp_tx_t* tx);
  int on_request_body(const htp_tx_data_t& data);
  int on_request_trailer(htp_tx_t* tx);
  int on_request_complete(htp_tx_t* tx);
  int on_response_start(htp_tx_t* tx);
  int on_response_line(htp_tx_t* tx);
  int on_response_header_data(const htp_tx_data_t& data);
  int on_response_headers(htp_tx_t* tx);
  int on_response_body(const htp_tx_data_t& data);
  int on_response_trailer(htp_tx_t* tx);
  int on_response_complete(htp_tx_t* tx);
  int on_transaction_complete(htp_tx_t* tx);
  int on_trailer_data(const htp_tx_data_t& data);
  void on_message(std::string_view message);

  struct DestroyAll {
    void operator()(htp_connp_t* connection) const { htp_connp_destroy_all(connection); }
  };

  bool open();
  bool is_between_responses() const;
  size_t length_of_gap(Direction direction, uint64_t length) const;
  Parsed advance(Direction direction, std::span<const uint8_t> bytes);
  bool flush(Direction direction);
  size_t give_all(Direction direction, std::span<const uint8_t> bytes);
  size_t message_end(Direction direction, std::span<const uint8_t> bytes) const;
  int64_t body_left(Direction direction) const;
  bool is_near_limit(Direction direction, size_t length) const;
  bool is_full_with(size_t more) const;
  bool is_after_line(Direction direction) const;
  size_t give(Direction direction, const uint8_t* bytes, size_t length);
  void count_line(Direction direction, std::span<const uint8_t> given);
  HttpTransaction* add(htp_tx_t* tx);
  int hold(HttpTransaction* transaction, size_t length);
  void maybe_http2(std::string_view line);
  void set_aside(std::span<const uint8_t> given);
  int on_header_data(const htp_tx_data_t& data, Direction direction);
  void finish(HttpTransaction& transaction, Direction direction);
  FileEnd end_of(const htp_tx_t& tx, Direction direction) const;
  void close(Direction direction);
  void tell_event(HttpTransaction* transaction, HttpEvent event);
  void after_feed();
  bool idle() const { return open_.empty() && pending_[0].empty() && pending_[1].empty(); }
  void end_all();
  Parsed leave(Parsed outcome);

  std::unique_ptr<htp_connp_t, DestroyAll> connection_;
  std::vector<std::unique_ptr<HttpTransaction>> open_;
  std::vector<htp_tx_t*> done_;  // libhtp's records that it has done with
  size_t unmatched_ = 0;         // responses that libhtp keeps because it knows no request for them
  size_t started_ = 0;           // transactions of this connection_
  size_t held_ = 0;              // of all open transactions
  Past past_;
  uint64_t early_events_ = 0;           // of a response whose transaction is about to be made
  std::string pending_[2];              // waits for more, or for the other direction
  size_t line_[2] = {0, 0};             // bytes of a line that has not ended: libhtp holds them
  const uint8_t* body_end_ = nullptr;   // where in what is given a body ends, or its piece
  bool in_header_[2] = {false, false};  // between the first line and the end of the headers
  bool closing_ = false;                // libhtp completes what the end of the connection cuts off
  bool full_ = false, answered_ = false;
  size_t stop_at_ = 0;  // where in what is given a message may end; 0: nobody asks
  // Of the client, when what it says may be of another protocol; from aside_from_ on in what is
  // given. aside_lost_: there was too much.
  std::optional<std::string> aside_;
  size_t aside_from_ = 0;
  bool aside_lost_ = false;
  Parsed outcome_ = Parsed::kMore;
  AppProtocol next_ = AppProtocol::kUnknown;
  std::string rest_[2];

  TransactionSink* sink_ = nullptr;  // during a call
  Direction direction_ = Direction::kToServer;
};

}  // namespace sluice::inspect
