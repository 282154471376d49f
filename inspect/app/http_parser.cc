// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_parser.h"

#include <algorithm>
#include <utility>

#include "inspect/app/http.h"
#include "inspect/app/http_config.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;
// What libhtp takes for a connection.
constexpr size_t kConnectionBytes = 2048;

std::string_view all_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// libhtp looks at the byte after a line to know whether the line is folded, but never waits for it.
// So a line's end is not given to it at the end of `bytes`: this is where it begins, with the byte
// before it, since line ends behind a body belong to it only if they come with it. An empty line
// ends a header and waits for nothing.
size_t unsure_line_end(std::span<const uint8_t> bytes) {
  const std::string_view text = all_of(bytes);
  if (text.back() != '\n' && text.back() != '\r') return text.size();
  if (text.ends_with("\n\n") || text.ends_with("\n\r\n")) return text.size();
  const size_t last = text.find_last_not_of("\r\n");
  return last == std::string_view::npos ? 0 : last;
}

size_t count_line_ends(std::span<const uint8_t> bytes) {
  return std::min(all_of(bytes).find_first_not_of("\r\n"), bytes.size());
}

}  // namespace

Parsed HttpParser::feed(Direction direction, std::span<const uint8_t> bytes,
                        TransactionSink& sink) {
  sink_ = &sink;
  if (outcome_ != Parsed::kMore) return outcome_;
  std::string& pending = pending_[static_cast<int>(direction)];
  if (direction == kToClient && pending.empty() && is_between_responses())
    bytes = bytes.subspan(count_line_ends(bytes));
  if (bytes.empty()) return outcome_;
  std::string all;
  if (!pending.empty()) {
    all.swap(pending);
    all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    bytes = {reinterpret_cast<const uint8_t*>(all.data()), all.size()};
  }
  // A line end after a line end ends a header.
  const bool after_line = is_after_line(direction);
  size_t line_end = unsure_line_end(bytes);
  const bool only_ends = count_line_ends(bytes) == bytes.size();
  if (only_ends && after_line && bytes.back() == '\n') line_end = bytes.size();
  if (line_end == bytes.size()) return advance(direction, bytes);

  if (line_end != 0 && advance(direction, bytes.first(line_end)) != Parsed::kMore) {
    if (outcome_ == Parsed::kChange)
      rest_[static_cast<int>(direction)].append(all_of(bytes.subspan(line_end)));
    return outcome_;
  }
  const std::span<const uint8_t> held = bytes.subspan(line_end);
  if (!in_header_[static_cast<int>(direction)] || !pending.empty()) {
    pending.append(all_of(held));
    all.clear();
    all.swap(pending);
    return advance(direction, {reinterpret_cast<const uint8_t*>(all.data()), all.size()});
  }
  pending.assign(all_of(held));
  return Parsed::kMore;
}

// libhtp suspends a direction while the other one decides: the client's after CONNECT, and the
// server's after its refusal. What is left waits, and is tried again after the other has moved.
Parsed HttpParser::advance(Direction direction, std::span<const uint8_t> bytes) {
  std::string waited;
  for (;;) {
    const size_t consumed = give_all(direction, bytes);
    const std::span<const uint8_t> left = bytes.subspan(consumed);
    std::string& pending = pending_[static_cast<int>(direction)];
    if (full_ && direction == kToServer)
      rest_[0].append(all_of(left));
    else
      pending.assign(all_of(left));
    if (outcome_ != Parsed::kMore) return leave(outcome_);
    if (pending.size() > kHttpPendingMax) {
      tell_event(nullptr, HttpEvent::kTooManyBytesHeld);
      return leave(Parsed::kFailed);
    }
    direction = opposite(direction);
    std::string& other = pending_[static_cast<int>(direction)];
    if (other.empty() || consumed == 0) break;
    waited.clear();
    waited.swap(other);
    bytes = {reinterpret_cast<const uint8_t*>(waited.data()), waited.size()};
  }
  after_feed();
  return Parsed::kMore;
}

