// SPDX-License-Identifier: Apache-2.0
// FTP's control connection (RFC 959): commands, replies matched with them in their order. After
// AUTH TLS (RFC 4217) it is TLS.
#include <algorithm>
#include <deque>
#include <iterator>
#include <vector>

#include "inspect/app/ftp_transaction.h"
#include "inspect/app/lines.h"
#include "inspect/app/mime_header.h"
#include "inspect/app/parser.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
constexpr size_t kLineMax = 4096;   // that is kept of a line; a longer one is an event
constexpr size_t kOpenMax = 64;     // commands that wait for replies; then the oldest ends
constexpr size_t kProbeMax = 2048;  // bytes of a side that are looked at
constexpr size_t kCodeLength = 3;
constexpr char kTelnetCommand = '\xff';  // and a byte: clients send some before ABOR
constexpr uint16_t kPort = 21;
constexpr uint16_t kPortsOfOthers[] = {25, 110, 587, 2525, 6667};  // with words in common

// What clients begin with.
constexpr std::string_view kWords[] = {"user", "auth", "feat", "syst", "host", "opts", "clnt",
                                       "pass", "help", "noop", "stat", "pbsz", "quit"};

// The code that the line begins with; empty: none.
std::string_view code_of(std::string_view line) {
  const std::string_view code = line.substr(0, kCodeLength);
  const bool digits = std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
  const bool ends =
      line.size() == kCodeLength ||
      (line.size() > kCodeLength && (line[kCodeLength] == ' ' || line[kCodeLength] == '-'));
  return digits && ends ? code : std::string_view();
}

bool asks_for_tls(const FtpTransaction& transaction) {
  const std::string how = lower_case(transaction.command_data());
  return transaction.command() == "AUTH" && (how.starts_with("tls") || how.starts_with("ssl"));
}

class FtpParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink& sink) override {
    LineReader& lines = lines_[static_cast<size_t>(direction)];
    while (!bytes.empty() && !encrypts_) {
      const auto line = lines.next(bytes);
      if (!line) continue;
      if (direction == kUp)
        command(*line, sink);
      else
        reply(*line, sink);
    }
    if (!encrypts_) return Parsed::kMore;
    rest_.assign(bytes.begin(), bytes.end());
    while (!open_.empty()) end_first(sink);
    return Parsed::kChange;
  }

  // Which reply belongs to which command is not known any more.
  Parsed gap(Direction direction, uint64_t, TransactionSink& sink) override {
    lines_[static_cast<size_t>(direction)].clear();
    if (direction == kDown) long_code_.clear();
    while (!open_.empty()) end_first(sink);
    return Parsed::kMore;
  }

  void end(Direction direction, TransactionSink& sink) override {
    ended_[static_cast<size_t>(direction)] = true;
    if (!ended_[static_cast<size_t>(kDown)]) return;
    while (!open_.empty()) end_first(sink);
  }

  AppProtocol next_protocol() const override { return AppProtocol::kTls; }
  std::span<const uint8_t> rest(Direction direction) const override {
    return direction == kDown ? std::span(rest_) : std::span<const uint8_t>();
  }

  size_t memory() const override {
    size_t bytes = sizeof(*this) + lines_[0].memory() + lines_[1].memory() + heap_of(rest_);
    for (const auto& transaction : open_) bytes += transaction->memory() + kTransactionNotesBytes;
    return bytes;
  }

 private:
  FtpTransaction& begin() {
    return *open_.emplace_back(std::make_unique<FtpTransaction>(next_id_++));
  }
  void end_first(TransactionSink& sink) {
    sink.finished(*open_.front(), kDown);
    sink.ended(*open_.front());
    open_.pop_front();
  }

  void command(const LineReader::Line& line, TransactionSink& sink) {
    std::string_view text = line.text;
    while (text.starts_with(kTelnetCommand)) text.remove_prefix(std::min<size_t>(2, text.size()));
    if (text.empty()) return;
    if (open_.size() == kOpenMax) end_first(sink);
    FtpTransaction& transaction = begin();
    if (line.cut) sink.event(&transaction, kUp, "request_command_too_long");
    transaction.request(text, line.cut, sink);
    sink.finished(transaction, kUp);
  }

  // "230-a long one", lines of any kind, "230 its last line".
  void reply(const LineReader::Line& line, TransactionSink& sink) {
    const std::string_view code = code_of(line.text);
    const bool last =
        line.text.size() == kCodeLength || !line.text.substr(code.size()).starts_with('-');
    const bool within = !long_code_.empty() && (code != long_code_ || !last);
    if (open_.empty()) begin();
    FtpTransaction& transaction = *open_.front();
    if (line.cut) sink.event(&transaction, kDown, "response_command_too_long");
    const std::string_view text =
        code.empty() ? line.text : line.text.substr(std::min(kCodeLength + 1, line.text.size()));
    transaction.reply(code, text, sink);
    const bool stray = code.empty() && !transaction.command().empty();
    if (within || stray) return;
    if (!code.empty() && !last) {
      long_code_ = code;
      return;
    }
    long_code_.clear();
    encrypts_ = code == "234" && asks_for_tls(transaction);
    if (!code.starts_with('1')) end_first(sink);  // 150: another one follows
  }

  std::deque<std::unique_ptr<FtpTransaction>> open_;  // the oldest first
  uint64_t next_id_ = 0;
  LineReader lines_[2] = {LineReader(kLineMax), LineReader(kLineMax)};  // by Direction
  std::string long_code_;  // of a reply of several lines that is not over
  bool ended_[2] = {};
  bool encrypts_ = false;
  std::vector<uint8_t> rest_;  // behind the reply to AUTH
};

// A server's welcome may be one of SMTP: then the client's words decide, or the port, or what the
// server says to the client's first words.
Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  if (std::ranges::find(kPortsOfOthers, server_port) != std::end(kPortsOfOthers)) return Probe::kNo;
  const std::string text =
      lower_case({reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kProbeMax)});
  if (direction == kUp) {
    for (const std::string_view word : kWords) {
      const bool enough = server_port == kPort || word == "user" || word == "auth";
      const bool ends =
          text.size() > word.size() && (text[word.size()] == ' ' || text[word.size()] == '\r');
      if (text.starts_with(word) && ends && enough) return Probe::kYes;
    }
    return is_text(text) ? Probe::kMore : Probe::kNo;
  }
  for (const std::string_view welcome : {"220 ", "220-"}) {
    if (welcome.starts_with(text) && text.size() < welcome.size()) return Probe::kMore;
    if (!text.starts_with(welcome)) continue;
    if (text.find("smtp") != std::string::npos) return Probe::kNo;
    if (server_port == kPort || text.find("ftp") != std::string::npos) return Probe::kYes;
    if (has_line_with(text, {"230", "331", "332", "234"}))
      return Probe::kYes;  // logged in, or not yet
    return has_line_with(text, {"250 ", "250-"}) ? Probe::kNo : Probe::kMore;
  }
  return Probe::kNo;
}

}  // namespace

ProtocolEntry ftp_entry() {
  return {AppProtocol::kFtp, true, false, probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<FtpParser>(); }};
}

}  // namespace sluice::inspect
