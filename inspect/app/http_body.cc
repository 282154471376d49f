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

// The parts of a multipart body as files of the transaction.
class HttpBody::Files : public HttpMultipart::Listener {
 public:
  Files(HttpBody& body, Transaction& transaction, Direction direction, TransactionSink& sink)
      : body_(body), transaction_(transaction), direction_(direction), sink_(sink) {}

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

void HttpBody::begin(std::string_view file_name, std::string_view boundary) {
  file_name_ = file_name.substr(0, kHttpFileNameMax);
  if (!boundary.empty()) multipart_ = std::make_unique<HttpMultipart>(boundary);
}

HttpBody::Trouble HttpBody::data(Transaction& transaction, Direction direction,
                                 std::span<const uint8_t> bytes, TransactionSink& sink) {
  bytes =
      bytes.subspan(0, static_cast<size_t>(std::min<uint64_t>(bytes.size(), kHttpBodyMax - told_)));
  if (bytes.empty()) return Trouble::kNone;
  if (told_ == 0 && multipart_ == nullptr && !file_name_.empty())
    sink.buffer(transaction, direction, Buffer::kFileName, bytes_of(file_name_));
  told_ += bytes.size();

  const Buffer buffer =
      direction == Direction::kToServer ? Buffer::kHttpRequestBody : Buffer::kHttpResponseBody;
  sink.piece(transaction, direction, buffer, bytes, body_begins_);
  body_begins_ = false;
  Files files(*this, transaction, direction, sink);
  if (multipart_ == nullptr)
    files.on_file_data(bytes);
  else
    multipart_->feed(bytes, files);
  return files.trouble;
}

void HttpBody::gap() {
  body_begins_ = file_begins_ = true;
  if (multipart_ != nullptr) multipart_->gap();
}

HttpBody::Trouble HttpBody::end() {
  const bool cut = multipart_ != nullptr && !multipart_->complete() && !full();
  multipart_.reset();
  return cut ? Trouble::kNoFile : Trouble::kNone;
}

bool HttpBody::full() const { return told_ >= kHttpBodyMax; }

}  // namespace sluice::inspect
