// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/http_body.h"

#include <algorithm>

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
    if (body_.told_ == 0 && body_.multipart_ == nullptr && !body_.file_name_.empty())
      sink_.buffer(transaction_, direction_, Buffer::kFileName, bytes_of(body_.file_name_));
    body_.told_ += bytes.size();

    const Buffer buffer =
        direction_ == Direction::kToServer ? Buffer::kHttpRequestBody : Buffer::kHttpResponseBody;
    sink_.piece(transaction_, direction_, buffer, bytes, body_.body_begins_);
    body_.body_begins_ = false;
    if (body_.multipart_ == nullptr)
      on_file_data(bytes);
    else
      body_.multipart_->feed(bytes, *this);
    return body_.told_ < kHttpBodyMax;
  }

  void on_file(std::string_view name) override {
    body_.file_begins_ = true;
    if (name.size() > kHttpFileNameMax) trouble = Trouble::kLongName;
    if (body_.part_names_.size() == kHttpPartNamesMax) {
      trouble = Trouble::kTooManyFiles;
      return;
    }
    body_.part_names_.emplace_back(name.substr(0, kHttpFileNameMax));
    sink_.buffer(transaction_, direction_, Buffer::kFileName, bytes_of(body_.part_names_.back()));
  }
  void on_file_data(std::span<const uint8_t> bytes) override {
    sink_.piece(transaction_, direction_, Buffer::kFileData, bytes, body_.file_begins_);
    body_.file_begins_ = false;
  }
  void on_bad_header() override { trouble = Trouble::kBadPartHeader; }

  Trouble trouble = Trouble::kNone;

 private:
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
      return Trouble::kBadCoding;
    case HttpInflate::Outcome::kBomb:
      return Trouble::kBomb;
  }
  return teller.trouble;
}

void HttpBody::gap() {
  body_begins_ = file_begins_ = true;
  if (multipart_ != nullptr) multipart_->gap();
  if (inflate_ != nullptr) told_ = kHttpBodyMax;  // nothing can be decoded any more
}

HttpBody::Trouble HttpBody::end() {
  const bool cut = multipart_ != nullptr && !multipart_->complete() && told_ < kHttpBodyMax;
  multipart_.reset();
  inflate_.reset();
  return cut ? Trouble::kNoFile : Trouble::kNone;
}

}  // namespace sluice::inspect