size_t HttpParser::give_all(Direction direction, std::span<const uint8_t> bytes) {
  size_t given = 0;
  while (given < bytes.size() && outcome_ == Parsed::kMore) {
    const std::span<const uint8_t> left = bytes.subspan(given);
    stop_at_ = is_near_limit(direction, left.size()) ? message_end(direction, left) : 0;
    const size_t piece = stop_at_ == 0 ? left.size() : stop_at_;
    const size_t consumed = give(direction, left.data(), piece);
    given += consumed;
    if (consumed != piece || (full_ && direction == kToServer)) break;
  }
  return given;
}

// libhtp looks at the line behind a message before it ends it, unless nothing is there; but what
// has been looked at cannot be given to another parser. So this is where a message may end; 0: not
// in `bytes`.
size_t HttpParser::message_end(Direction direction, std::span<const uint8_t> bytes) const {
  const int64_t left = body_left(direction);
  if (left > 0) return static_cast<size_t>(left) <= bytes.size() ? static_cast<size_t>(left) : 0;
  bool line_over = is_after_line(direction);
  for (size_t i = 0; i < bytes.size(); i++) {
    if (bytes[i] == '\n' && std::exchange(line_over, true)) return i + 1;
    if (bytes[i] != '\n' && bytes[i] != '\r') line_over = false;
  }
  return 0;
}

// Of a body whose length is known.
int64_t HttpParser::body_left(Direction direction) const {
  htp_connp_t* const c = connection_.get();
  if (c == nullptr) return 0;
  const htp_tx_t* tx = htp_connp_get_in_tx(c);
  if (direction == kToServer)
    return tx != nullptr && tx->request_progress == HTP_REQUEST_BODY &&
                   tx->request_transfer_coding == HTP_CODING_IDENTITY
               ? tx->request_content_length - tx->request_message_len
               : 0;
  tx = htp_connp_get_out_tx(c);
  return tx != nullptr && tx->response_progress == HTP_RESPONSE_BODY &&
                 tx->response_transfer_coding == HTP_CODING_IDENTITY
             ? tx->response_content_length - tx->response_message_len
             : 0;
}

// Whether `length` bytes can make it full, or give it its last answer.
bool HttpParser::is_near_limit(Direction direction, size_t length) const {
  if (direction == kToServer) return is_full_with(1 + length / kHttpRequestMin);
  return full_ || unmatched_ != 0 || open_.empty();
}

// `more`: if so many requests come.
bool HttpParser::is_full_with(size_t more) const {
  return open_.size() + unmatched_ + more >= kHttpOpenTransactionsMax || held_ > kHttpOpenBytesMax;
}

// What is given ended with a line.
bool HttpParser::is_after_line(Direction direction) const {
  const std::string_view given = past_.last_given[static_cast<int>(direction)].view();
  return given.ends_with('\n') || given.ends_with("\n\r");
}

// Returns how many bytes libhtp took; sets outcome_.
size_t HttpParser::give(Direction direction, const uint8_t* bytes, size_t length) {
  if (full_ && direction == kToServer) return 0;
  if (!open()) {  // it may have ended with what was given just before
    outcome_ = Parsed::kFailed;
    return length;
  }
  direction_ = direction;
  body_end_ = nullptr;
  if (bytes != nullptr) past_.last_given[static_cast<int>(direction)].add(all_of({bytes, length}));
  const bool request = direction == kToServer;
  htp_connp_t* const c = connection_.get();
  const int status = request ? htp_connp_req_data(c, nullptr, bytes, length)
                             : htp_connp_res_data(c, nullptr, bytes, length);
  const size_t consumed = request ? htp_connp_req_data_consumed(c) : htp_connp_res_data_consumed(c);
  if (bytes != nullptr) count_line(direction, {bytes, std::min(consumed, length)});
  if (request && bytes != nullptr) set_aside({bytes, length});
  if (request && full_) return std::min(consumed, length);
  switch (status) {
    case HTP_STREAM_ERROR:
      if (request && aside_) return length;  // it need not be HTTP/1
      outcome_ = Parsed::kFailed;
      return length;
    case HTP_STREAM_STOP:
    case HTP_STREAM_TUNNEL:
      if (outcome_ == Parsed::kMore) outcome_ = Parsed::kChange;
      return aside_ && request ? length : std::min(consumed, length);
    case HTP_STREAM_DATA_OTHER:
      return std::min(consumed, length);
    case HTP_STREAM_CLOSED:  // a gap where none can be, or at whose end a response ends
      if (bytes == nullptr && length != 0 && consumed < length) outcome_ = Parsed::kFailed;
      return length;
    default:
      return length;
  }
}

