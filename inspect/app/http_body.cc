// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_body.h"

#include <algorithm>
#include <utility>

#include "inspect/app/http.h"

namespace sluice::inspect {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

// During one call: what is decoded, and the parts of a multipart body as files.
class HttpBody::Teller : public HttpInflate::Listener, public HttpMultipart::Listener {
 public:
  Teller(HttpBody& body, Transaction& transaction, Direction direction, TransactionSink& sink)
      : body_(body), transaction_(transaction), direction_(direction), sink_(sink) {}

  bool on_decoded(std::span<const uint8_t> bytes) override {
    const uint64_t left = kHttpBodyMax - body_.told_;
    bytes = bytes.subspan(0, static_cast<size_t>(std::min<uint64_t>(bytes.size(), left)));
    if (bytes.empty()) return left != 0;
    begin_file();
    body_.told_ += bytes.size();

    const Buffer buffer =
        direction_ == Direction::kToServer ? Buffer::kHttpRequestBody : Buffer::kHttpResponseBody;
    sink_.piece(transaction_, direction_, buffer, bytes, body_.body_begins_);
    body_.body_begins_ = false;
    if (body_.multipart_ == nullptr)
      on_file_data(bytes);
    else
      body_.multipart_->feed(bytes, *this);
    if (body_.told_ < kHttpBodyMax) return true;
    close_file(FileEnd::kTruncated);
    return false;
  }

  void close_file(FileEnd end) {
    if (std::exchange(body_.file_open_, false)) sink_.file_ends(transaction_, direction_, end);
  }

  void on_file(std::string_view name) override {
    body_.file_begins_ = true;
    if (name.size() > kHttpFileNameMax) trouble = Trouble::kLongName;
    if (body_.part_names_.size() == kHttpPartNamesMax) trouble = Trouble::kTooManyFiles;
    body_.part_names_.emplace_back(name.substr(0, kHttpFileNameMax));
    if (!name.empty())
      sink_.buffer(transaction_, direction_, Buffer::kFileName, bytes_of(body_.part_names_.back()));
    open_file(body_.part_names_.back());
  }
  void on_file_end() override { close_file(FileEnd::kClosed); }
  void on_file_data(std::span<const uint8_t> bytes) override {
    sink_.piece(transaction_, direction_, Buffer::kFileData, bytes, body_.file_begins_);
    body_.file_begins_ = false;
  }
  void on_bad_header() override { trouble = Trouble::kBadPartHeader; }

  Trouble trouble = Trouble::kNone;

  // The body is a file itself.
  void begin_file() {
    if (body_.multipart_ != nullptr || std::exchange(body_.file_begun_, true)) return;
    if (!body_.file_name_.empty())
      sink_.buffer(transaction_, direction_, Buffer::kFileName, bytes_of(body_.file_name_));
    open_file(body_.file_name_);
  }

 private:
  void open_file(std::string_view name) {
    body_.file_open_ = true;
    sink_.file_begins(transaction_, direction_, name);
  }

  HttpBody& body_;
  Transaction& transaction_;
  const Direction direction_;
  TransactionSink& sink_;
};

void HttpBody::begin(std::string_view file_name, std::string_view boundary,
                     const HttpCodings& codings) {
  file_name_ = file_name.substr(0, kHttpFileNameMax);
  if (!boundary.empty()) multipart_ = std::make_unique<HttpMultipart>(boundary);
  if (codings.count != 0) inflate_ = std::make_unique<HttpInflate>(codings);
}

HttpBody::Trouble HttpBody::data(Transaction& transaction, Direction direction,
                                 std::span<const uint8_t> bytes, TransactionSink& sink) {
  if (told_ >= kHttpBodyMax) return Trouble::kNone;
  Teller teller(*this, transaction, direction, sink);
  if (inflate_ == nullptr) {
    teller.on_decoded(bytes);
    return teller.trouble;
  }
  switch (inflate_->feed(bytes, teller)) {
    case HttpInflate::Outcome::kGood:
      break;
    case HttpInflate::Outcome::kFailed:
      teller.close_file(FileEnd::kTruncated);
      return Trouble::kBadCoding;
    case HttpInflate::Outcome::kBomb:
      teller.close_file(FileEnd::kTruncated);
      return Trouble::kBomb;
  }
  return teller.trouble;
}

void HttpBody::gap(Transaction& transaction, Direction direction, uint64_t length,
                   TransactionSink& sink) {
  if (told_ >= kHttpBodyMax) return;
  Teller teller(*this, transaction, direction, sink);
  teller.begin_file();
  if (file_open_) sink.file_gap(transaction, direction, length);
  body_begins_ = file_begins_ = true;
  if (multipart_ != nullptr) multipart_->gap();
  if (inflate_ == nullptr) return;
  told_ = kHttpBodyMax;  // nothing can be decoded any more
  teller.close_file(FileEnd::kTruncated);
}

HttpBody::Trouble HttpBody::end(Transaction& transaction, Direction direction, FileEnd end,
                                TransactionSink& sink) {
  // A part of a multipart body that no boundary has closed is not whole.
  Teller(*this, transaction, direction, sink)
      .close_file(multipart_ == nullptr ? end : FileEnd::kTruncated);
  const bool cut = multipart_ != nullptr && !multipart_->complete() && told_ < kHttpBodyMax;
  multipart_.reset();
  inflate_.reset();
  return cut ? Trouble::kNoFile : Trouble::kNone;
}

}  // namespace sluice::inspect
