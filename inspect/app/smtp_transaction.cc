// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/smtp_transaction.h"

#include <algorithm>
#include <utility>

#include "inspect/app/memory.h"
#include "inspect/app/mime_header.h"
#include "inspect/eve/json_line.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;

// Headers that events show, and how: as a text, or as a list of addresses.
struct Shown {
  std::string_view header, key;
  bool addresses;
};
constexpr Shown kShown[] = {
    {"from", "from", false},        {"to", "to", true},      {"cc", "cc", true},
    {"subject", "subject", false},  {"date", "date", false}, {"message-id", "message_id", false},
    {"x-mailer", "x_mailer", false}};

void write_addresses(JsonLine& line, std::string_view key, std::string_view list) {
  line.open_array(key);
  bool quoted = false;
  size_t begin = 0;
  size_t count = 0;
  for (size_t i = 0; i <= list.size() && count < kSmtpAddressesMax; i++) {
    if (i < list.size() && list[i] == '"') quoted = !quoted;
    if (i < list.size() && (quoted || list[i] != ',')) continue;
    const std::string_view address = trimmed(list.substr(begin, i - begin));
    if (!address.empty()) line.element(address);
    count++;
    begin = i + 1;
  }
  line.close_array();
}

void write_list(JsonLine& line, std::string_view key, const std::deque<std::string>& list,
                size_t max) {
  if (list.empty()) return;
  line.open_array(key);
  for (size_t i = 0; i < std::min(list.size(), max); i++) line.element(list[i]);
  line.close_array();
}

}  // namespace

void SmtpTransaction::tell(Buffer buffer, std::string_view text) {
  if (sink_->wants(buffer))
    sink_->buffer(*this, kUp, buffer, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

size_t SmtpTransaction::memory() const {
  size_t bytes = sizeof(*this) + heap_of(helo_) + heap_of(mail_from_) + heap_of(rcpt_to_) +
                 heap_of(files_) + heap_of(headers_) + mime_.memory();
  for (const auto& [name, value] : headers_) bytes += heap_of(name) + heap_of(value);
  return bytes;
}

void SmtpTransaction::helo(std::string_view name, TransactionSink& sink) {
  sink_ = &sink;
  helo_ = name;
  tell(Buffer::kSmtpHelo, helo_);
}

void SmtpTransaction::mail_from(std::string_view address, TransactionSink& sink) {
  sink_ = &sink;
  mail_from_seen_ = true;
  mail_from_ = address;
  tell(Buffer::kSmtpMailFrom, mail_from_);
}

void SmtpTransaction::rcpt_to(std::string_view address, TransactionSink& sink) {
  sink_ = &sink;
  if (rcpt_to_.size() == kSmtpRecipientsMax) sink.event(this, kUp, "too_many_recipients");
  tell(Buffer::kSmtpRcptTo, rcpt_to_.emplace_back(address));
}

void SmtpTransaction::mail_line(const LinePartReader::Part& part, TransactionSink& sink) {
  sink_ = &sink;
  mail_ = Mail::kBegun;
  mime_.line(part.text, part.begins, part.end, *this);
}

void SmtpTransaction::mail_flush(TransactionSink& sink) {
  sink_ = &sink;
  mime_.flush(*this);
}

void SmtpTransaction::mail_ends(TransactionSink& sink) {
  sink_ = &sink;
  mail_ = Mail::kDone;
  mime_.finish(*this);
}

void SmtpTransaction::mail_header(std::string_view name, std::string_view value) {
  const bool shown = std::ranges::any_of(kShown, [&](const Shown& s) { return s.header == name; });
  const bool known = std::ranges::any_of(headers_, [&](const auto& h) { return h.first == name; });
  if (shown && !known) headers_.emplace_back(name, value);
}

bool SmtpTransaction::file_begins(std::string_view name) {
  if (!name.empty()) tell(Buffer::kFileName, files_.emplace_back(name));
  if (!sink_->wants(Buffer::kFileData)) return false;
  sink_->file_begins(*this, kUp, name);
  return true;
}

void SmtpTransaction::file_content(std::string_view bytes, bool begins) {
  sink_->piece(*this, kUp, Buffer::kFileData,
               {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, begins);
}

void SmtpTransaction::file_ends() { sink_->file_ends(*this, kUp, FileEnd::kClosed); }

void SmtpTransaction::mime_fault(std::string_view event) { sink_->event(this, kUp, event); }

void SmtpTransaction::write(JsonLine& line) const {
  line.open("smtp");
  if (!helo_.empty()) line.string("helo", helo_);
  if (mail_from_seen_) line.string("mail_from", mail_from_);
  write_list(line, "rcpt_to", rcpt_to_, kSmtpRecipientsMax);
  line.close();
  if (mail_ == Mail::kNone) return;
  line.open("email");
  line.string("status", mail_ == Mail::kDone ? "PARSE_DONE" : "BODY_STARTED");
  for (const Shown& shown : kShown) {
    const auto found =
        std::ranges::find_if(headers_, [&](const auto& h) { return h.first == shown.header; });
    if (found == headers_.end()) continue;
    if (shown.addresses)
      write_addresses(line, shown.key, found->second);
    else
      line.string(shown.key, found->second);
  }
  write_list(line, "attachment", files_, kSmtpFilesMax);
  line.close();
}

}  // namespace sluice::inspect
