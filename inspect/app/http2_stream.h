// SPDX-License-Identifier: Apache-2.0
// One stream of HTTP/2: a request and its response.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/http_body.h"
#include "inspect/app/http_headers.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

// A decoded header block: each name once.
class Http2Fields {
 public:
  // False: too many, or too long.
  bool add(std::string_view name, std::string_view value);
  // Empty: it is not there.
  std::string_view get(std::string_view name) const;
  std::vector<HttpField> all() const;
  size_t size() const { return bytes_; }
  size_t memory() const { return heap_of(fields_) + bytes_; }

 private:
  struct Field {
    std::string name, value;
  };
  std::vector<Field> fields_;
  size_t bytes_ = 0;
};

class Http2Stream final : public Transaction {
 public:
  Http2Stream(uint64_t id, uint32_t stream)
      : Transaction(AppProtocol::kHttp2, id), stream_(stream) {}

  std::string_view event_type() const override { return "http"; }
  void write(JsonLine& line) const override;

  // The headers of the message, or its trailer. Interim responses are passed over.
  void tell_headers(Direction direction, Http2Fields fields, TransactionSink& sink);
  // They were of another transaction.
  void begin_without_headers(Direction direction) {
    sides_[static_cast<int>(direction)].begun = true;
  }
  void tell_data(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink);
  // Bytes of its body are missing here.
  void tell_gap(Direction direction, uint64_t length, TransactionSink& sink) {
    sides_[static_cast<int>(direction)].body.gap(*this, direction, length, sink);
  }
  void finish(Direction direction, FileEnd end, TransactionSink& sink);
  bool finished(Direction direction) const { return sides_[static_cast<int>(direction)].finished; }
  bool begun(Direction direction) const { return sides_[static_cast<int>(direction)].begun; }
  bool ended() const { return sides_[0].finished && sides_[1].finished; }
  size_t memory() const;
  size_t held() const { return sides_[0].fields.size() + sides_[1].fields.size(); }
  uint32_t stream() const { return stream_; }

 private:
  struct Side {
    Http2Fields fields;
    HttpHeaders headers;
    HttpBody body;
    uint64_t body_length = 0;
    bool begun = false, finished = false;
  };

  void tell(Direction direction, Buffer buffer, std::string_view text, TransactionSink& sink);
  void tell_request(TransactionSink& sink);
  void begin_body(Direction direction, TransactionSink& sink);
  void tell_trouble(Direction direction, HttpBody::Trouble trouble, TransactionSink& sink);

  const uint32_t stream_;
  std::string uri_, host_;  // normalised
  Side sides_[2];
};

}  // namespace sluice::inspect