// Of a body libhtp holds nothing.
void HttpParser::count_line(Direction direction, std::span<const uint8_t> given) {
  size_t& line = line_[static_cast<int>(direction)];
  std::string_view text = all_of(given);
  const size_t body =
      reinterpret_cast<uintptr_t>(body_end_) - reinterpret_cast<uintptr_t>(given.data());
  if (body_end_ != nullptr && body <= text.size()) {
    text.remove_prefix(body);
    line = 0;
  }
  const size_t newline = text.rfind('\n');
  line = newline == std::string_view::npos ? line + text.size() : text.size() - newline - 1;
}

// What comes before the server has decided whether it is HTTP/1 is taken for that; but it may be
// for the next protocol to look at.
void HttpParser::set_aside(std::span<const uint8_t> given) {
  if (!aside_) return;
  aside_->append(all_of(given.subspan(std::exchange(aside_from_, 0))));
  if (aside_->size() <= kHttpPendingMax) return;
  aside_.reset();
  aside_lost_ = true;
}

Parsed HttpParser::gap(Direction direction, uint64_t length, TransactionSink& sink) {
  sink_ = &sink;
  if (outcome_ != Parsed::kMore || length == 0) return outcome_;
  if (!flush(direction)) return leave(Parsed::kFailed);
  give(direction, nullptr, length_of_gap(direction, length));
  if (outcome_ != Parsed::kMore) return leave(outcome_);
  after_feed();
  return Parsed::kMore;
}

// No line ends between two responses begin one.
bool HttpParser::is_between_responses() const {
  return connection_ != nullptr && htp_connp_get_out_tx(connection_.get()) == nullptr;
}

// libhtp gives up if more is missing than a body. What is too short for a response is none.
size_t HttpParser::length_of_gap(Direction direction, uint64_t length) const {
  const htp_tx_t* const tx =
      connection_ == nullptr ? nullptr : htp_connp_get_out_tx(connection_.get());
  if (direction != kToClient || tx == nullptr || tx->response_content_length < 0 ||
      tx->response_transfer_coding != HTP_CODING_IDENTITY)
    return length;
  const int64_t left = tx->response_content_length - tx->response_message_len;
  const auto beyond = static_cast<int64_t>(length) - left;
  return left > 0 && beyond > 0 && beyond < kHttpResponseMin ? static_cast<size_t>(left) : length;
}

// What has waited for more; false: it still waits, for the other direction.
bool HttpParser::flush(Direction direction) {
  std::string& pending = pending_[static_cast<int>(direction)];
  if (pending.empty()) return true;
  std::string all;
  all.swap(pending);
  const size_t consumed = give(direction, reinterpret_cast<const uint8_t*>(all.data()), all.size());
  pending = all.substr(consumed);
  return pending.empty() && outcome_ == Parsed::kMore;
}

// libhtp can close the client's direction alone, but not the server's. The end of the server's
// ends a response that lasts until then, so both are closed unless a request is on its way; if
// the client goes on all the same, it finds a new connection.
void HttpParser::end(Direction direction, TransactionSink& sink) {
  sink_ = &sink;
  if (outcome_ != Parsed::kMore) return;
  past_.ended[static_cast<int>(direction)] = true;
  if (!flush(direction) && outcome_ != Parsed::kMore) {
    leave(outcome_);
    return;
  }
  const bool both = past_.ended[0] && past_.ended[1];
  if (connection_ != nullptr && both) {
    close(direction);
  } else if (connection_ != nullptr && direction == kToServer) {
    direction_ = direction;
    closing_ = true;
    if (pending_[0].empty()) htp_connp_req_close(connection_.get(), nullptr);
    closing_ = false;
  } else if (connection_ != nullptr && std::all_of(open_.begin(), open_.end(), [](const auto& t) {
               return t->finished(kToServer);
             })) {
    close(direction);
    end_all();
    connection_.reset();
  }
  if (both)
    leave(Parsed::kDone);
  else
    after_feed();
}

