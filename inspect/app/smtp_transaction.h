// SPDX-License-Identifier: Apache-2.0
// One mail on its way: its envelope, what its headers say, its files.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/app/mime.h"
#include "inspect/app/transaction.h"

namespace sluice::inspect {

// Of a mail, in an event. Rules see all, for which the memory of a flow's parser is the bound.
inline constexpr size_t kSmtpRecipientsMax = 256;  // more are an event of their own
inline constexpr size_t kSmtpFilesMax = 256;       // names
inline constexpr size_t kSmtpAddressesMax = 64;    // of a header, in an event

class SmtpTransaction final : public Transaction, private MimeSink {
 public:
  explicit SmtpTransaction(uint64_t id) : Transaction(AppProtocol::kSmtp, id) {}

  std::string_view event_type() const override { return "smtp"; }
  // "smtp":{...}, and "email":{...} when its content has begun.
  void write(JsonLine& line) const override;

  size_t memory() const;
  bool has_mail_from() const { return mail_from_seen_; }

  void helo(std::string_view name, TransactionSink& sink);
  void mail_from(std::string_view address, TransactionSink& sink);
  void rcpt_to(std::string_view address, TransactionSink& sink);
  // A line of the mail, as MimeParser::line wants it.
  void mail_line(const LinePartReader::Part& part, TransactionSink& sink);
  // Gives what files have been decoded from so far.
  void mail_flush(TransactionSink& sink);
  void mail_ends(TransactionSink& sink);

 private:
  void mail_header(std::string_view name, std::string_view value) override;
  bool file_begins(std::string_view name) override;
  void file_content(std::string_view bytes, bool begins) override;
  void file_ends() override;
  void mime_fault(std::string_view event) override;
  void tell(Buffer buffer, std::string_view text);

  std::string helo_, mail_from_;
  bool mail_from_seen_ = false;
  std::deque<std::string> rcpt_to_, files_;  // what was told does not move
  std::vector<std::pair<std::string, std::string>> headers_;
  enum class Mail : uint8_t { kNone, kBegun, kDone };
  Mail mail_ = Mail::kNone;
  MimeParser mime_;
  TransactionSink* sink_ = nullptr;  // during a call
};

}  // namespace sluice::inspect
