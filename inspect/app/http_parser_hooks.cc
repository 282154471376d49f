// SPDX-License-Identifier: Apache-2.0
// What libhtp's hooks do (the order of the directions is http_parser.cc's affair).
#include <algorithm>
#include <charconv>

#include "inspect/app/http_config.h"
#include "inspect/app/http_parser.h"

namespace sluice::inspect {
namespace {

constexpr Direction kToServer = Direction::kToServer;
constexpr Direction kToClient = Direction::kToClient;
// The first line of what an HTTP/2 client says, RFC 9113, 3.4
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";

HttpTransaction* transaction_of(const htp_tx_t* tx) {
  return tx == nullptr ? nullptr : static_cast<HttpTransaction*>(htp_tx_get_user_data(tx));
}

bool is_tunnel(const htp_tx_t& tx) {
  return tx.request_method_number == HTP_M_CONNECT && tx.response_status_number >= 200 &&
         tx.response_status_number <= 299;
}

// A proxy has none; who has, is an origin that takes CONNECT for any other request.
bool has_body(const htp_tx_t& tx) {
  return tx.response_transfer_coding == HTP_CODING_CHUNKED || tx.response_content_length > 0;
}

bool is_chunked(std::string_view codings) {
  constexpr std::string_view kBlank = " \t\v\f";
  for (;;) {
    const size_t comma = codings.find(',');
    std::string_view coding = codings.substr(0, comma);
    coding = coding.substr(0, coding.find(';'));
    coding.remove_prefix(std::min(coding.find_first_not_of(kBlank), coding.size()));
    coding = coding.substr(0, coding.find_last_not_of(kBlank) + 1);
    if (equals_lower(coding, "chunked")) return true;
    if (comma == std::string_view::npos) return false;
    codings.remove_prefix(comma + 1);
  }
}

// -1: it is none.
int64_t content_length(std::string_view text) {
  int64_t length = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const bool whole = end == text.data() + text.size();
  return error == std::errc() && whole && length >= 0 ? length : -1;
}

// libhtp gives up at a Transfer-Encoding that is not just "chunked". Of servers some refuse such a
// request, and nothing comes behind it. Those that do not take the body for chunked if that is
// among the codings, and else go by the length, as if there were no Transfer-Encoding.
void choose_body(htp_tx_t& tx) {
  if (tx.request_transfer_coding != HTP_CODING_INVALID) return;
  tx.flags &= ~static_cast<uint64_t>(HTP_REQUEST_INVALID);
  if (is_chunked(http_header(tx.request_headers, "transfer-encoding"))) {
    tx.request_transfer_coding = HTP_CODING_CHUNKED;
    return;
  }
  tx.request_content_length = content_length(http_header(tx.request_headers, "content-length"));
  tx.request_transfer_coding =
      tx.request_content_length < 0 ? HTP_CODING_NO_BODY : HTP_CODING_IDENTITY;
}

// When the end of a response and a part of the next one's first line come together, libhtp 0.5.42
// reads some of that line twice: what comes again is after its end.
void cut_at_newline(bstr* text) {
  size_t end = view_of(text).find('\n');
  if (end == std::string_view::npos) return;
  if (end != 0 && view_of(text)[end - 1] == '\r') end--;
  bstr_adjust_len(text, end);
}

}  // namespace

void HttpParser::on_message(std::string_view message) {
  const HttpEvent event = http_event_of_message(message, direction_);
  if (event == HttpEvent::kCount) return;
  if (event == HttpEvent::kUnableToMatchResponse) {
    early_events_ |= uint64_t{1} << static_cast<int>(event);
    return;
  }
  const htp_tx_t* const tx = direction_ == kToServer ? htp_connp_get_in_tx(connection_.get())
                                                     : htp_connp_get_out_tx(connection_.get());
  tell_event(transaction_of(tx), event);
}

HttpTransaction* HttpParser::add(htp_tx_t* tx) {
  if (open_.size() + unmatched_ >= kHttpOpenTransactionsMax) {
    tell_event(nullptr, HttpEvent::kTooManyOpenTransactions);
    return nullptr;
  }
  started_++;
  open_.push_back(std::make_unique<HttpTransaction>(past_.transactions++, tx));
  HttpTransaction* const transaction = open_.back().get();
  htp_tx_set_user_data(tx, transaction);
  for (int i = 0; i < static_cast<int>(HttpEvent::kCount); i++)
    if (((early_events_ >> i) & 1) != 0)
      transaction->tell_event(direction_, static_cast<HttpEvent>(i), *sink_);
  early_events_ = 0;
  return transaction;
}

int HttpParser::hold(HttpTransaction* transaction, size_t length) {
  if (transaction != nullptr) transaction->held += length;
  held_ += length;
  if ((transaction == nullptr ? held_ : transaction->held) <= kHttpHeldBytesMax) return HTP_OK;
  tell_event(transaction, HttpEvent::kTooManyBytesHeld);
  outcome_ = Parsed::kFailed;
  return HTP_ERROR;
}

// libhtp would call it again and again if it said no: on_request_line() does.
int HttpParser::on_request_start(htp_tx_t* tx) {
  if (aside_ && !aside_->starts_with(kHttp2Preface)) aside_.reset();  // behind CONNECT, still HTTP
  if (add(tx) == nullptr) outcome_ = Parsed::kFailed;
  return HTP_OK;
}

int HttpParser::on_request_line(htp_tx_t* tx) {
  HttpTransaction* const transaction = transaction_of(tx);
  if (transaction == nullptr) return HTP_ERROR;
  transaction->tell_request_line(*sink_);
  in_header_[0] = tx->is_protocol_0_9 == 0;
  maybe_http2(view_of(tx->request_line));
  return hold(transaction, view_of(tx->request_line).size());
}

int HttpParser::on_header_data(const htp_tx_data_t& data, Direction direction) {
  HttpTransaction* const transaction = transaction_of(data.tx);
  if (transaction == nullptr || data.len == 0) return HTP_OK;
  transaction->headers(direction).add_raw({reinterpret_cast<const char*>(data.data), data.len},
                                          *sink_);
  return hold(transaction, data.len);
}

int HttpParser::on_request_header_data(const htp_tx_data_t& data) {
  return on_header_data(data, kToServer);
}

int HttpParser::on_request_headers(htp_tx_t* tx) {
  HttpTransaction* const transaction = transaction_of(tx);
  in_header_[0] = false;
  if ((tx->flags & HTP_REQUEST_INVALID_T_E) != 0) choose_body(*tx);
  if (transaction == nullptr) return HTP_OK;
  transaction->tell_request_headers(*sink_);
  // It has no body, and libhtp calls it complete only when it is answered.
  if (tx->request_method_number == HTP_M_CONNECT)
    transaction->finish(kToServer, FileEnd::kClosed, *sink_);
  return HTP_OK;
}

int HttpParser::on_request_body(const htp_tx_data_t& data) {
  body_end_ = data.data == nullptr ? nullptr : data.data + data.len;
  if (data.data != nullptr && data.tx->request_content_length < 0)
    maybe_http2({reinterpret_cast<const char*>(data.data), data.len});
  if (HttpTransaction* const transaction = transaction_of(data.tx))
    transaction->tell_body(kToServer, {data.data, data.len}, *sink_);
  return HTP_OK;
}

int HttpParser::on_request_trailer(htp_tx_t* tx) {
  if (HttpTransaction* const transaction = transaction_of(tx))
    transaction->tell_trailer(kToServer, *sink_);
  return HTP_OK;
}

int HttpParser::on_request_complete(htp_tx_t* tx) {
  in_header_[0] = false;
  if (HttpTransaction* const transaction = transaction_of(tx)) finish(*transaction, kToServer);
  full_ = direction_ == kToServer && stop_at_ != 0 && is_full_with(0) &&
          htp_connp_req_data_consumed(connection_.get()) == stop_at_;
  return full_ ? HTP_STOP : HTP_OK;
}

// A client may say it at once (RFC 7540, 3.2, would have it wait for the 101). To libhtp it is a
// request, or a body that does not belong there.
void HttpParser::maybe_http2(std::string_view line) {
  if (aside_ || !line.starts_with(kHttp2Preface)) return;
  const bool asked = std::ranges::any_of(open_, [](const auto& transaction) {
    return !http_header(transaction->tx->request_headers, "upgrade").empty();
  });
  if (!asked) return;
  aside_ = std::string(kHttp2Preface) + "\r\n";
  aside_from_ = htp_connp_req_data_consumed(connection_.get());
}

int HttpParser::on_response_start(htp_tx_t* tx) {
  in_header_[1] = true;
  if (transaction_of(tx) != nullptr) return HTP_OK;
  HttpTransaction* const transaction = add(tx);
  if (transaction == nullptr) return HTP_ERROR;
  transaction->finish(kToServer, FileEnd::kClosed, *sink_);
  return HTP_OK;
}

// libhtp knows one interim response, a single "100 Continue". There may be any number, and of other
// kinds (RFC 9110, 15.2): they are shown to it as the one.
int HttpParser::on_response_line(htp_tx_t* tx) {
  HttpTransaction* const transaction = transaction_of(tx);
  if (transaction == nullptr) return HTP_OK;
  cut_at_newline(tx->response_line);
  cut_at_newline(tx->response_message);
  const int status = tx->response_status_number;
  if (status >= 100 && status <= 199 && status != 101) {
    tx->response_status_number = 100;
    if (status == 100 && transaction->interim)
      transaction->tell_event(kToClient, HttpEvent::kContinueAlreadySeen, *sink_);
    tx->seen_100continue = 0;
    transaction->interim = true;
  }
  // libhtp takes no body behind CONNECT.
  transaction->tunnel = is_tunnel(*tx);
  if (transaction->tunnel) tx->request_method_number = HTP_M_UNKNOWN;
  return hold(transaction, view_of(tx->response_line).size());
}

int HttpParser::on_response_header_data(const htp_tx_data_t& data) {
  return on_header_data(data, kToClient);
}

int HttpParser::on_response_headers(htp_tx_t* tx) {
  HttpTransaction* const transaction = transaction_of(tx);
  in_header_[1] = false;
  if (transaction == nullptr) return HTP_OK;
  if (transaction->tunnel) tx->request_method_number = HTP_M_CONNECT;
  transaction->tell_response_headers(*sink_);
  if (transaction->tunnel) {
    if (!has_body(*tx)) return HTP_STOP;
    aside_.emplace();
    return HTP_OK;
  }
  const bool asked = !http_header(tx->request_headers, "upgrade").empty();
  if (tx->response_status_number != 101) {
    if (asked) aside_.reset();
    return HTP_OK;
  }
  const std::string_view upgrade = http_header(tx->response_headers, "upgrade");
  if (asked && equals_lower(upgrade, "h2c")) next_ = AppProtocol::kHttp2;
  if (!asked || !equals_lower(upgrade, "websocket")) return HTP_OK;
  next_ = AppProtocol::kFailed;
  return HTP_STOP;
}

int HttpParser::on_response_body(const htp_tx_data_t& data) {
  body_end_ = data.data == nullptr ? nullptr : data.data + data.len;
  in_header_[1] = false;
  if (HttpTransaction* const transaction = transaction_of(data.tx))
    transaction->tell_body(kToClient, {data.data, data.len}, *sink_);
  return HTP_OK;
}

int HttpParser::on_response_trailer(htp_tx_t* tx) {
  if (HttpTransaction* const transaction = transaction_of(tx))
    transaction->tell_trailer(kToClient, *sink_);
  return HTP_OK;
}

// Behind CONNECT either side may go on in another protocol, unless the client went on in HTTP while
// the answer came.
int HttpParser::on_response_complete(htp_tx_t* tx) {
  in_header_[1] = false;
  HttpTransaction* const transaction = transaction_of(tx);
  if (transaction == nullptr) return HTP_OK;
  const bool tunnel = transaction->tunnel && htp_connp_get_in_tx(connection_.get()) == tx;
  finish(*transaction, kToClient);
  answered_ = idle() && (full_ || unmatched_ >= kHttpOpenTransactionsMax) && stop_at_ != 0 &&
              htp_connp_res_data_consumed(connection_.get()) == stop_at_;
  return tunnel || answered_ ? HTP_STOP : HTP_OK;
}

// Not before, because after on_response_complete() libhtp may still want the other direction first;
// and maybe more than once.
int HttpParser::on_transaction_complete(htp_tx_t* tx) {
  if (std::find(done_.begin(), done_.end(), tx) == done_.end()) done_.push_back(tx);
  return HTP_OK;
}

int HttpParser::on_trailer_data(const htp_tx_data_t& data) {
  return hold(transaction_of(data.tx), data.len);
}

// At the end of the connection only a response that lasts until then is whole.
FileEnd HttpParser::end_of(const htp_tx_t& tx, Direction direction) const {
  const bool until_end = direction == kToClient &&
                         tx.response_transfer_coding == HTP_CODING_IDENTITY &&
                         tx.response_content_length == -1;
  return closing_ && !until_end ? FileEnd::kTruncated : FileEnd::kClosed;
}

void HttpParser::finish(HttpTransaction& transaction, Direction direction) {
  transaction.finish(direction, end_of(*transaction.tx, direction), *sink_);
  if (!transaction.finished(opposite(direction))) return;
  sink_->ended(transaction);
  held_ -= std::min(held_, transaction.held);
  if (transaction.tx->request_progress != HTP_REQUEST_COMPLETE) unmatched_++;
  htp_tx_set_user_data(transaction.tx, nullptr);
  std::erase_if(open_, [&](const auto& open) { return open.get() == &transaction; });
}

}  // namespace sluice::inspect
