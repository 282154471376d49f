// SPDX-License-Identifier: Apache-2.0
// The body of one message, told piece by piece as a body and as the file or files that it carries.
#pragma once

#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/http_inflate.h"
#include "inspect/app/http_multipart.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

class HttpBody {
 public:
  // What happened to a piece that a rule may ask for.
  enum class Trouble : uint8_t {
    kNone,
    kTooManyFiles,
    kLongName,
    kBadPartHeader,
    kNoFile,     // a multipart body broke off before its end
    kBadCoding,  // it is not compressed as its header says
    kBomb,
  };

  // Before the first piece: what the message calls the file, or its path. `boundary`: of a
  // multipart body; empty: it is one file.
  void begin(std::string_view file_name, std::string_view boundary, const HttpCodings& codings);

  // The next bytes, after dechunking.
  Trouble data(Transaction& transaction, Direction direction, std::span<const uint8_t> bytes,
               TransactionSink& sink);
  // So many bytes are missing here; what follows is told as another body of the same file.
  void gap(Transaction& transaction, Direction direction, uint64_t length, TransactionSink& sink);
  // Nothing follows. `end`: of the message.
  Trouble end(Transaction& transaction, Direction direction, FileEnd end, TransactionSink& sink);

  // Beside itself.
  size_t memory() const {
    return heap_of(file_name_) + heap_of(part_names_) + (inflate_ ? inflate_->memory() : 0) +
           (multipart_ ? multipart_->memory() : 0);
  }

 private:
  class Teller;

  std::string file_name_;
  std::unique_ptr<HttpInflate> inflate_;
  std::unique_ptr<HttpMultipart> multipart_;
  std::list<std::string> part_names_;
  uint64_t told_ = 0;
  bool body_begins_ = true, file_begins_ = true;
  bool file_begun_ = false, file_open_ = false;
};

}  // namespace sluice::inspect