void HttpParser::close(Direction direction) {
  direction_ = direction;
  closing_ = true;
  htp_connp_close(connection_.get(), nullptr);
  closing_ = false;
}

std::string HttpParser::take_rest(Direction direction) {
  return std::exchange(rest_[static_cast<int>(direction)], {});
}

std::span<const uint8_t> HttpParser::rest(Direction direction) const {
  const std::string& rest = rest_[static_cast<int>(direction)];
  return {reinterpret_cast<const uint8_t*>(rest.data()), rest.size()};
}

bool HttpParser::open() {
  if (connection_ != nullptr) return true;
  connection_.reset(htp_connp_create(http_config()));
  if (connection_ == nullptr) return false;
  htp_connp_set_user_data(connection_.get(), this);
  htp_connp_open(connection_.get(), nullptr, 0, nullptr, 0, nullptr);
  started_ = 0;
  unmatched_ = 0;
  in_header_[0] = in_header_[1] = false;
  line_[0] = line_[1] = 0;
  return true;
}

void HttpParser::after_feed() {
  // The records that libhtp has done with end with their connection.
  if (connection_ == nullptr) done_.clear();
  htp_connp_t* const c = connection_.get();
  std::erase_if(done_, [c](htp_tx_t* tx) {
    const bool in_use = tx == htp_connp_get_in_tx(c) || tx == htp_connp_get_out_tx(c);
    return !in_use && htp_tx_destroy(tx) == HTP_OK;
  });
  if (idle() && (started_ >= kHttpTransactionsPerParser || unmatched_ != 0)) connection_.reset();
  if (connection_ == nullptr) done_.clear();
}

size_t HttpParser::memory() const {
  size_t bytes = sizeof(*this) + heap_of(open_) + heap_of(done_);
  for (const auto* texts : {&pending_, &rest_})
    bytes += heap_of((*texts)[0]) + heap_of((*texts)[1]);
  if (aside_) bytes += heap_of(*aside_);
  for (const auto& transaction : open_) bytes += transaction->memory() + kTransactionNotesBytes;
  if (connection_ != nullptr)
    bytes += kConnectionBytes + started_ * sizeof(void*) + line_[0] + line_[1];
  return bytes;
}

// Between two transactions libhtp remembers nothing that the next one needs.
std::optional<HttpParser::Past> HttpParser::past() const {
  if (outcome_ != Parsed::kMore || !idle() || early_events_ != 0) return std::nullopt;
  return past_;
}

void HttpParser::end_all() {
  for (const auto& transaction : open_) {
    transaction->finish(kToServer, FileEnd::kTruncated, *sink_);
    transaction->finish(kToClient, FileEnd::kTruncated, *sink_);
    sink_->ended(*transaction);
    htp_tx_set_user_data(transaction->tx, nullptr);
  }
  open_.clear();
  held_ = 0;
}

// Nothing is parsed from here on.
Parsed HttpParser::leave(Parsed outcome) {
  if (outcome == Parsed::kChange && aside_lost_) {
    tell_event(nullptr, HttpEvent::kTooManyBytesHeld);
    outcome = Parsed::kFailed;
  }
  outcome_ = outcome;
  end_all();
  done_.clear();
  connection_.reset();
  if (outcome == Parsed::kChange) {
    rest_[0].append(aside_.value_or("")).append(pending_[0]);
    rest_[1].swap(pending_[1]);
    pending_[0].clear();
  }
  return outcome;
}

void HttpParser::tell_event(HttpTransaction* transaction, HttpEvent event) {
  if (transaction == nullptr)
    sink_->event(nullptr, direction_, http_event_name(event));
  else
    transaction->tell_event(direction_, event, *sink_);
}

}  // namespace sluice::inspect
