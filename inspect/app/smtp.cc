// SPDX-License-Identifier: Apache-2.0
// SMTP over TCP (RFC 5321): commands, replies matched with them in their order, and mails by DATA
// and by BDAT (RFC 3030). After STARTTLS the connection is TLS.
#include <algorithm>
#include <charconv>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "inspect/app/lines.h"
#include "inspect/app/mime_header.h"
#include "inspect/app/parser.h"
#include "inspect/app/smtp_transaction.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
constexpr size_t kLineMax = 2048;       // that is kept of a command or a reply
constexpr size_t kLineLengthMax = 512;  // RFC 5321, 4.5.3.1; a longer one is an event
constexpr size_t kPendingMax = 256;     // commands that wait for their replies
constexpr size_t kEventsMax = 64;       // of a connection that are told; all else goes on
constexpr size_t kFaultsMax = 64;       // replies that are none; then the server speaks no SMTP
constexpr size_t kProbeMax = 2048;      // bytes of a side that are looked at
constexpr uint16_t kPorts[] = {25, 587, 2525};

enum class Command : uint8_t {
  kOther,
  kHelo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kStartTls,
  kEndOfMail,  // the reply that a whole mail gets
};

struct CommandName {
  std::string_view text;  // what a line begins with, in lower case
  Command command;
};
constexpr CommandName kCommands[] = {
    {"ehlo ", Command::kHelo},      {"helo ", Command::kHelo},    {"lhlo ", Command::kHelo},
    {"mail from:", Command::kMail}, {"rcpt to:", Command::kRcpt}, {"data", Command::kData},
    {"bdat ", Command::kBdat},      {"rset", Command::kRset},     {"starttls", Command::kStartTls}};

bool is_command(std::string_view line, std::string_view name) {
  if (line.size() < name.size() || lower_case(line.substr(0, name.size())) != name) return false;
  const bool open = name.ends_with(' ') || name.ends_with(':');
  return open || line.size() == name.size() || line[name.size()] == ' ';
}

// The first word of what follows the command's name.
std::string_view parameter(std::string_view line, size_t name_length) {
  const std::string_view rest = trimmed(line.substr(name_length));
  return rest.substr(0, rest.find_first_of(" \t"));
}

class SmtpParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    sink_ = &sink;
    if (direction == kUp) {
      while (!bytes.empty()) client(bytes);
      if (transaction_ != nullptr) transaction_->mail_flush(sink);
    } else {
      while (!bytes.empty() && !encrypts_ && faults_ < kFaultsMax)
        if (const auto line = replies_.next(bytes); line) reply_line(*line);
      if (encrypts_) rest_.assign(bytes.begin(), bytes.end());
    }
    if (faults_ >= kFaultsMax) return leave(Parsed::kFailed);
    return encrypts_ ? leave(Parsed::kChange) : Parsed::kMore;
  }

  // What comes behind the missing bytes is taken for the begin of a line.
  Parsed gap(Direction direction, uint64_t length, TransactionSink& sink) override {
    sink_ = &sink;
    matched_ = false;
    if (direction == kDown) {
      replies_.clear();
      pending_.clear();
      return Parsed::kMore;
    }
    commands_.clear();
    mail_lines_.clear();
    chunk_left_ -= std::min(chunk_left_, length);
    if (mode_ == Mode::kChunk && chunk_left_ == 0) chunk_ends();
    return Parsed::kMore;
  }

  void end(Direction direction, TransactionSink& sink) override {
    sink_ = &sink;
    ended_[static_cast<size_t>(direction)] = true;
    if (transaction_ == nullptr) return;
    if (direction == kUp && mail_open_) mail_ends();
    if (ended_[0] && ended_[1])
      end_transaction();
    else
      finish(direction);
  }

  AppProtocol next_protocol() const override { return AppProtocol::kTls; }
  std::span<const uint8_t> rest(Direction direction) const override {
    return direction == kDown ? std::span(rest_) : std::span<const uint8_t>();
  }

  size_t memory() const override {
    return sizeof(*this) + heap_of(helo_) + heap_of(rest_) + pending_.size() + commands_.memory() +
           replies_.memory() + mail_lines_.memory() +
           (transaction_ ? transaction_->memory() + kTransactionNotesBytes : 0);
  }

 private:
  enum class Mode : uint8_t { kCommand, kData, kChunk };

  Parsed leave(Parsed result) {
    end_transaction();
    return result;
  }

  void event(std::string_view name, Direction direction) {
    if (events_ == kEventsMax) return;
    events_++;
    sink_->event(transaction_.get(), direction, name);
  }

  void begin_transaction() {
    end_transaction();
    transaction_ = std::make_unique<SmtpTransaction>(next_id_++);
    finished_[0] = finished_[1] = mail_over_ = false;
    if (!helo_.empty()) transaction_->helo(helo_, *sink_);
  }
  void want_transaction() {
    if (transaction_ == nullptr || mail_over_) begin_transaction();
  }
  void finish(Direction direction) {
    bool& finished = finished_[static_cast<size_t>(direction)];
    if (!finished) sink_->finished(*transaction_, direction);
    finished = true;
  }
  void end_transaction() {
    if (transaction_ == nullptr) return;
    if (mail_open_) mail_ends();
    finish(kUp);
    finish(kDown);
    sink_->ended(*transaction_);
    transaction_.reset();
  }

  // Takes a command, or a part of a mail, off `bytes`.
  void client(std::span<const uint8_t>& bytes) {
    if (mode_ == Mode::kCommand) {
      if (const auto line = commands_.next(bytes); line) command_line(*line);
    } else if (mode_ == Mode::kChunk) {
      chunk(bytes);
    } else if (const auto part = mail_lines_.next(bytes); part) {
      data_line(*part);
    }
  }

  void command_line(const LineReader::Line& line) {
    if (line.cut || line.text.size() > kLineLengthMax) event("max_command_line_len_exceeded", kUp);
    const auto* const found = std::ranges::find_if(
        kCommands, [&](const CommandName& name) { return is_command(line.text, name.text); });
    const bool known = found != std::end(kCommands);
    const Command command = known ? found->command : Command::kOther;
    if (pending_has(Command::kStartTls)) event("invalid_pipelined_sequence", kUp);
    if (known) act(command, parameter(line.text, found->text.size()), line.text);
    expect(command == Command::kBdat && last_chunk_ ? Command::kEndOfMail : command);
  }

  void expect(Command command) {
    if (pending_.size() < kPendingMax)
      pending_.push_back(command);
    else
      matched_ = false;
  }

  void act(Command command, std::string_view parameter, std::string_view line) {
    switch (command) {
      case Command::kHelo:
        helo_ = parameter;
        begin_transaction();
        return;
      case Command::kMail:
        if (transaction_ == nullptr || transaction_->has_mail_from()) begin_transaction();
        transaction_->mail_from(parameter, *sink_);
        return;
      case Command::kRcpt:
        want_transaction();
        transaction_->rcpt_to(parameter, *sink_);
        return;
      case Command::kData:
        begin_mail(Mode::kData);
        return;
      case Command::kBdat:
        begin_chunk(parameter, line);
        return;
      case Command::kRset:
        if (transaction_ != nullptr && transaction_->has_mail_from()) end_transaction();
        return;
      default:
        return;
    }
  }

  void begin_mail(Mode mode) {
    if (mail_open_) end_transaction();
    want_transaction();
    mail_open_ = true;
    mode_ = mode;
    mail_lines_.clear();
  }

  // "BDAT 1000" or "BDAT 1000 LAST", and so many bytes.
  void begin_chunk(std::string_view size, std::string_view line) {
    uint64_t length = 0;
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), length);
    if (error != std::errc() || end != size.data() + size.size()) {
      event("bdat_chunk_len_exceeded", kUp);
      return;
    }
    if (!mail_open_) begin_mail(Mode::kChunk);
    mode_ = Mode::kChunk;
    chunk_left_ = length;
    last_chunk_ = lower_case(trimmed(line)).ends_with(" last");
    if (length == 0) chunk_ends();
  }

  void chunk(std::span<const uint8_t>& bytes) {
    auto part = bytes.first(static_cast<size_t>(std::min<uint64_t>(chunk_left_, bytes.size())));
    bytes = bytes.subspan(part.size());
    chunk_left_ -= part.size();
    while (!part.empty())
      if (const auto line = mail_lines_.next(part); line) transaction_->mail_line(*line, *sink_);
    if (chunk_left_ == 0) chunk_ends();
  }

  void chunk_ends() {
    if (last_chunk_) mail_ends();
    mode_ = Mode::kCommand;
  }

  // The server does not know the command (RFC 5321, 4.2.1): to it what follows are commands again.
  void chunk_is_unknown() {
    chunk_left_ = 0;
    end_transaction();
    mode_ = Mode::kCommand;
  }

  void data_line(const LinePartReader::Part& part) {
    if (part.begins && part.text == "." && part.end != LinePartReader::End::kNone) {
      // Some servers take a line that ends with LF alone, others read on (RFC 5321, 2.3.8).
      if (part.end == LinePartReader::End::kLf) event("ambiguous_end_of_mail", kUp);
      mail_ends();
      expect(Command::kEndOfMail);
      return;
    }
    LinePartReader::Part line = part;
    if (line.begins && line.text.starts_with('.')) line.text.remove_prefix(1);
    transaction_->mail_line(line, *sink_);
  }

  void mail_ends() {
    if (const auto rest = mail_lines_.rest(); rest) transaction_->mail_line(*rest, *sink_);
    mode_ = Mode::kCommand;
    mail_open_ = false;
    mail_over_ = true;
    transaction_->mail_ends(*sink_);
    finish(kUp);
  }

  bool pending_has(Command command) const {
    return std::ranges::find(pending_, command) != pending_.end();
  }

  // "250-more" or "250 the last of them".
  void reply_line(const LineReader::Line& line) {
    if (line.cut || line.text.size() > kLineLengthMax) event("max_reply_line_len_exceeded", kDown);
    unsigned code = 0;
    const std::string_view digits = line.text.substr(0, 3);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    const bool separated = line.text.size() == 3 ||
                           (line.text.size() > 3 && (line.text[3] == ' ' || line.text[3] == '-'));
    if (error != std::errc() || end != digits.data() + 3 || !separated) {
      faults_++;
      event("invalid_reply", kDown);
      return;
    }
    if (line.text.size() == 3 || line.text[3] == ' ') reply(code);
  }

  void reply(unsigned code) {
    const bool first = !std::exchange(greeted_, true);
    if (first && code == 220) return;
    if (pending_.empty()) {
      if (!matched_ && mode_ == Mode::kData) end_transaction();  // its end was missed
      if (matched_)
        event(first ? "no_server_welcome_message" : "unable_to_match_reply_with_request", kDown);
      return;
    }
    const Command command = pending_.front();
    pending_.pop_front();
    switch (command) {
      case Command::kData:
        if (code == 354) return;
        event("data_command_rejected", kDown);
        if (mode_ == Mode::kData) end_transaction();
        return;
      case Command::kBdat:
      case Command::kEndOfMail:
        if (code >= 500 && code <= 502 && mode_ == Mode::kChunk)
          chunk_is_unknown();
        else if (command == Command::kEndOfMail && mail_over_)
          end_transaction();
        return;
      case Command::kStartTls:
        encrypts_ = code == 220;
        if (!encrypts_) event("tls_rejected", kDown);
        return;
      default:
        return;
    }
  }

  TransactionSink* sink_ = nullptr;  // during a call
  std::unique_ptr<SmtpTransaction> transaction_;
  uint64_t next_id_ = 0;
  bool finished_[2] = {};  // of the transaction
  bool ended_[2] = {};
  std::string helo_;
  Mode mode_ = Mode::kCommand;
  LineReader commands_{kLineMax};
  LineReader replies_{kLineMax};
  LinePartReader mail_lines_{kMimeLinePartMax};
  uint64_t chunk_left_ = 0;
  bool last_chunk_ = false;
  bool mail_open_ = false;  // the transaction's mail has begun
  bool mail_over_ = false;  // and ended
  std::deque<Command> pending_;
  bool matched_ = true;  // pending_ is complete
  bool greeted_ = false;
  bool encrypts_ = false;
  std::vector<uint8_t> rest_;  // behind the reply to STARTTLS
  size_t events_ = 0;
  size_t faults_ = 0;
};

// A server's welcome may be one of FTP: then the client's words decide, or the port, or what the
// server says to the client's first words.
Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  const std::string text =
      lower_case({reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kProbeMax)});
  if (direction == kUp) {
    if (has_line_with(text, {"ehlo ", "helo ", "lhlo "})) return Probe::kYes;
    return is_text(text) ? Probe::kMore : Probe::kNo;
  }
  for (const std::string_view welcome : {"220 ", "220-"}) {
    if (welcome.starts_with(text) && text.size() < welcome.size()) return Probe::kMore;
    if (!text.starts_with(welcome)) continue;
    const bool port = std::ranges::find(kPorts, server_port) != std::end(kPorts);
    if (port || text.find("smtp") != std::string::npos) return Probe::kYes;
    if (text.find("ftp") != std::string::npos) return Probe::kNo;
    if (has_line_with(text, {"230", "331", "332", "234"}))
      return Probe::kNo;  // logged in, or not yet
    return has_line_with(text, {"250 ", "250-"}) ? Probe::kYes : Probe::kMore;
  }
  return Probe::kNo;
}

}  // namespace

ProtocolEntry smtp_entry() {
  return {AppProtocol::kSmtp, true, false, probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<SmtpParser>(); }};
}

}  // namespace sluice::inspect
