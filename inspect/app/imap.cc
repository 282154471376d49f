// SPDX-License-Identifier: Apache-2.0
// IMAP (RFC 9051) is recognised, as in Suricata, but has no transactions: rules look at its stream.
// Read until somebody logs in, because after STARTTLS it is TLS.
#include <algorithm>
#include <string>
#include <vector>

#include "inspect/app/lines.h"
#include "inspect/app/mime_header.h"
#include "inspect/app/parser.h"

namespace sluice::inspect {
namespace {

constexpr Direction kUp = Direction::kToServer;
constexpr Direction kDown = Direction::kToClient;
constexpr size_t kLineMax = 1024;          // that is kept of a line
constexpr size_t kProbeMax[] = {256, 16};  // bytes that are looked at, by Direction
constexpr uint16_t kPort = 143;

constexpr std::string_view kGreetings[] = {"* ok", "* preauth", "* bye"};
// What clients may say before they log in, and after which it goes on.
constexpr std::string_view kWords[] = {"capability", "noop", "id"};

bool is_end(char c) { return c == ' ' || c == '\r' || c == '\n'; }

std::string start_of(Direction direction, std::span<const uint8_t> bytes) {
  const size_t length = std::min(bytes.size(), kProbeMax[static_cast<size_t>(direction)]);
  return lower_case({reinterpret_cast<const char*>(bytes.data()), length});
}

struct Command {
  std::string tag, word;  // in lower case; empty: it is none
};

Command command_of(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || !is_text(line)) return {};
  const std::string_view rest = line.substr(space + 1);
  const auto end = std::ranges::find_if(rest, is_end);
  return {lower_case(line.substr(0, space)),
          lower_case(rest.substr(0, static_cast<size_t>(end - rest.begin())))};
}

class ImapParser final : public Parser {
 public:
  Parsed feed(Direction direction, std::span<const uint8_t> bytes, TransactionSink&) override {
    LineReader& lines = lines_[static_cast<size_t>(direction)];
    while (!bytes.empty()) {
      const auto line = lines.next(bytes);
      if (!line) continue;
      const Parsed parsed = direction == kUp ? command(*line) : reply(*line);
      if (parsed == Parsed::kChange) rest_.assign(bytes.begin(), bytes.end());
      if (parsed != Parsed::kMore) return parsed;
    }
    return Parsed::kMore;
  }
  Parsed gap(Direction, uint64_t, TransactionSink&) override { return Parsed::kDone; }
  void end(Direction, TransactionSink&) override {}

  AppProtocol next_protocol() const override { return AppProtocol::kTls; }
  std::span<const uint8_t> rest(Direction direction) const override {
    return direction == kDown ? std::span(rest_) : std::span<const uint8_t>();
  }
  size_t memory() const override {
    return sizeof(*this) + lines_[0].memory() + lines_[1].memory() + heap_of(rest_) +
           heap_of(starts_tls_);
  }

 private:
  Parsed command(const LineReader::Line& line) {
    const auto [tag, word] = command_of(line.text);
    if (line.cut) return Parsed::kDone;
    if (word == "starttls") starts_tls_ = tag;
    const bool known = word == "starttls" || std::ranges::find(kWords, word) != std::end(kWords);
    return known ? Parsed::kMore : Parsed::kDone;
  }

  // "* anything", or the answer to a command: its tag and how it went.
  Parsed reply(const LineReader::Line& line) {
    const auto [tag, word] = command_of(line.text);
    if (starts_tls_.empty() || tag != starts_tls_) return Parsed::kMore;
    starts_tls_.clear();
    return word == "ok" ? Parsed::kChange : Parsed::kMore;
  }

  LineReader lines_[2] = {LineReader(kLineMax), LineReader(kLineMax)};  // by Direction
  std::string starts_tls_;                                              // the tag of the command
  std::vector<uint8_t> rest_;                                           // behind the answer to it
};

// The server greets. What its client says first could be said to any server, and hide what follows
// from the parser for that; except at IMAP's own port.
Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t server_port) {
  const std::string text = start_of(direction, bytes);
  if (direction == kUp) {
    if (!is_text(text)) return Probe::kNo;
    const bool known = std::ranges::find(kWords, command_of(text).word) != std::end(kWords) &&
                       text.find('\n') != std::string::npos;
    return server_port == kPort && known ? Probe::kYes : Probe::kMore;
  }
  for (const std::string_view greeting : kGreetings) {
    if (greeting.starts_with(text)) return Probe::kMore;
    if (text.starts_with(greeting) && is_end(text[greeting.size()])) return Probe::kYes;
  }
  return Probe::kNo;
}

}  // namespace

ProtocolEntry imap_entry() {
  return {AppProtocol::kImap, true, false, probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<ImapParser>(); }};
}

}  // namespace sluice::inspect
